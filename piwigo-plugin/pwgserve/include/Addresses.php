<?php
/*
 * Answers Piwigo's events about addresses: the signed one, or the one that Piwigo had, whatever goes wrong.
 * In answers of ws.php addresses are signed when the answer is complete, so that all photos are one question.
 */

namespace Pwgserve;

final class Addresses
{
    /** @var Signing */
    private $signing;
    /** @var Viewer */
    private $viewer;
    /** @var Photos */
    private $photos;
    /** @var array Piwigo's address => array(how to sign it: a function of a Reader; the root's address) */
    private $later = array();
    /** @var array ids of films and documents among what waits => the root's address */
    private $films = array();
    /** @var array signed addresses that were given out => Piwigo's */
    private $own = array();
    /** @var bool whether addresses wait in `later` */
    private $waits = false;

    public function __construct(Signing $signing, Viewer $viewer, Photos $photos)
    {
        $this->signing = $signing;
        $this->viewer = $viewer;
        $this->photos = $photos;
    }

    /** Sign nothing until `rewritten` or `forRecipient` is called: the recipients, or all photos, are not known before. */
    public function wait(): void
    {
        $this->waits = true;
    }

    /** Event get_derivative_url. */
    public function derivative($url, $params, $source, $relativeUrl = null)
    {
        return $this->safely($url, function () use ($url, $params, $source) {
            if ($this->waits) {
                $this->announce($source);
            }
            if ($source->is_mimetype()) {
                return null;
            }
            $isRepresentative = !$source->is_original();
            return $this->now($url, (int) $source->id, function (Reader $reader) use ($params, $source, $isRepresentative) {
                $path = self::below($source->rel_path);
                return $this->signing->derivative((int) $source->id, $params, $path, $isRepresentative, $reader);
            });
        });
    }

    /** Event get_src_image_url. */
    public function source($url, $source)
    {
        return $this->safely($url, function () use ($url, $source) {
            global $user;
            $part = $source->is_original() ? Wanted::ELEMENT : Wanted::REPRESENTATIVE;
            if ($part === Wanted::ELEMENT && !in_array($user['enabled_high'], array(true, 'true'), true)) {
                // Without "high definition" only the daemon knows whether this original is small enough.
                return null;
            }
            return $this->now($url, (int) $source->id, function (Reader $reader) use ($source, $part) {
                return $this->signing->file((int) $source->id, $part, self::below($source->rel_path), $reader);
            });
        });
    }

    /** Event get_element_url: videos and documents. $info: a row of images with id and path. */
    public function element($url, $info)
    {
        return $this->safely($url, function () use ($url, $info) {
            if (!isset($info['id'], $info['path']) || url_is_remote($info['path'])) {
                return null;
            }
            return $this->now($url, (int) $info['id'], function (Reader $reader) use ($info) {
                return $this->signing->file((int) $info['id'], Wanted::ELEMENT, self::below($info['path']), $reader);
            });
        });
    }

    /** Event picture_pictures_data: what the page of one photo shows and offers. */
    public function picture($pictures)
    {
        try {
            foreach ($pictures as $which => $picture) {
                if (isset($picture['element_url'], $picture['src_image']) && !$picture['src_image']->is_original()) {
                    $pictures[$which]['element_url'] = $this->element($picture['element_url'], $picture);
                }
            }
        } catch (\Throwable $error) {
            return $pictures;
        }
        return $pictures;
    }

    /** The text of an answer with the addresses of its photos signed; the text as it was when that fails. */
    public function rewritten(string $text): string
    {
        try {
            return $this->replaced($text, $this->viewer->reader());
        } catch (\Throwable $error) {
            return $text;
        }
    }

    /**
     * The text of a mail for one user (a row of users: id, username, password), or for nobody in particular (null).
     * Links that were made before its readers were known never leave with it, public ones, which live shorter, neither.
     */
    public function forRecipient(string $text, ?array $account): string
    {
        $known = array();
        foreach ($this->own as $signed => $url) {
            $known += array($signed => $url, htmlspecialchars($signed) => htmlspecialchars($url));
        }
        $text = self::exchanged($text, $known);
        if ($account === null) {
            return $text;
        }
        try {
            return $this->replaced($text, Reader::ofMessage($account));
        } catch (\Throwable $error) {
            return $text;
        }
    }

    private function replaced(string $text, Reader $reader): string
    {
        foreach ($this->films as $id => $root) {
            $this->addFilm($id, $root);
        }
        $known = array();
        foreach ($this->later as $url => $waiting) {
            $own = $waiting[0]($reader);
            if ($own !== null) {
                // As HTML and XML write it, and as JSON does.
                $own = $waiting[1] . $own;
                $known += array($url => $own, htmlspecialchars($url) => htmlspecialchars($own));
                $known[self::inJson($url)] = self::inJson($own);
            }
        }
        return self::exchanged($text, $known);
    }

    /** The text with addresses exchanged; only whole ones: with something more behind it, it is another address. */
    private static function exchanged(string $text, array $known): string
    {
        if (!$known) {
            return $text;
        }
        $exchange = function (array $match) use ($known) {
            return isset($known[$match[0]]) ? $known[$match[0]] : $match[0];
        };
        // What ends with a backslash stands before a quotation mark of HTML in JSON.
        $exchanged = preg_replace_callback('~[^\s"\'<>()]+?(?=\\\\?(?:[\s"\'<>()]|$))~', $exchange, $text);
        return self::exchangedOdd($exchanged === null ? $text : $exchanged, $known);
    }

    /** The same for addresses of files whose names hold what else ends an address: between what encloses these. */
    private static function exchangedOdd(string $text, array $known): string
    {
        $enclosed = array();
        foreach ($known as $url => $own) {
            if (preg_match('~[\s"\'<>()]~', $url)) {
                foreach (array('"%s"', '"%s\\"', "'%s'", '>%s<') as $pair) {
                    $enclosed[sprintf($pair, $url)] = sprintf($pair, $own);
                }
            }
        }
        return $enclosed ? strtr($text, $enclosed) : $text;
    }

    /** A film's own file is asked of no event in ws.php, and downloads are not, either: its derivatives announce them. */
    private function announce($source): void
    {
        $id = (int) $source->id;
        if (!isset($this->films[$id]) && !$source->is_original()) {
            $this->films[$id] = get_root_url();
        }
        $download = get_action_url($id, Wanted::ELEMENT, true);
        $this->later += array($download => array(function (Reader $reader) use ($id) {
            $own = $this->original($id, $reader);
            return $own === null ? null : "$own?download";
        }, get_root_url()));
    }

    private function addFilm(int $id, string $root): void
    {
        $row = $this->photos->get($id);
        if ($row !== null) {
            $this->later[embellish_url($root . $row['path'])] = array(function (Reader $reader) use ($id) {
                return $this->original($id, $reader);
            }, $root);
        }
    }

    private function original(int $id, Reader $reader): ?string
    {
        $row = $this->photos->get($id);
        if ($row === null) {
            return null;
        }
        return $this->signing->file($id, Wanted::ELEMENT, self::below($row['path']), $reader);
    }

    /** The signed address, or null when it has to wait for its answer's turn. */
    private function now($url, int $id, callable $sign): ?string
    {
        $this->photos->expect(array($id));
        if ($this->waits) {
            $this->later[embellish_url($url)] = array($sign, get_root_url());
            return null;
        }
        $own = $sign($this->viewer->reader());
        if ($own === null) {
            return null;
        }
        $signed = get_root_url() . $own;
        // Should it get into a mail, it is exchanged: see forRecipient.
        $this->own[$signed] = embellish_url($url);
        $this->later[embellish_url($url)] = array($sign, get_root_url());
        return $signed;
    }

    /** A path below Piwigo's root without what Piwigo writes before it. */
    private static function below(string $path): string
    {
        return strpos($path, './') === 0 ? substr($path, 2) : $path;
    }

    private static function inJson(string $text): string
    {
        return substr((string) json_encode($text), 1, -1);
    }

    private function safely($url, callable $sign)
    {
        try {
            $own = $sign();
            return $own === null ? $url : $own;
        } catch (\Throwable $error) {
            return $url;
        }
    }
}
