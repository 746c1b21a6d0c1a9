"""What an owner's PHP may do behind our back: each of these once counted as if it did nothing."""

import shutil
import subprocess

import pytest

from pwgserve.phpconfig.config import read
from pwgserve.phpconfig.database import database_settings
from pwgserve.phpconfig.files import Files, PhpConfigError
from pwgserve.piwigo.conf import DECIDING


def found_in(php, files=None):
    return read(f"<?php\n$conf['guest_access'] = true;\n{php}\n".encode(), "/p/local/config/config.inc.php", files)


@pytest.mark.parametrize(
    "php",
    [
        "$g = true; if (getenv('X') !== 'no') { $g = false; } $conf['guest_access'] = $g;",
        "$s = true; $s = getenv('X'); $conf['guest_access'] = $s;",
        "$i = 1; $i--; $conf['guest_access'] = $i;",
        "$i = 1; while ($i > 0) { $i--; } $conf['guest_access'] = $i;",
        "$x = true; $y = &$x; $y = false; $conf['guest_access'] = $x;",
        "$g = &$conf['guest_access']; $g = false;",
        "$g = &$conf['guest_access']; $conf['guest_access'] = true; $g = false;",
        "$a = array(&$conf['guest_access']); $a[0] = false;",
        "foreach (array(false) as $conf['guest_access']) { }",
        "list(list($conf['guest_access'])) = array(array(false));",
        "['a' => [$conf['guest_access']]] = ['a' => [false]];",
        "settype($conf['guest_access'], 'string');",
        "settle($conf['guest_access']);",
        "$o->settle($conf['guest_access']);",
        "new Settler($conf['guest_access']);",
        "preg_match('/x/', '', $conf['guest_access']);",
        "$x = array(true); shuffle($x); $conf['guest_access'] = $x[0];",
        "if (getenv('X')) return; $conf['guest_access'] = true;",
        "if (getenv('X')) define('G', false); defined('G') or define('G', true); $conf['guest_access'] = G;",
        "foreach ($conf['guest_access'] as &$entry) { $entry = 0; }",
        "static $g = true; $conf['guest_access'] = $g;",
        "unset($g['x']); $conf['guest_access'] = $g;",
        "if (false) if (true) { } else { $conf['guest_access'] = false; }",
        "if (false) foreach (array() as $x) if (true) ; else $conf['guest_access'] = false;",
        "if (false) $x = 1; else if (false) if (true) $x = 2; else $conf['guest_access'] = false;",
    ],
)
def test_a_setting_that_changes_by_the_back_door_is_unknown(php):
    found = found_in(php)
    assert found.is_unknown("guest_access")
    assert "line 3" in found.where["guest_access"]
    assert not found.is_unknown("guest_id")


@pytest.mark.parametrize(
    "php",
    [
        "foreach (array('guest_access' => false) as $n => $v) { $conf[$n] = $v; }",
        "foreach (parse_ini_file('/etc/piwigo.ini') as $n => $v) $conf[$n] = $v;",
        "$k = trim('guest_access '); $conf[$k] = false;",
        "$conf[f()] = false;",
        "$c = &$conf; $c['guest_access'] = false;",
        "$c = &$GLOBALS['conf'];",
        "$g = $GLOBALS; $g['conf']['guest_access'] = false;",
        "foreach ($GLOBALS as $k => $v) { }",
        "$GLOBALS[f()]['guest_access'] = false;",
        "$n = 'co' . f(); $$n = array();",
        "extract(array('conf' => array('guest_access' => false)));",
        "parse_str('conf[guest_access]=0');",
        "eval('$conf[\"guest_access\"] = false;');",
        "assert('$conf[\"guest_access\"] = false');",
        "include 'more.php';",
        "@include('more.php');",
        "include_once('more.php');",
        "require 'more.php';",
        "require_once __DIR__ . '/more.php';",
        "$x = include 'more.php';",
        "if (true) { include 'more.php'; }",
        "if (getenv('X')) { require 'more.php'; }",
        "foreach (glob('conf.d/*.php') as $file) include $file;",
        "function set($n, $v) { global $conf; $conf[$n] = $v; } $conf['guest_access'] = true; set('guest_access', false);",
        "function set() { global $conf; $conf['guest_access'] = 0; } $conf['guest_access'] = true; set();",
        "function set() { $GLOBALS['conf']['guest_access'] = 0; } $conf['guest_access'] = true; call_user_func('set');",
        "class S { static function t() { global $conf; $conf['guest_access'] = 0; } } $conf['guest_access'] = 1; S::t();",
        "$f = function () use (&$conf) { $conf['guest_access'] = 0; }; $conf['guest_access'] = true; $f();",
        "if (getenv('CLOSED')) die('closed');",
        "is_array(getenv('X')) or exit;",
        "is_array(getenv('X')) or die('x');",
        "$x = getenv('X') ? 1 : exit;",
        "if (getenv('CLOSED')) throw new Exception();",
        "eval('function s() { global $conf; $conf[\"guest_access\"] = 0; }'); $conf['guest_access'] = 1; s();",
        "class S { function __toString() { global $conf; $conf['guest_access'] = 0; return ''; } } $s = new S; $conf['guest_access'] = 1; echo $s;",
        "class S { function __destruct() { global $conf; $conf['guest_access'] = 0; } } $s = new S; $conf['guest_access'] = 1; $s = 0;",
        "function s() { global $conf; $conf['guest_access'] = 0; } set_error_handler('s'); $conf['guest_access'] = 1; $x = $nothing;",
        "function s() { global $c; $c = 1; } $c = true; $conf['guest_access'] = $c;",
        "function s() { global $conf; $c = &$conf; $c['guest_access'] = 0; } $conf['guest_access'] = 1;",
        "function s() { global $conf; unset($conf['guest_access']); }",
        "function s() { exit; } $conf['guest_access'] = 1; s();",
        "array_map('define', array('USERS_TABLE'), array('people'));",
        "array_map('\\\\Define', array('USERS_TABLE'), array('people'));",
        "$f = 'define'; $f('USERS_TABLE', 'people');",
        "$f = array('def' . 'ine'); array_map($f[0], array('USERS_TABLE'), array('people'));",
        "$f = \"define\"; $g = Closure::fromCallable($f); $g('USERS_TABLE', 'people');",
        "$f = 'define'; (new ReflectionFunction($f))->invoke('USERS_TABLE', 'people');",
        "('define')('USERS_TABLE', 'people');",
        "namespace\\define('USERS_TABLE', 'people');",
        "$f = strrev('enifed'); $f('USERS_TABLE', 'people');",
        "call_user_func(strrev('enifed'), 'USERS_TABLE', 'people');",
    ],
)
def test_what_may_set_anything_makes_all_unknown(php):
    found = found_in(php)
    assert "config.inc.php: line 3: " in found.anything
    assert all(found.is_unknown(name) for name in DECIDING)


@pytest.mark.parametrize(
    "php",
    [
        "array_walk($conf, 'f');",
        "function s() { global $conf; $conf += array('guest_access' => 0); }",
        "set($conf);",
        "$conf = f($conf);",
        "goto end; end:",
        "exit;",
        "die;",
        "die('x');",
        "namespace x;",
        "__halt_compiler(); $conf['guest_access'] = false;",
        "?><? $conf['guest_access'] = false; ?>",
        "?><?php$conf['guest_access'] = false; ?>",
        "if (false) ?> text <?php $conf['guest_access'] = false;",
    ],
)
def test_what_cannot_be_followed_at_all_is_an_error_that_names_the_line(php):
    with pytest.raises(PhpConfigError, match=r"config\.inc\.php: line 3: "):
        found_in(php)


@pytest.mark.parametrize(
    ("php", "expected"),
    [
        ("$GLOBALS['conf']['guest_access'] = false;", False),
        ("${'conf'}['guest_access'] = false;", False),
        ("$k = 'guest_access'; $conf[$k] = false;", False),
        ("?><?= '' ?><?PHP\n$conf['guest_access'] = false ?> text <?php", False),
        ("if (true): ?> text <?php $conf['guest_access'] = false; endif ?> text", False),
        ("$conf['guest_access'] = false; return; $conf['guest_access'] = true;", False),
        ("$conf['guest_access'] = false; if (true) { return; } $conf['guest_access'] = true;", False),
        ("if (true) { if (false) $x = 1; } else $x = 2; $conf['guest_access'] = false;", False),
        ("if (false) $x = 1; else if (true) $conf['guest_access'] = false; else $x = 3;", False),
        ("$conf['guest_access'] = 1 + 1 === 2 ? false : true;", False),
        ("$conf['guest_access'] = null ?? false;", False),
        ("$saved = $conf; $conf['guest_access'] = false; $saved['guest_access'] = true;", False),
        ("$a = array(); $conf['x'] = $a; $a[] = 1; $conf['guest_access'] = $conf['x'];", []),
        ("unset($conf['guest_access']);", None),
        ("defined('PHPWG_ROOT_PATH') or die('no'); $conf['guest_access'] = false;", False),
        ("if (!defined('PHPWG_ROOT_PATH')) die('no'); $conf['guest_access'] = false;", False),
        ("foreach (array(1) as $n => $v) { $conf[$n] = $v; } $conf['guest_access'] = false;", False),
    ],
)
def test_what_can_be_followed_is(php, expected):
    found = found_in(php)
    assert not found.is_unknown("guest_access")
    assert found.conf["guest_access"] == expected


ORDINARY = """
// Piwigo behind a proxy
if (!defined('PHPWG_ROOT_PATH')) { die('Hacking attempt!'); }
if (isset($_SERVER['HTTP_X_FORWARDED_PROTO']) && $_SERVER['HTTP_X_FORWARDED_PROTO'] == 'https') {
  $_SERVER['HTTPS'] = 'on';
  $_SERVER['SERVER_PORT'] = 443;
}
if (!defined('MY_CONST')) define('MY_CONST', 'x');
define('PHPWG_THEMES', 'themes' . '/');
ini_set('memory_limit', '512M');
@set_time_limit(0);
setlocale(LC_ALL, 'fr_FR.UTF-8');
date_default_timezone_set('Europe/Paris');
$conf['show_queries'] = false;
$conf['show_gt'] = getenv('DEBUG') == 1;
$conf['file_ext'] = array_merge($conf['picture_ext'], array('mp4', 'pdf'));
$conf['graphics_library'] = extension_loaded('imagick') ? 'imagick' : 'gd';
$conf['order_by_custom'] = 'ORDER BY ' . implode(',', $conf['some_order']);
$conf['picture_ext'][] = 'avif';
if (in_array('avif', $conf['picture_ext']) && count($conf['picture_ext']) > 2) { $conf['nb_comment_page'] = 10; }
if (is_dir(dirname(__FILE__) . '/x')) { $conf['ext_imagick_dir'] = '/opt/bin/'; }
foreach (array('a', 'b') as $letter) { $conf['my_letters'][] = $letter; }
$host = str_replace('www.', '', $_SERVER['HTTP_HOST']);
function is_mobile() { return strpos($_SERVER['HTTP_USER_AGENT'], 'Mobi') !== false; }
if (is_mobile()) { $conf['nb_categories_page'] = 6; }
switch ($host) { case 'a.test': $conf['gallery_title'] = 'A'; break; default: $conf['gallery_title'] = 'B'; }
function my_verify($given, $hash) { global $conf, $page; return md5($given . $conf['salt'][0]) === $hash && $page; }
$conf['password_verify'] = 'my_verify';
$conf['guest_access'] = true;
"""


def test_what_owners_usually_write_frightens_nobody():
    found = found_in(ORDINARY)
    assert found.anything is None
    assert not any(found.is_unknown(name) for name in DECIDING)
    assert found.conf["picture_ext"][-1] == "avif"


def files_of(files):
    return Files("/p", lambda path: files.get(path))


@pytest.mark.parametrize(
    "include",
    [
        "include '/p/local/config/more.php';",
        "require_once(__DIR__ . '/more.php');",
        "@include dirname(__FILE__) . '/more.php';",
        "include PHPWG_ROOT_PATH . 'local/config/more.php';",
        "if (file_exists(__DIR__ . '/more.php')) { require __DIR__ . '/more.php'; }",
        "include __DIR__ . '/less.php'; include __DIR__ . '/more.php';",
    ],
)
def test_a_file_that_is_included_by_its_whole_path_is_followed(include):
    found = found_in(include, files_of({"/p/local/config/more.php": b"<?php $conf['guest_access'] = false; return;"}))
    assert found.anything is None
    assert found.conf["guest_access"] is False


def test_a_file_that_a_link_leads_to_is_in_its_own_folder():
    files = Files(
        "/p",
        {
            "/etc/more.php": b"<?php include __DIR__ . '/last.php';",
            "/etc/last.php": b"<?php $conf['guest_access'] = false;",
        }.get,
        lambda path: "/etc/more.php" if path == "/p/more.php" else path,
    )
    assert found_in("include './more.php';", files).conf["guest_access"] is False


def test_an_included_file_is_no_way_around():
    files = {
        "/p/a.php": b"<?php\n$conf['guest_access'] = f();",
        "/p/b.php": b"<?php include './b.php';",
        "/p/c.php": b"<?php if (",
    }
    assert found_in("include './a.php';", files_of(files)).where["guest_access"] == "/p/a.php: line 2"
    for name in ("b", "c"):
        with pytest.raises(PhpConfigError, match=rf"/p/{name}\.php: line 1"):
            found_in(f"include './{name}.php';", files_of(files))
    with pytest.raises(PhpConfigError, match="which is not there"):
        found_in("require './none.php';", files_of(files))
    assert found_in("include '/elsewhere/none.php';", files_of(files)).anything, "PHP may be in a container"


def test_a_setting_that_only_php_knows_stays_so_behind_another_name():
    assert read(b"<?php $c = &$conf; $conf['guest_access'] = true; $c['guest_access'] = f();", "f").is_unknown(
        "guest_access"
    )


def test_the_prefix_is_not_guessed():
    access = (
        b"<?php $conf['db_base'] = 'b'; $conf['db_user'] = 'u'; $conf['db_host'] = 'h'; $prefixeTable = 'piwigo_';\n"
    )
    assert database_settings(read(access, "f"), "f").prefix == "piwigo_"
    for attack in (b"if ($_SERVER['HTTP_HOST'] == 'b') { $prefixeTable = 'b_'; }", b"extract(f());"):
        with pytest.raises(PhpConfigError, match=r"piwigo\.database and piwigo\.table_prefix"):
            database_settings(read(access + attack, "f"), "f")


def test_tables_with_names_of_their_own():
    found = found_in("define('USER_INFOS_TABLE', 'main.main_user_infos'); const USERS_TABLE = '`people`';")
    assert found.tables == {"USER_INFOS_TABLE": "main.main_user_infos", "USERS_TABLE": "`people`"}
    assert found_in("if (!defined('USERS_TABLE')) define('USERS_TABLE', 'people');").tables == {"USERS_TABLE": "people"}
    assert found_in("define('PWG_LOCAL_DIR', 'sites/b/');").local_dir == "sites/b/"
    for attack in (
        "define('USERS_TABLE', getenv('X'));",
        "if (getenv('X')) { define('USERS_TABLE', 'x'); }",
        "include 'more.php'; define('USERS_TABLE', 'x');",
        "const USERS_TABLE = 'x' . PHP_OS;",
        "const A = PHP_OS, USERS_TABLE = 'x';",
    ):
        with pytest.raises(PhpConfigError, match=r"line 3: USERS_TABLE"):
            found_in(attack)


@pytest.mark.parametrize(
    "php",
    ["array(1) === array(true)", "array('a' => 1, 'b' => 2) === array('b' => 2, 'a' => 1)", "array() !== array()"],
)
def test_whether_arrays_are_identical_is_left_to_php(php):
    assert found_in(f"$conf['guest_access'] = {php};").is_unknown("guest_access")


@pytest.mark.skipif(shutil.which("php") is None, reason="needs PHP")
@pytest.mark.parametrize(
    "php",
    [
        "$a = array('k' => 1) + array('z' => 2, 'k' => 3); $conf['x'] = $a;",
        "$a = array(1); $b = $a; $b[] = 2; $conf['x'] = $a;",
        "$conf['x'] = array('1' => 'a', 1.7 => 'b', true => 'c', null => 'd');",
        "$conf['x'] = 0 ?: 'y';",
        "define('A', 1); define('A', 2); $conf['x'] = A;",
        "$conf['x'] = 'a'; unset($conf['x']); $conf['x'] = $conf['x'] ?? 'b';",
        "$a = array('FOO' => 'a', 'z' => 'b'); $conf['x'] = \"$a[FOO]\";",
        "$a = array(1 => 'a', '01' => 'b', '0x1' => 'c'); $conf['x'] = \"$a[01]$a[0x1]{$a[1]}\";",
        "$a = array('FOO' => 'a', 'z' => 'b'); define('FOO', 'z'); $conf['x'] = \"{$a[FOO]}\";",
        "$conf['x'] = dirname('/');",
        "const /* a */ A = 1, // b\n B /* c */ = 2; $conf['x'] = B;",
    ],
)
def test_what_is_known_is_what_php_has(php):
    script = f"$conf = array(); {php} echo json_encode($conf['x']);"
    told = subprocess.run(["php", "-r", script], capture_output=True, text=True, check=True).stdout
    import json

    assert json.loads(told) == found_in(php).conf["x"]
