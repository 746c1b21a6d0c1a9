<?php
/*
 * Makes the signed address of something of a photo, or says that there is none (null): then Piwigo's own address is used,
 * and the daemon redirects whoever may see it. Who may see it is not decided here but for everybody (`Photos`).
 */

namespace Pwgserve;

final class Signing
{
    /** @var Links */
    private $links;
    /** @var State */
    private $state;
    /** @var Photos */
    private $photos;
    /** @var Encodings */
    private $encodings;
    /** @var string Piwigo's folder, with a slash at the end */
    private $root;
    /** @var Facts|null */
    private $facts;

    public function __construct(Links $links, State $state, Photos $photos, Encodings $encodings, string $root)
    {
        $this->links = $links;
        $this->state = $state;
        $this->photos = $photos;
        $this->encodings = $encodings;
        $this->root = $root;
    }

    /**
     * A derivative's address below Piwigo's root, like `pwgs/TOKEN.jpg`. $params: Piwigo's DerivativeParams. $path: of
     * the file that is rendered, below the root.
     */
    public function derivative(int $id, object $params, string $path, bool $isRepresentative, Reader $reader): ?string
    {
        $row = $this->photos->get($id);
        $source = $this->version($path);
        if ($row === null || $source === null) {
            return null;
        }
        $extension = strtolower(pathinfo($path, PATHINFO_EXTENSION));
        $format = Facts::format($extension);
        if ($format === null) {
            return null;
        }
        $wanted = Wanted::derivative($params, $isRepresentative);
        // What the program shows that reads a message is not what the browser shows whose request this is.
        $encoding = $reader->isOfMessage ? null : $this->encodings->choose($format, $params->sizing->ideal_size);
        if ($encoding !== null) {
            $wanted .= "-$encoding";
            $extension = $encoding;
        }
        $facts = $this->facts();
        $mark = null;
        if ($facts->marks($params)) {
            $mark = $this->version(\ImageStdParams::get_watermark()->file);
            if ($mark === null) {
                return null;
            }
        }
        $described = $facts->ofDerivative(
            $wanted,
            $params,
            $format,
            $isRepresentative,
            $row['rotation'] === null ? null : (int) $row['rotation'],
            $row['coi'],
            $source,
            $mark
        );
        return $this->address($id, $wanted, Photos::isPublic($row, $this->isOpen()), $described, $extension, $reader);
    }

    /** The address of the file itself: `e` the photo, `r` its representative. Otherwise as above. */
    public function file(int $id, string $part, string $path, Reader $reader): ?string
    {
        $row = $this->photos->get($id);
        $source = $this->version($path);
        if ($row === null || $source === null) {
            return null;
        }
        $isPublic = Photos::isPublic($row, $this->isOpen()) && ($part !== Wanted::ELEMENT || $this->isOriginalPublic($row));
        $extension = strtolower(pathinfo($path, PATHINFO_EXTENSION));
        return $this->address($id, $part, $isPublic, Facts::ofFile($part, $source), $extension, $reader);
    }

    private function address(int $id, string $wanted, bool $isPublic, array $facts, string $extension, Reader $reader): ?string
    {
        $credential = $reader->credential;
        if (!$isPublic && ($reader->user === null || $credential === null)) {
            return null;
        }
        $audience = $isPublic ? $this->links->audience(null) : $this->links->audience($reader->user, $credential[0], $credential[1]);
        $ttl = $this->state->number($reader->isOfMessage ? 'message_ttl' : 'ttl');
        $expiry = Links::expiry(time(), max(2, $ttl));
        $token = $this->links->token($id, $wanted, $audience, $expiry, $this->links->fingerprint($facts));
        return $this->state->text('prefix') . "/$token.$extension";
    }

    private function facts(): Facts
    {
        global $conf;
        if ($this->facts === null) {
            $threshold = isset($conf['derivatives_strip_metadata_threshold']) ? $conf['derivatives_strip_metadata_threshold'] : 256000;
            $this->facts = new Facts(
                \ImageStdParams::get_defined_type_map(),
                \ImageStdParams::get_watermark(),
                (int) \ImageStdParams::$quality,
                (int) $threshold,
                $this->state->text('rules')
            );
        }
        return $this->facts;
    }

    /** array(size in bytes, mtime in seconds) of a file below Piwigo's root; null when it cannot be seen. */
    private function version(string $path): ?array
    {
        $found = @stat($this->root . $path);
        return $found === false ? null : array($found['size'], $found['mtime']);
    }

    private function isOpen(): bool
    {
        global $conf;
        return !empty($conf['guest_access']) && empty($conf['gallery_locked']) && $this->state->text('guest_access') === '1';
    }

    /** Whether everybody who sees the photo may have its file, too: guests with "high definition", or small pictures. */
    private function isOriginalPublic(array $row): bool
    {
        global $conf;
        $isPicture = in_array(strtolower(pathinfo($row['path'], PATHINFO_EXTENSION)), $conf['picture_ext'], true);
        return !$isPicture || $row['guest_high'] === 'true' || $this->isShownAsXxlarge($row);
    }

    private function isShownAsXxlarge(array $row): bool
    {
        if (!$row['width'] || !$row['height'] || (int) $row['rotation'] % 4) {
            return false;
        }
        $largest = null;
        foreach (\ImageStdParams::get_defined_type_map() as $type => $params) {
            if ($type !== '3xlarge' && $type !== '4xlarge') {
                $largest = $params;
            }
        }
        if ($largest === null) {
            return false;
        }
        $box = $largest->sizing->ideal_size;
        $least = \ImageStdParams::get_watermark()->min_size;
        $isMarked = $this->facts()->marks($largest) && ($least[0] <= $row['width'] || $least[1] <= $row['height']);
        return $row['width'] <= $box[0] && $row['height'] <= $box[1] && !$isMarked;
    }
}
