<?php
/*
 * Whose mail it is: the one user to whom it goes, if there is only one.
 */

namespace Pwgserve;

final class Recipients
{
    /** The row (id, username, password) of the only recipient of a PHPMailer; null when there are none, more, or strangers. */
    public function only($mail): ?array
    {
        global $conf;
        $addresses = array_merge($mail->getToAddresses(), $mail->getCcAddresses(), $mail->getBccAddresses());
        if (count($addresses) !== 1) {
            return null;
        }
        $fields = $conf['user_fields'];
        $result = pwg_query(
            "SELECT {$fields['id']} AS id, {$fields['username']} AS username, {$fields['password']} AS password FROM "
            . USERS_TABLE . " WHERE {$fields['email']} = '" . pwg_db_real_escape_string($addresses[0][0]) . "' LIMIT 2"
        );
        $found = array();
        while ($row = pwg_db_fetch_assoc($result)) {
            $found[] = $row;
        }
        return count($found) === 1 && (int) $found[0]['id'] !== (int) $conf['guest_id'] ? $found[0] : null;
    }
}
