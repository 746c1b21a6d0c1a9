<?php
/*
 * Which encoding of a derivative a browser is sent: what it announces by name, the best first. Pure.
 * The daemon's side is pwgserve/accept.py and targets.recoded.
 */

namespace Pwgserve;

final class Encodings
{
    private const MAX_LENGTH = 2000;

    /** @var array content type or range => how much it is liked, 0 to 1 */
    private $announced = array();
    /** @var array format of a source => encodings that the daemon offers, the best first */
    private $offered;
    /** @var int pixels of the largest box that is offered as AVIF */
    private $maxAvif;

    public function __construct(string $accept, array $offered, int $maxAvif)
    {
        $this->offered = $offered;
        $this->maxAvif = $maxAvif;
        foreach (strlen($accept) > self::MAX_LENGTH ? array() : explode(',', $accept) as $part) {
            $this->announce(explode(';', $part));
        }
    }

    /** The encoding for a source of this format and a box of this size in pixels; null for the source's own. */
    public function choose(string $format, array $box): ?string
    {
        $names = isset($this->offered[$format]) ? $this->offered[$format] : array();
        $best = null;
        $liked = 0.0;
        foreach ($names as $name) {
            if ($name === 'avif' && $box[0] * $box[1] > $this->maxAvif) {
                continue;
            }
            $quality = isset($this->announced["image/$name"]) ? $this->announced["image/$name"] : 0.0;
            if ($quality > $liked) {
                $best = $name;
                $liked = $quality;
            }
        }
        return $best !== null && $liked >= $this->native($format) ? $best : null;
    }

    private function native(string $format): float
    {
        foreach (array("image/$format", 'image/*', '*/*') as $range) {
            if (isset($this->announced[$range])) {
                return $this->announced[$range];
            }
        }
        return 0.0;
    }

    private function announce(array $pieces): void
    {
        $kind = strtolower(trim($pieces[0], " \t"));
        $quality = 1.0;
        foreach (array_slice($pieces, 1) as $parameter) {
            if (!preg_match('/^[ \t]*q[ \t]*=[ \t]*(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)[ \t]*$/iD', $parameter, $match)) {
                return;
            }
            $quality = (float) $match[1];
        }
        $known = isset($this->announced[$kind]) ? $this->announced[$kind] : 1.0;
        $this->announced[$kind] = min($quality, $known);
    }
}
