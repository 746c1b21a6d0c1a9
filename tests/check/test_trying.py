"""What attempts come to is noted once, where it is to be mended."""

from pathlib import Path

import pytest

from pwgserve.check.attempts import Attempt, Subject
from pwgserve.check.mending import Mender
from pwgserve.check.report import Report
from pwgserve.check.samples import Sample
from pwgserve.check.trying import Try, try_all
from pwgserve.check.verdicts import Answer
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
