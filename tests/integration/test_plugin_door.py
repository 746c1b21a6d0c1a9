"""What Piwigo's plugin may ask of the daemon, and that nobody else may."""

import contextlib
import http.client
import json
import secrets
import time

import family
import pytest
from daemon import TTL
from family import LAKE, PARTY
from waiting import until

from pwgserve.keys import keys_file
from pwgserve.plugin import NONCE, PROOF, SIGNATURE, TIME, Acquaintance, Asked, key_id


class Plugin:
    """The plugin's side, as PHP does it."""

    def __init__(self, daemon):
        self.daemon = daemon
        self.ring = keys_file.load(daemon.directory / "keys")
        self.acquaintance = Acquaintance(self.ring)

    def asked(self, name, question, at=None, body=None):
        body = json.dumps(question).encode() if body is None else body
        asked = Asked(name, str(at or int(time.time())), secrets.token_hex(16), "", body)
        return Asked(asked.name, asked.time, asked.nonce, self.acquaintance.signature(asked), body)

    def send(self, asked, method="POST", path=None, **headers):
        sent = {TIME: asked.time, NONCE: asked.nonce, SIGNATURE: asked.signature} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        connection = http.client.HTTPConnection("127.0.0.1", self.daemon.port, timeout=60)
        with contextlib.closing(connection):
            connection.request(method, path or f"/-/plugin/{asked.name}", asked.body, sent)
            answer = connection.getresponse()
            return answer.status, answer.read(), {key.lower(): value for key, value in answer.getheaders()}

    def ask(self, name, **question):
        asked = self.asked(name, question)
        status, body, headers = self.send(asked)
        assert status == 200, body
        assert headers[PROOF.lower()] == self.acquaintance.proof(asked, body)
        return json.loads(body)


@pytest.fixture
def plugin(daemon):
    return Plugin(daemon)


@pytest.fixture
def stranger(plugin):
    """What everybody gets who sends a POST."""
    status, body, headers = plugin.send(Asked("x", "", "", "", b"{}"), path="/upload/x.jpg")
    return status, body, {key: value for key, value in headers.items() if key != "date"}


def test_the_plugin_learns_how_links_are_written(plugin, daemon):
    status = plugin.ask("status", key=key_id(plugin.ring.link_keys[-1]))
    assert status["key"] == "newest"
    assert (status["prefix"], status["ttl"], status["message_ttl"]) == ("pwgs", TTL, 30 * 86400)
    assert status["encodings"] == {"jpeg": ["avif", "webp"], "png": ["webp"], "webp": ["avif"]}
    assert abs(status["time"] - time.time()) < 30
    assert plugin.ask("status", key="0" * 16)["key"] == "unknown"
    secret = [key.hex() for key in (*plugin.ring.link_keys, plugin.ring.stable_key, plugin.ring.mark_key)]
    assert not any(one in json.dumps(status) or one in daemon.log for one in secret)


ATTACKS = {
    "no signature": lambda p: p.send(Asked("status", "", "", "", b"{}")),
    "somebody else's key": lambda p: p.send(Asked("status", str(int(time.time())), "0" * 32, "0" * 64, b"{}")),
    "an old request": lambda p: p.send(p.asked("status", {}, at=int(time.time()) - 100)),
    "a request from the future": lambda p: p.send(p.asked("status", {}, at=int(time.time()) + 100)),
    "another name under the signature": lambda p: p.send(p.asked("status", {}), path="/-/plugin/purge"),
    "through a proxy": lambda p: p.send(p.asked("status", {}), X_Forwarded_For="192.0.2.1"),
    "an unknown question": lambda p: p.send(p.asked("keys", {})),
    "no JSON": lambda p: p.send(p.asked("status", {}, body=b"{")),
    "JSON that is no question": lambda p: p.send(p.asked("status", {}, body=b"[1]")),
    "another method": lambda p: p.send(p.asked("purge", {"all": True}), method="PUT"),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_everybody_else_gets_what_every_post_gets(plugin, stranger, attack):
    status, body, headers = ATTACKS[attack](plugin)
    assert (status, body) == stranger[:2]
    assert {key: value for key, value in headers.items() if key != "date"} == stranger[2]


def test_a_request_works_once(plugin, stranger):
    asked = plugin.asked("status", {})
    assert plugin.send(asked)[0] == 200
    assert plugin.send(asked)[:2] == stranger[:2]


def test_a_changed_body_is_not_the_plugins(plugin, stranger):
    asked = plugin.asked("purge", {"all": False})
    changed = Asked(asked.name, asked.time, asked.nonce, asked.signature, b'{"all": true }')
    assert plugin.send(changed)[:2] == stranger[:2]


def test_the_address_does_not_exist_for_who_only_looks(daemon):
    answer, other = daemon.visitor().get("/-/plugin/status"), daemon.visitor().get("/-/nothing")
    assert (answer.status, answer.body) == (other.status, other.body) == (404, b"Not found\n")


def test_the_daemon_says_whether_a_link_is_the_one_that_it_would_write(plugin, daemon, gallery):
    link = daemon.visitor().link("/i.php?/" + gallery.paths[LAKE].replace(".jpg", "-me.jpg"))
    token = link.rpartition("/")[2].rpartition(".")[0]
    assert plugin.ask("check", token=token) == {"signature": True, "fingerprint": True}
    assert plugin.ask("check", token=token[:-1] + "_") == {"signature": False, "fingerprint": False}
    parts = token.split(".")
    assert plugin.ask("check", token=".".join([*parts[:-1], "A" * 43])) == {"signature": False, "fingerprint": False}


def test_the_plugin_is_told_of_no_encoding_that_looks_worse_at_the_gallerys_quality(plugin, gallery, settled):
    serialized = 'a:3:{s:1:"d";a:0:{}s:1:"q";i:100;s:1:"c";a:0:{}}'
    assert plugin.ask("status")["quality"] == 95
    with gallery.config("derivatives", serialized):
        settled()
        status = plugin.ask("status")
        assert status["quality"] == 100
        assert status["encodings"] == {"png": ["webp"], "webp": ["avif"]}
    settled()


def test_missing_derivatives_are_those_that_the_cache_has_not(plugin, daemon, gallery):
    asked = {str(PARTY): ["sm", "xl"], "99999": ["me"], "x": ["me"], str(LAKE): ["none", "e"]}
    daemon.visitor(family.cookie("anna")).follow("/i.php?/" + gallery.paths[PARTY].replace(".jpg", "-sm.jpg"))
    assert plugin.ask("missing", photos=asked) == {"photos": {str(PARTY): ["xl"]}}
    assert plugin.ask("render", photo=PARTY, wanted="xl") == {"done": True}
    assert plugin.ask("missing", photos=asked) == {"photos": {}}
    assert plugin.ask("render", photo=PARTY, wanted="xl") == {"done": True}, "it is there already"
    assert plugin.ask("render", photo=99999, wanted="xl") == {"done": False, "problem": "missing"}
    assert plugin.ask("render", photo=PARTY, wanted="e") == {"done": False, "problem": "missing"}


def test_a_purge_may_be_of_some_types_or_photos(plugin, daemon, gallery):
    asked = {str(LAKE): ["sm", "xs"], str(PARTY): ["sm", "xs"]}
    for photo in (LAKE, PARTY):
        for wanted in ("sm", "xs"):
            assert plugin.ask("render", photo=photo, wanted=wanted) == {"done": True}
    assert plugin.ask("purge", types=["sm"], photos=[LAKE]) == {"started": True}
    until_missing(plugin, asked, {str(LAKE): ["sm"]})
    assert plugin.ask("purge", types=["xs"]) == {"started": True}
    until_missing(plugin, asked, {str(LAKE): ["sm", "xs"], str(PARTY): ["xs"]})
    assert plugin.ask("purge", photos=[PARTY]) == {"started": True}
    until_missing(plugin, asked, asked)


def until_missing(plugin, asked, expected):
    until(lambda: plugin.ask("missing", photos=asked) == {"photos": expected})


def test_a_purge_empties_the_cache(plugin, daemon, gallery):
    asked = {str(LAKE): ["2s"]}
    assert plugin.ask("render", photo=LAKE, wanted="2s") == {"done": True}
    assert plugin.ask("purge") == {"started": False}
    assert plugin.ask("missing", photos=asked) == {"photos": {}}
    assert plugin.ask("purge", all=True) == {"started": True}
    until_missing(plugin, asked, asked)
