<?php
/*
 * Signs links exactly as the daemon does. Pure: the clock and the keys are arguments.
 * Both are held to the same answers by tests/vectors/links.json.
 */

namespace Pwgserve;

final class Links
{
    private const SALT = 'pwgserve.links.v1';
    private const HASH_LENGTH = 16;

    /** @var string the key that tokens are signed with */
    private $tokenKey;
    /** @var string what credentials and fingerprints are hashed with */
    private $markKey;

    /** Both keys are 32 bytes, as they are in the keys file. */
    public function __construct(string $linkKey, string $markKey)
    {
        $this->tokenKey = hash_hmac('sha256', self::SALT, $linkKey, true);
        $this->markKey = $markKey;
    }

    /**
     * The token of a link: PHOTO.WANTED.AUDIENCE.EXPIRY.FINGERPRINT.SIGNATURE.
     * $audience: as `audience()` spells it. $expiry: seconds since 1970.
     */
    public function token(int $photo, string $wanted, string $audience, int $expiry, string $fingerprint): string
    {
        $payload = "$photo.$wanted.$audience.$expiry.$fingerprint";
        return $payload . '.' . self::base64(hash_hmac('sha256', $payload, $this->tokenKey, true));
    }

    /** Whom a link is for: everybody (no user), or one user as known by a credential of this kind. */
    public function audience(?int $user, string $kind = '', string $secret = ''): string
    {
        return $user === null ? 'p' : "u$user$kind" . $this->mark($kind, $secret);
    }

    /** Whether a link (`…/TOKEN.jpg`) is for everybody. */
    public static function isPublic(string $address): bool
    {
        $parts = explode('.', basename($address));
        return isset($parts[2]) && $parts[2] === 'p';
    }

    /** A keyed hash of a credential, from which it cannot be found. */
    public function mark(string $kind, string $secret): string
    {
        return $this->hash(array('credential', $kind, $secret));
    }

    /** A keyed hash of the facts that make a response what it is. */
    public function fingerprint(array $facts): string
    {
        return $this->hash(array_merge(array('fingerprint'), $facts));
    }

    /** When a link made now expires: the same for all that are made within half a $ttl. Seconds, 2 at least. */
    public static function expiry(int $now, int $ttl): int
    {
        $bucket = intdiv($ttl, 2);
        return (intdiv($now, $bucket) + 1) * $bucket + $ttl;
    }

    private function hash(array $parts): string
    {
        $message = '';
        foreach ($parts as $part) {
            $message .= strlen($part) . ':' . $part;
        }
        return substr(self::base64(hash_hmac('sha256', $message, $this->markKey, true)), 0, self::HASH_LENGTH);
    }

    private static function base64(string $bytes): string
    {
        return rtrim(strtr(base64_encode($bytes), '+/', '-_'), '=');
    }
}
