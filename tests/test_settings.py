import re
from pathlib import Path

import pytest

from pwgserve.settings import Listen, Settings, SettingsError, from_values, is_open_secret

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
    ("text", "seconds"), [("90", None), ("90s", 90), ("1.5h", 5400), ("2 d", 172_800), (45, 45), ("500ms", None)]
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
    [("https://x.example", "/"), ("https://x.example/photos", "/photos/"), ("http://x:8/b", "/b/")],
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
