import ipaddress

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from pwgserve.http.visitor import Proxies, client_of

OURS = Proxies((ipaddress.ip_network("127.0.0.1/32"), ipaddress.ip_network("2001:db8:1::/48")), "forwarded")


@pytest.mark.parametrize(
    ("peer", "forwarded", "visitor"),
    [
        ("127.0.0.1", ["192.0.2.7"], "192.0.2.7"),
        ("127.0.0.1", ["10.0.0.1, 192.0.2.7"], "192.0.2.7"),
        ("127.0.0.1", ["10.0.0.1", "192.0.2.7"], "192.0.2.7"),
        ("127.0.0.1", ["10.0.0.1, 192.0.2.7, 127.0.0.1, 2001:db8:1::5"], "192.0.2.7"),
        ("127.0.0.1", [], "127.0.0.1"),
        ("::ffff:127.0.0.1", ["::ffff:192.0.2.7"], "192.0.2.7"),
        ("", ["192.0.2.7"], "192.0.2.7"),
        ("", [], None),
        (None, ["192.0.2.7"], None),
        ("192.0.2.9", ["192.0.2.7"], "192.0.2.9"),
        ("127.0.0.2", ["192.0.2.7"], "127.0.0.2"),
        ("2001:db8:2::5", ["192.0.2.7"], "2001:db8:2::5"),
    ],
)
def test_the_visitor_is_the_last_one_whom_no_proxy_of_ours_is(peer, forwarded, visitor):
    assert OURS.visitor(peer, forwarded) == visitor


@pytest.mark.parametrize(
    "told", ["", "nonsense", "192.0.2.7:443", "192.0.2.007", "fe80::1%eth0", "192.0.2.7 127.0.0.1"]
)
def test_nonsense_of_a_proxy_is_nobody_and_not_the_proxy_itself(told):
    assert OURS.visitor("127.0.0.1", [told]) is None
    assert OURS.visitor("127.0.0.1", [f"192.0.2.7, {told}"]) is None
    assert OURS.as_piwigo_sees("127.0.0.1", [told]) is None


def client(address, user_id=None, **headers):
    told = CIMultiDictProxy(CIMultiDict({"X-Forwarded-For": address} | headers))
    return client_of(told, "127.0.0.1", OURS, user_id)


def test_a_household_is_one_client_and_a_user_is_one_wherever_they_are():
    assert client("2001:db8::1") == client("2001:db8::ffff:1")
    assert client("2001:db8::1") != client("2001:db8:0:1::1")
    assert client("192.0.2.7") != client("192.0.2.8")
    assert client("192.0.2.7", 3) == client("192.0.2.8", 3) != client("192.0.2.7", 4)
    assert client("nonsense") == client("other nonsense")


def test_what_a_browser_only_may_need_keeps_nobody_waiting():
    assert client("192.0.2.7", **{"Sec-Purpose": "prefetch;prerender"}).is_bulk
    assert client("192.0.2.7", 3, Purpose="prefetch").is_bulk
    assert not client("192.0.2.7").is_bulk
