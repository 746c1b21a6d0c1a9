import pytest

from pwgserve.check.verdicts import IN_WORDS, Answer, KnownFile, Verdict, differs, is_ops, judge, leads_to

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


def test_what_is_no_text_is_like_itself():
    no_text = answer(404, body=b"\xff\xfe")
    assert not differs(no_text, no_text, ("x",), is_steady=True)


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


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (answer(200, "text/plain", b"alive\n"), True),
        (answer(200, "text/plain", b"ready\n"), True),
        (answer(503, "text/plain", b"not ready: the database\n"), True),
        (answer(200, "text/plain", b"# HELP pwgserve_responses_total x"), True),
        (answer(203, "text/plain", b"# HELP pwgserve_responses_total x"), True),
        (answer(200, "text/plain", b"# HELP pwgserve_cache_bytes x"), True),
        (answer(200, "text/html", b"<!doctype html><title>pwgserve</title>"), True),
        (NO, False),
        (answer(404, "text/html", b"nothing at /pwgserve_x"), False),
        (answer(404, "text/html", b"<title>pwgserve</title>"), False),
        (answer(200, "text/html", b"<html>All about pwgserve</html>"), False),
        (answer(200, "text/plain", b"alive and kicking\n"), False),
    ],
)
def test_the_daemons_own_pages_are_known(given, expected):
    assert is_ops(given) is expected


@pytest.mark.parametrize(
    "given",
    [
        *(answer(200, kind, b"x" * 20) for kind in ("image/avif", "video/mp4", "audio/mpeg", "application/pdf")),
        answer(200, " Image/JPEG ; q=1", b"x" * 20),
        *(
            answer(200, "application/octet-stream", start + b"x" * 20)
            for start in (b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"%PDF-1.7", b"RIFF1234WEBP", b"1234ftypavif")
        ),
        answer(203, "image/jpeg", b"x" * 20),
        answer(206, "image/jpeg", b"x" * 20),
    ],
)  # fmt: skip
def test_whatever_is_a_picture_is_one_even_if_no_file_of_the_gallery_is_like_it(given):
    assert judge(given, NO, []) is Verdict.PICTURE


@pytest.mark.parametrize(
    "given",
    [
        answer(200, "text/html", b"x" * 20),
        answer(200, "text/html", b"RIFF1234WAVE" + b"x" * 20),
        answer(200, "text/html", b"1234RIFFWEBP" + b"x" * 20),
        answer(404, "image/png", b"no picture" * 3),
        Answer(200, {}, b"x" * 20),
    ],
)
def test_what_is_none_is_none(given):
    assert judge(given, NO, [FILE]) is Verdict.CLOSED


TEXT = "".join(f"line {number}\n" for number in range(2000)).encode()
DOCUMENT = KnownFile(len(TEXT), TEXT[:1000], TEXT[-500:])


@pytest.mark.parametrize(
    ("start", "part", "expected"),
    [
        (0, TEXT[:16], True),
        (0, TEXT[:15], False),
        (0, TEXT[:2048], True),
        (0, TEXT[:1000] + b"what is not known", True),
        (0, b"x" + TEXT[1:1000], False),
        (984, TEXT[984:1100], True),
        (985, TEXT[985:1100], False),
        (len(TEXT) - 500, TEXT[-500:], True),
        (len(TEXT) - 400, TEXT[-400:-200], True),
        (len(TEXT) - 400, TEXT[-401:-200], False),
        (len(TEXT) - 16, TEXT[-16:], True),
        (len(TEXT) - 15, TEXT[-15:] + b"x", False),
        (len(TEXT), b"x" * 20, False),
        (2000, TEXT[2000:3000], False),
    ],
)
def test_a_file_is_known_by_its_first_and_last_bytes(start, part, expected):
    assert DOCUMENT.has(start, part) is expected


@pytest.mark.parametrize(
    ("status", "said", "verdict"),
    [
        (206, f"bytes 100-399/{len(TEXT)}", Verdict.PICTURE),
        (206, f"bytes 101-400/{len(TEXT)}", Verdict.CLOSED),
        # Only a part is a part, whatever else an answer says.
        (200, f"bytes 100-399/{len(TEXT)}", Verdict.CLOSED),
        (206, "", Verdict.CLOSED),
    ],
)
def test_a_part_of_a_file_is_found_where_it_says_that_it_is(status, said, verdict):
    given = answer(status, "text/plain", TEXT[100:400], content_range=said)
    assert judge(given, NO, [DOCUMENT]) is verdict


@pytest.mark.parametrize(
    ("status", "location", "expected"),
    [
        *((status, "https://login.test:8443/?to=x", "https://login.test:8443") for status in (301, 302, 303, 307, 308)),
        (200, "https://login.test/", ""),
        (304, "https://login.test/", ""),
        (302, "/login", ""),
        (302, "//login.test/", ""),
        (302, "mailto:anna", ""),
        (302, "https://[login/", ""),
        (302, "", ""),
    ],
)
def test_where_an_answer_leads_is_another_address_or_none(status, location, expected):
    assert leads_to(answer(status, location=location)) == expected
    assert leads_to(Answer(302, {}, b"")) == ""


@pytest.mark.parametrize(
    ("status", "is_unclear"),
    [(0, False), (200, False), (404, False), (428, False), (429, True), (499, False), (500, True)],
)
def test_busy_or_away_is_no_answer(status, is_unclear):
    assert answer(status).is_unclear is is_unclear


def test_every_leak_has_words():
    leaks = {Verdict.PICTURE, Verdict.EXISTENCE, Verdict.PATH, Verdict.NUMBERS, Verdict.ADDRESS}
    assert {verdict for verdict in Verdict if verdict.is_leak} == leaks
    assert leaks | {Verdict.UNCLEAR} == set(IN_WORDS)
