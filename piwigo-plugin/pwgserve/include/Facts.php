<?php
/*
 * What of a picture its fingerprint stands for, in the daemon's letters (pwgserve/fingerprints.py). Pure: Piwigo's
 * objects and the files' states are arguments. A fact that differs from the daemon's costs a redirect, nothing more.
 */

namespace Pwgserve;

final class Facts
{
    private const NONE = '-';
    private const HUGE_QUALITY = 75;
    private const FORMATS = array('jpg' => 'jpeg', 'jpeg' => 'jpeg', 'png' => 'png', 'gif' => 'gif', 'webp' => 'webp');

    /** @var object Piwigo's watermark settings */
    private $watermark;
    /** @var int the gallery's quality, 1..100 */
    private $quality;
    /** @var int pixels from which a result keeps metadata */
    private $threshold;
    /** @var string the daemon's own rules, as it names them */
    private $rules;
    /** @var int mean sharpening of the gallery's types, which custom sizes get */
    private $meanSharpen;

    /** $types: Piwigo's enabled types (DerivativeParams). */
    public function __construct(array $types, object $watermark, int $quality, int $threshold, string $rules)
    {
        $this->watermark = $watermark;
        $this->quality = max(1, min(100, $quality));
        $this->threshold = $threshold;
        $this->rules = $rules;
        $sum = 0.0;
        foreach ($types as $type) {
            $sum += self::bounded((float) $type->sharpen, 100.0);
        }
        $this->meanSharpen = count($types) ? (int) floor($sum / count($types) + 0.5) : 0;
    }

    /** The facts of a file that is sent as it is. $source: array(size in bytes, mtime in seconds). */
    public static function ofFile(string $wanted, array $source): array
    {
        return array('file', $wanted, (string) $source[0], (string) $source[1]);
    }

    /**
     * The facts of a derivative. $params: Piwigo's DerivativeParams.
     * $format: of the file that is rendered. $rotation, $coi: of the photo, null when Piwigo does not know them.
     * $isRepresentative: then both count for nothing. $mark: the watermark's state, when `marks()` says so.
     */
    public function ofDerivative(
        string $wanted,
        object $params,
        string $format,
        bool $isRepresentative,
        ?int $rotation,
        ?string $coi,
        array $source,
        ?array $mark
    ): array {
        $code = Wanted::code($params);
        $crop = self::bounded((float) $params->sizing->max_crop, 1.0);
        $sharpen = self::bounded((float) $params->sharpen, 100.0);
        if ($code === Wanted::CUSTOM) {
            $crop = Wanted::cropLetter($crop) / 25;
            $sharpen = (float) $this->meanSharpen;
        }
        $turns = $isRepresentative ? '0' : ($rotation === null ? self::NONE : (string) ($rotation % 4));
        $isCropped = !$isRepresentative && $crop > 0 && $coi !== null && preg_match('/^[a-z]{4}$/D', $coi);
        $quality = $code === '3x' || $code === '4x' ? min($this->quality, self::HUGE_QUALITY) : $this->quality;
        $facts = array(
            'derivative',
            $wanted,
            $this->rules,
            (string) $this->threshold,
            self::size($params->sizing->ideal_size),
            self::millionths($crop),
            $crop > 0 ? self::size($params->sizing->min_size) : self::NONE,
            $isCropped ? $coi : self::NONE,
            $turns,
            self::millionths($sharpen),
            (string) $quality,
            $format,
        );
        if ($this->marks($params)) {
            $w = $this->watermark;
            $numbers = array($w->xpos, $w->ypos, max(0, (int) $w->xrepeat), self::repeated($w, 'yrepeat'), $w->opacity);
            array_push($facts, $w->file, self::size($w->min_size));
            foreach ($numbers as $number) {
                $facts[] = (string) (int) $number;
            }
        }
        array_push($facts, (string) $source[0], (string) $source[1]);
        return $mark === null ? $facts : array_merge($facts, array((string) $mark[0], (string) $mark[1]));
    }

    /** The format of files with this extension; null when the daemon renders no such files. */
    public static function format(string $extension): ?string
    {
        $extension = strtolower($extension);
        return isset(self::FORMATS[$extension]) ? self::FORMATS[$extension] : null;
    }

    /** Whether pictures of this type carry the gallery's watermark, if they are large enough. */
    public function marks(object $params): bool
    {
        $w = $this->watermark;
        $box = $params->sizing->ideal_size;
        return !empty($w->file) && ($w->min_size[0] <= $box[0] || $w->min_size[1] <= $box[1]);
    }

    private static function repeated(object $watermark, string $name): int
    {
        // Galleries that were set up long ago have one number for both directions.
        return isset($watermark->$name) ? max(0, (int) $watermark->$name) : 0;
    }

    private static function size(?array $size): string
    {
        return $size && $size[0] >= 1 && $size[1] >= 1 ? (int) $size[0] . 'x' . (int) $size[1] : self::NONE;
    }

    private static function bounded(float $number, float $most): float
    {
        return max(0.0, min($most, $number));
    }

    private static function millionths(float $number): string
    {
        return (string) (int) floor($number * 1e6 + 0.5);
    }
}
