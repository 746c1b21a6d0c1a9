"""What `init` takes from its options, from what it found, or from the answers of whoever runs it."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape

from pwgserve.problems import OwnerError
from pwgserve.setup import machine
from pwgserve.setup.answers import DEFAULT_CACHE, DEFAULT_OUTPUT
from pwgserve.setup.sites import addresses, visited
from pwgserve.setup.templates import NAMES, WebServer

NO_WEB_SERVER = "none"

SENDS = {WebServer.NGINX: "x-accel-redirect", WebServer.APACHE: "x-sendfile"}
"""How a web server is told to send a file. In another one's way it would send an empty picture."""


class InitError(OwnerError):
    """Something that init needs is not there or not right."""


@dataclass(frozen=True)
class Given:
    """The options, None where none was given."""

    root: Path
    output: Path
    url: str | None
    web_server: str | None
    send_file: str | None
    database: str | None
    listen: str | None
    keys_file: Path | None
    cache_dir: Path | None
    yes: bool
    install_snippets: bool
    make_database_user: bool

    @property
    def asks(self) -> bool:
        """Whether there is somebody to ask."""
        return not self.yes and sys.stdin.isatty()


def url(given: Given, known: dict[str, Any], seen: machine.WebSeen | None) -> str:
    """The gallery's public address; never a guess. Raises InitError."""
    shown = addresses(seen.sites) if seen else []
    before = known.get("server", {}).get("public_url")
    found = before or (shown[0] if shown else None)
    if given.url is not None:
        return given.url
    several = before is None and len(shown) > 1
    if given.asks:
        if several:
            click.echo(f"Several sites show this folder: {', '.join(shown)}")
        answer: str = click.prompt("The gallery's address, as visitors type it", default=found)
        return answer
    if several:
        raise InitError(f"--url: several sites show this folder; give the one that visitors type: {', '.join(shown)}")
    if found is None:
        raise InitError(
            "--url: no site of a web server here shows this folder by a name; give the gallery's public address, "
            "like https://example.org/photos/"
        )
    return str(found)


def web_server(given: Given, seen: machine.WebSeen | None, address: str, console: Console) -> WebServer | None:
    """The web server in front of the gallery, None for one that init has no lines for. address: the gallery's."""
    found = seen.server if seen else None
    if given.web_server is not None:
        return None if given.web_server == NO_WEB_SERVER else WebServer(given.web_server)
    if found is not None and seen is not None:
        site = visited(seen.sites, address)
        where = f", and {site.file} line {site.line} is the gallery's site" if site else ""
        state = "runs" if seen.is_running else "is installed"
        console.print(f"{found} {state} here{escape(where)}.")
    if given.asks:
        answer = click.prompt(
            "The web server in front",
            type=click.Choice([*NAMES, NO_WEB_SERVER]),
            default=found.value if found else NO_WEB_SERVER,
        )
        return None if answer == NO_WEB_SERVER else WebServer(answer)
    return found


def send_file(given: Given, known: dict[str, Any], server: WebServer | None, seen: machine.WebSeen | None) -> str:
    """Who sends bytes: what was chosen before, else the web server where that needs nothing that is not there."""
    before = known.get("server", {}).get("send_file")
    can_send = SENDS.get(server) if server else before
    if given.send_file or (before and before in ("direct", can_send)):
        return given.send_file or str(before)
    # The group of the web server must be able to read the cache, which only root can give it.
    can_share = os.geteuid() == 0 and seen is not None and seen.group is not None
    has_module = server is not WebServer.APACHE or (seen is not None and seen.can_xsendfile)
    return str(can_send) if can_send and can_share and has_module else "direct"


def into_web_server(given: Given, server: WebServer | None, seen: machine.WebSeen | None) -> bool:
    """Whether its lines are to be written into the web server's own folder."""
    if server is None or seen is None or seen.server is not server:
        return False
    if given.install_snippets or not given.asks or not os.access(seen.folder, os.W_OK):
        return given.install_snippets
    return click.confirm(f"Write the lines for {server} into {seen.folder}? (No site is changed)", default=True)


def makes_user(given: Given) -> bool:
    """Whether the database user is to be made now."""
    if given.make_database_user or not given.asks or os.geteuid() != 0:
        return given.make_database_user
    question = "Make a database user now that may only read what pwgserve needs (with `mariadb`, as root)?"
    return click.confirm(question, default=True)


def place(given: Given, usual: Path) -> Path:
    """The usual place, or beside a configuration that is not in the usual one."""
    if given.output.absolute() == DEFAULT_OUTPUT:
        return usual
    return given.output.absolute().parent / given.output.stem / ("cache" if usual == DEFAULT_CACHE else "private/keys")
