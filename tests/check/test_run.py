"""What a report says of photos that were not tried: what was not tried is not closed."""

from pwgserve.check.attempts import Subject
from pwgserve.check.report import Report
from pwgserve.check.run import _tell_untried
from pwgserve.check.samples import Sample
from pwgserve.piwigo.permissions import Photo


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
