<?php
/*
 * When Piwigo removes sizes or photos, the daemon is asked to remove what it has of them.
 */

namespace Pwgserve;

final class Purging
{
    private const SECONDS = 5.0;
    private const AT_ONCE = 500;

    /** @var Daemon */
    private $daemon;

    public function __construct(Daemon $daemon)
    {
        $this->daemon = $daemon;
    }

    public function connect(): void
    {
        // Before the rows go: afterwards nobody knows what the files of a photo were called.
        add_event_handler('begin_delete_elements', array($this, 'photos'));
        add_event_handler('loc_begin_admin_page', array($this, 'page'));
        add_event_handler('element_set_global_action', array($this, 'selection'));
    }

    /** Event begin_delete_elements. */
    public function photos($ids): void
    {
        foreach (array_chunk(array_map('intval', (array) $ids), self::AT_ONCE) as $some) {
            $this->ask(array('photos' => $some));
        }
    }

    /** Event loc_begin_admin_page: "delete multiple size images" of the maintenance page. */
    public function page(): void
    {
        if (!isset($_GET['page'], $_GET['action'], $_GET['type']) || $_GET['action'] !== 'derivatives') {
            return;
        }
        if (!is_string($_GET['page']) || strpos($_GET['page'], 'maintenance') !== 0 || !is_admin()) {
            return;
        }
        // Piwigo checks it, too, but later.
        if (!isset($_GET['pwg_token']) || !hash_equals(get_pwg_token(), (string) $_GET['pwg_token'])) {
            return;
        }
        $this->types(explode('_', (string) $_GET['type']));
    }

    /** Event element_set_global_action: "delete multiple size images" of the batch manager. */
    public function selection($action, $ids): void
    {
        if ($action === 'delete_derivatives' && !empty($_POST['del_derivatives_type'])) {
            $codes = self::codes((array) $_POST['del_derivatives_type']);
            foreach (array_chunk(array_map('intval', (array) $ids), self::AT_ONCE) as $some) {
                $this->ask(array('photos' => $some, 'types' => $codes));
            }
        }
    }

    private function types(array $types): void
    {
        $this->ask(in_array('all', $types, true) ? array('all' => true) : array('types' => self::codes($types)));
    }

    private function ask(array $question): void
    {
        try {
            $this->daemon->ask('purge', $question, self::SECONDS);
        } catch (Problem $problem) {
            // What is left can be reached by nobody, and goes when it has not been used for long.
            return;
        }
    }

    /** The two letters of each type. */
    private static function codes(array $types): array
    {
        return array_values(array_unique(array_map(function ($type) {
            return substr((string) $type, 0, 2);
        }, $types)));
    }
}
