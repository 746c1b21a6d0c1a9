<?php
// A page like Piwigo's, in our words, for browsers: `php -S` with this as its router. ROOT and DATABASE come by the
// environment. /album?photos=1,2&way=plugin shows photos, one below the other; way=legacy does so without the plugin.

require __DIR__ . '/harness.php';
require __DIR__ . '/gallery.php';

function page(string $title, string $body): void
{
    header('Content-Type: text/html; charset=utf-8');
    // As Piwigo's pages: asked again when they are shown again, but kept for going back.
    header('Cache-Control: private, no-cache');
    echo "<!doctype html><meta charset='utf-8'><title>$title</title><link rel='icon' href='data:,'>",
        "<style>body{font:16px sans-serif;margin:2em} figure{height:900px;margin:0} video{width:640px}</style>",
        "<h1>$title</h1><p><a id='out' href='/logout'>log out</a> <a id='away' href='/away'>away</a></p>$body";
}

$asked = parse_url($_SERVER['REQUEST_URI']);
parse_str(isset($asked['query']) ? $asked['query'] : '', $query);
$html = function (string $text): string {
    return htmlspecialchars($text, ENT_QUOTES);
};

if ($asked['path'] === '/login') {
    setcookie('pwg_id', $query['session'], array('path' => '/', 'httponly' => true, 'samesite' => 'Lax'));
    page('Logged in', '');
} elseif ($asked['path'] === '/logout') {
    begin(getenv('ROOT'), getenv('DATABASE'), false);
    $ended = Database::$connection->prepare('DELETE FROM piwigo_sessions WHERE id = ?');
    $ended->execute(array('7F00' . (isset($_COOKIE['pwg_id']) ? $_COOKIE['pwg_id'] : '')));
    setcookie('pwg_id', '', array('path' => '/', 'expires' => 1));
    page('Logged out', '');
} elseif ($asked['path'] === '/away') {
    page('Away', '<a id="back" href="javascript:history.back()">back</a>');
} elseif ($asked['path'] === '/album') {
    begin(getenv('ROOT'), getenv('DATABASE'), $query['way'] === 'plugin');
    $ids = implode(',', array_map('intval', explode(',', $query['photos'])));
    $rows = rows("id IN ($ids)");
    trigger_notify('loc_begin_index_thumbnails', $rows);
    $body = '';
    foreach ($rows as $row) {
        $url = $html(derivative_url($row, 'small'));
        $body .= "<figure><img loading='lazy' width='432' height='324' alt='{$row['id']}' src='$url'></figure>";
    }
    page('Album', $body);
} elseif ($asked['path'] === '/film') {
    begin(getenv('ROOT'), getenv('DATABASE'), true);
    $row = rows('id = ' . (int) $query['photo'])[0];
    $url = trigger_change('get_element_url', embellish_url(get_root_url() . $row['path']), $row);
    page('Film', '<video controls muted src="' . $html($url) . '"></video>');
} else {
    http_response_code(404);
}
