<?php
// A stand-in for Piwigo over the tests' SQLite galleries: what the plugin asks of it, in our words and with its names.
// GALLERY names the folder, DATABASE the file; the visitor is known by the cookie pwg_id.

require __DIR__ . '/piwigo.php';

const IMAGES_TABLE = 'piwigo_images';
const IMAGE_CATEGORY_TABLE = 'piwigo_image_category';
const CATEGORIES_TABLE = 'piwigo_categories';
const USERS_TABLE = 'piwigo_users';
const USER_INFOS_TABLE = 'piwigo_user_infos';
const USER_ACCESS_TABLE = 'piwigo_user_access';
const USER_GROUP_TABLE = 'piwigo_user_group';
const GROUP_ACCESS_TABLE = 'piwigo_group_access';
const CONFIG_TABLE = 'piwigo_config';
const GUEST = 2;

final class Database
{
    public static $connection;
    public static $questions = 0;
    public static $changed = 0;
}

function pwg_query(string $query)
{
    Database::$questions++;
    $result = Database::$connection->query($query);
    Database::$changed = $result->rowCount();
    return $result;
}

function pwg_db_fetch_assoc($result)
{
    $row = $result->fetch(PDO::FETCH_ASSOC);
    return $row === false ? null : array_map(function ($value) {
        return $value === null ? null : (string) $value;
    }, $row);
}

function pwg_db_real_escape_string(string $text): string
{
    return str_replace("'", "''", $text);
}

function pwg_db_changes(): int
{
    return Database::$changed;
}

function conf_update_param(string $name, string $value): void
{
    pwg_query('DELETE FROM ' . CONFIG_TABLE . " WHERE param = '$name'");
    pwg_query('INSERT INTO ' . CONFIG_TABLE . " (param, value) VALUES ('$name', '$value')");
}

function add_event_handler(string $event, $function, int $priority = 50): void
{
    $GLOBALS['handlers'][$event][$priority][] = $function;
}

function trigger_change(string $event, $value, ...$arguments)
{
    $handlers = isset($GLOBALS['handlers'][$event]) ? $GLOBALS['handlers'][$event] : array();
    ksort($handlers);
    foreach ($handlers as $some) {
        foreach ($some as $function) {
            $value = $function($value, ...$arguments);
        }
    }
    return $value;
}

function trigger_notify(string $event, ...$arguments): void
{
    $handlers = isset($GLOBALS['handlers'][$event]) ? $GLOBALS['handlers'][$event] : array();
    foreach ($handlers as $some) {
        foreach ($some as $function) {
            $function(...$arguments);
        }
    }
}

function get_root_url(): string
{
    return '/';
}

function script_basename(): string
{
    return isset($GLOBALS['script']) ? $GLOBALS['script'] : 'index';
}

function embellish_url(string $url): string
{
    return str_replace('/./', '/', $url);
}

function url_is_remote(string $url): bool
{
    return (bool) preg_match('#^https?://#', $url);
}

function get_action_url($id, string $part, bool $isDownload): string
{
    return get_root_url() . "action.php?id=$id&part=$part" . ($isDownload ? '&download' : '');
}

function get_remote_addr_session_hash(): string
{
    return '7F00';
}

final class ImageStdParams
{
    public static $quality = 95;

    public static function get_defined_type_map(): array
    {
        $boxes = array(
            'square' => array(120, 120), 'thumb' => array(144, 144), '2small' => array(240, 240), 'xsmall' => array(432, 324),
            'small' => array(576, 432), 'medium' => array(792, 594), 'large' => array(1008, 756), 'xlarge' => array(1224, 918),
            'xxlarge' => array(1656, 1242),
        );
        $types = array();
        foreach ($boxes as $type => $box) {
            $isSquare = $type === 'square';
            $values = array('ideal' => $box, 'max_crop' => (int) $isSquare, 'min_size' => $isSquare ? $box : null, 'sharpen' => 0);
            $types[$type] = params($type, $values);
        }
        return $types;
    }

    public static function get_watermark(): object
    {
        $numbers = array('xpos' => 50, 'ypos' => 50, 'xrepeat' => 0, 'yrepeat' => 0, 'opacity' => 100);
        return (object) (array('file' => '', 'min_size' => array(500, 500)) + $numbers);
    }
}

final class SrcImage
{
    public $id;
    public $rel_path;
    private $isOriginal;
    private $isIcon = false;

    public function __construct(array $row)
    {
        $this->id = $row['id'];
        $this->rel_path = $row['path'];
        $this->isOriginal = (bool) preg_match('/\.(?:jpe?g|png|gif|webp)$/i', $row['path']);
        if (!$this->isOriginal && $row['representative_ext'] !== null) {
            $this->rel_path = preg_replace('#([^/]+)\.[^.]+$#', "pwg_representative/$1.{$row['representative_ext']}", $row['path']);
        } elseif (!$this->isOriginal) {
            $this->isIcon = true;
        }
    }

    public function is_original(): bool
    {
        return $this->isOriginal;
    }

    public function is_mimetype(): bool
    {
        return $this->isIcon;
    }
}

/** Everything as it is when Piwigo has found out who the visitor is, with or without the plugin. */
function begin(string $root, string $database, bool $withPlugin): void
{
    global $conf, $user;
    Database::$connection = new PDO("sqlite:$database", null, null, array(PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION));
    Database::$connection->exec('PRAGMA busy_timeout = 10000');
    $conf = array(
        'guest_id' => GUEST, 'guest_access' => true, 'gallery_locked' => false, 'derivative_url_style' => 0,
        'picture_ext' => array('jpg', 'jpeg', 'png', 'gif', 'webp'), 'apache_authentication' => false,
        'user_fields' => array('id' => 'id', 'username' => 'username', 'password' => 'password', 'email' => 'username'),
    );
    foreach (Database::$connection->query('SELECT param, value FROM ' . CONFIG_TABLE) as $row) {
        $conf[$row['param']] = $row['value'];
    }
    begin_session();
    $id = isset($_SESSION['pwg_uid']) ? (int) $_SESSION['pwg_uid'] : GUEST;
    $user = user_row($id);
    if ($withPlugin) {
        define('PWGSERVE_ROOT', $root);
        require __DIR__ . '/../../../piwigo-plugin/pwgserve/main.inc.php';
        $GLOBALS['pwgserve'] = new Pwgserve\Plugin($root . '/');
        $GLOBALS['pwgserve']->start();
    }
}

function user_row(int $id): array
{
    return pwg_db_fetch_assoc(pwg_query(
        'SELECT u.id, u.username, u.password, i.enabled_high FROM ' . USERS_TABLE . ' AS u JOIN ' . USER_INFOS_TABLE
        . " AS i ON i.user_id = u.id WHERE u.id = $id"
    ));
}

function begin_session(): void
{
    session_set_save_handler(new Sessions());
    session_name('pwg_id');
    if (isset($_COOKIE['pwg_id'])) {
        ini_set('session.use_cookies', '0');
        session_id($_COOKIE['pwg_id']);
        session_start();
    }
}

/** The table of sessions, which a page of these tests only reads. */
class Sessions implements SessionHandlerInterface
{
    public function open(string $path, string $name): bool
    {
        return true;
    }

    public function close(): bool
    {
        return true;
    }

    public function read(string $id): string
    {
        $found = Database::$connection->prepare('SELECT data FROM piwigo_sessions WHERE id = ?');
        $found->execute(array("7F00$id"));
        return (string) $found->fetchColumn();
    }

    public function write(string $id, string $data): bool
    {
        return true;
    }

    public function destroy(string $id): bool
    {
        return true;
    }

    public function gc(int $lifetime): int
    {
        return 0;
    }
}

/** Piwigo's address of a size, after all plugins. */
function derivative_url(array $row, string $type): string
{
    $params = ImageStdParams::get_defined_type_map()[$type];
    $source = new SrcImage($row);
    $code = substr($type, 0, 2);
    $relative = 'i.php?/' . preg_replace('#^\./(.*)(\.[^.]+)$#', "$1-$code$2", $source->rel_path);
    return trigger_change('get_derivative_url', get_root_url() . $relative, $params, $source, $relative);
}

/** Piwigo's address of the picture itself. */
function source_url(array $row): string
{
    $source = new SrcImage($row);
    $url = embellish_url(get_root_url() . $source->rel_path);
    return trigger_change('get_src_image_url', $url, $source);
}

const WS_TYPE_ID = 1;
const WS_ERR_INVALID_PARAM = 1003;

final class PwgError
{
    public $code;

    public function __construct(int $code, string $text)
    {
        $this->code = $code;
    }
}

function ws_std_image_sql_filter(array $parameters, string $table): array
{
    return array();
}

/** Piwigo's service, as far as methods can be looked up, replaced and called. */
final class StandInService
{
    private $methods = array('pwg.getMissingDerivatives' => null);

    public function hasMethod(string $name): bool
    {
        return array_key_exists($name, $this->methods);
    }

    public function getMethodDescription(string $name): string
    {
        return '';
    }

    public function getMethodSignature(string $name): array
    {
        return array();
    }

    public function addMethod($name, $callback, $parameters, $description, $file, $options): void
    {
        $this->methods[$name] = array($callback, $options);
    }

    public function call(string $name, array $parameters)
    {
        same(true, $this->methods[$name][1]['admin_only']);
        return call_user_func($this->methods[$name][0], $parameters, $this);
    }
}

/** A mail as PHPMailer has it. */
final class StandInMail
{
    public $Body;
    private $to;

    public function __construct(string $body, array $to)
    {
        $this->Body = $body;
        $this->to = $to;
    }

    public function getToAddresses(): array
    {
        return array_map(function ($address) {
            return array($address, '');
        }, $this->to);
    }

    public function getCcAddresses(): array
    {
        return array();
    }

    public function getBccAddresses(): array
    {
        return array();
    }
}

function rows(string $condition = '1'): array
{
    $result = pwg_query('SELECT * FROM ' . IMAGES_TABLE . " WHERE $condition ORDER BY id");
    $rows = array();
    while ($row = pwg_db_fetch_assoc($result)) {
        $rows[] = $row;
    }
    return $rows;
}
