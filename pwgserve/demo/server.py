"""Runs the demo: the real daemon on the embedded gallery, and beside it a page that shows what it does and refuses.

The page's own addresses are `/` and `/demo/…`; everything else goes to the daemon, untouched.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from pwgserve import logs
from pwgserve.app import Daemon
from pwgserve.demo.film import FilmError
from pwgserve.demo.gallery import ALBUMS, PEOPLE, PICTURES, PREFIX, DemoGallery, Person, Picture
from pwgserve.keys import keys_file
from pwgserve.links import LinkSigner
from pwgserve.piwigo.gallery import Gallery, database_address
from pwgserve.piwigo.people import People
from pwgserve.piwigo.permissions import GalleryRules, may_see
from pwgserve.piwigo.schema import schema
from pwgserve.settings import Settings
from pwgserve.settings_file import from_values

HOST = "127.0.0.1"
USUAL_PORT = 8280
COOKIE = "pwg_id"
LOG_OUT_SECONDS = 2.0
"""How long after a log-out its links may still work; the page waits for as long before it tries one."""

PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
CONTENT_TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
PAGES = {"/": "index.html", "/demo/page.css": "page.css", "/demo/page.js": "page.js", "/favicon.ico": "icon.svg"}

_STOLEN = next(picture for picture in PICTURES if picture.file == "Picnic.jpg")
_FILM = next(picture for picture in PICTURES if picture.extension == "mp4")
_ANNA = next(person for person in PEOPLE if person.name == "Anna")


def run(port: int | None) -> int:
    """Run the demo until Ctrl-C; returns the exit code. port: on 127.0.0.1, None for the usual or a free one."""
    logs.configure("error", "text")
    try:
        with tempfile.TemporaryDirectory(prefix="pwgserve-demo-") as folder:
            asyncio.run(_run(Path(folder), port))
    except (FilmError, OSError) as error:
        print(f"pwgserve: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        pass
    print("Stopped; nothing is left behind.")
    return 0


async def _run(folder: Path, port: int | None) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    listener = _listener(port)
    gallery = DemoGallery(folder)
    # A Ctrl-C meanwhile is heeded with the pictures that are being drawn: threads that still draw would keep the folder
    # from being removed.
    await asyncio.to_thread(gallery.build, _tell, lambda: not stop.is_set())
    if stop.is_set():
        return
    settings = _settings(folder, listener.getsockname()[1])
    daemon = await Daemon.open(settings)
    demo = Demo(gallery, daemon, settings)
    runner = web.ServerRunner(web.Server(demo.handle, access_log=None))
    await runner.setup()
    await web.SockSite(runner, listener).start()
    _tell(f"\n  Open {settings.server.public_url}\n\nCtrl-C stops it and removes everything.")
    await stop.wait()
    await runner.cleanup()
    await demo.close()


def _listener(port: int | None) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, USUAL_PORT if port is None else port))
    except OSError as error:
        if port is not None:
            raise OSError(f"port {port} is taken; choose another with --port") from error
        listener.bind((HOST, 0))
    return listener


def _settings(folder: Path, port: int) -> Settings:
    return from_values(
        {
            "server": {"listen": f"{HOST}:{port}", "public_url": f"http://{HOST}:{port}/"},
            "piwigo": {
                "root": folder / "piwigo",
                "database": f"sqlite:///{folder / 'gallery.db'}",
                "table_prefix": PREFIX,
            },
            "links": {"keys_file": folder / "keys"},
            "cache": {"dir": folder / "cache", "max_size": "1GB"},
        },
        "demo",
    )


def _tell(line: str) -> None:
    print(line, flush=True)


@dataclass(frozen=True)
class Attempt:
    """One thing that an intruder may try. `wait`: seconds to wait before it; `is_control`: it must work."""

    title: str
    why: str
    url: str
    wait: float = 0.0
    is_control: bool = False


class Demo:
    """The page's server. Sessions of viewers are made on the first visit and live as long as the demo."""

    def __init__(self, gallery: DemoGallery, daemon: Daemon, settings: Settings) -> None:
        self._gallery = gallery
        self._daemon = daemon
        self._settings = settings
        self._base = settings.server.public_url
        self._rows = Gallery(database_address(str(settings.piwigo.database)), schema(PREFIX))
        self._sessions = {person.name: gallery.log_in(person) for person in PEOPLE if person.status != "guest"}

    async def close(self) -> None:
        """Stop the daemon and let go of the database."""
        await self._daemon.close()
        await self._rows.close()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer the page's own addresses; pass all others to the daemon."""
        match request.method, request.path:
            case (("GET" | "HEAD"), path) if path in PAGES:
                return _page(PAGES[path])
            case "GET", "/demo/albums":
                return _json(await self._albums(request))
            case "POST", "/demo/viewer":
                return await self._become(request)
            case "POST", "/demo/attempts":
                return _json(await self._attempts())
        return await self._daemon.handle(request)

    async def _albums(self, request: web.BaseRequest) -> dict[str, Any]:
        """What a Piwigo page would list for the viewer, by the rules themselves and not through the daemon."""
        person = self._viewer(request)
        viewer = (await People(self._rows).viewers([person.user_id])).get(person.user_id)
        photos = await self._rows.photos([picture.photo_id for picture in PICTURES])
        albums = []
        for album in ALBUMS:
            pictures = [picture for picture in PICTURES if picture.album == album.album_id]
            seen = []
            for picture in pictures:
                photo = photos.get(picture.photo_id)
                if viewer and photo and may_see(viewer, photo, GalleryRules()):
                    seen.append(_shown(picture))
            albums.append({"name": album.name, "about": album.about, "photos": seen, "count": len(pictures)})
        people = [{"name": one.name, "about": one.about} for one in PEOPLE]
        return {"viewer": person.name, "viewers": people, "albums": albums, "total": len(PICTURES)}

    async def _become(self, request: web.BaseRequest) -> web.Response:
        name = (await request.read()).decode("utf-8", "replace")[:40]
        response = _json({})
        if name in self._sessions:
            response.set_cookie(COOKIE, self._sessions[name], httponly=True, samesite="Lax", path="/")
        else:
            response.del_cookie(COOKIE, path="/")
        return response

    def _viewer(self, request: web.BaseRequest) -> Person:
        cookie = request.cookies.get(COOKIE)
        return next((person for person in PEOPLE if cookie and self._sessions.get(person.name) == cookie), PEOPLE[0])

    async def _attempts(self) -> list[dict[str, Any]]:
        """Fresh material for the intruder: real links, obtained as Anna's browser would, and ways to misuse them."""
        derivative = _derivative(_STOLEN, "la")
        link = await self._link(self._sessions[_ANNA.name], derivative)
        folder, _, name = link.rpartition("/")
        token, _, extension = name.rpartition(".")
        photo, _, rest = token.partition(".")
        last = "A" if token[-1] != "A" else "E"
        thrown_away = await asyncio.to_thread(self._gallery.log_in, _ANNA)
        ended = await self._link(thrown_away, derivative)
        await asyncio.to_thread(self._gallery.log_out, thrown_away)
        expired = await self._expired(token)
        attempts = [
            Attempt(
                "Anna opens her own link", "The control: this must work, or the rest proves nothing.", link, 0, True
            ),
            Attempt(
                "Guess the address of a size",
                "Piwigo's i.php asks nobody. This is what it protects by hope.",
                derivative,
            ),
            Attempt(
                "Fetch the finished file",
                "Piwigo's cache is a folder that the web server hands out.",
                "/_data/i" + derivative.removeprefix("/i.php?"),
            ),
            Attempt(
                "Fetch the original",
                "Paths hold a date and eight characters; some people have seen them.",
                f"/{_STOLEN.path}",
            ),
            Attempt(
                "Ask by number", "Numbers are easier to guess than paths.", f"/action.php?id={_STOLEN.photo_id}&part=e"
            ),
            Attempt("Fetch the film", "Videos are files like any other.", f"/{_FILM.path}"),
            Attempt("Change one letter of a link", "A forged signature.", f"{folder}/{token[:-1]}{last}.{extension}"),
            Attempt(
                "Aim a link at another photo",
                "A genuine signature, for something else.",
                f"{folder}/{int(photo) + 1}.{rest}.{extension}",
            ),
            Attempt(
                "Use a link after its time",
                "Genuine in every letter, but an hour old.",
                f"{folder}/{expired}.{extension}",
            ),
            Attempt(
                "Use Anna's link after she logged out",
                "It worked a moment ago; links end with their session.",
                ended,
                LOG_OUT_SECONDS,
            ),
            Attempt(
                "Climb out of the folder",
                "The gallery's database lies right beside it.",
                "/upload/%2e%2e/%2e%2e/gallery.db",
            ),
            Attempt(
                "Ask for what does not exist",
                "For comparison: is any other no different from this one?",
                f"/{_STOLEN.path.replace('.jpg', '0.jpg')}",
            ),
        ]
        return [
            {"title": one.title, "why": one.why, "url": one.url, "wait": one.wait, "control": one.is_control}
            for one in attempts
        ]

    async def _link(self, cookie: str, address: str) -> str:
        async with (
            aiohttp.ClientSession(cookies={COOKIE: cookie}) as browser,
            browser.get(self._base.rstrip("/") + address, allow_redirects=False) as answer,
        ):
            return answer.headers["Location"]

    async def _expired(self, token: str) -> str:
        keys = await asyncio.to_thread(keys_file.load, self._settings.links.keys_file)
        signer = LinkSigner(keys)
        link = signer.verify(token)
        if link is None:
            raise ValueError("the daemon made a link that its own key does not verify")
        return signer.sign(replace(link, expiry=int(time.time()) - 3600))


def _derivative(picture: Picture, code: str) -> str:
    stem, _, extension = (picture.representative or picture.path).rpartition(".")
    return f"/i.php?/{stem}-{code}.{extension}"


def _shown(picture: Picture) -> dict[str, Any]:
    width, height = picture.size
    return {
        "name": picture.file.rpartition(".")[0],
        "note": picture.about,
        "size": f"{width} × {height}",
        "thumbnail": _derivative(picture, "xs"),
        "large": _derivative(picture, "xl"),
        "film": f"/{picture.path}" if picture.extension == "mp4" else None,
    }


def _page(name: str) -> web.Response:
    content = files("pwgserve.demo").joinpath("page", name).read_bytes()
    kind = CONTENT_TYPES[name.rpartition(".")[2]]
    return web.Response(body=content, headers={**PAGE_HEADERS, "Content-Type": f"{kind}; charset=utf-8"})


def _json(value: object) -> web.Response:
    return web.json_response(value, headers=PAGE_HEADERS)
