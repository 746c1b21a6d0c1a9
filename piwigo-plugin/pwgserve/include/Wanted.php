<?php
/*
 * How a link spells what of a photo is wanted. Pure.
 */

namespace Pwgserve;

final class Wanted
{
    public const ELEMENT = 'e';
    public const REPRESENTATIVE = 'r';
    public const CUSTOM = 'cu';

    /** A derivative: `me`, `cu_s300`, `r-me` (of the representative). $params: Piwigo's DerivativeParams. */
    public static function derivative(object $params, bool $isRepresentative): string
    {
        $code = self::code($params);
        $spelled = $code === self::CUSTOM ? $code . '_' . self::custom($params->sizing) : $code;
        return $isRepresentative ? self::REPRESENTATIVE . '-' . $spelled : $spelled;
    }

    /** The two letters of a type. */
    public static function code(object $params): string
    {
        return substr($params->type, 0, 2);
    }

    /** How far a custom size may crop, in steps of 1/25. */
    public static function cropLetter(float $crop): int
    {
        return (int) floor($crop * 25 + 0.5);
    }

    private static function custom(object $sizing): string
    {
        $ideal = self::sides($sizing->ideal_size);
        if ((float) $sizing->max_crop === 0.0) {
            return "s$ideal";
        }
        $least = self::sides($sizing->min_size ? $sizing->min_size : $sizing->ideal_size);
        if ((float) $sizing->max_crop === 1.0 && $ideal === $least) {
            return "e$ideal";
        }
        return $ideal . '_' . chr(ord('a') + self::cropLetter((float) $sizing->max_crop)) . "_$least";
    }

    private static function sides(array $size): string
    {
        return $size[0] == $size[1] ? (string) (int) $size[0] : (int) $size[0] . 'x' . (int) $size[1];
    }
}
