import time
from types import SimpleNamespace

import pytest
from aiohttp import HttpVersion10, HttpVersion11, web
from aiohttp.http_parser import RawRequestMessage
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from pwgserve.answers.freshness import DECISION_AGE
from pwgserve.http.repeats import OVERHEAD, Repeats
from pwgserve.links import PUBLIC, Audience, Credential, Link
from pwgserve.piwigo.wanted import Wanted

PATH = "/pwgs/1.me.p.99.f.s.jpg"
ANNAS = Audience(3, Credential("s", "m" * 16))
NOW = 1000.0


def message(path=PATH, method="GET", version=HttpVersion11, close=False, upgrade=False, chunked=False, **headers):
    values = CIMultiDict({name.replace("_", "-"): value for name, value in headers.items()})
    return RawRequestMessage(
        method, path, version, CIMultiDictProxy(values), (), close, None, upgrade, chunked, URL(path)
    )


def link(audience=PUBLIC, expiry=None):
    return Link(1, Wanted(code="me"), audience, expiry or int(time.time()) + 600, "f" * 16)


def kept(
    repeats, audience=PUBLIC, peer="10.0.0.1", body=b"picture", decided=NOW, expiry=None, status=200, outcome="hit",
    **request,
):  # fmt: skip
    response = web.Response(status=status, body=body, headers={"X-Pwgserve": outcome, "Content-Type": "image/jpeg"})
    asked = SimpleNamespace(_message=message(**request), remote=peer)
    repeats.keep(asked, link(audience, expiry), response, decided)
    return repeats


def found(repeats, peer="10.0.0.1", now=NOW, **request):
    repeat = repeats.find(message(**request), peer, now)
    return None if repeat is None else b"".join(repeat.parts)


def test_an_answer_is_given_again_complete():
    answer = found(kept(Repeats()))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\nContent-Length: 7" in head
    assert body == b"picture"


def test_what_is_said_to_the_first_who_asked_is_not_said_again():
    repeats = Repeats()
    response = web.Response(body=b"x", headers={"X-Pwgserve": "hit"})
    repeats.keep(SimpleNamespace(_message=message(), remote="10.0.0.1"), link(), response, NOW)
    response.headers["Connection"] = "keep-alive"  # as the library does for old clients, once it sends it
    assert b"Connection" not in found(repeats)


def test_a_public_answer_is_everybodys():
    assert found(kept(Repeats(), Cookie="pwg_id=a"), peer="10.0.0.2", Cookie="pwg_id=b") is not None


@pytest.mark.parametrize(
    "other",
    [
        {"Cookie": "pwg_id=ben"},
        {"Cookie": ""},
        {},
        {"Cookie": "pwg_id=anna", "X_Forwarded_For": "10.0.0.9"},
        {"Cookie": "pwg_id=anna", "X_Remote_User": "anna"},
        {"Cookie": "pwg_id=anna", "peer": "10.0.0.2"},
        {"Cookie": "pwg_id=anna", "path": PATH + "?download"},
    ],
)
def test_a_private_answer_is_for_who_says_the_very_same(other):
    repeats = kept(Repeats(), ANNAS, Cookie="pwg_id=anna")
    assert found(repeats, Cookie="pwg_id=anna") is not None
    assert found(repeats, **other) is None


def test_words_in_one_header_are_not_taken_for_those_in_another():
    repeats = kept(Repeats(), ANNAS, Cookie="a", X_Remote_User="b")
    assert found(repeats, Cookie="b", X_Remote_User="a") is None
    assert found(repeats, Cookie="a\0b") is None


@pytest.mark.parametrize(
    "other",
    [
        {"method": "HEAD"},
        {"method": "POST"},
        {"close": True},
        {"version": HttpVersion10},  # its connection ends, unless the answer says otherwise
        {"upgrade": True},
        {"chunked": True},
        {"Range": "bytes=0-1"},
        {"If_None_Match": '"x"'},
        {"If_Match": '"x"'},
        {"If_Unmodified_Since": "Tue, 24 Nov 2026 20:21:01 GMT"},
        {"If_Modified_Since": "Tue, 24 Nov 2026 20:21:01 GMT"},
        {"Content_Length": "3"},
    ],
)
def test_a_request_that_wants_something_else_is_no_repeat(other):
    assert found(kept(Repeats()), **other) is None
    assert found(kept(Repeats(), **other)) is None, "nor is its answer kept"


def test_one_asker_renews_a_decision_while_it_still_counts_for_the_others():
    repeats = kept(Repeats())
    late = NOW + DECISION_AGE * 0.9
    assert [found(repeats, now=late) is None for _ in range(3)] == [True, False, False]
    kept(repeats, decided=late)
    assert found(repeats, now=late + DECISION_AGE / 2) is not None


def test_a_decision_counts_for_its_age_and_no_longer():
    repeats = kept(Repeats())
    assert found(repeats, now=NOW + DECISION_AGE * 0.9) is None, "this one renews"
    assert found(repeats, now=NOW + DECISION_AGE - 0.001) is not None
    assert found(repeats, now=NOW + DECISION_AGE) is None


def test_after_a_no_nothing_is_repeated():
    for audience in (PUBLIC, ANNAS):
        repeats = kept(Repeats(), audience, Cookie="pwg_id=anna")
        repeats.forget(SimpleNamespace(_message=message(Cookie="pwg_id=anna"), remote="10.0.0.1"))
        assert found(repeats, Cookie="pwg_id=anna") is None
        kept(kept(repeats, audience), audience, status=302)
        assert found(repeats) is None, "nor after a way to elsewhere"


def test_a_stranger_takes_nothing_from_who_may_repeat():
    repeats = kept(Repeats(), ANNAS, Cookie="pwg_id=anna")
    repeats.forget(SimpleNamespace(_message=message(Cookie="pwg_id=ben"), remote="10.0.0.1"))
    assert found(repeats, Cookie="pwg_id=anna") is not None


def test_an_expired_link_has_no_answer_whatever_the_age_of_the_decision():
    assert found(kept(Repeats(), expiry=int(time.time()) - 1)) is None


def test_only_whole_pictures_are_kept():
    assert found(kept(Repeats(), status=206)) is None
    assert found(kept(Repeats(), status=304)) is None


def test_what_is_streamed_is_not_kept():
    repeats, asked = Repeats(), SimpleNamespace(_message=message(), remote="10.0.0.1")
    repeats.keep(asked, link(), web.StreamResponse(headers={"X-Pwgserve": "hit"}), NOW)
    assert found(repeats) is None


def test_what_a_proxy_is_to_send_is_told_it_again():
    repeats, asked = Repeats(), SimpleNamespace(_message=message(), remote="10.0.0.1")
    handed_over = web.Response(headers={"X-Pwgserve": "hit", "X-Accel-Redirect": "/internal/cache/a"})
    repeats.keep(asked, link(), handed_over, NOW)
    head, _, body = found(repeats).partition(b"\r\n\r\n")
    assert b"\r\nX-Accel-Redirect: /internal/cache/a\r\n" in head
    assert b"\r\nContent-Length: 0" in head
    assert body == b""


def test_that_a_picture_was_made_is_said_once():
    assert found(kept(Repeats(), outcome="render")) is None


def test_the_store_stays_within_its_bytes_and_forgets_what_is_past():
    repeats = Repeats(capacity=3 * (100 + OVERHEAD))
    for number in range(10):
        kept(repeats, path=f"/{number}", body=b"x" * 100)
    assert [number for number in range(10) if found(repeats, path=f"/{number}")] == [7, 8, 9]
    kept(repeats, path="/late", body=b"x" * 100, decided=NOW + 10)
    assert len(repeats._kept) == 1
    kept(repeats, path="/huge", body=b"x" * 10_000, decided=NOW + 10)
    assert found(repeats, path="/huge", now=NOW + 10) is None
    assert repeats._size <= 3 * (100 + OVERHEAD)


def test_an_answer_that_is_renewed_takes_no_room_from_others():
    repeats = kept(Repeats(capacity=3 * (100 + OVERHEAD)), path="/other", body=b"x" * 100)
    for _ in range(10):
        kept(repeats, body=b"x" * 100)
    assert found(repeats, path="/other") is not None


@pytest.mark.parametrize("end", ["\r\n", "\r", "\n"])
def test_no_header_can_break_out_of_its_line(end):
    response = web.Response(body=b"x", headers={"X-Pwgserve": "hit"})
    response.headers.add("X-Name", f"a{end}Set-Cookie: b")
    asked = SimpleNamespace(_message=message(), remote="10.0.0.1")
    with pytest.raises(ValueError, match="line break"):
        Repeats().keep(asked, link(), response, NOW)
