"""What attempts come to is noted once, where it is to be mended."""

from pathlib import Path
from urllib.parse import quote

import pytest

from pwgserve.check.attempts import Attempt, Subject
from pwgserve.check.mending import Mender
from pwgserve.check.report import Report
from pwgserve.check.samples import Sample
from pwgserve.check.stranger import UnreachableError
from pwgserve.check.trying import Try, try_all
from pwgserve.check.verdicts import Answer, Verdict
from pwgserve.setup.templates import Site, WebServer

SITE = Site("a.test", "/", Path("/srv/photos"), "127.0.0.1:8280", Path("/var/cache/pwgserve"))
SAMPLE = Sample(Subject(7, "upload/real.jpg"), Subject(9, "upload/none.jpg"), ())


class Leaking:
    """A server that hands out the real photo, and says no to its twin."""

    async def ask(self, attempt):
        is_real = "real" in attempt.target
        return Answer(200, {"content-type": "image/jpeg"}, b"a picture" * 9) if is_real else Answer(404, {}, b"no")


@pytest.mark.parametrize(
    ("origin", "name", "areas"),
    [
        ("https://192.0.2.9", "a.test", ["upload/"]),
        ("https://192.0.2.9", "b.test", ["upload/", "door"]),
        ("https://192.0.2.9:8443", "a.test", ["upload/", "door"]),
        ("http://192.0.2.9", "a.test", ["upload/", "door"]),
    ],
)
async def test_what_leaks_at_the_gallerys_own_address_is_not_told_again_of_the_same_site(origin, name, areas):
    report = Report("https://a.test/")
    headers = (("Host", name),)
    tries = [
        Try(SAMPLE, Attempt("upload/", "plain", "/upload/real.jpg"), Attempt("upload/", "plain", "/upload/none.jpg")),
        Try(
            SAMPLE,
            Attempt("door", "at", "/upload/real.jpg", headers=headers, origin=origin, server_name=name),
            Attempt("door", "at", "/upload/none.jpg", headers=headers, origin=origin, server_name=name),
        ),
    ]
    await try_all(report, Leaking(), Mender(WebServer.NGINX, SITE), tries, [], lambda done, total: None)
    assert sorted(finding.area for finding in report.leaks) == sorted(areas)


class Timed:
    """A server whose page tells how long it took: figures that repeat by chance. pages: for the photo, for its twin."""

    def __init__(self, pages, twin_pages):
        self.pages = {"real": iter(pages), "none": iter(twin_pages)}
        self.asked = 0

    async def ask(self, attempt):
        self.asked += 1
        name = "real" if "real" in attempt.target else "none"
        return Answer(200, {"content-type": "text/html"}, next(self.pages[name]).encode())

    async def end(self, answer, attempt):
        return answer


def told(*seconds):
    return [f"Page generated in {one} s" for one in seconds]


@pytest.mark.parametrize(
    ("pages", "twin_pages", "leaks", "asked"),
    [
        (told("0.014"), told("0.014"), 0, 2),
        (told("0.014", "0.014", "0.014", "0.013"), told("0.013", "0.013", "0.013", "0.013"), 0, 8),
        (told("0.014", "0.014", "0.015"), told("0.013", "0.013", "0.013"), 0, 6),
        (["12 photos"] * 7, ["11 photos"] * 7, 1, 14),
        (["here"] * 2, ["not here"] * 2, 1, 4),
    ],
)
async def test_figures_that_differ_tell_something_only_when_they_go_on_doing_so(pages, twin_pages, leaks, asked):
    report, server = Report("https://a.test/"), Timed(pages, twin_pages)
    attempt = Try(SAMPLE, Attempt("said", "x", "/?real.jpg"), Attempt("said", "x", "/?none.jpg"))
    await try_all(report, server, Mender(WebServer.NGINX, SITE), [attempt], [], lambda done, total: None)
    assert (len(report.leaks), server.asked) == (leaks, asked)


async def test_a_small_number_that_stands_in_the_page_anyway_tells_nothing():
    page = "<script>var max_requests = 3;</script>"
    sample = Sample(Subject(3, "upload/real.jpg"), Subject(5003, "upload/none.jpg"), ())
    report, server = Report("https://a.test/"), Timed([page] * 9, [page] * 9)
    attempt = Try(sample, Attempt("said", "x", "/?real.jpg"), Attempt("said", "x", "/?none.jpg"))
    await try_all(report, server, Mender(WebServer.NGINX, SITE), [attempt], [], lambda done, total: None)
    assert not report.leaks


REAL, TWIN = "/upload/real.jpg", "/upload/none.jpg"
NO = Answer(404, {"content-type": "text/html"}, b"nothing here")
PHOTO = Answer(200, {"content-type": "image/jpeg"}, b"a picture" * 9)


class Answering:
    """A server that answers each target (or origin and target) with the next of its answers, the last one for ever.

    ends: where the redirects of a target lead in the end.
    """

    def __init__(self, answers, ends=None):
        self.answers = {target: list(given) for target, given in answers.items()}
        self.ends = ends or {}
        self.asked = []

    async def ask(self, attempt):
        self.asked.append(attempt)
        given = self.answers.get(attempt.origin + attempt.target) or self.answers[attempt.target]
        answer = given.pop(0) if len(given) > 1 else given[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def end(self, answer, attempt):
        return self.ends.get(attempt.target, answer)


async def tried(server, tries, ops=(), progress=lambda done, total: None):
    report = Report("https://a.test/")
    await try_all(report, server, Mender(WebServer.NGINX, SITE), tries, ops, progress)
    return report


def plain(sample=SAMPLE, area="upload/", **more):
    real, twin = f"/{sample.subject.path}", f"/{sample.twin.path}"
    return Try(sample, Attempt(area, "plain", real, **more), Attempt(area, "plain", twin, **more))


def page(*bodies, status=404):
    return [Answer(status, {"content-type": "text/html"}, body) for body in bodies]


@pytest.mark.parametrize(
    ("real", "twin", "verdict"),
    [
        ([NO], [NO], None),
        (page(b"no real.jpg here"), page(b"no none.jpg here"), None),
        (page(b"no"), page(b"none"), Verdict.EXISTENCE),
        (page(b"no", status=403), page(b"no"), Verdict.EXISTENCE),
        # A difference that does not stay tells nothing, nor do pages that are others each time.
        (page(b"first", b"no"), page(b"no"), None),
        (page(b"10:01", b"10:03"), page(b"10:02", b"10:04"), None),
        (page(b"10:01", b"10:03"), page(b"no"), None),
        (page(b"no"), page(b"10:02", b"10:04"), None),
        (page(b"10:01", b"10:03", status=403), page(b"10:02", b"10:04"), Verdict.EXISTENCE),
        # What is busy when it is asked again has said nothing.
        ([NO, Answer(503, {}, b"")], page(b"none"), Verdict.UNCLEAR),
        ([NO], [*page(b"none"), Answer(503, {}, b"")], Verdict.UNCLEAR),
        ([Answer(503, {}, b"")], [NO], Verdict.UNCLEAR),
        ([PHOTO], [NO], Verdict.PICTURE),
    ],
)
async def test_that_there_is_a_photo_is_told_by_a_difference_that_stays(real, twin, verdict):
    report = await tried(Answering({REAL: real, TWIN: twin}), [plain()])
    assert [finding.verdict for finding in report.findings] == ([verdict] if verdict else [])
    assert report.closed == ({} if verdict else {"upload/": 1})


async def test_a_way_that_leads_to_the_picture_is_a_leak():
    away = Answer(302, {"location": "/elsewhere"}, b"")
    report = await tried(Answering({REAL: [away], TWIN: [away]}, {REAL: PHOTO}), [plain()])
    assert [finding.verdict for finding in report.findings] == [Verdict.PICTURE]


async def test_a_way_that_leads_to_one_picture_whatever_is_asked_for_is_none():
    """Owners who want no other site to show their pictures send whoever asks for one to a picture that says so."""
    away = Answer(302, {"location": "/no-hotlinks.png"}, b"")
    report = await tried(Answering({REAL: [away], TWIN: [away]}, {REAL: PHOTO, TWIN: PHOTO}), [plain()])
    assert report.findings == []
    other = Answer(301, away.headers, b"")
    report = await tried(Answering({REAL: [away], TWIN: [other]}, {REAL: PHOTO, TWIN: PHOTO}), [plain()])
    assert [finding.verdict for finding in report.findings] == [Verdict.EXISTENCE], "as without the picture"


async def test_one_twin_stands_for_all_photos_of_its_kind_that_are_asked_for_in_the_same_way():
    second = Sample(Subject(8, "upload/real2.jpg"), Subject(10, "upload/none2.jpg"), ())
    film = Sample(Subject(11, "upload/real.mp4"), Subject(12, "upload/none.mp4"), ())
    tries = [plain(), plain(second), plain(film), plain(method="HEAD"), plain(headers=(("X", "y"),), area="said")]
    tries += [
        plain(origin="https://b.test"),
        Try(SAMPLE, Attempt("upload/", "", f"{REAL}?"), Attempt("upload/", "", f"{TWIN}?")),
    ]
    server = Answering({attempt.target: [NO] for one in tries for attempt in (one.attempt, one.twin)})
    seen = []
    report = await tried(server, tries, progress=lambda done, total: seen.append((done, total)))
    assert report.closed == {"upload/": 6, "said": 1}
    assert len(server.asked) == 7 + 6
    assert not any("none2" in attempt.target for attempt in server.asked)
    assert seen == [(number, 7) for number in range(1, 8)]


async def test_the_daemons_own_pages_are_a_leak_wherever_they_come_out():
    ops = [Attempt("ops", "plain", "/-/health"), Attempt("ops", "plain", "/-/metrics")]
    server = Answering({"/-/health": [Answer(200, {}, b"alive\n")], "/-/metrics": [NO]})
    seen = []
    report = await tried(server, [], ops, lambda done, total: seen.append((done, total)))
    assert [(finding.verdict, finding.photo) for finding in report.findings] == [(Verdict.NUMBERS, None)]
    assert (report.closed, seen) == ({"ops": 1}, [(1, 2), (2, 2)])


@pytest.mark.parametrize("ops", [[], [Attempt("ops", "plain", "/-/health")]])
async def test_a_server_that_goes_away_ends_the_check_in_one_line(ops):
    away = UnreachableError("https://a.test: it hangs up")
    server = Answering({REAL: [NO if ops else away], TWIN: [NO], "/-/health": [away]})
    with pytest.raises(UnreachableError, match=r"^https://a\.test: it hangs up$"):
        await tried(server, [plain()], ops)


async def test_what_leaks_at_another_address_only_is_told_and_so_is_all_that_comes_after():
    same = {"area": "door", "origin": "https://192.0.2.9", "server_name": "a.test"}
    server = Answering({REAL: [NO], TWIN: [NO], same["origin"] + REAL: [PHOTO]})
    assert [finding.area for finding in (await tried(server, [plain(), plain(**same)])).findings] == ["door"]
    server = Answering({REAL: [PHOTO], TWIN: [NO]})
    report = await tried(server, [plain(), plain(**same), plain(area="galleries/", method="HEAD")])
    assert sorted(finding.area for finding in report.findings) == ["galleries/", "upload/"]


@pytest.mark.parametrize(
    ("area", "headers", "areas"),
    [
        ("said", (("X-Remote-User", "webmaster"),), ["upload/"]),
        ("door", (("Host", "b.test"),), ["upload/"]),
        ("i.php", (("Cookie", "pwg_id=x"),), ["i.php", "upload/"]),
        ("said", (), ["said", "upload/"]),
    ],
)
async def test_what_comes_out_unasked_is_not_told_again_of_a_header(area, headers, areas):
    server = Answering({REAL: [PHOTO], TWIN: [NO]})
    report = await tried(server, [plain(), plain(area=area, headers=headers)])
    assert sorted(finding.area for finding in report.findings) == areas


async def test_what_comes_out_with_a_header_only_is_told():
    said = Attempt("said", "to be a user", "/upload/real.jpg?", headers=(("X-Remote-User", "webmaster"),))
    twin = Attempt("said", "to be a user", "/upload/none.jpg?", headers=said.headers)
    server = Answering({REAL: [NO], TWIN: [NO], said.target: [PHOTO], twin.target: [NO]})
    report = await tried(server, [plain(), Try(SAMPLE, said, twin)])
    assert [(finding.area, finding.photo) for finding in report.findings] == [("said", 7)]


async def test_what_is_unclear_asks_to_be_tried_again_and_says_nothing_of_lines():
    leaking = await tried(Answering({REAL: [PHOTO], TWIN: [NO]}), [plain()])
    assert "location ^~ /upload/" in leaking.leaks[0].mend
    report = await tried(Answering({REAL: [Answer(502, {}, b"")], TWIN: [NO]}), [plain()])
    assert [finding.mend for finding in report.unclear] == [
        "is pwgserve running, and is the web server? Then run this again"
    ]


@pytest.mark.parametrize(
    "said",
    [lambda target: target, quote, lambda target: quote(target, safe="")],
    ids=["plain", "quoted", "wholly quoted"],
)
async def test_a_page_may_repeat_an_address_however_short_a_name_is_and_however_it_is_spelled(said):
    sample = Sample(Subject(7, "upload/a1.jpg"), Subject(9, "upload/b2.jpg"), ())
    real, twin = (Attempt("i.php", "another case", f"/i.php?/upload/{name}-me.JPG") for name in ("a1", "b2"))
    answers = {attempt.target: page(f"no {said(attempt.target)} here".encode()) for attempt in (real, twin)}
    assert (await tried(Answering(answers), [Try(sample, real, twin)])).findings == []
