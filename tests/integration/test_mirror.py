"""What the daemon tells `pwgserve check` of its own requests, and that it tells nobody else."""

import json
import secrets
import time

import pytest

from pwgserve import mirror
from pwgserve.keys.keys_file import generated, load
from pwgserve.links import LinkSigner


@pytest.fixture
def signer(daemon):
    return LinkSigner(load(daemon.directory / "keys"))


def address(signer, now=None):
    return f"/pwgs/{mirror.token(signer, secrets.token_hex(8), time.time() if now is None else now)}.jpg"


def test_the_mirror_shows_where_a_request_comes_from_and_keeps_nothing(daemon, signer):
    asked = address(signer)
    first = daemon.visitor().get(asked, **{"X-Forwarded-For": "198.51.100.7, 127.0.0.1"})
    assert first.status == 200
    assert json.loads(first.body)["visitor"] == "198.51.100.7"
    assert json.loads(first.body)["forwarded"] == "198.51.100.7, 127.0.0.1"
    assert first.headers["cache-control"].startswith("private, ")
    assert json.loads(daemon.visitor().get(asked).body)["number"] != json.loads(first.body)["number"]


def test_whoever_has_no_token_gets_what_every_forged_link_gets(daemon, signer):
    forged = daemon.visitor().get("/pwgs/x.jpg")
    for wrong in (
        address(LinkSigner(generated())),
        address(signer, time.time() - 100),
        address(signer, time.time() + 100),
        address(signer).replace("mirror.", "Mirror."),
    ):
        answer = daemon.visitor().get(wrong)
        assert (answer.status, answer.body, answer.headers) == (404, forged.body, forged.headers | {"date": answer.headers["date"]})  # fmt: skip
