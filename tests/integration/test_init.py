"""`pwgserve init` as owners run it, on a folder like Piwigo's and a real database."""

import os
import pty
import re
import select
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import family
import pytest
from commands import here
from daemon import Daemon
from databases import Databases
from family import LAKE, PARTY
from galleries import GUEST, TestGallery
from mariadb import ADMIN

from pwgserve.piwigo.address import parsed

SECONDS = 250


@pytest.fixture(scope="module")
def owned(databases: Databases, tmp_path_factory) -> TestGallery:
    """A gallery as `built`, which all tests have in common."""
    gallery = built(databases, tmp_path_factory.mktemp("owned"))
    yield gallery
    gallery.engine.dispose()


def built(databases: Databases, folder: Path) -> TestGallery:
    """A gallery on MariaDB, with the files of Piwigo that init looks at; its own access may do anything."""
    gallery = databases.gallery("mariadb", folder)
    gallery.paths = family.build(gallery)
    for name in ("index.php", "i.php"):
        (gallery.root / name).write_text("<?php\n")
    config = gallery.root / "local/config"
    config.mkdir(parents=True)
    where = parsed(gallery.address)
    (config / "database.inc.php").write_text(
        f"<?php\n$conf['dblayer'] = 'mysqli';\n$conf['db_base'] = '{where.name}';\n$conf['db_user'] = '{ADMIN}';\n"
        f"$conf['db_password'] = '';\n$conf['db_host'] = '127.0.0.1:{where.port}';\n$prefixeTable = 'piwigo_';\n"
    )
    return gallery


def init(gallery, output, *options, **environment):
    return here("init", "--piwigo", str(gallery.root), "--output", str(output), *options, **environment)


def read_database(output: Path) -> str:
    """The address of the database in a configuration."""
    return tomllib.loads(output.read_text())["piwigo"]["database"]


def test_a_gallery_is_configured_without_a_question_and_once_is_enough(owned, tmp_path):
    output = tmp_path / "pwgserve.toml"
    options = ("--yes", "--url", "https://a.test/photos/", "--web-server", "nginx")
    first = init(owned, output, *options)
    assert first.code == 0, first.err
    assert "17 photos, some of them hidden from guests" in first.out
    assert "mariadb < " in first.out
    snippet = (tmp_path / "pwgserve/nginx/snippets/pwgserve.conf").read_text()
    assert "location ^~ /photos/upload/ " in snippet
    assert str(owned.root) in snippet
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in tmp_path.rglob("*") if path.is_file()}
    again = init(owned, output, *options)
    assert again.code == 0, again.err
    assert "Nothing had to be changed." in again.out
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in before} == before


def test_the_database_user_that_is_offered_is_enough_and_can_do_nothing_else(owned, databases, tmp_path):
    output = tmp_path / "pwgserve.toml"
    assert init(owned, output, "--yes", "--url", "http://a.test/").code == 0
    sql = (tmp_path / "pwgserve/database-user.sql").read_text()
    assert "database" not in tomllib.loads(output.read_text())["piwigo"], "not before there is such a user"
    databases.server.execute(*[line for line in sql.splitlines() if line and not line.startswith("--")])
    assert init(owned, output, "--yes").code == 0
    address = read_database(output)
    assert address.startswith("mysql://pwgserve:")

    folder = tmp_path / "daemon"
    folder.mkdir()
    daemon = Daemon(owned, folder, {"piwigo": {"database": address}}).start()
    try:
        anna, stranger = daemon.visitor(family.cookie("anna")), daemon.visitor()
        assert anna.follow("/i.php?/" + owned.paths[PARTY].replace(".jpg", "-sm.jpg")).status == 200
        assert stranger.follow(f"/action.php?id={LAKE}&part=e").status == 200
        assert stranger.follow(f"/action.php?id={PARTY}&part=e").status == 404
        config = str(folder / "pwgserve.toml")
        for command in (
            ("warm", "--album", "1", "--sub-albums", "--types", "sq", "--for", "programs"),
            ("sign", str(PARTY), "--user", "anna"),
        ):
            done = subprocess.run(
                [sys.executable, "-m", "pwgserve", command[0], "--config", config, *command[1:]],
                capture_output=True,
                text=True,
                timeout=SECONDS,
            )
            assert done.returncode == 0, (command, done.stdout, done.stderr)
    finally:
        daemon.stop()

    where = parsed(address)
    own = databases.server.connect(where.user, where.password, where.name)
    with own, own.cursor() as cursor:
        cursor.execute("SELECT id, path FROM piwigo_images LIMIT 1")
        for forbidden in (
            "SELECT * FROM piwigo_images",
            "UPDATE piwigo_images SET level = 0",
            "DELETE FROM piwigo_sessions",
            "INSERT INTO piwigo_user_access VALUES (3, 1)",
            "SELECT 1 FROM mysql.user",
            "CREATE TABLE t (i INT)",
            "SELECT LOAD_FILE('/etc/passwd') INTO OUTFILE '/tmp/never'",
        ):
            with pytest.raises(Exception, match="denied"):
                cursor.execute(forbidden)


def test_after_an_upgrade_of_piwigo_the_database_user_may_read_what_is_new(databases, tmp_path):
    gallery = built(databases, tmp_path / "gallery")
    columns = {"key_type": "VARCHAR(40)", "revoked_on": "DATETIME"}
    with gallery.engine.begin() as connection:
        for name in columns:
            connection.exec_driver_sql(f"ALTER TABLE piwigo_user_auth_keys DROP COLUMN {name}")
    gallery.set_config("piwigo_db_version", "15")
    output = tmp_path / "pwgserve.toml"
    sql_file = tmp_path / "pwgserve/database-user.sql"

    def granted() -> str:
        sql = sql_file.read_text()
        databases.server.execute(*[line for line in sql.splitlines() if line and not line.startswith("--")])
        return sql

    def warns(folder: Path) -> bool:
        folder.mkdir()
        daemon = Daemon(gallery, folder, {"piwigo": {"database": read_database(output)}}).start()
        daemon.stop()
        return '"event": "piwigo-database"' in daemon.log

    assert init(gallery, output, "--yes", "--url", "http://a.test/").code == 0
    assert "key_type" not in granted()
    assert "mariadb < " not in init(gallery, output, "--yes").out
    assert not warns(tmp_path / "before")

    with gallery.engine.begin() as connection:
        for name, kind in columns.items():
            connection.exec_driver_sql(f"ALTER TABLE piwigo_user_auth_keys ADD COLUMN {name} {kind}")
    gallery.set_config("piwigo_db_version", "16")
    assert warns(tmp_path / "upgraded")
    upgraded = init(gallery, output, "--yes")
    assert upgraded.code == 0, upgraded.err
    assert "mariadb < " in upgraded.out
    assert "key_type" in granted()
    assert "mariadb < " not in init(gallery, output, "--yes").out
    assert not warns(tmp_path / "after")
    gallery.engine.dispose()


def test_the_database_user_is_made_if_the_owner_says_so(owned, databases, tmp_path):
    # As on Debian, where root is the owner of the database server without a password.
    (tmp_path / ".my.cnf").write_text(f"[client]\nuser = root\nsocket = {databases.server.socket}\n")
    output = tmp_path / "pwgserve.toml"
    done = init(owned, output, "--yes", "--url", "http://a.test/", "--make-database-user", HOME=str(tmp_path))
    assert done.code == 0, done.err
    assert "The database user is made." in done.out
    assert tomllib.loads(output.read_text())["piwigo"]["database"].startswith("mysql://pwgserve:")
    (tmp_path / ".my.cnf").write_text("[client]\nuser = nobody\nsocket = /nowhere\n")
    other = init(
        owned, tmp_path / "b.toml", "--yes", "--url", "http://a.test/", "--make-database-user", HOME=str(tmp_path)
    )
    assert other.code == 2
    assert "run " in other.err
    assert other.err.count("\n") == 1


def test_the_name_of_a_database_is_no_command_of_roots(databases, tmp_path):
    """It stands in a file of Piwigo's, which PHP may write, and the statements go to a program that runs others."""
    gallery = built(databases, tmp_path / "gallery")
    before, name = parsed(gallery.address).name, "g\n\\! touch $HOME/done\n-- `x"
    quoted = "`" + name.replace("`", "``") + "`"
    tables = [table.name for table in gallery.schema.metadata.sorted_tables]
    databases.server.execute(
        f"CREATE DATABASE {quoted}", *(f"RENAME TABLE {before}.{one} TO {quoted}.{one}" for one in tables)
    )
    file = gallery.root / "local/config/database.inc.php"
    file.write_text(file.read_text().replace(f"'{before}'", f"'{name}'"))
    (tmp_path / ".my.cnf").write_text(f"[client]\nuser = root\nsocket = {databases.server.socket}\n")
    output = tmp_path / "pwgserve.toml"
    done = init(gallery, output, "--yes", "--url", "http://a.test/", "--make-database-user", HOME=str(tmp_path))
    gallery.engine.dispose()
    assert not (tmp_path / "done").exists()
    assert "The database user is made." in done.out, done.err


def test_what_the_owner_chose_is_kept_when_init_is_run_again(owned, tmp_path):
    output = tmp_path / "pwgserve.toml"
    # Those that run here come and go, with other tests.
    options = ("--yes", "--web-server", "nginx")
    assert init(owned, output, *options, "--url", "http://a.test/x/", "--listen", "127.0.0.1:9999").code == 0
    output.write_text(output.read_text() + '\n[log]\nlevel = "warning"  # quiet\n')
    again = init(owned, output, *options)
    assert "Nothing had to be changed." in again.out, again.out + again.err
    assert init(owned, output, *options, "--url", "http://b.test/x/").code == 0
    text = output.read_text()
    assert 'level = "warning"  # quiet' in text
    assert 'listen = "127.0.0.1:9999"' in text
    assert "b.test" in text
    assert "a.test" in (tmp_path / "pwgserve.toml.before").read_text()


def test_folders_of_further_sites_are_named(databases, tmp_path):
    gallery = databases.gallery("mariadb", tmp_path / "gallery")
    gallery.user(GUEST, "guest", "guest")
    gallery.album(1)
    (gallery.root / "i.php").write_text("<?php\n")
    options = ("--yes", "--url", "https://a.test/photos/", "--web-server", "nginx", "--database", gallery.address)
    gallery.photo(1, (1,))
    gallery.photo(2, (1,), path="galleries/a/2.jpg")
    done = init(gallery, tmp_path / "a.toml", *options)
    assert done.code == 0, done.err
    assert "Photos lie in" not in done.out
    gallery.photo(3, (1,), path="archive/2003/3.jpg")
    gallery.photo(4, (1,), path="archive/2004/4.jpg")
    for number, path in ((5, "http://b.test/galleries/5.jpg"), (6, "./../other/6.jpg"), (7, "/srv/7.jpg")):
        gallery.insert("images", id=number, path=path, file="x.jpg")
    done = init(gallery, tmp_path / "a.toml", *options)
    assert done.code == 0, done.err
    assert "Photos lie in archive/, too" in done.out
    assert 'location ^~ "/photos/archive/" { deny all; }' in done.out
    assert f'originals = ["{gallery.root}/archive"]' in done.out


def test_lines_for_the_web_server_that_the_owner_changed_stay(owned, tmp_path):
    output = tmp_path / "pwgserve.toml"
    assert init(owned, output, "--yes", "--url", "http://a.test/", "--web-server", "nginx").code == 0
    snippets = tmp_path / "pwgserve/nginx/snippets"
    proxy = snippets / "pwgserve-proxy.conf"
    mine = proxy.read_text().replace('X-Remote-User ""', "X-Remote-User $remote_user")
    proxy.write_text(mine)
    output.write_text(output.read_text().replace("[server]\n", '[server]\ninternal_prefix = "/_mine"\n'))
    for _ in range(2):
        again = init(owned, output, "--yes", "--web-server", "nginx")
        assert again.code == 0, again.err
        assert proxy.read_text() == mine
        assert f"diff -u {proxy} {proxy}.new" in again.out
    assert "location ^~ /_mine/ {" in (snippets / "pwgserve.conf").read_text()


def test_a_gallery_that_was_moved_is_found_again_where_it_is_now(owned, tmp_path):
    output = tmp_path / "pwgserve.toml"
    assert init(owned, output, "--yes", "--url", "http://a.test/").code == 0
    output.write_text(output.read_text().replace(str(owned.root), "/where/it/was"))
    again = init(owned, output, "--yes")
    assert again.code == 0, again.err
    assert tomllib.loads(output.read_text())["piwigo"]["root"] == str(owned.root)


def test_a_second_gallery_does_not_take_the_place_of_the_first(owned, tmp_path):
    output = tmp_path / "pwgserve.toml"
    assert init(owned, output, "--yes", "--url", "http://a.test/").code == 0
    (tmp_path / "first").mkdir()
    (tmp_path / "first/i.php").touch()
    output.write_text(output.read_text().replace(str(owned.root), str(tmp_path / "first")))
    written = output.read_text()
    second = init(owned, output, "--yes", "--url", "http://b.test/")
    assert second.code == 2
    assert f"{output} is of the gallery in {tmp_path / 'first'}" in second.err
    assert output.read_text() == written

    assert init(owned, tmp_path / "club.toml", "--yes", "--url", "http://b.test/").code == 0
    assert "'pwgserve'@" in (tmp_path / "pwgserve/database-user.sql").read_text()
    of_second = (tmp_path / "club/database-user.sql").read_text()
    assert "'pwgserve_club'@" in of_second
    assert "'pwgserve'@" not in of_second, "who cannot log in any more serves nobody"


def test_a_second_gallery_with_a_folder_of_its_own_leaves_the_first_ones_user_alone(owned, tmp_path, monkeypatch):
    usual, second = tmp_path / "etc/pwgserve.toml", tmp_path / "club/pwgserve.toml"
    for output in (usual, second):
        output.parent.mkdir()
    monkeypatch.setattr("pwgserve.commands.init.DEFAULT_OUTPUT", usual)
    for output, name in ((usual, "pwgserve"), (second, "pwgserve_club")):
        done = init(owned, output, "--yes", "--url", "http://a.test/")
        assert done.code == 0, done
        sql = (output.parent / "pwgserve/database-user.sql").read_text()
        assert set(re.findall(r"USER (?:IF NOT EXISTS )?'(\w+)'@", sql)) == {name}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--piwigo", "/nowhere"), "is not a folder"),
        (("--piwigo", "/usr"), "is not Piwigo's folder: it has no i.php"),
        (("--url", "a.test"), "public_url"),
        (("--listen", "8280"), "server.listen"),
        (("--database", "postgres://x"), "piwigo.database"),
        (("--database", "mysql://nobody:x@127.0.0.1:1/x"), "cannot be reached"),
        (("--url", "http://a.test/my photos/"), "use letters"),
        (("--cache", "/usr"), "/usr is not empty; give a folder of its own, such as /usr/pwgserve"),
        (("--send-file", "magic"), "magic"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(owned, tmp_path, options, said):
    given = ("--yes", "--url", "http://a.test/", "--web-server", "nginx", *options)
    done = init(owned, tmp_path / "pwgserve.toml", *given)
    assert done.code == 2
    assert said in done.err
    if "--send-file" not in options:
        assert done.err.count("\n") == 1
    assert not (tmp_path / "pwgserve.toml").exists()


def test_a_configuration_has_another_name_than_the_folder_beside_it(owned, tmp_path):
    done = init(owned, tmp_path / "pwgserve", "--yes", "--url", "http://a.test/")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "--output" in done.err
    assert not list(tmp_path.iterdir())


def test_an_address_is_never_guessed(owned, tmp_path):
    done = init(owned, tmp_path / "pwgserve.toml", "--yes")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "--url: no site of a web server here shows this folder" in done.err
    assert not list(tmp_path.iterdir())


def test_a_configuration_that_is_broken_is_left_alone(owned, tmp_path):
    output = tmp_path / "pwgserve.toml"
    output.write_text("[server\n")
    done = init(owned, output, "--yes")
    assert (done.code, output.read_text()) == (2, "[server\n")
    assert "not valid TOML" in done.err


def asked(gallery, output, answers, **environment):
    """What a terminal shows whose user gives these answers, each once; then every question must have been answered."""
    command = [sys.executable, "-m", "pwgserve", "init", "--piwigo", str(gallery.root), "--output", str(output)]
    child, terminal = pty.fork()
    if child == 0:
        os.execvpe(command[0], command, {**os.environ, "TERM": "dumb", "COLUMNS": "300", **environment})
    shown, left = b"", dict(answers)  # which may come in any pieces
    deadline = time.monotonic() + SECONDS - 20
    while time.monotonic() < deadline:
        try:
            if select.select([terminal], [], [], 0.5)[0]:
                shown += os.read(terminal, 4096)
        except OSError:
            break
        for question in list(left):
            if re.search(f"{question}.*: $".encode(), shown):
                os.write(terminal, f"{left.pop(question)}\n".encode())
    assert time.monotonic() < deadline, shown
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0, shown
    return shown.decode()


def test_a_person_is_asked_little_and_may_just_press_enter(owned, tmp_path):
    output = tmp_path / "pwgserve.toml"
    answers = {"as visitors type it": "https://me.test/", "web server in front": "caddy"}
    shown = asked(owned, output, answers | {"Write the lines": "n", "a database user now": "n"})
    assert all(question in shown for question in answers)
    assert 'public_url = "https://me.test/"' in output.read_text()
    assert "import pwgserve.caddy" in shown


@pytest.mark.skipif(os.geteuid() != 0, reason="only root is asked whether to make the database user")
def test_a_person_is_asked_each_question_once_also_when_the_database_user_is_made(owned, databases, tmp_path):
    (tmp_path / ".my.cnf").write_text(f"[client]\nuser = root\nsocket = {databases.server.socket}\n")
    answers = {"as visitors type it": "https://me.test/", "web server in front": "caddy"}
    output = tmp_path / "pwgserve.toml"
    more = {"Write the lines": "n", "a database user now": "y"}
    shown = asked(owned, output, answers | more, HOME=str(tmp_path))
    assert "The database user is made." in shown
    assert [shown.count(question) for question in answers] == [1, 1]
    assert tomllib.loads(output.read_text())["piwigo"]["database"].startswith("mysql://pwgserve:")
    assert "import pwgserve.caddy" in shown
