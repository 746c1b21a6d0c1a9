<?php
/*
 * Who reads an address, and where: a page of now, or a message that is read long after, by a program that nobody knows.
 */

namespace Pwgserve;

final class Reader
{
    /** @var int|null */
    public $user;
    /** @var array|null array(kind, secret) as of Viewer; null when links for this user cannot be made */
    public $credential;
    /** @var bool whether the address is in a mail or a feed */
    public $isOfMessage;

    public function __construct(?int $user, ?array $credential, bool $isOfMessage)
    {
        $this->user = $user;
        $this->credential = $credential;
        $this->isOfMessage = $isOfMessage;
    }

    /** Whoever reads a message that is for one user: a row of users with id, username and password. */
    public static function ofMessage(array $account): self
    {
        return new self((int) $account['id'], Viewer::ofMessage($account), true);
    }
}
