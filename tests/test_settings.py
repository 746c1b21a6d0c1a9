import re
from inspect import signature
from pathlib import Path

import aiomysql
import pytest

from pwgserve.settings import _DATABASE_OPTIONS, Listen, Settings
from pwgserve.settings_file import SettingsError, from_values, is_open_secret, load

DOCS = Path(__file__).parents[1] / "docs/configuration.md"


def values(tmp_path, **tables):
    return {"piwigo": {"root": str(tmp_path), "database": "mysql://u@h/d"}, **tables}


def test_only_the_gallerys_folder_must_be_given(tmp_path):
    found = from_values({"piwigo": {"root": str(tmp_path)}}, "f")
    assert found.server.listen == "127.0.0.1:8280"
    assert found.links.ttl == 1800
    assert found.cache.max_size == 20_000_000_000
    assert found.server.base_path == "/"
    assert not found.access.lockdown


def test_environment_variables_win(tmp_path, monkeypatch):
    monkeypatch.setenv("PWGSERVE_SERVER__LISTEN", "unix:/run/x.sock")
    monkeypatch.setenv("PWGSERVE_LINKS__TTL", "10m")
    monkeypatch.setenv("PWGSERVE_LINKS__BIND_SESSION", "true")
    found = from_values(values(tmp_path, links={"ttl": "5m"}), "f")
    assert (found.server.listen, found.links.ttl, found.links.bind_session) == ("unix:/run/x.sock", 600, True)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90 x", None), ("90s", 90), ("1.5h", 5400), ("2 d", 172_800), (45, 45), ("500ms", None)],
)
def test_durations_are_numbers_or_texts(tmp_path, text, seconds):
    if seconds is None:
        with pytest.raises(SettingsError, match=r"f: links\.ttl: "):
            from_values(values(tmp_path, links={"ttl": text}), "f")
    else:
        assert from_values(values(tmp_path, links={"ttl": text}), "f").links.ttl == seconds


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1:80", Listen(host="127.0.0.1", port=80)),
        ("[::1]:80", Listen(host="::1", port=80)),
        ("unix:/a/b", Listen(path="/a/b")),
    ],
)
def test_addresses_to_listen_on(text, expected):
    assert Listen.parse(text) == expected


@pytest.mark.parametrize("text", ["", "80", ":80", "a:b", "a:65536", "unix:", "unix:relative", "a:٣"])
def test_what_is_no_address_to_listen_on(text):
    with pytest.raises(ValueError, match="write a"):
        Listen.parse(text)


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("https://x.example", "/"),
        ("https://x.example/photos", "/photos/"),
        ("http://x:8/b", "/b/"),
        ("https://x.example/über uns/", "/%C3%BCber%20uns/"),
        ("https://x.example/%C3%BCber%20uns", "/%C3%BCber%20uns/"),
        ("https://x.example/~anna/a+b;c/", "/~anna/a+b;c/"),
    ],
)
def test_the_gallery_may_be_in_a_sub_path(tmp_path, url, base):
    assert from_values(values(tmp_path, server={"public_url": url}), "f").server.base_path == base


@pytest.mark.parametrize(
    "url",
    [
        "https://x/photos/index.php",
        "https://x/i.php/",
        "https://x:99999/",
        "https://x:abc/",
        "https://:80/",
        "https://[",
    ],
)
def test_what_is_no_address_of_a_gallery(tmp_path, url):
    with pytest.raises(SettingsError, match="public_url"):
        from_values(values(tmp_path, server={"public_url": url}), "f")


@pytest.mark.parametrize(("table", "key"), [("cache", "dir"), ("links", "keys_file")])
def test_folders_do_not_depend_on_where_a_command_is_run(tmp_path, table, key):
    with pytest.raises(SettingsError, match=f"{table}.{key}: 'cache' would be another place"):
        from_values(values(tmp_path, **{table: {key: "cache"}}), "f")


def test_a_problem_is_one_line_with_file_and_key_and_without_the_value(tmp_path):
    content = values(tmp_path)
    content["piwigo"]["database"] = "postgres://user:topsecret@host/x"
    with pytest.raises(SettingsError) as error:
        from_values(content, "pwgserve.toml")
    assert str(error.value).startswith("pwgserve.toml: piwigo.database: write it like")
    assert "topsecret" not in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("table", "key", "value", "said"),
    [
        ("server", "trusted_proxies", "127.0.0.1", 'write a list like ["127.0.0.1/32"]'),
        ("server", "trusted_proxies", ["unix"], "'unix' is not a network"),
        ("server", "own_addresses", 3, 'write a list like ["203.0.113.7"]'),
        ("server", "internal_prefix", "x", 'write a path like "/_pwgserve"'),
        ("piwigo", "originals", "/srv", 'write a list like ["/srv/photos"]'),
        ("piwigo", "conf", 3, "write a table, [piwigo.conf]"),
        ("piwigo", "root", 3, 'write a path in quotes, like "/srv/photos"'),
        ("render", "formats", "webp", 'write a list like ["avif", "webp"]'),
        ("render", "workers", "many", "write a whole number"),
        ("cache", "dir", 3, 'write a path in quotes, like "/srv/photos"'),
        ("cache", "max_size", "lots", 'write a size like "20GB"'),
        ("cache", "max_size", "20GBB", 'write a size like "20GB"'),
        ("links", "prefix", "a/b", 'use small letters (a-z), digits, "_" and "-" only, 40 at most'),
        ("links", "ttl", [], 'write a duration like "30m"'),
        ("access", "lockdown", "perhaps", "write true or false"),
        ("log", "audit", 3, "write a string, in quotes"),
    ],
)
def test_what_is_wrong_is_said_with_what_would_be_right(tmp_path, table, key, value, said):
    content = values(tmp_path)
    content.setdefault(table, {})[key] = value
    with pytest.raises(SettingsError) as error:
        from_values(content, "f")
    assert str(error.value).startswith(f"f: {table}.{key}: {said}")


def test_a_table_that_is_none_is_said_as_one(tmp_path):
    for table in Settings.model_fields:
        with pytest.raises(SettingsError, match=rf"^f: {table}: write a table, \[{table}\]$"):
            from_values(values(tmp_path) | {table: 3}, "f")


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("PWGSERVE_ACCESS__LOCKDOWN", "maybe", "access.lockdown: write true or false"),
        (
            "PWGSERVE_SERVER__TRUSTED_PROXIES",
            "10.0.0.1/32",
            'server.trusted_proxies: write a list like ["127.0.0.1/32"]',
        ),
        ("PWGSERVE_SERVER__TRUSTED_PROXIES", '["me"]', "server.trusted_proxies: 'me' is not a network"),
        ("PWGSERVE_SERVER", "x", "server: write a table, [server]"),
        ("PWGSERVE_SERVER", '{"listen": "x"}', "server.listen: write an address"),
        ("PWGSERVE_PIWIGO", "x", "piwigo: write a table, [piwigo]"),
        ("PWGSERVE_CACHE__MAX_SIZE", "lots", 'cache.max_size: write a size like "20GB"'),
        ("pwgserve_server__listen", "bad", "server.listen: write an address"),
    ],
)
def test_a_wrong_environment_variable_is_named_and_not_the_file(tmp_path, monkeypatch, variable, value, said):
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError) as error:
        from_values(values(tmp_path), "f.toml")
    assert str(error.value).startswith(f"{variable}: {said}")


def test_a_variable_for_a_table_is_not_blamed_for_what_it_does_not_hold(tmp_path, monkeypatch):
    monkeypatch.setenv("PWGSERVE_SERVER", '{"processes": 1}')
    with pytest.raises(SettingsError, match=r"^f\.toml: server\.listen: "):
        from_values(values(tmp_path, server={"listen": "x"}), "f.toml")


def test_durations_in_the_environment_may_be_numbers(tmp_path, monkeypatch):
    monkeypatch.setenv("PWGSERVE_LINKS__TTL", "1800")
    assert from_values(values(tmp_path), "f").links.ttl == 1800


def test_the_mark_that_some_editors_put_before_a_text_is_no_part_of_it(tmp_path):
    file = tmp_path / "pwgserve.toml"
    file.write_bytes(b"\xef\xbb\xbf" + f'[piwigo]\nroot = "{tmp_path}"\n'.encode())
    assert load(file).piwigo.root == tmp_path


@pytest.mark.parametrize("prefix", ["upload", "i", "galleries", "_data", "themes", "index", "ws"])
def test_no_links_go_below_an_address_of_piwigo(tmp_path, prefix):
    with pytest.raises(SettingsError, match=rf'links\.prefix: "{prefix}" is an address of Piwigo itself'):
        from_values(values(tmp_path, links={"prefix": prefix}), "f")


def test_an_unknown_option_of_the_databases_address_is_named_without_a_secret(tmp_path):
    def told(address):
        with pytest.raises(SettingsError) as error:
            from_values({"piwigo": {"root": str(tmp_path), "database": address}}, "f")
        return str(error.value)

    assert "f: piwigo.database: there is no option 'foo'" in told("mysql://u:secret@h/p?foo=bar")
    assert "unix_socket" in told("mariadb://u@h/p?unix_socket=/x&ssl_ca=/y")
    assert told("mysql://u:pa?secret=x@h/p") == (
        'f: piwigo.database: write a "?" in the name of the user or in the password as "%3F"'
    )
    assert "connect_timeout, behind the address, is a number of seconds" in told("mysql://u@h/p?connect_timeout=x")
    assert set(_DATABASE_OPTIONS) <= set(signature(aiomysql.connect).parameters)
    for option in _DATABASE_OPTIONS:
        from_values({"piwigo": {"root": str(tmp_path), "database": f"mysql://u@h/p?{option}=1"}}, "f")


def test_every_setting_is_described(tmp_path):
    text = DOCS.read_text()
    for table, field in Settings.model_fields.items():
        section = text.partition(f"## [{table}]")[2].partition("\n## ")[0]
        assert section, f"[{table}] has no heading in {DOCS.name}"
        for key in field.annotation.model_fields:
            assert f"| `{key}` |" in section, f"{table}.{key} is not described"


def test_every_described_setting_exists():
    text = DOCS.read_text()
    for table, body in re.findall(r"^## \[(\w+)\]\n(.*?)(?=^## |\Z)", text, re.M | re.S):
        known = Settings.model_fields[table].annotation.model_fields
        assert set(re.findall(r"^\| `(\w+)` \|", body, re.M)) == set(known)


@pytest.mark.parametrize(
    ("database", "mode", "expected"),
    [
        ("mysql://u:secret@h/d", 0o644, True),
        ("mysql://u:secret@h/d", 0o604, True),
        ("mysql://u:secret@h/d", 0o640, False),
        ("mysql://u@h/d", 0o644, False),
        ("sqlite:////var/gallery.db", 0o644, False),
        ("mysql://[", 0o644, False),
        (3, 0o644, False),
        (None, 0o644, False),
    ],
)
def test_a_password_that_everybody_can_read_is_noticed(tmp_path, database, mode, expected):
    file = tmp_path / "pwgserve.toml"
    file.touch()
    file.chmod(mode)
    assert is_open_secret(file, {"piwigo": {"database": database}}) is expected
    assert not is_open_secret(tmp_path / "gone", {"piwigo": {"database": database}})
    assert not is_open_secret(file, {"piwigo": "x"})


@pytest.mark.parametrize(
    ("conf", "words"),
    [
        ({"gest_access": False}, ["gest_access", "guest_access"]),
        ({"GUEST_ACCESS": False}, ["GUEST_ACCESS", "no setting", "guest_access"]),
        ({"gallery_title": "x"}, ["gallery_title", "gallery_locked"]),
        ({"zzz": 1}, ["zzz", "guest_access, guest_id"]),
        ({"guest_access": "no"}, ["guest_access", "true or false"]),
        ({"guest_access": 0}, ["guest_access", "true or false"]),
        ({"gallery_locked": "False"}, ["gallery_locked", "true or false"]),
        ({"session_use_ip_address": []}, ["session_use_ip_address", "true or false"]),
    ],
)
def test_a_misspelt_setting_of_piwigo_changes_nothing_silently(tmp_path, conf, words):
    tables = values(tmp_path)
    tables["piwigo"]["conf"] = conf
    with pytest.raises(SettingsError, match=r"f: piwigo\.conf: ") as error:
        from_values(tables, "f")
    assert all(word in str(error.value) for word in words)
    assert "\n" not in str(error.value)


def test_settings_of_piwigo_may_come_from_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("PWGSERVE_PIWIGO__CONF__GUEST_ACCESS", "false")
    monkeypatch.setenv("PWGSERVE_PIWIGO__CONF__GUEST_ID", "5")
    assert from_values(values(tmp_path), "f").piwigo.conf == {"guest_access": False, "guest_id": "5"}


@pytest.mark.parametrize(
    ("variable", "word"),
    [
        ("PWGSERVE_ACESS__LOCKDOWN", "known tables are server"),
        ("PWGSERVE_ACCESS_LOCKDOWN", "two underscores"),
        ("PWGSERVE_ACCESS__LOKDOWN", "[access] knows lockdown"),
        ("PWGSERVE_ACCESS__LOCKDOWN__X", "[access] knows lockdown"),
        ("PWGSERVE_LOCKDOWN", "known tables are server"),
        ("pwgserve_acess__lockdown", "known tables are server"),
        ("PWGSERVE_", "known tables are server"),
    ],
)
def test_a_variable_that_is_no_setting_is_an_error_that_names_it(tmp_path, monkeypatch, variable, word):
    monkeypatch.setenv(variable, "true")
    with pytest.raises(SettingsError, match=f"environment variable {variable}: there is no such setting") as error:
        from_values(values(tmp_path), "f")
    assert word in str(error.value)
