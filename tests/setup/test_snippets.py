from dataclasses import replace

import pytest
from planned import ANSWERS, at, said

from pwgserve.setup import machine, snippets
from pwgserve.setup.machine import LookError, texts
from pwgserve.setup.plan import plan
from pwgserve.setup.snippets import is_changed, signed
from pwgserve.setup.templates import FOLDERS, WebServer
from pwgserve.setup.writing import KEPT, REMOVED, carry_out

NAME = "snippets/pwgserve-proxy.conf"


def run(answers):
    """What init does with these answers, and what it says then."""
    answers = replace(answers, there=texts(snippets.places(answers)))
    done = carry_out(plan(answers), answers.keys_file)
    return {one.path.name: one.what for one in done}, said(answers)


@pytest.mark.parametrize("content", ["", "a\n", "a", "a\r\n\r\n", "ü\n"])
def test_a_file_is_known_as_unchanged_and_any_change_of_it_as_one(content):
    written = signed(content + "\n")
    assert not is_changed(written)
    for change in (content, f"# mine\n{written}", f"{written}# mine\n", written.replace("# As", "# as"), written[:-1]):
        assert is_changed(change)


def test_what_the_owner_changed_stays_run_after_run_and_the_new_text_is_beside_it(tmp_path):
    answers = at(tmp_path)
    run(answers)
    file = tmp_path / "pwgserve/nginx" / NAME
    mine = file.read_text().replace('X-Remote-User ""', "X-Remote-User $remote_user")
    assert mine != file.read_text()
    file.write_text(mine)
    for site in (answers.site, answers.site, replace(answers.site, host="b.test", base="/b/"), answers.site):
        done, told = run(replace(answers, site=site, before=answers.output.read_text()))
        assert file.read_text() == mine
        assert f"diff -u {file} {file}.new" in told
        assert NAME.rpartition("/")[2] not in done
    assert not is_changed((file.parent / f"{file.name}.new").read_text())
    assert KEPT in done.values()
    assert any(str(file) in line for line in plan(answers).undo)


def test_an_unchanged_file_follows_what_was_chosen(tmp_path):
    answers = at(tmp_path)
    run(answers)
    done, told = run(replace(answers, site=replace(answers.site, internal_prefix="/_mine")))
    assert "location ^~ /_mine/ {" in (tmp_path / "pwgserve/nginx/snippets/pwgserve.conf").read_text()
    assert "diff -u" not in told
    assert not [name for name in done if name.endswith(".new")]


def test_when_the_owner_has_taken_the_new_text_nothing_stands_beside_it_any_more(tmp_path):
    answers = at(tmp_path)
    run(answers)
    file = tmp_path / "pwgserve/nginx" / NAME
    file.write_text("# mine\n")
    run(answers)
    (file.parent / f"{file.name}.new").rename(file)
    (file.parent / f"{file.name}.new").write_text("# old\n")
    done, told = run(answers)
    assert done[f"{file.name}.new"] == REMOVED
    assert "diff -u" not in told
    assert run(answers)[0].keys() == done.keys() - {f"{file.name}.new"}


def test_what_was_changed_in_the_web_servers_own_folder_is_not_to_be_copied_over(tmp_path, monkeypatch):
    folder = tmp_path / "etc/nginx"
    monkeypatch.setitem(FOLDERS, WebServer.NGINX, folder)
    answers = at(tmp_path)
    source, target = tmp_path / "pwgserve/nginx" / NAME, folder / NAME
    _, told = run(answers)
    assert told.count("cp ") == 3
    target.parent.mkdir(parents=True)
    target.write_text(source.read_text())
    assert run(answers)[1].count("cp ") == 2, "it is there"
    target.write_text("# mine\n")
    _, told = run(answers)
    assert f"{source} {target}" not in told.replace(f"diff -u {target} {source}", "")
    assert f"diff -u {target} {source}" in told
    # Whoever changed the one and copied it has nothing to do.
    source.write_text("# mine\n")
    _, told = run(answers)
    assert f"diff -u {source} {source}.new" in told
    assert f"diff -u {target}" not in told


def test_where_nobody_can_look_nothing_is_written(tmp_path):
    (tmp_path / "file").mkdir()
    with pytest.raises(LookError, match="file: cannot read it: Is a directory"):
        machine.texts([tmp_path / "file"])
    assert machine.texts([tmp_path / "none", tmp_path / "none/none"]) == {}


def test_servers_that_have_no_lines_have_no_files():
    assert snippets.places(replace(ANSWERS, web_server=None)) == []
