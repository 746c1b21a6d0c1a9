from urllib.parse import unquote

import pytest

from pwgserve.check.attempts import AREAS, OPS, Place, Subject, area_of, attempts, in_words, ops_attempts
from pwgserve.check.samples import twin_of
from pwgserve.check.spelling import spellings

PLACE = Place("/photos/", "piwigo", caches=("/photos/_cache", "/pwg cache"))
SUBJECT = Subject(
    4711,
    "upload/2026/05/14/20260514-ab12CD34.mp4",
    "upload/2026/05/14/pwg_representative/20260514-ab12CD34.jpg",
    ((7, "upload/2026/05/14/pwg_format/20260514-ab12CD34.cr2"),),
    ("upload/2026/05/14/pwg_representative/20260514-ab12CD34-me.jpg",),
    "ab/cd/0123456789",
)


@pytest.mark.parametrize("base", ["/", "/photos/", "/a/b/"])
def test_every_attempt_is_a_request_line_that_can_be_sent(base):
    found = [*attempts(SUBJECT, Place(base, "piwigo")), *ops_attempts(Place(base, "piwigo"))]
    for attempt in found:
        assert attempt.target.startswith("/")
        assert attempt.target.isascii()
        assert not set(attempt.target) & set(' \r\n\t\\"<>')
        assert attempt.area in AREAS
    assert len({(one.method, one.target, one.headers) for one in found}) > 100
    assert len(found) < 220, "a check is a few hundred requests"


def test_a_twin_is_tried_in_the_same_ways_and_differs_in_nothing_but_names():
    twin = twin_of(SUBJECT, 9999)
    mine, others = list(attempts(SUBJECT, PLACE)), list(attempts(twin, PLACE))
    assert [(one.area, one.trick, one.method) for one in mine] == [(one.area, one.trick, one.method) for one in others]
    assert len(twin.path) == len(SUBJECT.path)
    for old, new in zip(SUBJECT.path, twin.path, strict=True):
        assert (old.isdigit(), old.islower(), old.isupper()) == (new.isdigit(), new.islower(), new.isupper())
    stem = twin.path.rpartition("/")[2].rpartition(".")[0]
    assert stem != "20260514-ab12CD34"
    for path in (twin.representative, twin.formats[0][1], twin.sizes[0]):
        assert stem in path


@pytest.mark.parametrize(
    "name", ["Отпуск 2024", "休暇", "やすみ", "Ünïcödé", "عطلة", "Ж", "___", "_ (1)", "휴가", "1", "😀"]
)
def test_a_twin_has_another_name_in_any_script(name):
    subject = Subject(7, f"galleries/Семья/{name}.jpg", sizes=(f"galleries/Семья/{name}-me.jpg",))
    for _ in range(50):
        twin = twin_of(subject, 9999)
        other = twin.path.removeprefix("galleries/Семья/").removesuffix(".jpg")
        assert other.casefold() != name.casefold()
        assert twin.sizes == (f"galleries/Семья/{other}-me.jpg",)
        assert other.isprintable()
        if any(character.isalpha() for character in name):
            assert len(other.encode()) == len(name.encode())
            assert [one.isalpha() for one in other] == [one.isalpha() for one in name]
            assert [one.isupper() for one in other] == [one.isupper() for one in name]


def test_where_every_short_name_is_taken_a_longer_one_is_found():
    assert len(twin_of(Subject(7, "galleries/a/1.jpg"), 9999, 3).path) == len("galleries/a/1.jpg") + 3


def test_what_is_made_up_is_the_same_for_a_photo_and_its_twin():
    """A redirect repeats it, and two redirects that differ tell that there is a photo."""
    twin = twin_of(SUBJECT, 9999)
    seen = []
    for subject in (SUBJECT, twin):
        targets = []
        for one in attempts(subject, PLACE):
            found = one.target
            for word in subject.words():
                found = found.replace(word, "…")
            targets.append(found)
        seen.append(targets)
    assert seen[0] == seen[1]


def test_folders_of_any_script_are_spelled_in_ascii():
    for _, target in spellings("/photos/", "архив/a.jpg"):
        assert target.isascii()
    assert "/photos/%d0%b0%D1%80%D1%85%D0%B8%D0%B2/a.jpg" in dict(spellings("/photos/", "архив/a.jpg")).values()


def test_a_spelling_names_the_file_once_however_it_is_read():
    for _, target in spellings("/photos/", "upload/a b/ü.jpg"):
        assert "%20" in target
        assert unquote(unquote(target)).lower().replace("\\", "/").count(".jpg") == 1


def test_names_of_any_language_are_sent_as_browsers_do():
    plain = next(spellings("/", "galleries/Möwen & Meer/é#1?.JPG"))[1]
    assert plain == "/galleries/M%C3%B6wen%20&%20Meer/%C3%A9%231%3F.JPG"


def test_nothing_that_is_sent_is_a_secret_of_the_gallery():
    sent = " ".join(f"{one.target} {one.headers}" for one in attempts(SUBJECT, PLACE))
    again = " ".join(f"{one.target} {one.headers}" for one in attempts(SUBJECT, PLACE))
    assert "pwg_id=" in sent
    assert sent != again, "forged cookies and tokens are new ones each time"


def test_the_daemons_own_addresses_are_tried_as_they_are():
    assert "/-/metrics" in OPS
    assert "/-/health" in OPS


def test_the_folder_of_a_further_site_is_named():
    assert area_of("archive/1999/a.jpg") == "archive/"
    assert area_of("galleries/a.jpg") == "galleries/"
    assert area_of("media/new/2026/a.jpg", "media/new") == "upload/"
    assert area_of("upload/a.jpg", "media/new") == "upload/"
    assert in_words("archive/") == "files below archive/"
    areas = {one.area for one in attempts(Subject(7, "archive/1999/a.jpg"), PLACE)}
    assert areas - set(AREAS) == {"archive/"}
