"""What a report says of photos that were not tried: what was not tried is not closed."""

from pathlib import Path

from written import config

from pwgserve.check.attempts import Subject
from pwgserve.check.report import Report
from pwgserve.check.run import _sites, _tell_untried
from pwgserve.check.samples import Sample
from pwgserve.piwigo.permissions import Photo
from pwgserve.setup.templates import Site, WebServer


def photo(number):
    return Photo(number, f"./galleries/{number}.jpg", "x.jpg", 0, 1, 1, None, None, None, ())


def test_hidden_photos_of_which_none_can_be_tried_are_a_doubt():
    report = Report("https://a.test/")
    _tell_untried(report, [photo(7), photo(9)], [])
    assert report.exit_code == 2
    assert "7, 9" in report.doubts[0]
    assert report.notes == []


def test_one_of_several_that_cannot_be_tried_is_named():
    report = Report("https://a.test/")
    subject = Subject(7, "galleries/7.jpg")
    _tell_untried(report, [photo(7), photo(9)], [Sample(subject, subject, ())])
    assert report.exit_code == 0
    assert report.notes[0].endswith(": 9.")


def test_that_no_photo_was_found_is_all_that_is_said_when_none_was():
    report = Report("https://a.test/")
    _tell_untried(report, [], [])
    assert report.exit_code == 0
    assert "No photo was found that is hidden" in report.notes[0]


def test_the_gallery_and_its_folders_are_found_behind_links(tmp_path):
    root, site = tmp_path / "srv/piwigo", "server {{ server_name {}; root {}; }}\n"
    (root / "archive").mkdir(parents=True)
    (tmp_path / "old").mkdir()
    (root / "archive/1999").symlink_to(tmp_path / "old")
    (tmp_path / "www").mkdir()
    (tmp_path / "www/pics").symlink_to(root)
    (tmp_path / "named").symlink_to(root)
    text = "".join(
        site.format(f"{number}.test", tmp_path / folder)
        for number, folder in enumerate(("www", "srv", "named", "srv/piwigo/archive", "srv/piwigo/themes", "old"))
    )
    where = Site("a.test", "/", tmp_path / "named", "127.0.0.1:8280", Path("/var/cache/pwgserve"))
    found = _sites([config(WebServer.NGINX, text)], where, ["archive/1999/a.jpg"])
    assert [(one.line - 1, one.path, one.part) for one in found] == [
        (0, "/pics/", ""),
        (1, "/piwigo/", ""),
        (2, "/", ""),
        (3, "/", "archive"),
        (5, "/", "archive/1999"),
    ]
