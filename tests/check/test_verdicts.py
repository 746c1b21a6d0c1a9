import pytest

from pwgserve.check.verdicts import Answer, KnownFile, Verdict, differs, is_ops, judge

JPEG = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 40
FILM = b"\0\0\0\x18ftypmp42" + b"film" * 4000
FILE = KnownFile(len(JPEG), JPEG[:4096], JPEG[-2048:])
NO = Answer(404, {"content-type": "text/plain"}, b"Not found\n")


def answer(status=200, kind="text/html", body=b"", **headers):
    return Answer(
        status, {"content-type": kind} | {name.replace("_", "-"): value for name, value in headers.items()}, body
    )


@pytest.mark.parametrize(
    ("given", "verdict"),
    [
        (NO, Verdict.CLOSED),
        (answer(403), Verdict.CLOSED),
        (answer(200, "text/html", b"<html>please log in</html>"), Verdict.CLOSED),
        (answer(200, "image/jpeg", JPEG), Verdict.PICTURE),
        (answer(200, "text/html", JPEG), Verdict.PICTURE),
        (answer(200, "application/octet-stream", FILM), Verdict.PICTURE),
        (answer(404, "text/html", JPEG[:2000]), Verdict.PICTURE),
        (answer(206, "image/jpeg", JPEG[100:400], content_range=f"bytes 100-399/{len(JPEG)}"), Verdict.PICTURE),
        (answer(206, "text/plain", JPEG[-1024:], content_range=f"bytes {len(JPEG) - 1024}-{len(JPEG) - 1}/{len(JPEG)}"), Verdict.PICTURE),
        (answer(200, "image/jpeg"), Verdict.PICTURE),
        (answer(200, "text/html", b"", x_accel_redirect="/_pwgserve/x"), Verdict.PATH),
        (answer(404, "text/html", b"", x_sendfile="/var/www/x"), Verdict.PATH),
        (answer(503), Verdict.UNCLEAR),
        (answer(429), Verdict.UNCLEAR),
        (answer(502), Verdict.UNCLEAR),
    ],
)  # fmt: skip
def test_what_an_answer_gives_away(given, verdict):
    assert judge(given, NO, [FILE]) is verdict


def test_a_picture_that_everybody_gets_for_everything_is_not_the_photo():
    placeholder = answer(200, "image/png", b"\x89PNG\r\n\x1a\n and more that says: no access")
    assert judge(placeholder, placeholder, [FILE]) is Verdict.CLOSED


def test_a_head_gives_away_what_its_body_would():
    nothing = answer(404, "text/plain")
    assert judge(answer(200, "image/jpeg"), nothing, [FILE]) is Verdict.PICTURE
    assert judge(answer(200, "image/png"), answer(200, "image/png"), [FILE]) is Verdict.CLOSED


def test_an_error_of_the_twin_proves_nothing():
    assert judge(NO, answer(500), [FILE]) is Verdict.UNCLEAR


def test_answers_that_repeat_the_request_are_alike():
    first = answer(404, "text/html", b"no upload/a1.jpg here", location="/login?to=upload%2Fa1.jpg")
    twin = answer(404, "text/html", b"no upload/b2.jpg here", location="/login?to=upload%2Fb2.jpg")
    words = ("upload%2Fa1.jpg", "upload/a1.jpg", "upload%2Fb2.jpg", "upload/b2.jpg")
    assert not differs(first, twin, words, is_steady=True)


def test_what_a_page_holds_anyway_is_no_word_of_one_photo_alone():
    page = answer(200, "text/html", b"var max_requests = 3;")
    assert not differs(page, page, ("= 3", "= 5003"), is_steady=True)


@pytest.mark.parametrize(
    "other",
    [
        answer(403, body=b"x"),
        answer(404, "text/plain", b"x"),
        answer(404, body=b"y"),
        answer(404, body=b"x", location="/a"),
    ],
)
def test_any_other_difference_tells_that_there_is_a_photo(other):
    assert differs(answer(404, body=b"x"), other, (), is_steady=True)


def test_pages_that_change_by_themselves_are_compared_by_what_stays():
    first, twin = answer(404, body=b"at 10:00:01"), answer(404, body=b"at 10:00:02")
    assert not differs(first, twin, (), is_steady=False)
    assert differs(answer(401, body=b"at 10:00:01"), twin, (), is_steady=False)


def test_the_daemons_own_pages_are_known():
    assert is_ops(answer(200, "text/plain", b"alive\n"))
    assert is_ops(answer(503, "text/plain", b"not ready: the database\n"))
    assert is_ops(answer(200, "text/plain", b"# HELP pwgserve_responses_total x"))
    assert not is_ops(NO)
    assert not is_ops(answer(200, "text/html", b"<html>All about pwgserve</html>"))
