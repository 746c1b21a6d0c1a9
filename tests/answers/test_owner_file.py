import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from pwgserve.answers.owner_file import DATABASE_FILE, OWNER_FILE, OwnerFile
from pwgserve.piwigo.conf import DECIDING, PiwigoConf
from pwgserve.piwigo.gallery import GalleryConfigurationError


@pytest.fixture
def write(tmp_path):
    file = tmp_path / OWNER_FILE
    file.parent.mkdir(parents=True)

    def write_(text, name=file.name):
        (file.parent / name).write_text(f"<?php\n{text}")

    return write_


def test_no_file_is_no_setting_until_there_is_one(tmp_path):
    owner = OwnerFile(tmp_path, {})
    assert owner.conf().guest_access
    file = tmp_path / OWNER_FILE
    file.parent.mkdir(parents=True)
    file.write_text("<?php $conf['guest_access'] = false;")
    assert not owner.conf().guest_access


def test_an_included_file_counts_when_it_comes_changes_and_goes(tmp_path, write):
    write("@include __DIR__ . '/more.php';")
    owner = OwnerFile(tmp_path, {})
    assert owner.conf().guest_access
    write("$conf['guest_access'] = false;", "more.php")
    assert not owner.conf().guest_access
    write("$conf['guest_access'] = true; ", "more.php")
    assert owner.conf().guest_access
    write("$conf['guest_access'] = f();", "more.php")
    for _ in range(2):
        with pytest.raises(GalleryConfigurationError, match=r"/more\.php: line 2: \$conf\['guest_access'\]"):
            owner.conf()
    assert OwnerFile(tmp_path, {"guest_access": False}).conf().guest_access is False


def test_only_php_may_know_what_changes_no_answer(tmp_path, write):
    write("$conf['format_ext'] = extensions_of_ours();")
    assert OwnerFile(tmp_path, {}).conf() == PiwigoConf()


@pytest.mark.parametrize("kind", ["folder", "pipe", "unreadable"])
def test_what_is_no_readable_file_is_not_included(tmp_path, write, kind):
    write("include __DIR__ . '/more.php';")
    place = (tmp_path / OWNER_FILE).parent / "more.php"
    if kind == "folder":
        place.mkdir()
    elif kind == "pipe":
        os.mkfifo(place)
    else:
        place.symlink_to(place)
    with pytest.raises(GalleryConfigurationError, match=r"config\.inc\.php: line 2: includes another file"):
        OwnerFile(tmp_path, {}).conf()


def test_many_may_ask_at_once_while_it_changes(tmp_path, write):
    owner = OwnerFile(tmp_path, {})
    with ThreadPoolExecutor(8) as pool:
        for length in range(20):
            write(f"include __DIR__ . '/a.php';\n$conf['session_length'] = {length};")
            assert {conf.session_length for conf in pool.map(lambda _: owner.conf(), range(16))} == {length}


@pytest.fixture
def write_database(write):
    """Writes the file of Piwigo's database, with something behind what Piwigo itself writes."""

    def write_(more="", name="database.inc.php"):
        access = "".join(f"$conf['db_{key}'] = '{key}';\n" for key in ("base", "user", "password", "host"))
        write(f"{access}$prefixeTable = 'pwg_';\n{more}", name)

    return write_


def test_what_the_file_of_the_database_sets_counts_last(tmp_path, write, write_database):
    write("$conf['guest_access'] = true; $conf['session_length'] = 60; $mine = 'people';")
    write_database("$conf['guest_access'] = false; define('USERS_TABLE', $prefixeTable . $mine);")
    owner = OwnerFile(tmp_path, {})
    assert not owner.conf().guest_access
    assert owner.conf().session_length == 60
    assert owner.tables == {"USERS_TABLE": "pwg_people"}
    assert owner.database().prefix == "pwg_"
    write_database("$conf['guest_access'] = f();")
    with pytest.raises(GalleryConfigurationError, match=r"/database\.inc\.php: line 7: \$conf\['guest_access'\]"):
        owner.conf()


def test_the_file_of_the_database_may_be_in_another_folder(tmp_path, write, write_database):
    write("define('PWG_LOCAL_DIR', '/local/../sites/');")
    write_database("$conf['guest_access'] = false;")
    owner = OwnerFile(tmp_path, {})
    assert owner.conf().guest_access
    assert owner.database() is None
    (tmp_path / "sites").mkdir()
    (tmp_path / "local/config").rename(tmp_path / "sites/config")
    (tmp_path / "local").rmdir()
    (tmp_path / "local").symlink_to("sites")
    assert not owner.conf().guest_access
    assert owner.database().base == "base"


def test_a_file_of_the_database_that_cannot_be_read_may_set_anything(tmp_path, write):
    place = tmp_path / DATABASE_FILE
    place.symlink_to(place)
    with pytest.raises(
        GalleryConfigurationError, match=r"database\.inc\.php: cannot read it: .* guest_access, guest_id"
    ):
        OwnerFile(tmp_path, {}).conf()
    told = {name: getattr(PiwigoConf(), name) for name in DECIDING}
    owner = OwnerFile(tmp_path, told | {"picture_ext": list(told["picture_ext"])})
    assert owner.conf() == PiwigoConf()
    with pytest.raises(GalleryConfigurationError, match=r"cannot read it: .* piwigo\.database"):
        owner.database()
