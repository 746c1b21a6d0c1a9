"""That nothing comes out where nobody answers is no proof: `check` at an address that is not pwgserve's."""

import http.server
import json
import threading

import pytest
from commands import Installation
from galleries import GUEST

from pwgserve.check import stranger
from pwgserve.check.attempts import Attempt
from pwgserve.check.samples import FOLDERS
from pwgserve.keys import keys_file


class NotFound(http.server.BaseHTTPRequestHandler):
    """What a web server says of addresses that it does not know."""

    def do_GET(self):
        if "hang-up" in self.path:
            self.close_connection = True
            return
        body = b"<html>404</html>"
        self.send_response(404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(b"" if self.command == "HEAD" else body)

    do_HEAD = do_POST = do_GET  # noqa: N815 - named by Python

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def elsewhere():
    """The address of a web server without pwgserve."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), NotFound)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/galerie/"
    server.shutdown()


@pytest.mark.parametrize("gallery", ["sqlite"], indirect=True)
def test_a_site_that_cannot_be_reached_is_a_doubt_until_its_owner_names_its_address(gallery, tmp_path, elsewhere):
    owner = Installation(gallery, tmp_path)
    port = elsewhere.split(":")[2].partition("/")[0]
    (tmp_path / "nginx.conf").write_text(
        f"server {{\n listen 127.0.0.1:1;\n server_name localhost;\n location /g/ {{ alias {gallery.root}/; }}\n}}\n"
    )
    options = ("--url", elsewhere, "--web-server", "nginx", "--web-config", str(tmp_path))
    (doubt,) = checked(owner, *options)[1]["doubts"]
    assert "nginx.conf:1: a site (http://localhost:1/g/) shows the gallery's folder without pwgserve's line" in doubt
    assert "close /g/ there, or let it redirect to the gallery's address" in doubt
    assert checked(owner, *options, "--also", f"http://localhost:{port}/g/")[1]["doubts"] == []


async def test_hanging_up_is_a_no_like_others_but_not_of_the_first_page(elsewhere, monkeypatch):
    monkeypatch.setattr(stranger, "WAITS", (0.01, 0.01))
    origin = elsewhere.removesuffix("/galerie/")
    async with stranger.Stranger(origin, 1000) as somebody:
        answer = await somebody.ask(Attempt("door", "x", "/hang-up"))
        assert (answer.status, answer.body, answer.is_unclear) == (stranger.HUNG_UP, b"", False)
        with pytest.raises(stranger.UnreachableError, match='calls itself "pwgserve-check"'):
            await somebody.once(Attempt("door", "x", "/hang-up"))
    async with stranger.Stranger("http://127.0.0.1:1", 1000) as somebody:
        with pytest.raises(stranger.UnreachableError):
            await somebody.ask(Attempt("door", "x", "/"))


def checked(owner, *options):
    done = owner.here("check", "--json", "--photos", "1", "--rate", "1000", *options)
    return done.code, json.loads(done.out)


@pytest.mark.parametrize("gallery", ["sqlite"], indirect=True)
def test_a_gallery_without_guests_is_not_closed_because_nobody_answers(gallery, tmp_path, elsewhere):
    owner = Installation(gallery, tmp_path, access={"lockdown": True})
    keys_file.load_or_create(tmp_path / "keys")
    code, report = checked(owner, "--url", elsewhere)
    assert (code, report["result"], report["leaks"]) == (1, "broken", [])
    (control,) = report["controls"]
    assert control["what"] == "pwgserve answers at this address"
    for word in ("server.public_url", "route", "service"):
        assert word in control["problem"]


@pytest.mark.parametrize("gallery", ["sqlite"], indirect=True)
def test_without_keys_and_public_photos_it_cannot_be_told(gallery, tmp_path, elsewhere):
    owner = Installation(gallery, tmp_path, access={"lockdown": True})
    code, report = checked(owner, "--url", elsewhere)
    assert (code, report["result"]) == (2, "unclear")
    assert any("nothing shows that it is pwgserve" in doubt for doubt in report["doubts"])


def test_more_folders_of_photos_than_are_tried_are_a_doubt(databases, tmp_path, elsewhere):
    gallery = databases.gallery("sqlite", tmp_path / "gallery")
    gallery.user(GUEST, "guest", "guest")
    gallery.album(1)
    for number in range(FOLDERS):
        gallery.photo(number + 1, (1,), path=f"archive{number}/a.jpg")
    owner = Installation(gallery, tmp_path)
    code, report = checked(owner, "--url", elsewhere)
    assert not any("more folders" in doubt for doubt in report["doubts"])
    gallery.photo(FOLDERS + 1, (1,), path="another/a.jpg")
    code, report = checked(owner, "--url", elsewhere)
    assert any("Photos lie in more folders than the 52" in doubt for doubt in report["doubts"])
    assert code != 0


@pytest.mark.parametrize("gallery", ["sqlite"], indirect=True)
def test_what_of_the_web_server_cannot_be_read_is_a_doubt(gallery, tmp_path, elsewhere):
    owner = Installation(gallery, tmp_path)
    web = tmp_path / "nginx"
    web.mkdir()
    (web / "nginx.conf").write_text("http {\n    include sites;\n    server {\n        root /$host;\n    }\n}\n")
    (web / "sites").symlink_to("nowhere")
    told = " ".join(checked(owner, "--url", elsewhere, "--web-server", "nginx", "--web-config", str(web))[1]["doubts"])
    assert "sites (no such file)" in told
    assert "root /$host;” names another folder for each request" in told


@pytest.mark.parametrize("gallery", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("check", "--url", "https://h:99999/"), "port"),
        (("check", "--url", "https://h:abc/"), "port"),
        (("check", "--url", "https://h/photos/index.php"), "not one of its pages"),
        (("check", "--url", "https://[/"), "--url"),
        (("check", "--also", "https://h:99999/"), "port"),
        (("check", "--rate", "nan"), "--rate"),
        (("check", "--photo", "99999999999999999999"), "--photo"),
        (("warm", "--after", "99999999999999999999"), "--after"),
        (("warm", "--album", "99999999999999999999"), "--album"),
        (("sign", "99999999999999999999"), "PHOTO_ID"),
        (("cache", "purge", "--photo", "99999999999999999999"), "--photo"),
    ],
)
def test_what_nobody_can_mean_is_wrong_usage_and_no_leak(gallery, tmp_path, words, named):
    done = Installation(gallery, tmp_path).here(*words)
    assert done.code == 2
    assert named in done.err.splitlines()[-1]
