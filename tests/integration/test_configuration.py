"""A configuration that is wrong: one line that says where and what to do, exit code 2, no traceback."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import family
import pytest
from commands import here
from daemon import settings_for, toml
from ports import free_port
from waiting import until

from pwgserve.keys.keys_file import load_or_create
from pwgserve.piwigo.conf import DECIDING

ONE_KIND = pytest.mark.parametrize("gallery", ["sqlite"], indirect=True, scope="module")
"""For what is wrong before a database is asked."""


def serve(config: Path, **environment: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "pwgserve", "serve", "--config", str(config)],
        capture_output=True,
        text=True,
        timeout=200,
        stdin=subprocess.DEVNULL,
        env={**os.environ, **environment},
    )
    assert done.stdout == ""
    return done.returncode, done.stderr


def told(config: Path) -> tuple[int, str]:
    """What another command says, in this process: each reads settings and reaches the gallery in the same way."""
    done = here("sign", "1", "--config", str(config))
    assert done.out == ""
    return done.code, done.err


def assert_wrong(outcome: tuple[int, str], *words: str) -> None:
    code, error = outcome
    assert code == 2, error
    assert len(error.strip().splitlines()) == 1, error
    assert "Traceback" not in error
    for word in words:
        assert word in error, error


@pytest.fixture
def settings(gallery, tmp_path):
    return settings_for(gallery, tmp_path, free_port())


@pytest.fixture
def config(tmp_path, settings):
    """Writes the settings, with changes, and returns the file."""

    def write(**changes):
        for table, values in changes.items():
            settings.setdefault(table, {}).update(values)
        file = tmp_path / "pwgserve.toml"
        file.write_text(toml(settings))
        return file

    return write


def test_a_missing_file(tmp_path):
    assert_wrong(serve(tmp_path / "none.toml"), "none.toml", "cannot read the configuration")


def test_what_is_not_toml(tmp_path):
    (tmp_path / "bad.toml").write_text("[server\nlisten = 1")
    assert_wrong(serve(tmp_path / "bad.toml"), "bad.toml", "not valid TOML", "line 1")


def test_what_is_not_text(tmp_path):
    (tmp_path / "bad.toml").write_bytes(b"\xff\xfe\x00")
    assert_wrong(serve(tmp_path / "bad.toml"), "bad.toml", "not UTF-8")


def test_a_folder_for_a_file(tmp_path):
    assert_wrong(serve(tmp_path), "cannot read the configuration")


@ONE_KIND
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"server": {"lisen": "x"}}, ["server.lisen", "no such setting", "listen"]),
        ({"sever": {"listen": "x"}}, ["sever", "no such setting", "server"]),
        ({"server": {"listen": "8280"}}, ["server.listen", "127.0.0.1:8280"]),
        ({"server": {"listen": 8280}}, ["server.listen", "string"]),
        ({"server": {"listen": "127.0.0.1:99999"}}, ["server.listen"]),
        ({"server": {"send_file": "magic"}}, ["server.send_file", "x-accel-redirect"]),
        ({"server": {"trusted_proxies": ["me"]}}, ["server.trusted_proxies", "'me'"]),
        ({"server": {"public_url": "example.org"}}, ["server.public_url", "https://"]),
        ({"links": {"ttl": "soon"}}, ["links.ttl", "30m"]),
        ({"links": {"ttl": -1}}, ["links.ttl"]),
        ({"links": {"bind_session": "perhaps"}}, ["links.bind_session"]),
        ({"links": {"prefix": "a/b"}}, ["links.prefix"]),
        ({"cache": {"max_size": "lots"}}, ["cache.max_size"]),
        ({"piwigo": {"root": None}}, ["piwigo.root", "missing"]),
        ({"piwigo": {"root": "/there/is/nothing"}}, ["piwigo.root", "/there/is/nothing", "folder"]),
        ({"piwigo": {"database": "postgres://x/y"}}, ["piwigo.database", "mysql://"]),
        ({"piwigo": {"database": "sqlite:////there/is/none.db"}}, ["piwigo.database", "/there/is/none.db"]),
        ({"piwigo": {"database": None}}, ["database.inc.php", "piwigo.database"]),
        ({"piwigo": {"table_prefix": "x; DROP"}}, ["piwigo.table_prefix"]),
        ({"piwigo": {"conf": {"guest_id": "x"}}}, ["guest_id"]),
        ({"render": {"workers": -1}}, ["render.workers"]),
        ({"log": {"level": "loud"}}, ["log.level", "debug"]),
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_wrong_setting_is_named(config, changes, words):
    if "conf" in changes.get("piwigo", {}):
        file = config()
        file.write_text(file.read_text() + "\n[piwigo.conf]\nguest_id = 'x'\n")
    else:
        file = config(**changes)
    assert_wrong(told(file), *words)


def test_tables_that_are_not_there(config):
    assert_wrong(serve(config(piwigo={"table_prefix": "wrong_"})), "piwigo.table_prefix", "wrong_")


@ONE_KIND
def test_an_environment_variable_overrides_the_file_and_is_checked_too(config):
    assert_wrong(serve(config(), PWGSERVE_SERVER__LISTEN="nowhere"), "server.listen")


def test_a_password_that_everybody_can_read_is_told_without_the_password(daemon, gallery):
    assert (daemon.directory / "pwgserve.toml").stat().st_mode & 0o004
    until(lambda: '"serving"' in daemon.log)  # a process may answer before that is told
    assert ("configuration-readable" in daemon.log) is not gallery.is_sqlite
    assert "p%40ss" not in daemon.log
    assert "p@ss" not in daemon.log


@ONE_KIND
def test_a_key_file_that_everybody_can_read(config, tmp_path):
    keys = tmp_path / "keys"
    load_or_create(keys)
    keys.chmod(0o644)
    assert_wrong(serve(config()), str(keys), "chmod 600")


@ONE_KIND
def test_a_file_of_others_is_not_to_be_closed(config, tmp_path):
    for text in ("root:x:0:0::/root:/bin/sh\n", "{}"):
        (tmp_path / "passwd").write_text(text)
        (tmp_path / "passwd").chmod(0o644)
        outcome = serve(config(links={"keys_file": str(tmp_path / "passwd")}))
        assert_wrong(outcome, str(tmp_path / "passwd"), "not a keys file of pwgserve")
        assert "chmod" not in outcome[1]
        assert "move" not in outcome[1]


@ONE_KIND
def test_a_key_file_that_is_none(config, tmp_path):
    keys = tmp_path / "keys"
    keys.write_text('{"link_keys": ["short"], "stable_key": 5}')
    keys.chmod(0o600)
    assert_wrong(serve(config()), str(keys), "not a keys file")
    assert keys.read_text().startswith('{"link_keys": ["short"]'), "nothing is lost"


@ONE_KIND
def test_a_cache_folder_that_cannot_be_written(config, tmp_path):
    (tmp_path / "file").touch()
    assert_wrong(serve(config(cache={"dir": str(tmp_path / "file/cache")})), "cache.dir", "file/cache")


@ONE_KIND
def test_an_address_that_is_taken(config, daemon):
    assert_wrong(
        serve(config(server={"listen": f"127.0.0.1:{daemon.port}"})), "server.listen", str(daemon.port), "in use"
    )


@ONE_KIND
def test_an_sqlite_file_that_is_none(config, tmp_path):
    (tmp_path / "text.db").write_text("this is no database, and it is long enough to be one " * 20)
    file = config(piwigo={"database": f"sqlite:///{tmp_path / 'text.db'}"})
    assert_wrong(serve(file), "piwigo.database", "not an SQLite database")


@ONE_KIND
def test_an_sqlite_file_that_is_no_gallery(config, tmp_path):
    import sqlite3

    sqlite3.connect(tmp_path / "empty.db").execute("CREATE TABLE x (y)").connection.close()
    file = config(piwigo={"database": f"sqlite:///{tmp_path / 'empty.db'}"})
    assert_wrong(serve(file), "piwigo.database", "not the tables of a Piwigo gallery", "piwigo.table_prefix")


@ONE_KIND
@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("mysql://reader:wrong@127.0.0.1:{port}/mysql", ["access is refused", "user and password"]),
        ("mysql://tester@127.0.0.1:{port}/no_such_database", ["no_such_database", "slash"]),
        ("mysql://tester@127.0.0.1:{port}", ["name of the database", "slash"]),
        ("mysql://tester@127.0.0.1:1/x", ["cannot be reached", "running"]),
        ("mysql://tester@there.is.no.such.host.invalid/x", ["piwigo.database", "reached"]),
    ],
)
def test_a_mysql_database_that_is_not_there(config, databases, address, words):
    file = config(piwigo={"database": address.format(port=databases.server.port)})
    outcome = told(file)
    assert_wrong(outcome, *words)
    assert "wrong@" not in outcome[1]


@ONE_KIND
def test_a_configuration_of_piwigo_that_only_php_can_follow(config, gallery):
    folder = gallery.root / "local/config"
    folder.mkdir(parents=True)
    owner = folder / "config.inc.php"
    try:
        owner.write_text("<?php\n$conf['guest_access'] = compute();")
        assert_wrong(serve(config()), "config.inc.php", "guest_access", "[piwigo.conf]")
        owner.write_text("<?php\n$conf['guest_access'] = ;")
        assert_wrong(serve(config()), "config.inc.php: line 2", "not valid PHP")
        owner.write_text("<?php\n$conf['sync_chars_regex'] = '/[/';")
        assert_wrong(serve(config()), "config.inc.php", "sync_chars_regex")
    finally:
        owner.unlink()
        folder.rmdir()
        folder.parent.rmdir()


@pytest.fixture
def owners(gallery):
    """Writes files into Piwigo's `local/config/`, which are gone afterwards."""
    folder = gallery.root / "local/config"
    folder.mkdir(parents=True)

    def write(text, name="config.inc.php"):
        (folder / name).write_text("<?php\n" + text)
        return folder / name

    yield write
    shutil.rmtree(folder.parent)


@ONE_KIND
@pytest.mark.parametrize(
    ("php", "words"),
    [
        (
            "foreach (array('guest_access' => false) as $n => $v) { $conf[$n] = $v; }",
            ["line 2", "only PHP", "guest_id"],
        ),
        (
            "$g = true; if (getenv('X') !== 'no') { $g = false; }\n$conf['guest_access'] = $g;",
            ["line 3", "guest_access = "],
        ),
        ("require 'site.php';", ["line 2", "includes another file", "__DIR__"]),
        ("if (getenv('CLOSED')) die();", ["line 2", "may end PHP"]),
        ("$conf = array_merge($conf, array('guest_access' => false));", ["line 2", "$conf as a whole"]),
        ("array_push($conf['picture_ext'], 'tif');", ["line 2", "picture_ext = "]),
        ("define('USER_INFOS_TABLE', getenv('X'));", ["USER_INFOS_TABLE"]),
        ("$conf['session_save_handler'] = 'files';", ["session_save_handler", "remove the line"]),
        ("$conf['remember_me_length'] = 9e999;", ["remember_me_length"]),
        ("$conf['upload_dir'] = '../photos';", ["upload_dir", "symbolic link", "piwigo.originals"]),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_piwigos_configuration_may_say_is_never_guessed(config, owners, php, words):
    owners(php)
    assert_wrong(told(config()), "config.inc.php", *words)


@ONE_KIND
def test_a_configuration_that_may_set_anything_is_enough_with_what_decides(config, owners, gallery, start):
    owners("foreach (parse_ini_file('/etc/x.ini') as $n => $v) { $conf[$n] = $v; }")
    told = dict.fromkeys(DECIDING - {"user_fields"}, False)
    told |= {"guest_id": 2, "session_name": "pwg_id", "session_length": 3600, "remember_me_name": "pwg_remember"}
    told |= {"remember_me_length": 99, "users_table": "", "picture_ext": ["jpg"], "session_use_ip_address": True}
    assert_wrong(serve(config(**{"piwigo.conf": told})), "user_fields")
    columns = {"id": "id", "username": "username", "password": "password"}
    daemon = start(gallery, **{"piwigo.conf": told, "piwigo.conf.user_fields": columns})
    assert daemon.visitor().get("/action.php?id=1&part=e").status == 404
    assert daemon.visitor(family.cookie("anna")).follow("/action.php?id=1&part=e").status == 200


@ONE_KIND
def test_what_an_included_file_says_counts_and_its_changes_too(owners, gallery, start, settled):
    owners("if (file_exists(__DIR__ . '/site.php')) { require __DIR__ . '/site.php'; }")
    daemon = start(gallery)
    asked = "/action.php?id=1&part=e"
    assert daemon.visitor().get(asked).status == 302
    site = owners("$conf['guest_access'] = false;", "site.php")
    settled()
    assert daemon.visitor().get(asked).status == 404
    site.write_text("<?php $conf['guest_access'] = getenv('X');")
    settled()
    assert daemon.visitor().get(asked).status == 503
    site.unlink()
    settled()
    assert daemon.visitor().get(asked).status == 302


@ONE_KIND
@pytest.mark.parametrize("command", ["serve", "check", "init"])
def test_uploads_outside_of_piwigo_are_one_line_that_says_the_way_out(config, owners, gallery, tmp_path, command):
    owners("$conf['upload_dir'] = '../photos';")
    (gallery.root / "i.php").write_text("<?php\n")
    where = ["--config", str(config())]
    if command == "init":
        where = [
            "--piwigo",
            str(gallery.root),
            "--output",
            str(tmp_path / "new.toml"),
            "--url",
            "http://a.test/",
            "--yes",
        ]
        where += ["--database", gallery.address]
    done = subprocess.run(
        [sys.executable, "-m", "pwgserve", command, *where],
        capture_output=True,
        text=True,
        timeout=200,
        stdin=subprocess.DEVNULL,
    )
    (gallery.root / "i.php").unlink()
    assert_wrong((done.returncode, done.stderr), "config.inc.php", "upload_dir", "symbolic link", "piwigo.originals")


@ONE_KIND
def test_piwigos_own_files_may_lie_elsewhere(owners, gallery, start):
    owners("$conf['data_location'] = '../_data/';")
    daemon = start(gallery)
    path = gallery.paths[1].removeprefix("./")
    size = f"{path.rpartition('.')[0]}-me.jpg"
    for address in (f"/{path}", f"/i/{size}", f"/i.php/{size}", f"/i.php?/{size}"):
        assert daemon.visitor().get(address).status == 302, address
    assert daemon.visitor().get(f"/_data/i/{size}").status == 404


def test_tables_may_have_names_of_the_owners_own(databases, tmp_path, start):
    for kind in ("sqlite", "mariadb"):
        directory = tmp_path / kind
        directory.mkdir()
        chosen = {"USER_INFOS_TABLE": "main_user_infos", "USER_ACCESS_TABLE": "main_rights", "SESSIONS_TABLE": "logins"}
        users = None
        if kind == "mariadb":
            databases.server.execute("CREATE DATABASE IF NOT EXISTS forum CHARACTER SET utf8mb4")
            users = "forum.members"
        gallery = databases.gallery(kind, directory, users_table=users, chosen=chosen)
        family.build(gallery)
        folder = gallery.root / "local/config"
        folder.mkdir(parents=True)
        defined = "".join(f"define('{constant}', '{name}');\n" for constant, name in chosen.items())
        of_users = f"$conf['users_table'] = '{users}';\n" if users else ""
        (folder / "config.inc.php").write_text("<?php\n" + defined + of_users)
        daemon = start(gallery)
        letter = "/action.php?id=2&part=e"
        assert daemon.visitor(family.cookie("anna")).follow(letter).status == 200
        assert daemon.visitor().get(letter).status == 404


def test_the_folder_of_piwigos_database_file_may_be_another(databases, gallery, config, owners):
    owners("define('PWG_LOCAL_DIR', 'sites/b/');")
    assert_wrong(serve(config(piwigo={"database": None})), "sites/b/config/database.inc.php", "piwigo.database")


@ONE_KIND
def test_a_prefix_that_only_php_knows_is_not_guessed(config, owners):
    owners("$prefixeTable = 'a_'; if ($_SERVER['HTTP_HOST'] == 'b') { $prefixeTable = 'b_'; }", "database.inc.php")
    changes = {"database": None, "table_prefix": None}
    assert_wrong(serve(config(piwigo=changes)), "database.inc.php", "piwigo.database and piwigo.table_prefix")


@ONE_KIND
@pytest.mark.parametrize("variable", ["PWGSERVE_ACESS__LOCKDOWN", "PWGSERVE_ACCESS_LOCKDOWN"])
def test_a_misspelt_variable_of_the_environment_is_named(config, variable):
    assert_wrong(serve(config(), **{variable: "true"}), variable, "no such setting")


@ONE_KIND
def test_a_misspelt_setting_of_piwigo_is_named(config):
    assert_wrong(serve(config(**{"piwigo.conf": {"gest_access": False}})), "piwigo.conf", "gest_access", "guest_access")


def test_piwigos_own_database_file_is_enough(gallery, databases, start):
    if gallery.is_sqlite:
        assert gallery.address.startswith("sqlite:///")  # Piwigo itself has no SQLite any more
        return
    folder = gallery.root / "local/config"
    folder.mkdir(parents=True)
    owner = folder / "database.inc.php"
    name = gallery.address.rpartition("/")[2]
    owner.write_text(
        f"<?php\n$conf['db_base'] = '{name}';\n$conf['db_user'] = 'reader';\n$conf['db_password'] = 'p@ss/word';\n"
        f"$conf['db_host'] = '127.0.0.1:{databases.server.port}';\n\n$prefixeTable = 'piwigo_';\n"
    )
    try:
        daemon = start(gallery, piwigo={"database": None, "table_prefix": None})
        assert daemon.visitor(family.cookie("anna")).follow("/action.php?id=3&part=e").status == 200
    finally:
        owner.unlink()
        folder.rmdir()
        folder.parent.rmdir()


@pytest.mark.parametrize("arguments", [[], ["serve"], ["serve", "--config"], ["nonsense"], ["serve", "--nonsense"]])
def test_wrong_usage_is_exit_code_2(arguments):
    done = subprocess.run(
        [sys.executable, "-m", "pwgserve", *arguments], capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 2
    assert "Usage:" in done.stderr or "requires an argument" in done.stderr


def test_the_version_is_told():
    done = subprocess.run([sys.executable, "-m", "pwgserve", "--version"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "pwgserve, version 0.1.0\n")
