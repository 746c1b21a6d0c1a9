import pytest

from pwgserve.http.media import PLAYED, SANDBOXED, disposition, security_policy


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("Lake.jpg", 'inline; filename="Lake.jpg"'),
        ('"Lake"; a.jpg', "inline; filename=\"'Lake'; a.jpg\"; filename*=UTF-8''%22Lake%22%3B%20a.jpg"),
        ("100%41.jpg", "inline; filename=\"100_41.jpg\"; filename*=UTF-8''100%2541.jpg"),
        ("../../etc/a.jpg", 'inline; filename="_.._etc_a.jpg"'),
        ("C:\\temp\\a.jpg", 'inline; filename="C:_temp_a.jpg"'),
        ("Grüße.jpg", "inline; filename=\"Gr__e.jpg\"; filename*=UTF-8''Gr%C3%BC%C3%9Fe.jpg"),
        ("a\r\nb\x00.jpg", 'inline; filename="a__b_.jpg"'),
        (". .", 'inline; filename="file.jpg"'),
    ],
)
def test_whatever_a_photo_is_called_it_is_one_name_in_one_folder(name, header):
    assert disposition(name, "jpg", download=False) == header


@pytest.mark.parametrize("extension", ["html", "xhtml", "js", "css", "xml", "exe", "zip", "", "jpg/x"])
def test_what_a_browser_need_not_show_is_saved(extension):
    assert disposition("a", extension, download=False).startswith("attachment; ")
    assert disposition("a", "jpg", download=True).startswith("attachment; ")


def test_only_what_a_player_shows_is_outside_of_a_sandbox():
    assert {security_policy(extension) for extension in ("mp4", "webm", "mp3", "pdf")} == {PLAYED}
    assert {security_policy(extension) for extension in ("svg", "jpg", "html", "txt", "xml", "")} == {SANDBOXED}
