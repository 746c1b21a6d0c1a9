import os
import stat
import subprocess
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from planned import ANSWERS, at, said
from units import FOLDER, values

from pwgserve import settings_file
from pwgserve.keys.keys_file import load_or_create
from pwgserve.setup import machine
from pwgserve.setup.answers import DEFAULT_ADDRESS, Place
from pwgserve.setup.configuration import ConfigurationError, merged
from pwgserve.setup.confinement import HEADER, OF_SOCKET, PLACES, USUAL_SOCKET, place
from pwgserve.setup.plan import config_values, plan, usual_listen
from pwgserve.setup.sites import FoundSite
from pwgserve.setup.templates import WebServer
from pwgserve.setup.writing import CHANGED, KEPT, REMOVED, WRITTEN, WritingError, carry_out


def test_the_configuration_is_one_that_pwgserve_takes(tmp_path):
    text = merged(None, config_values(replace(at(tmp_path), root=tmp_path)), "x")
    found = settings_file.parse(text, "x")
    assert found.server.public_url == "https://a.test/"
    assert found.server.send_file == "x-accel-redirect"
    assert (found.links.keys_file, found.cache.dir) == (tmp_path / "state/keys", tmp_path / "cache")


def test_what_is_usual_is_not_written():
    assert set(config_values(ANSWERS)) == {"server", "piwigo"}


def test_what_the_owner_wrote_stays_as_it_was():
    before = (
        '# mine\n[server]\nlisten = "127.0.0.1:9000" # why\npublic_url = "https://a.test/"\n\n[links]\nttl = "1h"\n'
    )
    after = merged(before, {"server": {"public_url": "https://b.test/", "listen": None}, "piwigo": {"root": "/r"}}, "x")
    assert after == before.replace("a.test", "b.test") + '\n[piwigo]\nroot = "/r"\n'
    assert merged(after, {"piwigo": {"root": "/r"}}, "x") == after


def test_a_file_that_is_no_configuration_is_not_touched():
    for wrong in ("[server\n", "server = 1\n"):
        with pytest.raises(ConfigurationError, match="x: "):
            merged(wrong, {"server": {"listen": "a"}}, "x")


def test_the_cache_is_the_web_servers_to_read_only_if_it_sends_the_files():
    for send_file, mode, group in (("x-accel-redirect", 0o2750, "www-data"), ("direct", 0o700, None)):
        cache = plan(replace(ANSWERS, send_file=send_file)).folders[1]
        assert (cache.path, cache.mode, cache.user, cache.group) == (ANSWERS.cache_dir, mode, "pwgserve", group)


def test_a_service_and_init_do_not_change_the_folders_mode_to_and_fro():
    (unit,) = values(FOLDER / "pwgserve.service", "CacheDirectoryMode")
    for send_file in ("x-accel-redirect", "direct"):
        assert plan(replace(ANSWERS, send_file=send_file, has_unit=True)).folders[1].mode == int(unit, 8)


def test_a_cache_that_the_web_server_need_not_read_any_more_is_closed_again(tmp_path):
    answers = at(tmp_path)
    carry_out(plan(answers), answers.keys_file)
    (answers.cache_dir / "ab").mkdir()
    done = {one.path: one.what for one in carry_out(plan(replace(answers, send_file="direct")), answers.keys_file)}
    assert done[answers.cache_dir] == CHANGED
    assert stat.S_IMODE(answers.cache_dir.stat().st_mode) == 0o700


def test_a_folder_that_others_need_as_well_is_not_closed(tmp_path):
    (tmp_path / "letter").write_text("")
    tmp_path.chmod(0o755)
    answers = at(tmp_path, keys_file=tmp_path / "keys", shared={Place.KEYS})
    carry_out(plan(answers), answers.keys_file)
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755


def test_a_service_is_started_for_good_even_if_init_was_run_twice_before():
    again = replace(ANSWERS, has_unit=True, before="[server]\n")
    assert "systemctl enable --now pwgserve\n" in said(again)
    assert "pwgserve-check.timer" in said(again)
    assert "systemctl reload-or-restart pwgserve" in said(replace(again, is_enabled=True))
    assert "pwgserve-check.timer" in "\n".join(plan(again).undo)


def test_secrets_are_for_nobody_else():
    made = plan(replace(ANSWERS, database_sql=("CREATE USER x;",), database="mysql://x:secret@h/d"))
    modes = {file.path.name: file.mode for file in made.files}
    assert modes["pwgserve.toml"] == 0o640
    assert modes["database-user.sql"] == 0o600
    assert plan(replace(ANSWERS, user=None, own_group=None)).files[0].mode == 0o600
    assert "secret" not in said(replace(ANSWERS, database="mysql://x:secret@h/d"))


def test_an_account_without_a_group_of_its_own_shares_the_configuration_with_nobody():
    config = plan(replace(ANSWERS, own_group=None)).files[0]
    assert (config.user, config.group, config.mode) == ("pwgserve", None, 0o600)
    config = plan(ANSWERS).files[0]
    assert (config.user, config.group, config.mode) == (None, "pwgserve", 0o640)


def test_a_group_without_a_name_goes_by_its_number_and_one_that_is_not_there_is_said(tmp_path):
    carry_out(plan(at(tmp_path, web_group=str(os.getegid()))), None)
    with pytest.raises(WritingError, match="no group nobody-has-this on this machine"):
        carry_out(plan(at(tmp_path, web_group="nobody-has-this")), None)


def test_the_place_of_the_line_is_named_until_it_is_there():
    assert "include snippets/pwgserve.conf;" in said(ANSWERS)
    assert "/etc/nginx/sites-available/a, in the server { … } that begins in line 7" in said(ANSWERS)
    there = replace(ANSWERS.found_site, includes=True)
    assert "Add this line" not in said(replace(ANSWERS, found_site=there))


def test_where_apache_asks_something_else_first_the_line_goes_above_it():
    site = replace(ANSWERS.found_site, ahead=("a:12 “ProxyPassMatch …”",))
    told = said(replace(ANSWERS, web_server=WebServer.APACHE, found_site=site))
    assert "line 7, above what would answer before it (a:12 “ProxyPassMatch …”)\nInclude pwgserve.conf" in told
    there = replace(site, includes=True)
    told = said(replace(ANSWERS, web_server=WebServer.APACHE, found_site=there, other_sites=(replace(there, line=30),)))
    for line in (7, 30):
        assert f"begins in line {line}, above these, which answer before it\na:12 “ProxyPassMatch …”" in told
    assert "Move the line" not in said(replace(ANSWERS, found_site=replace(there, ahead=())))


def test_what_apache_asks_first_outside_of_its_sites_goes_into_the_site():
    site = replace(ANSWERS.found_site, outside=("php.conf:1 “ProxyPassMatch …”",))
    told = said(replace(ANSWERS, web_server=WebServer.APACHE, found_site=site))
    assert "Move these into the <VirtualHost …>, below that line" in told
    assert "php.conf:1 “ProxyPassMatch …”" in told


@pytest.mark.parametrize(
    ("server", "lines"),
    [
        (WebServer.NGINX, 'location ^~ "/archive/" { deny all; }\nlocation ^~ "/my photos/" { deny all; }'),
        (WebServer.APACHE, '<Location "/archive/">\n    Require all denied\n</Location>\n<Location "/my photos/">'),
        (WebServer.CADDY, 'handle "/archive/*" {\n    respond 404\n}'),
        (None, "/archive/\n/my photos/"),
    ],
)
def test_folders_of_further_sites_are_to_be_closed(server, lines):
    answers = replace(ANSWERS, web_server=server, further=("archive/", "my photos/"), originals=(Path("/mnt/a"),))
    told = said(answers)
    assert "Photos lie in archive/ and my photos/, too" in told
    assert lines in told
    assert 'originals = ["/mnt/a", "/srv/piwigo/archive", "/srv/piwigo/my photos"]' in told
    known = replace(answers, originals=(Path("/srv/piwigo/archive"), Path("/srv/piwigo/my photos")))
    assert lines in said(known)
    assert "originals =" not in said(known)
    assert "Photos lie in" not in said(ANSWERS)


def test_every_site_that_shows_the_folder_is_to_be_closed():
    plain = FoundSite(WebServer.NGINX, Path("/etc/nginx/sites-enabled/default"), 3, "", False, path="/")
    deeper = replace(plain, line=9, path="/photos/")
    told = said(replace(ANSWERS, other_sites=(plain, deeper, replace(plain, line=20, includes=True))))
    assert "Add the same line to /etc/nginx/sites-enabled/default, in the server { … } that begins in line 3" in told
    assert "location ^~ /photos/ { return 301 https://a.test/; }" in told
    assert "line 20" not in told
    assert "from all sites" in plan(replace(ANSWERS, other_sites=(plain,))).undo[0]
    own = replace(deeper, block=("server {", "location /photos/ {", "alias /srv/piwigo/;", "}", "}"))
    assert "in line 9, in the place of its own “location /photos/ { … }”" in said(replace(ANSWERS, other_sites=(own,)))
    closed = replace(deeper, block=("server {", "location ^~ /photos/ {", "return 301 https://a.test/;", "}", "}"))
    assert "Close /photos/" not in said(replace(ANSWERS, other_sites=(closed,)))


def test_what_stands_in_the_way_is_to_be_removed():
    rivals = replace(ANSWERS.found_site, rivals=("a:9 “location /upload/”",))
    assert "a:9 “location /upload/”" in said(replace(ANSWERS, found_site=rivals))


def test_files_that_are_not_in_the_web_servers_folder_are_to_be_copied_there():
    assert "cp /etc/pwgserve/nginx/snippets/pwgserve.conf /etc/nginx/snippets/pwgserve.conf" in said(ANSWERS)
    assert "cp " not in said(replace(ANSWERS, into_web_server=True))


def test_everything_that_is_made_is_named_for_undoing():
    answers = replace(ANSWERS, database_sql=("CREATE USER x;",), database_removal=("DROP USER x;",))
    made, undo = plan(answers), "\n".join(plan(answers).undo)
    for file in made.files:
        assert str(file.path) in undo or file.path.is_relative_to(answers.extras)
    assert str(answers.extras) in undo
    assert str(answers.keys_file) in undo
    assert str(answers.cache_dir) in undo
    assert "DROP USER x;" in undo
    assert "rm -f /etc/nginx/conf.d/pwgserve.conf /etc/nginx/conf.d/pwgserve.conf.before " in undo
    assert "*" not in undo, "what else begins with such a name is not ours"


def test_a_user_is_to_be_made_first_where_there_is_none():
    steps = plan(replace(ANSWERS, user=None, needs_user=True)).steps
    assert steps[0].lines[0].startswith("useradd --system ")
    assert steps[0].lines[0].endswith(" --groups www-data pwgserve")
    assert "useradd" not in said(ANSWERS)


@pytest.mark.parametrize("server", [*WebServer, None])
def test_there_is_a_way_for_every_web_server_and_for_others(server):
    answers = replace(ANSWERS, web_server=server, found_site=None)
    assert "pwgserve check" in said(answers)
    assert (server or "docs/install.md") in said(answers)


def test_a_plan_is_carried_out_once_and_then_nothing_is_changed(tmp_path):
    answers = at(tmp_path, database_sql=("CREATE USER x;",))
    first = carry_out(plan(answers), answers.keys_file)
    assert {done.what for done in first} == {WRITTEN}
    again = replace(answers, before=answers.output.read_text())
    stamps = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    assert {done.what for done in carry_out(plan(again), answers.keys_file)} == {KEPT}
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()} == stamps
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.rglob("*")}
    assert (modes["keys"], modes["state"], modes["cache"]) == (0o600, 0o700, 0o2750)
    assert (modes["pwgserve.toml"], modes["database-user.sql"]) == (0o600, 0o600)
    assert tomllib.loads(answers.output.read_text())["server"]["public_url"] == "https://a.test/"


def test_what_was_there_is_kept_beside_it(tmp_path):
    answers = at(tmp_path)
    before = '[log]\nlevel = "debug"\n'
    answers.output.write_text(before)
    done = {one.path: one for one in carry_out(plan(replace(answers, before=before)), answers.keys_file)}
    assert done[answers.output].what == CHANGED
    assert (tmp_path / "pwgserve.toml.before").read_text() == before
    assert 'level = "debug"' in answers.output.read_text()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_link_in_the_daemons_folder_gives_it_no_file_of_roots(tmp_path):
    answers = at(tmp_path, user="nobody")
    of_root = tmp_path / "of-root"
    load_or_create(of_root)
    answers.keys_file.parent.mkdir()
    answers.keys_file.symlink_to(of_root)
    carry_out(plan(answers), answers.keys_file)
    assert of_root.stat().st_uid == 0


def test_modes_that_became_too_wide_are_mended(tmp_path):
    answers = at(tmp_path)
    carry_out(plan(answers), answers.keys_file)
    answers.output.chmod(0o644)
    again = replace(answers, before=answers.output.read_text())
    done = {one.path: one.what for one in carry_out(plan(again), answers.keys_file)}
    assert done[answers.output] == CHANGED
    assert stat.S_IMODE(answers.output.stat().st_mode) == 0o600


def test_what_cannot_be_written_is_said_in_a_line(tmp_path):
    (tmp_path / "file").touch()
    answers = at(tmp_path, output=tmp_path / "file/pwgserve.toml")
    with pytest.raises(WritingError, match="cannot write it: File exists"):
        carry_out(plan(answers), answers.keys_file)
    with pytest.raises(WritingError, match="cannot make this folder"):
        carry_out(plan(at(tmp_path, cache_dir=tmp_path / "file/cache")), answers.keys_file)
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def drop_in(service, kind="service", **changes):
    """The drop-in of a unit, for these answers."""
    made = plan(replace(ANSWERS, has_unit=True, **changes))
    return next((file.content for file in made.files if file.path == place(f"{service}.{kind}")), "")


def test_a_usual_machine_needs_no_drop_in():
    assert not any(drop_in(service) for service in ("pwgserve", "pwgserve-gc", "pwgserve-check"))
    assert not drop_in("pwgserve", kind="socket")
    alone = {"web_group": "caddy", "send_file": "direct", "listen": DEFAULT_ADDRESS}
    assert not drop_in("pwgserve", **alone), "who sends no file reads no cache"
    assert "daemon-reload" not in said(replace(ANSWERS, has_unit=True))
    assert (
        not plan(replace(ANSWERS, has_unit=False, root=Path("/home/a/photos")))
        .files[-1]
        .path.is_relative_to("/etc/systemd")
    )


@pytest.mark.parametrize(
    ("changes", "services", "line"),
    [
        ({"root": Path("/home/anna/photos")}, (True, True, True), "ProtectHome=read-only"),
        ({"originals": (Path("/home/media"),)}, (True, True, True), "ProtectHome=read-only"),
        ({"web_group": "http"}, (True, True, True), "Group=http"),
        ({"cache_dir": Path('/mnt/fast 1/50%"x')}, (True, True, True), 'ReadWritePaths="/mnt/fast 1/50%%\\"x"'),
        ({"database_hosts": ("192.0.2.10",)}, (True, False, False), "IPAddressAllow=192.0.2.10"),
    ],
)
def test_what_a_machine_needs_besides_is_allowed_to_the_services(changes, services, line):
    found = tuple(line in drop_in(service, **changes) for service in ("pwgserve", "pwgserve-gc", "pwgserve-check"))
    assert found == services
    answers = replace(ANSWERS, has_unit=True, **changes)
    assert "systemctl daemon-reload\nsystemctl enable --now pwgserve\n" in said(answers)
    assert "systemctl daemon-reload\nsystemctl restart pwgserve" in said(replace(answers, is_enabled=True))
    assert "rm -f /etc/systemd/system/pwgserve*.d/init.conf* " in "\n".join(plan(answers).undo)


def test_a_drop_in_that_nothing_needs_any_more_is_removed(tmp_path):
    old = tmp_path / "init.conf"
    old.write_text(f"{HEADER}[Service]\nProtectHome=read-only\n")
    before = replace(ANSWERS, has_unit=True, is_enabled=True, drop_ins=(old,))
    assert plan(before).removals == (old,)
    assert "systemctl daemon-reload\nsystemctl restart pwgserve" in said(before)
    done = carry_out(replace(plan(at(tmp_path)), removals=(old,)), None)
    assert [one.path for one in done if one.what == REMOVED] == [old]
    assert not old.exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"root": Path("/home/anna/photos")},
        {"output": Path("/etc/another.toml")},
        {"user": None},
        {"has_unit": False},
    ],
)
def test_a_drop_in_that_may_be_needed_stays(changes):
    answers = replace(ANSWERS, has_unit=True, listen=DEFAULT_ADDRESS, drop_ins=PLACES)
    assert not plan(replace(answers, **changes)).removals


def test_only_drop_ins_of_init_are_known_as_such(tmp_path, monkeypatch):
    monkeypatch.setattr(
        machine, "PLACES", [tmp_path / name for name in ("pwgserve", "pwgserve-gc", "pwgserve-check", "none")]
    )
    (tmp_path / "pwgserve").write_text("[Service]\nGroup=mine\n")
    (tmp_path / "pwgserve-gc").write_text(HEADER)
    (tmp_path / "pwgserve-check").write_bytes(b"\xff")
    assert machine.written_drop_ins() == (tmp_path / "pwgserve-gc",)


@pytest.mark.parametrize(
    ("server", "group", "has_unit", "listen"),
    [
        (WebServer.NGINX, "www-data", True, USUAL_SOCKET),
        (WebServer.APACHE, "www-data", True, USUAL_SOCKET),
        # PHP is of another group than the web server: Piwigo's plugin could not come through the socket.
        (WebServer.CADDY, "caddy", True, DEFAULT_ADDRESS),
        (WebServer.NGINX, None, True, DEFAULT_ADDRESS),
        # Nobody makes the socket's folder, or another machine is in front.
        (WebServer.NGINX, "www-data", False, DEFAULT_ADDRESS),
        (None, "www-data", True, DEFAULT_ADDRESS),
    ],
)
def test_a_socket_is_proposed_where_it_is_sure_to_work(server, group, has_unit, listen):
    assert usual_listen(server, group, has_unit) == listen


@pytest.mark.parametrize(
    ("changes", "lines"),
    [
        ({"listen": "127.0.0.1:8280"}, ["ListenStream=", "ListenStream=127.0.0.1:8280"]),
        ({"listen": "[::1]:9000"}, ["ListenStream=", "ListenStream=[::1]:9000"]),
        ({"listen": "unix:/srv/50%/a b.sock"}, ["ListenStream=", "ListenStream=/srv/50%%/a b.sock"]),
        ({"web_group": "http"}, ["SocketGroup=http"]),
        ({"web_group": "http", "listen": "unix:/a"}, ["ListenStream=", "ListenStream=/a", "SocketGroup=http"]),
    ],
)
def test_the_unit_that_holds_the_address_holds_the_one_that_was_chosen(tmp_path, changes, lines):
    # The path is none that a web server's configuration would take.
    content = drop_in("pwgserve", kind="socket", web_server=None, **changes)
    assert content == "\n".join([HEADER + "[Socket]", *lines, ""])
    unit = tmp_path / "pwgserve.socket"
    unit.write_text((FOLDER / unit.name).read_text())
    service = (FOLDER / "pwgserve.service").read_text()
    (tmp_path / "pwgserve.service").write_text(service.replace("/usr/bin/pwgserve", "/bin/true"))
    (tmp_path / "pwgserve.socket.d").mkdir()
    (tmp_path / "pwgserve.socket.d/init.conf").write_text(content)
    verify = ["systemd-analyze", "verify", "--man=no", str(unit)]
    done = subprocess.run(verify, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_an_address_that_systemd_cannot_hold_is_no_reason_for_a_drop_in():
    assert not drop_in("pwgserve", kind="socket", listen="localhost:8280")


def test_who_comes_through_a_socket_is_of_the_services_group():
    assert "Group=caddy" in drop_in("pwgserve", web_group="caddy", send_file="direct")


def test_another_address_is_no_reason_for_a_restart():
    answers = replace(ANSWERS, has_unit=True, is_enabled=True, listen=DEFAULT_ADDRESS)
    assert "systemctl daemon-reload\nsystemctl reload-or-restart pwgserve" in said(answers)
    assert OF_SOCKET in [file.path for file in plan(answers).files]


def test_the_units_agree_on_the_socket():
    (stream,) = values(FOLDER / "pwgserve.socket", "ListenStream")
    assert f"unix:{stream}" == USUAL_SOCKET
    (folder,) = values(FOLDER / "pwgserve.service", "RuntimeDirectory")
    (mode,) = values(FOLDER / "pwgserve.service", "RuntimeDirectoryMode")
    assert Path(stream).parent == Path("/run", folder)
    assert f"d /run/{folder} {mode} pwgserve www-data -\n" in (FOLDER / "tmpfiles.conf").read_text()
    # It would be gone with the service, and systemd would go on listening where nobody can come.
    assert values(FOLDER / "pwgserve.service", "RuntimeDirectoryPreserve") == ["yes"]


def test_a_drop_in_is_understood_by_systemd(tmp_path):
    """As systemd reads it, beside the unit: verify says nothing."""
    changes = {
        "root": Path("/home/anna/photos"),
        "cache_dir": Path('/mnt/fast 1/50%"x'),
        "database_hosts": ("192.0.2.10",),
    }
    (tmp_path / "pwgserve").write_text("#!/bin/sh\n")
    (tmp_path / "pwgserve").chmod(0o755)
    unit = tmp_path / "pwgserve.service"
    unit.write_text((FOLDER / unit.name).read_text().replace("/usr/bin/pwgserve", str(tmp_path / "pwgserve")))
    (tmp_path / "pwgserve.service.d").mkdir()
    (tmp_path / "pwgserve.service.d/init.conf").write_text(drop_in("pwgserve", **changes))
    verify = ["systemd-analyze", "verify", "--man=no", str(unit)]
    done = subprocess.run(verify, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
