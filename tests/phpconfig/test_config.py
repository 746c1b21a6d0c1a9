import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pwgserve.phpconfig.config import read
from pwgserve.phpconfig.database import DatabaseSettings, database_settings
from pwgserve.phpconfig.files import PhpConfigError
from pwgserve.piwigo.address import parsed
from pwgserve.piwigo.conf import PICTURE_EXT

INSTALLED = b"""<?php
$conf['dblayer'] = 'mysqli';
$conf['db_base'] = 'gallery';
$conf['db_user'] = 'gallery';
$conf['db_password'] = 'it\\'s "secret" $x';
$conf['db_host'] = 'db.example.org:3307';

$prefixeTable = 'pwg_';

define('PHPWG_INSTALLED', true);
define('PWG_CHARSET', 'utf-8');
?>"""


@pytest.mark.parametrize(
    ("php", "expected"),
    [
        ("'plain'", "plain"),
        (r"'it\'s \\ \n'", "it's \\ \\n"),
        (r'"tab\t dollar\$ \x41 \101 \u{e9}"', "tab\t dollar$ A A é"),
        ("'a' . \"b\" . 3", "ab3"),
        ("PHPWG_ROOT_PATH . 'upload'", "./upload"),
        ("42", 42),
        ("-1_000", -1000),
        ("0x1F", 31),
        ("0755", 493),
        ("60*60*24*60", 5_184_000),
        ("1.5e3", 1500.0),
        ("TRUE", True),
        ("false", False),
        ("null", None),
        ("array('a', 'b')", ["a", "b"]),
        ("['x' => 1, 'y' => [2, 3]]", {"x": 1, "y": [2, 3]}),
        ("array_merge(array('a'), array('b'))", ["a", "b"]),
        ("array('x' => 1) + array('x' => 2, 'y' => 3)", {"x": 1, "y": 3}),
        ("$known['x']", 7),
        ("!true", False),
    ],
)
def test_a_value_is_what_php_would_make_of_it(php, expected):
    found = read(f"<?php $known['x'] = 7; $conf['name'] = {php};".encode(), "config.inc.php")
    assert found.conf["name"] == expected
    assert type(found.conf["name"]) is type(expected)
    assert found.unknown == frozenset()


@pytest.mark.parametrize(
    "statement",
    [
        "$conf['guest_access'] = getenv('OPEN');",
        "if (time() > 5) { $conf['guest_access'] = true; }",
        "if (isset($_SERVER['X'])): $conf['guest_access'] = true; endif;",
        "foreach ($all as $one) { $conf['guest_access'] = $one; }",
        "$conf['guest_access'] = $unheard_of;",
        "$conf['guest_access']['deep'] = f();",
        "list($conf['guest_access']) = f();",
        "$conf['guest_access'] = &$other;",
        "$conf['guest_access'] ??= f();",
        "function f() { $conf['guest_access'] = 1; }",
        "$conf['guest_access'] = <<<EOT\nyes\nEOT;",
        "try { $conf['guest_access'] = 1; } finally { }",
    ],
)
def test_what_only_php_can_follow_is_named_with_its_line_and_never_guessed(statement):
    found = read(f"<?php\n$conf['guest_access'] = false;\n{statement}".encode(), "config.inc.php")
    assert found.unknown == {"guest_access"}
    assert "guest_access" not in found.conf
    assert any("line 3" in warning for warning in found.warnings)


def test_a_later_plain_assignment_makes_a_setting_known_again():
    found = read(b"<?php $conf['x'] = f(); $conf['x'] = 1;", "config.inc.php")
    assert found.conf["x"] == 1
    assert found.unknown == frozenset()


def test_a_branch_whose_condition_is_known_is_taken():
    found = read(b"<?php define('A', 1); if (defined('A')) { $conf['x'] = 1; } else { $conf['x'] = 2; }", "f")
    assert found.conf["x"] == 1


def test_an_owner_may_add_to_a_list_that_piwigo_begins():
    found = read(b"<?php $conf['picture_ext'][] = 'avif'; $conf['user_fields']['id'] = 'member';", "f")
    assert found.conf["picture_ext"] == [*PICTURE_EXT, "avif"]
    assert found.conf["user_fields"]["id"] == "member"
    assert found.conf["user_fields"]["password"] == "password"


@pytest.mark.parametrize("doubled", ['"$a$a"', '"{$a}$a"', "$a . $a"])
def test_a_text_that_doubles_again_and_again_is_not_known_and_takes_no_memory(doubled):
    tracemalloc.start()
    source = "<?php $a = '0123456789'; " + f"$a = {doubled};\n" * 24 + "$conf['session_name'] = $a;"
    found = read(source.encode(), "config.inc.php")
    assert tracemalloc.get_traced_memory()[1] < 50_000_000
    tracemalloc.stop()
    assert "session_name" in found.unknown


def test_replacing_conf_as_a_whole_is_an_error_that_names_the_line():
    with pytest.raises(PhpConfigError, match=r"config\.inc\.php: line 2: .*\$conf as a whole"):
        read(b"<?php\n$conf = load();", "config.inc.php")


@pytest.mark.parametrize("source", [b"<?php $a = ;", b"<?php $conf['x' = 1;", b"<?php " + b"(" * 50_000])
def test_what_is_not_php_is_an_error_that_names_the_line(source):
    with pytest.raises(PhpConfigError, match=r"f\.php: line 1: not valid PHP"):
        read(source, "f.php")


def test_messages_hold_no_values():
    found = read(b"<?php $conf['secret_key'] = hash('md5', 'topsecret');", "f")
    assert found.unknown == {"secret_key"}
    assert "topsecret" not in " ".join(found.warnings)


@given(st.binary(max_size=300))
def test_any_bytes_give_settings_or_the_one_error(data):
    for source in (data, b"<?php " + data, b"<?php $conf['x'] = " + data):
        try:
            read(source, "f")
        except PhpConfigError as error:
            assert "\n" not in str(error)


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
def test_a_quoted_text_comes_back(text):
    quoted = text.replace("\\", "\\\\").replace("'", "\\'")
    source = f"<?php $conf['x'] = '{quoted}';".encode()
    if "\0" not in text and "\r" not in text:
        assert read(source, "f").conf["x"] == text


def test_the_database_is_the_one_that_piwigo_uses():
    found = database_settings(read(INSTALLED, "database.inc.php"), "database.inc.php")
    assert found == DatabaseSettings("gallery", 'it\'s "secret" $x', "db.example.org:3307", "gallery", "pwg_")
    assert "secret" not in repr(found)


@pytest.mark.parametrize("name", ["db_base", "db_user", "db_host"])
def test_a_missing_database_setting_is_named(name):
    source = INSTALLED.replace(f"$conf['{name}']".encode(), b"$conf['other']")
    with pytest.raises(PhpConfigError, match=rf"database\.inc\.php: \$conf\['{name}'\]"):
        database_settings(read(source, "database.inc.php"), "database.inc.php")


@pytest.mark.parametrize(
    ("host", "local_socket", "expected"),
    [
        ("db.example.org", "/run/s", ("db.example.org", None, {})),
        ("db.example.org:3307", None, ("db.example.org", 3307, {})),
        ("localhost", None, ("localhost", None, {})),
        ("localhost", "/run/s", ("localhost", None, {"unix_socket": "/run/s"})),
        ("localhost:3307", "/run/s", ("localhost", 3307, {})),
        ("localhost:/run/x.sock", "/run/s", ("localhost", None, {"unix_socket": "/run/x.sock"})),
        ("::1", None, ("::1", None, {})),
        ("[::1]:3307", None, ("::1", 3307, {})),
    ],
)
def test_a_host_means_what_it_means_to_php(host, local_socket, expected):
    address = DatabaseSettings("u", "p", host, "b", "piwigo_").address(local_socket)
    assert (address.host, address.port, address.options) == expected


_any_text = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)


@given(user=_any_text, password=_any_text, base=_any_text)
def test_names_and_passwords_of_any_characters_reach_the_database_unchanged(user, password, base):
    address = parsed(DatabaseSettings(user, password, "h", base, "piwigo_").address().text())
    assert (address.user, address.password, address.name) == (user, password, base)


def test_other_files_are_not_followed_and_that_is_said():
    found = read(b"<?php\ninclude 'more.inc.php';\n$conf['x'] = 1;", "config.inc.php")
    assert found.conf["x"] == 1
    assert found.warnings == ("config.inc.php: line 2: includes another file, which is not read",)
