<?php
/*
 * Piwigo's batch generation, answered by the daemon's cache: which sizes are missing, and the making of one.
 * Without this it would look for files below _data/i that never come.
 */

namespace Pwgserve;

final class Rendering
{
    private const MISSING = 'pwg.getMissingDerivatives';
    private const RENDER = 'pwgserve.render';
    private const SECONDS = 30.0;
    private const RENDER_SECONDS = 90.0;
    private const PHOTOS = 200;

    /** @var Daemon */
    private $daemon;

    public function __construct(Daemon $daemon)
    {
        $this->daemon = $daemon;
    }

    /** $service: Piwigo's PwgServer. */
    public function register($service): void
    {
        if (!$service->hasMethod(self::MISSING)) {
            return;
        }
        $description = $service->getMethodDescription(self::MISSING);
        $signature = $service->getMethodSignature(self::MISSING);
        $options = array('admin_only' => true);
        $service->addMethod(self::MISSING, array($this, 'missing'), $signature, $description, '', $options);
        $parameters = array('photo' => array('type' => WS_TYPE_ID), 'size' => array());
        $service->addMethod(self::RENDER, array($this, 'render'), $parameters, 'Makes one size of one photo.', '', $options);
    }

    /** Method pwg.getMissingDerivatives: the addresses that make what is missing, and where to go on. */
    public function missing(array $parameters, $service)
    {
        $codes = self::codes(isset($parameters['types']) ? $parameters['types'] : null);
        if (!$codes) {
            return new \PwgError(WS_ERR_INVALID_PARAM, 'Invalid types');
        }
        $most = max(1, (int) $parameters['max_urls']);
        $atOnce = (int) min(self::PHOTOS, max(10, ceil($most / count($codes))));
        $before = (int) $parameters['prev_page'];
        $addresses = array();
        do {
            $photos = $this->page($parameters, $before, $atOnce);
            foreach ($this->absent($photos, $codes) as $id => $wanted) {
                foreach ($wanted as $one) {
                    $addresses[] = self::address((int) $id, $one);
                }
            }
            $before = count($photos) < $atOnce ? 0 : (int) end($photos)['id'];
        } while ($before && count($addresses) < $most);
        $result = array('urls' => $addresses);
        return $before ? array('next_page' => $before) + $result : $result;
    }

    /** Method pwgserve.render. */
    public function render(array $parameters, $service)
    {
        try {
            $question = array('photo' => (int) $parameters['photo'], 'wanted' => (string) $parameters['size']);
            $answer = $this->daemon->ask('render', $question, self::RENDER_SECONDS);
        } catch (Problem $problem) {
            return new \PwgError(503, 'The daemon does not answer');
        }
        return empty($answer['done']) ? new \PwgError(404, 'It cannot be made') : array('done' => true);
    }

    /** The next rows of photos, from the newest to the oldest. $before: an id, 0 for the newest. */
    private function page(array $parameters, int $before, int $most): array
    {
        $where = ws_std_image_sql_filter($parameters, '');
        if ($before > 0) {
            $where[] = "id < $before";
        }
        if (!empty($parameters['ids'])) {
            $where[] = 'id IN (' . implode(',', array_map('intval', $parameters['ids'])) . ')';
        }
        $result = pwg_query(
            'SELECT id, path, file, representative_ext, width, height, rotation FROM ' . IMAGES_TABLE
            . ($where ? ' WHERE ' . implode(' AND ', $where) : '') . ' ORDER BY id DESC LIMIT ' . $most
        );
        $rows = array();
        while ($row = pwg_db_fetch_assoc($result)) {
            $rows[] = $row;
        }
        return $rows;
    }

    /** id => what the daemon's cache has not of these photos. */
    private function absent(array $rows, array $codes): array
    {
        $wanted = array();
        foreach ($rows as $row) {
            $source = new \SrcImage($row);
            if (!$source->is_mimetype()) {
                $prefix = $source->is_original() ? '' : Wanted::REPRESENTATIVE . '-';
                foreach ($codes as $code) {
                    $wanted[(string) $row['id']][] = $prefix . $code;
                }
            }
        }
        if (!$wanted) {
            return array();
        }
        try {
            $answer = $this->daemon->ask('missing', array('photos' => $wanted), self::SECONDS);
        } catch (Problem $problem) {
            return array();
        }
        return isset($answer['photos']) && is_array($answer['photos']) ? $answer['photos'] : array();
    }

    private static function address(int $id, string $wanted): string
    {
        return get_root_url() . 'ws.php?format=json&method=' . self::RENDER . "&photo=$id&size=$wanted";
    }

    /** The codes of those types that the gallery has; of all when none are named. */
    private static function codes($types): array
    {
        $codes = array();
        foreach (\ImageStdParams::get_defined_type_map() as $type => $params) {
            if (empty($types) || in_array($type, $types, true)) {
                $codes[] = Wanted::code($params);
            }
        }
        return $codes;
    }
}
