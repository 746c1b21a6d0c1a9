<?php
/*
 * The plugin's keys, as `pwgserve keys export-plugin` writes them. The only place that reads key material.
 */

namespace Pwgserve;

final class Keys
{
    public const FILE = 'local/config/pwgserve.inc.php';
    private const MARK = '__halt_compiler();';

    /** @var string where the daemon listens: `127.0.0.1:8280` or `unix:/run/pwgserve.sock` */
    public $address;
    /** @var string 32 bytes */
    public $linkKey;
    /** @var string 32 bytes */
    public $markKey;

    /** The keys in a file. Throws Problem when there are none that can be used. */
    public static function read(string $file): self
    {
        if (!file_exists($file)) {
            throw new Problem('no_keys');
        }
        // Read and not included: PHP may keep a compiled copy for long after the keys were rotated.
        $text = @file_get_contents($file);
        if ($text === false) {
            throw new Problem('keys_unreadable');
        }
        $content = json_decode((string) substr((string) strstr($text, self::MARK), strlen(self::MARK)), true);
        $keys = new self();
        $keys->address = is_array($content) && isset($content['address']) ? (string) $content['address'] : '';
        $keys->linkKey = self::secret($content, 'link_key');
        $keys->markKey = self::secret($content, 'mark_key');
        if ($keys->address === '' || $keys->linkKey === '' || $keys->markKey === '') {
            throw new Problem('keys_damaged');
        }
        return $keys;
    }

    /** A name of the key that signs links, from which it cannot be found. */
    public function linkKeyId(): string
    {
        return substr(hash_hmac('sha256', 'pwgserve.key-id.v1', $this->linkKey), 0, 16);
    }

    private static function secret($content, string $name): string
    {
        $text = is_array($content) && isset($content[$name]) ? (string) $content[$name] : '';
        return preg_match('/^[0-9a-f]{64}$/D', $text) ? (string) hex2bin($text) : '';
    }

    /** Never told, whatever prints this. */
    public function __debugInfo(): array
    {
        return array('address' => $this->address);
    }
}
