"""`keys list` and `keys rotate` beside a daemon that runs: nobody's link breaks, and no secret is shown."""

import dataclasses
import json
import time

import family
import pytest
from commands import here
from daemon import Daemon
from links import expiry_of
from waiting import until

from pwgserve.keys.keyring import SETTLE_SECONDS, KeyRing
from pwgserve.keys.keys_file import load
from pwgserve.links import LinkSigner

pytestmark = pytest.mark.parametrize("gallery", ["sqlite"], indirect=True, scope="module")

TTL = 4


@pytest.fixture(scope="module")
def several(gallery, tmp_path_factory):
    changes = {"server": {"processes": 2}, "links": {"ttl": f"{TTL}s"}}
    daemon = Daemon(gallery, tmp_path_factory.mktemp("keys"), changes).start()
    daemon.wait_for_processes(2)
    yield daemon
    daemon.stop()
    assert "unexpected-error" not in daemon.log


def signer(daemon, key):
    """Who has one key and the secret that never changes."""
    return LinkSigner(KeyRing((key,), load(daemon.directory / "keys").stable_key))


def token_of(link):
    return link.rpartition("/")[2].rpartition(".")[0]


def forged(link, by, **changes):
    """The link with other contents, signed by somebody."""
    token = token_of(link)
    return link.replace(token, by.sign(dataclasses.replace(by.verify(token), **changes)))


def keys(daemon, *arguments):
    done = here("keys", *arguments, "--config", str(daemon.directory / "pwgserve.toml"))
    assert done.code == 0, done.err
    return done.out


def test_a_rotation_breaks_nobodys_link_in_any_process_and_the_old_key_ends(several):
    file = several.directory / "keys"
    old = load(file).link_keys[-1]
    asked = several.visitor(family.cookie("anna"))
    old_link = asked.link("/action.php?id=3&part=e")
    assert "New key" in keys(several, "rotate")
    new = load(file).link_keys[-1]
    assert new != old
    settled, tomorrow = load(file).made[-1] + SETTLE_SECONDS, int(time.time()) + 86_400
    for_ever = forged(old_link, signer(several, old), expiry=tomorrow)
    assert asked.get(for_ever).status == 200 or time.time() > settled + TTL

    def given(link):
        """The key that a link was signed with. Every process believes both; what they give out is believed by all."""
        for _ in range(4):
            assert asked.get(link).status == 200 or time.time() >= expiry_of(link)
        (key,) = [key for key in (old, new) if signer(several, key).verify(token_of(link))]
        return key

    def is_new_used():
        link = asked.link("/action.php?id=3&part=e")
        is_settled = time.time() >= settled
        key = given(link)
        assert key == old or is_settled, "before all processes believe it, none signs with it"
        return key == new

    until(is_new_used)
    least = time.monotonic() + 3
    until(lambda: is_new_used() and time.monotonic() > least)

    # Until its last link has expired, and not longer: even a link that says that it lives for ever.
    until(lambda: all(asked.get(for_ever).status == 404 for _ in range(8)))
    assert time.time() - load(file).made[-1] > SETTLE_SECONDS + TTL
    link = forged(asked.link("/action.php?id=3&part=e"), signer(several, new), expiry=tomorrow)
    assert asked.get(link).status == 200
    assert [row["state"] for row in json.loads(keys(several, "list", "--json"))] == ["expired", "signs"]


def test_no_secret_is_shown(several):
    content = json.loads((several.directory / "keys").read_text())
    secrets = [*content["link_keys"], content["stable_key"]]
    for shown in (keys(several, "list"), keys(several, "list", "--json"), keys(several, "rotate"), several.log):
        assert not any(secret[:12] in shown for secret in secrets)


def test_the_daemon_survives_a_damaged_keys_file_with_the_keys_of_before(several):
    file = several.directory / "keys"
    content = file.read_text()
    mark = len(several.log)
    file.write_text("{")
    until(lambda: several.log[mark:].count("keys-not-read") >= 2)
    assert several.visitor().follow("/action.php?id=1&part=e").status == 200
    file.write_text(content)


def test_systemds_copy_is_not_changed_and_it_is_said_what_to_do(several, tmp_path):
    copy = tmp_path / "keys"
    copy.write_bytes((several.directory / "keys").read_bytes())
    copy.chmod(0o400)
    config = several.directory / "pwgserve.toml"
    words = ("keys", "rotate", "--config", str(config), "--keys-file", str(copy))
    done = here(*words, CREDENTIALS_DIRECTORY=str(tmp_path))
    assert done.code == 2
    assert len(done.err.splitlines()) == 1
    assert "LoadCredential" in done.err
    assert copy.read_bytes() == (several.directory / "keys").read_bytes()


def test_no_keys_yet(several, tmp_path):
    config = several.directory / "pwgserve.toml"
    for command in ("list", "rotate"):
        done = here("keys", command, "--config", str(config), "--keys-file", str(tmp_path / "none"))
        assert (done.code, "there are no keys yet" in done.err) == (2, True)
