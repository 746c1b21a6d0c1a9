<?php
/*
 * For whom links are, and by what they are known: the visitor of this request, or the recipient of a message.
 * The daemon finds the same marks in the database, or else refuses; kinds are explained in pwgserve/links.py.
 */

namespace Pwgserve;

final class Viewer
{
    public const SESSION = 's';
    public const PROXY_USER = 'x';
    public const PROGRAM_KEY = 'k';
    public const MESSAGE = 'm';

    /** @var int whose request this is; a message may be written for somebody else meanwhile */
    private $visitor;

    public function __construct(int $visitor)
    {
        $this->visitor = $visitor;
    }

    /** The reader of what Piwigo writes at this moment: the visitor, or whom a message is written for. */
    public function reader(): Reader
    {
        global $user;
        $id = (int) $user['id'];
        $isOfMessage = $id !== $this->visitor || script_basename() === 'feed';
        return new Reader($id, $this->credential($id, $isOfMessage), $isOfMessage);
    }

    /**
     * array(kind, secret) of a user; null when links for them cannot be made here: guests, and sessions that begin with
     * this request and that the daemon cannot know yet.
     */
    private function credential(int $id, bool $isOfMessage): ?array
    {
        global $conf, $user;
        if ($id <= 0 || $id === (int) $conf['guest_id']) {
            return null;
        }
        if ($isOfMessage) {
            return self::ofMessage($user);
        }
        if (defined('PWG_API_KEY_REQUEST')) {
            $key = isset($_SERVER['HTTP_X_PIWIGO_API']) ? explode(':', (string) $_SERVER['HTTP_X_PIWIGO_API'])[0] : '';
            return $key === '' ? null : array(self::PROGRAM_KEY, $key);
        }
        if (!empty($conf['apache_authentication'])) {
            foreach (array('REMOTE_USER', 'REDIRECT_REMOTE_USER') as $name) {
                if (isset($_SERVER[$name])) {
                    return array(self::PROXY_USER, (string) $_SERVER[$name]);
                }
            }
        }
        return $this->ofSession($id);
    }

    /** array(kind, secret) of whoever a message is for; it lasts until the password changes or access is taken away. */
    public static function ofMessage(array $account): ?array
    {
        if (!isset($account['username'], $account['password'])) {
            return null;
        }
        return array(self::MESSAGE, $account['username'] . "\n" . $account['password']);
    }

    private function ofSession(int $id): ?array
    {
        $sent = isset($_COOKIE[session_name()]) ? $_COOKIE[session_name()] : null;
        $named = isset($_SESSION['pwg_uid']) ? (int) $_SESSION['pwg_uid'] : 0;
        // A session that this request has begun is in the database only when the page is finished.
        if ($named !== $id || session_id() === '' || $sent !== session_id()) {
            return null;
        }
        return array(self::SESSION, get_remote_addr_session_hash() . session_id());
    }
}
