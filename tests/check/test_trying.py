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
