"""Whatever is wrong between plugin and daemon: pages hold Piwigo's own addresses, and are pages."""

import json
import socket
import subprocess
import sys
import time

import pytest

WRONG = "ab" * 32


def rewritten(plugin, **changes):
    text = plugin.keys.read_text()
    head, mark, content = text.partition("__halt_compiler();")
    plugin.keys.write_text(head + mark + json.dumps(json.loads(content) | changes))


@pytest.fixture(autouse=True)
def right_again(plugin):
    yield
    plugin.export()
    plugin.gallery.delete("config", param="pwgserve")
    assert plugin.addresses("anna")["problem"] == ""


def all_legacy(found):
    urls = [url for urls in found["photos"].values() for url in urls.values()]
    return len(urls) > 40 and not any("pwgs" in url for url in urls)


def test_without_keys(plugin):
    plugin.keys.unlink()
    found = plugin.addresses("anna")
    assert all_legacy(found)
    assert found["style"] == 0, "Piwigo is as it would be without the plugin"
    assert all_legacy(plugin.addresses("anna", "answer"))


@pytest.mark.parametrize("content", ["", "<?php exit; __halt_compiler();", "<?php exit; __halt_compiler();{}", "\0\1"])
def test_with_damaged_keys(plugin, content):
    plugin.keys.write_text(content)
    assert all_legacy(plugin.addresses("anna"))


def test_with_a_damaged_state(plugin):
    for state in ("", "x", "[]", '{"checked": 9999999999}', '{"checked": [], "rules": {}}', "null"):
        plugin.gallery.set_config("pwgserve", state)
        urls = plugin.addresses("anna")["photos"]["1"]
        assert urls["me"].startswith(("/pwgs/", "/i.php?/"))


def test_with_the_keys_of_another_installation(plugin):
    rewritten(plugin, mark_key=WRONG, link_key=WRONG)
    found = plugin.addresses("anna")
    assert all_legacy(found)
    assert found["problem"] == "stranger"


def test_with_a_key_that_was_rotated_away(plugin):
    rewritten(plugin, link_key=WRONG)
    found = plugin.addresses("anna")
    assert all_legacy(found)
    assert found["problem"] == "key_unknown"


def test_without_the_daemon(plugin, nobodys_port):
    rewritten(plugin, address=f"127.0.0.1:{nobodys_port}", link_key=WRONG)
    found = plugin.addresses("anna")
    assert all_legacy(found)
    assert found["problem"] == "unreachable"


@pytest.mark.parametrize(
    "answer",
    [b"", b"HTTP/1.1 200 OK\r\n\r\n{}", b"HTTP/1.1 200 OK\r\nX-Pwgserve-Proof: 0\r\n\r\n{}", b"\0" * 5000, None],
)
def test_with_something_else_on_the_daemons_port(plugin, answer):
    """Also with something that takes the question and never answers."""
    import threading

    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        held = []

        def serve():
            connection, _ = server.accept()
            connection.recv(65536)
            if answer is not None:
                connection.sendall(answer)
                connection.close()
            else:
                held.append(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        rewritten(plugin, address=f"127.0.0.1:{server.getsockname()[1]}", link_key=WRONG)
        found = plugin.addresses("anna")
        thread.join(60)
        for connection in held:
            connection.close()
    assert all_legacy(found)
    assert found["problem"] in ("stranger", "unreachable")


def test_when_the_clock_is_wrong(plugin):
    import http.server
    import threading

    class Yesterday(http.server.BaseHTTPRequestHandler):
        """Refuses, like a daemon whose clock is a day behind."""

        def do_POST(self):
            self.send_response_only(405)
            self.send_header("Date", "Mon, 23 Nov 2020 10:00:00 GMT")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Yesterday)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    rewritten(plugin, address=f"127.0.0.1:{server.server_port}", link_key=WRONG)
    while (found := plugin.addresses("anna"))["problem"] == "unreachable":  # in half a second, on a busy machine
        plugin.gallery.delete("config", param="pwgserve")
    server.shutdown()
    server.server_close()
    assert all_legacy(found)
    assert found["problem"] == "clock"


def test_what_is_wrong_is_asked_again_and_forgotten(plugin, nobodys_port):
    rewritten(plugin, address=f"127.0.0.1:{nobodys_port}", link_key=WRONG)
    assert plugin.addresses("anna")["problem"] == "unreachable"
    plugin.export()
    found = plugin.addresses("anna")
    assert (found["problem"], found["style"]) == ("", 2)


def test_after_a_clock_was_set_back_the_daemon_is_asked_again(plugin):
    state = {"problem": "unreachable", "checked": int(time.time()) + 86400}
    found = plugin.addresses("anna", "state")
    plugin.gallery.set_config("pwgserve", json.dumps(found | state))
    assert plugin.addresses("anna")["problem"] == ""


def test_a_key_may_be_rotated_under_the_plugin(plugin):
    """Links in pages stay good, the plugin's copy is renewed with the daemon's, and nothing is restarted."""
    before = plugin.addresses("anna")["photos"]["2"]["me"]
    old = plugin.keys.read_text()
    command = [
        sys.executable,
        "-m",
        "pwgserve",
        "keys",
        "rotate",
        "--config",
        str(plugin.daemon.directory / "pwgserve.toml"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stdout + done.stderr
    assert plugin.keys.read_text() != old
    found = plugin.addresses("anna")
    after = found["photos"]["2"]["me"]
    assert (found["problem"], found["style"]) == ("", 2)
    assert before.rpartition(".")[0].rpartition(".")[2] != after.rpartition(".")[0].rpartition(".")[2]
    assert [plugin.daemon.visitor().get(url).status for url in (before, after)] == [200, 200]
    plugin.keys.write_text(old)
    assert plugin.addresses("anna")["problem"] == "", "a copy that was forgotten signs until its key is forgotten, too"
