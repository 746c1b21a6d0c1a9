<?php
/*
 * Puts the plugin together and connects it with Piwigo's events. Whatever fails leaves Piwigo as it is without it.
 */

namespace Pwgserve;

final class Plugin
{
    private const BATCH = 2000;

    /** @var string Piwigo's folder, with a slash at the end */
    private $root;
    /** @var Keys|null */
    private $keys;
    /** @var State|null */
    private $state;
    /** @var Photos */
    private $photos;
    /** @var Addresses|null */
    private $addresses;

    public function __construct(string $root)
    {
        $this->root = $root;
        $this->photos = new Photos();
    }

    /** Event init: the user is known, nothing is shown yet. */
    public function start(): void
    {
        add_event_handler('get_admin_plugin_menu_links', array($this, 'menu'));
        try {
            $this->connect();
        } catch (\Throwable $error) {
            // Piwigo's own addresses go on working; the administration says what is wrong.
            $this->addresses = null;
        }
    }

    /** The keys; throws Problem. */
    public function keys(): Keys
    {
        if ($this->keys === null) {
            $this->keys = Keys::read($this->root . Keys::FILE);
        }
        return $this->keys;
    }

    /** What makes signed addresses with this state, for the check of the administration's page. */
    public function signing(State $state): Signing
    {
        $keys = $this->keys();
        $accept = isset($_SERVER['HTTP_ACCEPT']) ? (string) $_SERVER['HTTP_ACCEPT'] : '';
        // The daemon said which encodings look as well at the quality of then.
        $isOfNow = $state->number('quality') === (int) \ImageStdParams::$quality;
        $offered = $isOfNow ? $state->all('encodings') : array();
        $encodings = new Encodings($accept, $offered, $state->number('max_avif_pixels'));
        return new Signing(new Links($keys->linkKey, $keys->markKey), $state, $this->photos, $encodings, $this->root);
    }

    /** Event loc_begin_index_thumbnails: the photos of an album's page. */
    public function expectPhotos($pictures): void
    {
        if (is_array($pictures)) {
            $this->photos->expect(array_column($pictures, 'id'));
        }
    }

    /** Event loc_begin_index_category_thumbnails: albums, each with the photo that stands for it. */
    public function expectAlbums($albums): void
    {
        if (is_array($albums)) {
            $this->photos->expect(array_column($albums, 'representative_picture_id'));
        }
    }

    /** Event loc_begin_picture: one photo and its neighbours. */
    public function expectNeighbours(): void
    {
        global $page;
        foreach (array('image_id', 'first_item', 'previous_item', 'next_item', 'last_item') as $name) {
            if (isset($page[$name])) {
                $this->photos->expect(array($page[$name]));
            }
        }
        if (isset($page['items'], $page['current_rank'])) {
            $this->photos->expect(array_slice($page['items'], max(0, (int) $page['current_rank'] - 10), 21));
        }
    }

    /** Events loc_begin_element_set_…: a page of the batch manager, which is of its photos' whole set. */
    public function expectBatch(): void
    {
        global $page;
        if (isset($page['cat_elements_id']) && is_array($page['cat_elements_id'])) {
            $this->photos->expect(array_slice($page['cat_elements_id'], 0, self::BATCH));
        }
    }

    /** Event ws_add_methods. */
    public function extendServices($arguments): void
    {
        try {
            if (in_array(isset($_GET['format']) ? $_GET['format'] : 'rest', array('json', 'rest'), true)) {
                $this->addresses->wait();
                ob_start(array($this->addresses, 'rewritten'));
            }
            (new Rendering(new Daemon($this->keys())))->register($arguments[0]);
        } catch (\Throwable $error) {
            return;
        }
    }

    /** Event before_send_mail: its links are its reader's, if there is one reader, and never its sender's. */
    public function signMail($isSent, $to = null, $arguments = array(), $mail = null)
    {
        try {
            $account = (new Recipients())->only($mail);
            $mail->Body = $this->addresses->forRecipient($mail->Body, $account);
        } catch (\Throwable $error) {
            return $isSent;
        }
        return $isSent;
    }

    /** Event get_admin_plugin_menu_links. */
    public function menu($links)
    {
        $links[] = array('NAME' => 'pwgserve', 'URL' => get_root_url() . 'admin.php?page=plugin-pwgserve');
        return $links;
    }

    private function connect(): void
    {
        global $conf, $user;
        $keys = $this->keys();
        $kept = isset($conf[State::PARAM]) && is_string($conf[State::PARAM]) ? $conf[State::PARAM] : '';
        $this->state = State::current($kept, $keys);
        if ($this->state->problem() !== '') {
            return;
        }
        $this->addresses = new Addresses($this->signing($this->state), new Viewer((int) $user['id']), $this->photos);
        (new Purging(new Daemon($keys)))->connect();
        add_event_handler('ws_add_methods', array($this, 'extendServices'), 90);
        if (self::appendsToAddresses()) {
            return;
        }
        if (self::writesToMany()) {
            $this->addresses->wait();
        }
        // Files below _data/i are the daemon's business now: nothing is looked for, and nothing is loaded in two steps.
        $conf['derivative_url_style'] = 2;
        add_event_handler('get_derivative_url', array($this->addresses, 'derivative'), 90);
        // After Piwigo's own, which leads to action.php.
        add_event_handler('get_src_image_url', array($this->addresses, 'source'), 90);
        add_event_handler('get_element_url', array($this->addresses, 'element'), 90);
        add_event_handler('picture_pictures_data', array($this->addresses, 'picture'), 90);
        add_event_handler('before_send_mail', array($this, 'signMail'), 90);
        add_event_handler('loc_begin_index_thumbnails', array($this, 'expectPhotos'));
        add_event_handler('loc_begin_index_category_thumbnails', array($this, 'expectAlbums'));
        add_event_handler('loc_begin_picture', array($this, 'expectNeighbours'));
        add_event_handler('loc_begin_element_set_global', array($this, 'expectBatch'));
        add_event_handler('loc_begin_element_set_unit', array($this, 'expectBatch'));
    }

    /** Whether this page of the administration writes something behind the addresses that it gets. */
    private static function appendsToAddresses(): bool
    {
        return self::isAdminPage('/^photo-\d+-coi/') || self::isAdminPage('/^picture_coi/');
    }

    /** Whether this page sends one text to many: it must not hold links of whoever sends it. */
    private static function writesToMany(): bool
    {
        return isset($_POST['submitEmail']) && defined('IN_ADMIN');
    }

    private static function isAdminPage(string $pattern): bool
    {
        return defined('IN_ADMIN') && isset($_GET['page']) && is_string($_GET['page']) && preg_match($pattern, $_GET['page']);
    }
}
