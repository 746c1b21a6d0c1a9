"""Every parser of what strangers write, fed with damaged, spliced and endless texts: a value or the one error it promises.

HOSTILE_EXAMPLES=20000 makes a long run of it.
"""

import contextlib
import ipaddress
import os
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from pwgserve.http.media import headers_of
from pwgserve.http.ranges import MAX_RANGES, UnsatisfiableError, Validators, is_not_modified, ranges
from pwgserve.http.visitor import Proxies
from pwgserve.keys.keyring import KeyRing
from pwgserve.links import PUBLIC, Audience, Credential, Link, LinkSigner
from pwgserve.phpconfig.config import read
from pwgserve.phpconfig.files import PhpConfigError
from pwgserve.piwigo import derivatives, identity, phpvalues
from pwgserve.piwigo.conf import ConfError, PiwigoConf, SyncChars
from pwgserve.piwigo.requests import MAX_TARGET, MalformedRequestError, UnservedRequestError, parse, split_target
from pwgserve.piwigo.wanted import Part, Wanted
from pwgserve.settings import Listen
from pwgserve.settings_file import SettingsError, load

hostile = settings(
    max_examples=int(os.environ.get("HOSTILE_EXAMPLES", "200")),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)

WIDE = PiwigoConf(sync_chars=SyncChars("/^.*$/s"), enable_formats=True)
PIECES = (
    "/", "//", ".", "..", "../", "%2e%2e", "%2f", "%5c", "\\", "%00", "%0d%0a", "\0", "\r\n", "%", "%%", "%c0%ae", "%ff", "é", "\u202e",
    "?", "&", "#", ";", "=", "+", "@", ":", "-", "_", "i.php", "i/", "_data/i/", "action.php", "upload", "galleries", "pwgs",
    "2026/05/14", "photo", "-me", "-sq", "-cu_s300", "-cu_e9x9", "_", ".jpg", ".php", ".JPG", "id=1", "part=e", "part=f", "format=3",
    "1e3", "0x1", "-1", "9" * 30, "pwg_representative", "pwg_format", "http://elsewhere", "local/config/database.inc.php", "auth=", "b", "ajaxload=true",
    "~", "CON", "...", " ", "\t", "pwg_id=annasession", '"', "'", "<script>", "bytes=0-", "127.0.0.1",
)  # fmt: skip
"""What attackers put together, in any order."""

texts = st.lists(st.sampled_from(PIECES) | st.text(max_size=4), max_size=16).map("".join)


def damaged(genuine):
    """A genuine text (or bytes) with pieces cut out, doubled, exchanged and put in."""
    junk = texts if isinstance(genuine, str) else texts.map(lambda text: text.encode("utf-8", "surrogatepass"))

    @st.composite
    def make(draw):
        made = genuine
        for _ in range(draw(st.integers(1, 4))):
            start, end = sorted((draw(st.integers(0, len(made))), draw(st.integers(0, len(made)))))
            made = (
                made[:start] + draw(junk | st.just(made[start:end] * 2)) + made[draw(st.sampled_from([start, end])) :]
            )
        return made[:20_000]

    return make()


targets = texts.map(lambda text: "/" + text) | st.one_of(
    damaged("/i.php?/upload/2026/05/14/photo-me.jpg&b=1"),
    damaged("/_data/i/galleries/a%20b/photo-cu_s300.jpg?auth=abc"),
    damaged("/action.php?id=12&part=e&pwg_token=abc&download"),
    damaged("/upload/2026/05/14/pwg_representative/film.jpg"),
)


@hostile
@given(targets, st.sampled_from([WIDE, PiwigoConf()]))
def test_an_address_means_a_place_below_the_folders_or_nothing(target, conf):
    try:
        split = split_target(target, "/")
        assume(split is not None)
        asked = parse(*split, conf, derivatives.DEFAULTS)
    except (MalformedRequestError, UnservedRequestError):
        return
    if asked.path is not None:
        parts = asked.path.split("/")
        assert not {"", ".", ".."} & set(parts)
        assert not any(ord(character) < 32 or character in "\\\x7f" for character in asked.path)
        assert not asked.path.startswith("/")
        assert "/" not in (asked.extension or "")
    assert asked.photo_id is None or 0 <= asked.photo_id < 2**32
    assert Wanted.parse(asked.wanted.spelled()) == asked.wanted
    assert len(target) <= MAX_TARGET


SIGNER = LinkSigner(KeyRing((b"1" * 32, b"2" * 32), b"s" * 32))
STRANGER = LinkSigner(KeyRing((b"3" * 32,), b"s" * 32))
links = st.builds(
    Link,
    st.integers(1, 10**9),
    st.sampled_from([Wanted(), Wanted(code="me"), Wanted(Part.REPRESENTATIVE, "sq"), Wanted(Part.FORMAT, format_id=7)]),
    st.just(PUBLIC)
    | st.builds(
        lambda user, kind, mark: Audience(user, Credential(kind, mark)),
        st.integers(1, 10**9),
        st.sampled_from("sraxt"),
        st.text("AZaz09-_", min_size=16, max_size=16),
    ),
    st.integers(1, 10**11),
    st.text("AZaz09-_", min_size=16, max_size=16),
)


@hostile
@given(st.lists(links, min_size=2, max_size=4, unique=True), st.data())
def test_no_splice_of_genuine_tokens_is_believed(made, data):
    tokens = [SIGNER.sign(link) for link in made]
    parts = [token.split(".") for token in tokens]
    cut = data.draw(st.lists(st.sampled_from(range(len(parts))), min_size=6, max_size=6))
    by_parts = ".".join(parts[one][index] for index, one in enumerate(cut))
    one, other = data.draw(st.sampled_from(tokens)), data.draw(st.sampled_from(tokens))
    at, to = data.draw(st.integers(0, len(one))), data.draw(st.integers(0, len(other)))
    for spliced in (by_parts, one[:at] + other[to:], one + other, f"{one}.{other}"):
        assert (SIGNER.verify(spliced) is not None) == (spliced in tokens)


@hostile
@given(links, st.data())
def test_no_forged_token_is_believed(link, data):
    token = SIGNER.sign(link)
    assert SIGNER.verify(STRANGER.sign(link)) is None
    forged = data.draw(damaged(token) | texts | st.text("0123456789.pusraxtme-_AZ", max_size=310))
    assert forged == token or SIGNER.verify(forged) is None


@hostile
@given(texts | damaged("pwg_id=annasession; pwg_remember=3-1764000000-abc%2Bd%3D; other=1") | st.text(max_size=300))
def test_a_cookie_header_names_only_what_it_holds(header):
    found = identity.cookies(header)
    written = header.replace(".", "_").replace(" ", "_")
    assert all(name in written and name == name.lstrip(" \t\n\r\v\f") and ";" not in name for name in found)
    for value in found.values():
        row = identity.session_row_id(value, "127.0.0.1")
        assert row is None or (row.startswith("7F00") and row[4:].replace(",", "").replace("-", "").isalnum())
        claim = identity.RememberMe.parse(value)
        assert claim is None or not claim.is_genuine("secret", "hash", "anna"), "nobody signed it"
        assert not identity.is_auth_key(value) or (value.isascii() and len(value) == 30)


@hostile
@given(
    texts | damaged("bytes=0-99,200-299,-5") | st.lists(st.tuples(st.integers(0, 300), st.integers(0, 300)), max_size=30).map(
        lambda spans: "bytes=" + ",".join(f"{start}-{end}" for start, end in spans)
    ),
    st.integers(0, 250),
    st.none() | texts | st.sampled_from(['"tag"', 'W/"tag"', "Thu, 01 Jan 1970 00:00:05 GMT"]),
)  # fmt: skip
def test_ranges_never_leave_the_file_nor_multiply_it(header, size, if_range):
    validators = Validators('"tag"', 5)
    try:
        found = ranges(header, if_range, size, validators)
    except UnsatisfiableError:
        return
    if found is not None:
        assert 1 <= len(found) <= MAX_RANGES
        assert all(0 <= start < end <= size for start, end in found)
        assert sum(end - start for start, end in found) <= size
        assert if_range is None or if_range.strip() in ('"tag"', "Thu, 01 Jan 1970 00:00:05 GMT") or "1970" in if_range


@hostile
@given(st.none() | texts, st.none() | texts | damaged("Thu, 01 Jan 1970 00:00:05 GMT"))
def test_conditions_of_any_text_are_met_or_not(if_none_match, if_modified_since):
    assert is_not_modified(if_none_match, if_modified_since, Validators('"tag"', 5)) in (True, False)


SESSION = b'pwg_device|s:7:"desktop";pwg_uid|i:3;pwg_list|a:2:{i:0;s:1:"x";i:1;d:0.5;}connected_with|s:6:"pwg_ui";'


@hostile
@given(damaged(SESSION) | st.binary(max_size=200))
def test_damaged_sessions_name_a_user_or_nobody(data):
    found = identity.session_user_id(data)
    assert found is None or (found > 0 and str(found).encode() in data)
    with contextlib.suppress(phpvalues.PhpValueError):
        phpvalues.unserialize(data)


ROW = (
    b'a:2:{s:1:"d";a:1:{s:6:"medium";O:16:"DerivativeParams":3:{s:13:"last_mod_time";i:7;s:6:"sizing";'
    b'O:12:"SizingParams":3:{s:10:"ideal_size";a:2:{i:0;i:792;i:1;i:594;}s:8:"max_crop";d:0;s:8:"min_size";N;}'
    b's:7:"sharpen";i:0;}}s:1:"q";i:95;}'
)


@hostile
@given(damaged(ROW))
def test_damaged_derivative_settings_are_settings_or_the_one_error(data):
    with contextlib.suppress(derivatives.DerivativeSettingsError):
        found = derivatives.from_config(data)
        assert all(min(params.ideal) > 0 for params in found.types.values())


CONFIG = b"""<?php
$conf['guest_access'] = false; $conf['gallery_title'] = "A \\"title\\"";
if (true) { $conf['session_length'] = 60 * 60; } else { $conf['guest_id'] = 5; }
$conf['picture_ext'] = array('jpg', 'png'); // a comment
define('PHPWG_URL', 'x'); $conf['user_fields']['id'] = 'user_id';
?>"""


@hostile
@given(damaged(CONFIG) | st.binary(max_size=100).map(lambda data: b"<?php " + data))
def test_damaged_php_is_settings_or_the_one_error(source):
    try:
        found = read(source, "config.inc.php")
        PiwigoConf().updated(found.conf)
    except (PhpConfigError, ConfError) as error:
        assert "\n" not in str(error).strip()


TOML = """
[server]
listen = "127.0.0.1:8280"
trusted_proxies = ["127.0.0.1/32", "::1/128"]
[piwigo]
root = "/"
database = "mysql://user:password-that-is-secret@127.0.0.1:3306/piwigo"
[links]
ttl = "30m"
[cache]
max_size = "20GB"
[render]
workers = 2
sandbox = "require"
"""


@hostile
@given(damaged(TOML) | texts)
@example(TOML.replace('"/"\ndatabase = ', ""))
@example(TOML.replace('["127.0.0.1/32", "::1/128"]', '["mysql://user:password-that-is-secret@127.0.0.1:3306/piwigo"]'))
def test_a_damaged_configuration_is_settings_or_one_line_without_the_password(text):
    with tempfile.NamedTemporaryFile("wb", suffix=".toml") as file:
        file.write(text.encode("utf-8", "surrogatepass"))
        file.flush()
        try:
            found = load(Path(file.name))
            Listen.parse(found.server.listen)
        except SettingsError as error:
            assert len(str(error).splitlines()) == 1
            assert "password-that-is-secret" not in str(error)


@hostile
@given(st.lists(texts | damaged("203.0.113.9, 127.0.0.1"), max_size=4))
def test_nobody_is_an_address_that_no_proxy_said(forwarded_for):
    proxies = Proxies(_networks("127.0.0.1/32"), "forwarded")
    assert proxies.visitor("198.51.100.1", forwarded_for) == "198.51.100.1", "a stranger says nothing about himself"
    visitor = proxies.visitor("127.0.0.1", forwarded_for)
    assert visitor is None or visitor == "127.0.0.1" or any(visitor in line or ":" in visitor for line in forwarded_for)


def _networks(text):
    return (ipaddress.ip_network(text),)


@hostile
@given(texts | st.text(max_size=100), st.sampled_from(["jpg", "svg", "php", "", "mp4"]), st.booleans())
def test_a_name_never_becomes_another_header(name, extension, download):
    for value in headers_of(extension, name, download).values():
        assert value.isascii()
        assert not any(ord(character) < 32 or ord(character) == 127 for character in value)


LONG = 65_536
ENDLESS = (
    "/",
    "../",
    "%",
    "%2e",
    "a-",
    "a.",
    "a_",
    ";",
    "a=b;",
    "=",
    ",",
    "0-,",
    "1-2,",
    "&",
    "a=&",
    " ",
    "\t",
    "9",
    "(",
    '"',
    "W/",
    "e1",
)
PARSERS = {
    "address": lambda text: parse(text[:MAX_TARGET], text[:MAX_TARGET], WIDE, derivatives.DEFAULTS),
    "split": lambda text: split_target("/" + text, "/"),
    "token": SIGNER.verify,
    "wanted": Wanted.parse,
    "custom size": lambda text: Wanted.parse("cu_" + text),
    "cookies": identity.cookies,
    "remember-me": identity.RememberMe.parse,
    "session": lambda text: identity.session_row_id(text, text),
    "session's row": lambda text: identity.session_user_id(text.encode()),
    "nested value": lambda text: phpvalues.unserialize(b"a:1:{i:0;" * (len(text) // 9)),
    "value": lambda text: phpvalues.unserialize(b's:%d:"' % len(text) + text.encode()),
    "settings of sizes": lambda text: derivatives.from_config(text.encode()),
    "ranges": lambda text: ranges("bytes=" + text, text, 1000, Validators('"tag"', 5)),
    "conditions": lambda text: is_not_modified(text, text, Validators('"tag"', 5)),
    "addresses": lambda text: Proxies(_networks("0.0.0.0/0"), "forwarded").visitor("127.0.0.1", [text]),
    "name": lambda text: headers_of("jpg", text, False),
    "owner's rule": lambda text: SyncChars("/^(a+)+$/").allows(text),
}  # fmt: skip
KNOWN = (MalformedRequestError, UnservedRequestError, phpvalues.PhpValueError, derivatives.DerivativeSettingsError, UnsatisfiableError)  # fmt: skip


@pytest.mark.parametrize("parser", PARSERS)
def test_no_text_makes_a_parser_slow(parser):
    """All of them together, 64 KB each, in a time in which a parser of quadratic cost would not do one."""
    for piece in ENDLESS:
        text = (piece * LONG)[:LONG]
        for made in (text, text + "!", "a" + text, text.swapcase() + "\x00"):
            started = time.process_time()
            with contextlib.suppress(*KNOWN):
                PARSERS[parser](made)
            assert time.process_time() - started < 2, (piece, made[:20])


@pytest.mark.parametrize("part", ["a/", "./", "/a"])
def test_an_address_of_thousands_of_parts_is_no_work(part):
    """Each is put to the owner's rule for names: one visitor with two hundred such requests a second had a processor."""
    started = time.process_time()
    for _ in range(100):
        with contextlib.suppress(*KNOWN):
            parse("i.php", f"/{part * LONG}"[: MAX_TARGET - 8] + "x-me.jpg", PiwigoConf(), derivatives.DEFAULTS)
    assert time.process_time() - started < 0.3
