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
