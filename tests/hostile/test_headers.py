"""Headers that lie: of proxies that are none, of other visitors, of other hosts; and requests hidden behind requests."""

import os
import signal
import socket
import struct

import family
import pytest
from daemon import serving
from waiting import until
from wire import comparable, connected, exchange, received, request, statuses

PUBLIC = "/action.php?id=1&part=e"
PRIVATE = "/action.php?id=2&part=e"
ANNA = "pwg_id=annasession"
CLAIMS = (
    {"X-Remote-User": "anna"},
    {"x-remote-USER": "webmaster"},
    {"X_Remote_User": "anna"},
    {"Remote-User": "anna"},
    {"X-Forwarded-User": "anna"},
    {"X-Auth-Request-User": "anna"},
    {"Authorization": "Basic YW5uYTphbm5h"},
    {"X-Forwarded-For": "127.0.0.1"},
    {"X-Forwarded-For": "127.0.0.1, 127.0.0.1"},
    {"X-Real-IP": "127.0.0.1"},
    {"Forwarded": "for=127.0.0.1;host=elsewhere;proto=https"},
    {"Client-IP": "127.0.0.1"},
    {"X-Forwarded-Proto": "javascript"},
    {"X-Forwarded-Host": "elsewhere.example"},
    {"X-Forwarded-Prefix": "/elsewhere"},
    {"X-Original-URL": PUBLIC},
    {"X-Rewrite-URL": PUBLIC},
    {"X-HTTP-Method-Override": "POST"},
    {"X-Accel-Redirect": "/_pwgserve/originals/upload/x.jpg"},
    {"X-Accel-Buffering": "no"},
    {"X-Sendfile": "/etc/passwd"},
    {"X-Sendfile-Type": "X-Accel-Redirect"},
    {"X-Accel-Mapping": "/=/"},
    {"Referer": "http://elsewhere.example/"},
    {"Origin": "http://elsewhere.example"},
    {"Expect": "100-continue"},
    {"Accept-Encoding": "gzip, deflate, br, zstd"},
    {"Via": "1.1 elsewhere"},
    {"Purpose": "prefetch"},
)


@pytest.fixture(scope="module")
def strict(gallery, tmp_path_factory):
    """A daemon that trusts proxies elsewhere, in a gallery that believes what they say."""
    settings = {
        "server": {"trusted_proxies": ["192.0.2.0/24"], "public_url": "http://127.0.0.1/"},
        "piwigo.conf": {"apache_authentication": True},
    }
    yield from serving(gallery, tmp_path_factory.mktemp("strict"), **settings)


@pytest.mark.parametrize("claim", CLAIMS, ids=str)
def test_headers_of_proxies_from_strangers_change_no_answer(strict, claim):
    headers = [f"{name}: {value}" for name, value in claim.items()]
    told = strict.visitor().get(PUBLIC)
    for target, status in ((PUBLIC, 302), (PRIVATE, 404)):
        # The second request ends the connection.
        answer = exchange(strict.port, request(target, *headers) + request("/nothing", "Connection: close"))
        assert statuses(answer) == [status, 404]
        assert b"elsewhere" not in answer
        if status == 302:
            assert f"Location: {told.location}\r\n".encode() in answer


def test_who_has_left_before_being_looked_at_is_a_stranger(strict):
    """The kernel names nobody at the other end of a connection that was reset, as at that of a Unix socket."""
    (pid,) = strict.processes()
    os.kill(pid, signal.SIGSTOP)
    try:
        with connected(strict.port) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.sendall(request(PRIVATE, "X-Forwarded-For: 203.0.113.66", "X-Remote-User: anna"))
    finally:
        os.kill(pid, signal.SIGCONT)
    until(lambda: '"visitor": null' in strict.log)
    assert "203.0.113.66" not in strict.log


@pytest.mark.parametrize("host", ["elsewhere.example", "127.0.0.1:1", "", "a b", "x/y", "[::1", "é.example"])
def test_no_answer_depends_on_the_host_that_is_asked_for(daemon, host):
    data = f"GET {PUBLIC}&ajaxload=true HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
    answer = exchange(daemon.port, data)
    assert statuses(answer) in ([302], [400])
    assert b"elsewhere" not in answer


def test_ajaxload_names_the_gallerys_own_address(daemon, gallery):
    target = f"/i.php?/{gallery.paths[family.LAKE].replace('.jpg', '-me.jpg')}&ajaxload=true"
    answer = exchange(daemon.port, f"GET {target} HTTP/1.1\r\nHost: elsewhere\r\nConnection: close\r\n\r\n".encode())
    assert statuses(answer) == [200]
    assert f"http://127.0.0.1:{daemon.port}/pwgs/".encode() in answer.replace(b"\\/", b"/")
    assert b"elsewhere" not in answer


@pytest.fixture(scope="module")
def believing(gallery, tmp_path_factory):
    """A daemon that trusts its proxy, in a gallery that believes what that says."""
    folder = tmp_path_factory.mktemp("believing")
    yield from serving(gallery, folder, **{"piwigo.conf": {"apache_authentication": True}})


def test_of_two_names_that_a_proxy_passes_on_none_counts(believing):
    """A proxy that adds its header behind the visitor's, instead of in its place."""
    port = believing.port
    assert statuses(exchange(port, request(PRIVATE, "X-Remote-User: anna", "Connection: close"))) == [302]
    for names in (("anna", ""), ("anna", "carol"), ("carol", "anna"), ("anna", "anna")):
        headers = [f"X-Remote-User: {name}" for name in names]
        assert statuses(exchange(port, request(PRIVATE, *headers, "Connection: close"))) == [404], names
    for name in ("anna, carol", "ANNA", "anna ' OR 1=1 -- ", "anna%00", "\u00e4nna"):
        assert statuses(exchange(port, request(PRIVATE, f"X-Remote-User: {name}", "Connection: close"))) == [404]


def test_an_address_with_anything_behind_it_is_none(daemon):
    for address in (
        "fe80::1%eth0",
        "fe80::1% visitor=192.0.2.1",
        "127.0.0.1:80",
        "[::1]",
        "::ffff:1.2.3.4%x",
        "1.2.3.4 ",
    ):
        answer = daemon.visitor().follow(PUBLIC, X_Forwarded_For=address)
        assert answer.status == 200
        daemon.visitor().get(PRIVATE, X_Forwarded_For=address)
    assert "%" not in daemon.log
    assert "192.0.2.1" not in daemon.log


@pytest.mark.parametrize(
    "cookie",
    [
        "pwg_id=nobody; pwg_id=annasession",
        "pwg_id=; pwg_id=annasession",
        "pwg_id =annasession; PWG_ID=annasession",
        "pwg_id[]=annasession",
        "pwg-id=annasession",
        "pwg_id='annasession'",
        'pwg_id="annasession"',
        "pwg_id=annasession%00",
        "pwg_id=../annasession",
        "pwg_id=annasession' OR '1'='1",
        "pwg_id=%25",
        "pwg_id=7F00annasession",
        "$Version=1; pwg_id=x",
        "a" * 20_000 + "=b; pwg_id=annasession",
    ],
)
def test_a_cookie_that_is_not_exactly_hers_is_nobodys(daemon, no, cookie):
    if len(cookie) > 8_000:
        assert statuses(exchange(daemon.port, request(PRIVATE, f"Cookie: {cookie}", "Connection: close"))) == [400]
    else:
        assert comparable(daemon.visitor(cookie).get(PRIVATE)) == no


@pytest.mark.parametrize(
    "cookie", [b"other=\xe9t\xe9; ", b"\xff=\xff; ", b"other=\xed\xb2\x80; ", "other=\u00e9; ".encode()]
)
def test_a_cookie_of_another_program_in_another_encoding_keeps_nobody_from_pictures(daemon, gallery, cookie):
    target = f"/i.php?/{gallery.paths[family.PARTY].replace('.jpg', '-me.jpg')}"
    link = daemon.visitor(ANNA).link(target)
    asked = [
        f"GET {address} HTTP/1.1\r\nHost: x\r\nCookie: ".encode() + cookie + ANNA.encode() + b"\r\n\r\n"
        for address in (PUBLIC, PRIVATE, target, link)
    ]
    answer = exchange(daemon.port, b"".join(asked) + request("/nothing", "Connection: close"))
    assert statuses(answer) == [302, 302, 302, 200, 404]


def test_a_name_of_a_proxys_in_another_encoding_is_nobodys(believing):
    """Nor is it whoever has used the browser before."""
    named = f"GET {PRIVATE} HTTP/1.1\r\nHost: x\r\nCookie: {ANNA}\r\nX-Remote-User: ".encode() + b"ann\xe4\r\n\r\n"
    assert statuses(exchange(believing.port, named + request("/nothing", "Connection: close"))) == [404, 404]
    assert believing.visitor(ANNA).get(PRIVATE).status == 302


HIDDEN = f"GET {PUBLIC} HTTP/1.1\r\nHost: x\r\n\r\n"
SMUGGLED = {
    "length and chunks": f"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{HIDDEN}",
    "chunks and length": f"Transfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n0\r\n\r\n{HIDDEN}",
    "chunks, spelled strangely": f"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n{HIDDEN}",
    "chunks and identity": f"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n{HIDDEN}",
    "chunks twice": f"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{HIDDEN}",
    "a space before the colon": f"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n{HIDDEN}",
    "a tab": f"Transfer-Encoding:\tchunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n{HIDDEN}",
    "a vertical tab": f"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n{HIDDEN}",
    "folded": f"X: y\r\n Content-Length: 0\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n{HIDDEN}",
    "two lengths": f"Content-Length: 0\r\nContent-Length: {len(HIDDEN)}\r\n\r\n{HIDDEN}",
    "a list of lengths": f"Content-Length: 0, {len(HIDDEN)}\r\n\r\n{HIDDEN}",
    "a length with a sign": f"Content-Length: +{len(HIDDEN)}\r\n\r\n{HIDDEN}",
    "a length in hexadecimal": f"Content-Length: 0x{len(HIDDEN):x}\r\n\r\n{HIDDEN}",
    "a length beyond 64 bits": f"Content-Length: {2**64}\r\n\r\n{HIDDEN}",
    "a body": f"Content-Length: {len(HIDDEN)}\r\n\r\n{HIDDEN}",
    "a chunk": f"Transfer-Encoding: chunked\r\n\r\n{len(HIDDEN):x}\r\n{HIDDEN}\r\n0\r\n\r\n",
    "a chunk that is longer than it says": f"Transfer-Encoding: chunked\r\n\r\n1\r\n{HIDDEN}",
    "a chunk with a newline in its extension": f"Transfer-Encoding: chunked\r\n\r\n0;x=\n\r\n\r\n{HIDDEN}",
    "a trailer": f"Transfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: {len(HIDDEN)}\r\n\r\n{HIDDEN}",
    "a chunk size beyond 64 bits": f"Transfer-Encoding: chunked\r\n\r\n{2**64:x}0\r\n{HIDDEN}",
    "a negative chunk": f"Transfer-Encoding: chunked\r\n\r\n-1\r\n{HIDDEN}",
    "a carriage return alone": f"X: y\rContent-Length: 0\r\n\r\n{HIDDEN}",
    "a null": f"X: a\0b\r\n\r\n{HIDDEN}",
    "no name": f": chunked\r\n\r\n{HIDDEN}",
}


@pytest.mark.parametrize("how", SMUGGLED)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_no_request_is_smuggled_behind_another(daemon, how, method):
    """What a proxy may have taken for one request is never two for us: the hidden one would lead to a picture (302)."""
    answer = exchange(daemon.port, f"{method} {PRIVATE} HTTP/1.1\r\nHost: x\r\n{SMUGGLED[how]}".encode(), 4)
    assert 302 not in statuses(answer)
    assert len(statuses(answer)) <= 2


def test_the_hidden_request_would_lead_to_a_picture(daemon):
    """The control: sent openly, it is answered."""
    first = request(PRIVATE)
    last = request("/nothing", "Connection: close")
    assert statuses(exchange(daemon.port, first + HIDDEN.encode() + last)) == [404, 302, 404]


@pytest.mark.parametrize(
    "how",
    [
        "Content-Length: 3\r\n\r\nabc",
        "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        "Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
        "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    ],
)
@pytest.mark.parametrize(("target", "status"), [(PUBLIC, 302), ("the picture", 200), (PRIVATE, 404)])
def test_whoever_gets_no_further_answer_is_told_so_with_the_last_one(daemon, how, target, status):
    """Nothing behind it may be lost in silence: its sender would wait for an answer, or not know whether there was one."""
    link = daemon.visitor().link(PUBLIC) if target == "the picture" else target
    answer = exchange(daemon.port, f"GET {link} HTTP/1.1\r\nHost: x\r\n{how}".encode() + request("/nothing"))
    assert statuses(answer) == [status]
    assert b"connection: close" in answer.partition(b"\r\n\r\n")[0].lower()


def test_pipelined_requests_are_answered_in_their_order_to_their_own_senders(daemon, gallery):
    who = [
        ("pwg_id=annasession", PRIVATE, 302),
        ("", PRIVATE, 404),
        ("", PUBLIC, 302),
        ("pwg_id=carolsession", PRIVATE, 404),
    ]
    asked = [who[number % 4] for number in range(40)]
    data = b"".join(request(target, f"Cookie: {cookie}") for cookie, target, _ in asked)
    answer = exchange(daemon.port, data + request("/nothing", "Connection: close"))
    assert statuses(answer) == [*(status for _, _, status in asked), 404]
    locations = [part.split(b"\r\n")[0] for part in answer.split(b"Location: ")[1:]]
    private, public = locations[0], locations[1]
    assert locations == [private, public] * 10
    assert b".u3s" in private
    assert b".p." in public


def test_a_link_has_one_spelling_over_http(daemon, gallery, no):
    """A cache in front keeps what it is given under the address that was asked for: there must be one."""
    link = daemon.visitor().link(f"/i.php?/{gallery.paths[family.LAKE].replace('.jpg', '-me.jpg')}")
    assert daemon.visitor().get(link).status == 200
    folder, _, name = link.rpartition("/")
    for other in (
        f"{folder}//{name}",
        f"{folder}/./{name}",
        f"{folder}/x/../{name}",
        f"/{folder}/{name}",
        f"{folder}/%{ord(name[0]):02x}{name[1:]}",
        link.replace(".jpg", ".JPG"),
        link.replace(".jpg", ".jpg/"),
        link.replace(".jpg", ".jpg;x"),
        link.replace(".jpg", ".jpg%20"),
        link.replace("/pwgs/", "/PWGS/"),
        link.replace("/pwgs/", "/pwgs/0"),
        link.replace(".me.", ".ME."),
        link.replace(".me.", ".cu_s0792.") if ".me." in link else link + "x",
    ):
        assert daemon.visitor().get(other).status in (400, 404), other
    for other in (f"{link}#", f"{link}#x", f"{link}?", f"{link}?#x", f"http://elsewhere.example{link}"):
        answer = daemon.visitor().get(other)
        assert (answer.status, answer.headers.get("location")) == (302, link), other


def own_address():
    """An address of this machine that is not loopback, None when it has no other."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing: it only chooses a way
        except OSError:
            return None
        return probe.getsockname()[0]


@pytest.mark.parametrize("page", ["health", "ready", "metrics", "status"])
def test_pages_for_the_machine_itself_are_nobody_elses_where_the_daemon_listens_to_the_world(daemon, page):
    address = own_address()
    if address is None or address.startswith("127."):
        pytest.skip("this machine has no address but loopback, so that nobody comes from elsewhere")
    assert daemon.visitor().get(f"/-/{page}").status == 200
    with socket.create_connection(("127.0.0.1", daemon.port), 20, source_address=(address, 0)) as connection:
        connection.sendall(request(f"/-/{page}", "Connection: close"))
        assert statuses(received(connection)) == [404]
