"""`pwgserve init`: from a Piwigo on this machine to a protected one, with few questions."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape

from pwgserve import credentials, logs, settings
from pwgserve.answers.owner_file import OWNER_FILE
from pwgserve.check.samples import hidden_photos
from pwgserve.foundation import Reached
from pwgserve.piwigo.people import People
from pwgserve.piwigo.phpconfig import PhpConfigError, read
from pwgserve.piwigo.requests import clean_path
from pwgserve.piwigo.walking import Walk
from pwgserve.problems import OwnerError
from pwgserve.settings import Settings
from pwgserve.setup import database, machine
from pwgserve.setup.plan import (
    DEFAULT_CACHE,
    DEFAULT_KEYS,
    DEFAULT_OUTPUT,
    Answers,
    Plan,
    missing_helpful,
    plan,
    usual_listen,
)
from pwgserve.setup.templates import NAMES, Site, WebServer
from pwgserve.setup.writing import KEPT, Done, carry_out

USER = "pwgserve"
SEND_FILES = ("direct", "x-accel-redirect", "x-sendfile")
NO_WEB_SERVER = "none"
SIGNS = ("i.php", "local/config/database.inc.php")
"""What a folder of Piwigo has, one or the other at least."""


class InitError(OwnerError):
    """Something that init needs is not there or not right."""


@dataclass(frozen=True)
class _Given:
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


@click.command("init")
@click.option(
    "--piwigo", "root", required=True, type=click.Path(path_type=Path), metavar="DIR", help="Piwigo's folder."
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    default=DEFAULT_OUTPUT,
    show_default=True,
    metavar="FILE",
    help="The configuration to write.",
)
@click.option("--url", default=None, metavar="URL", help="The gallery's public address.")
@click.option("--web-server", type=click.Choice([*NAMES, NO_WEB_SERVER]), default=None, help="Which one shows it.")
@click.option("--send-file", type=click.Choice(SEND_FILES), default=None, help="Who sends the bytes of pictures.")
@click.option("--database", default=None, metavar="ADDRESS", help="Of the gallery's database, if not Piwigo's own.")
@click.option("--listen", default=None, metavar="ADDRESS", help="Where pwgserve listens.")
@click.option(
    "--keys", "keys_file", type=click.Path(path_type=Path), default=None, metavar="FILE", help="The keys file."
)
@click.option("--cache", "cache_dir", type=click.Path(path_type=Path), default=None, metavar="DIR", help="The cache.")
@click.option("--yes", is_flag=True, help="Ask nothing; take what was found or given.")
@click.option("--install-snippets", is_flag=True, help="Write the web server's lines into its own folder.")
@click.option("--make-database-user", is_flag=True, help="Make the database user now, as the database's owner.")
def init_command(**options: Any) -> None:
    """Look at the Piwigo in DIR and at this machine, write pwgserve's configuration, keys and cache folder, and say
    what is left to do, and how to undo it all.

    Changes nothing of Piwigo and no site of the web server. Run again, it changes only what has to be.
    """
    logs.configure("error", "text")
    given = _Given(**options)
    _run(given, Console(highlight=False, soft_wrap=True))


def _run(given: _Given, console: Console) -> None:
    root = _piwigo(given.root)
    before, known = _known(given.output, root)
    seen = machine.web_servers(root)
    first = next((one for one in seen if given.web_server in (None, one.server)), None)
    url = _url(given, known, first, console)
    kept_by_root = credentials.kept_by_root(given.output)
    database_of_root = kept_by_root.get("piwigo", {}).get("database")
    database_address = given.database or database_of_root or known.get("piwigo", {}).get("database")
    tables = {"server": {"public_url": url}, "piwigo": {"root": str(root), "database": database_address}}
    kept = {key: value for key, value in known.get("piwigo", {}).items() if key not in ("root", "database")}
    tables["piwigo"] = {key: value for key, value in tables["piwigo"].items() if value is not None} | kept
    found = settings.from_values(tables, "pwgserve init")
    answers = asyncio.run(_answers(given, found, before, known, first, console))
    if database_of_root:
        # What root keeps for the service is not to be written where others may read it.
        answers = replace(answers, database=known.get("piwigo", {}).get("database"), database_sql=())
    made = plan(answers)
    done = carry_out(made, None if "links" in kept_by_root else answers.keys_file)
    _tell_done(done, console)
    if answers.database_sql and answers.database is None and _makes_user(given, answers):
        database.make(answers.sql_file)
        console.print("The database user is made.")
        _run(_answered(given, answers), console)
        return
    _tell_steps(made, console)


def _answered(given: _Given, answers: Answers) -> _Given:
    """The options that stand for what was answered, so that nothing is asked twice."""
    return replace(
        given,
        url=answers.url,
        web_server=answers.web_server or NO_WEB_SERVER,
        install_snippets=answers.into_web_server,
        yes=True,
        make_database_user=False,
    )


def _piwigo(folder: Path) -> Path:
    root = Path(os.path.realpath(folder))
    if not root.is_dir():
        raise InitError(f"--piwigo: {folder} is not a folder; give the folder of Piwigo's index.php")
    if not any((root / name).exists() for name in SIGNS):
        raise InitError(f"--piwigo: {folder} is not Piwigo's folder: it has no {SIGNS[0]}; give that of its index.php")
    return root


def _known(output: Path, root: Path) -> tuple[str | None, dict[str, Any]]:
    """The configuration that is there already: its text and its values. root: that counts now, if Piwigo was moved."""
    if not output.exists():
        return None, {}
    text = settings.read(output)
    content = settings.content(text, str(output))
    if isinstance(content.get("piwigo"), dict):
        content["piwigo"]["root"] = str(root)
    found = settings.from_values(content, str(output))
    return text, found.model_dump(exclude_unset=True)


def _url(given: _Given, known: dict[str, Any], seen: machine.WebSeen | None, console: Console) -> str:
    found = known.get("server", {}).get("public_url") or (seen.site.url if seen and seen.site else None)
    if given.url is not None:
        return given.url
    if given.asks:
        answer: str = click.prompt("The gallery's address, as visitors type it", default=found)
        return answer
    if found is None:
        found = f"http://{socket.getfqdn()}/"
        console.print(f"[yellow]No site of a web server shows this folder: {escape(found)} is a guess; give --url.[/]")
    return str(found)


async def _answers(
    given: _Given,
    found: Settings,
    before: str | None,
    known: dict[str, Any],
    seen: machine.WebSeen | None,
    console: Console,
) -> Answers:
    async with AsyncExitStack() as resources:
        reached = await Reached.open(found, resources)
        number = await Walk(reached.gallery).count()
        how = await reached.catalogue.settings()
        guest = (await People(reached.gallery).viewers([how.conf.guest_id])).get(how.conf.guest_id)
        hidden = await hidden_photos(reached.gallery, guest, how, 5)
        what = "some of them hidden from guests" if hidden else "none of them hidden from guests"
        console.print(f"Found a gallery of {number} photos, {what}.")
        server = _web_server(given, seen, console)
        send_file = _send_file(given, known, server, seen)
        sql_file = given.output.parent / given.output.stem / "database-user.sql"
        old_sql = _old_sql(sql_file)
        own = database.own_user(reached, found.piwigo.log_history, old_sql)
        address = known.get("piwigo", {}).get("database") or given.database
        if address is None and own is not None and old_sql is not None and await database.works(found, own.address):
            address = own.address
        user = USER if os.geteuid() == 0 and machine.user_exists(USER) else None
        samples = [found.piwigo.root / clean_path(photo.path) for photo in hidden[:2]]
        needed = [] if address else [found.piwigo.root / "local/config/database.inc.php"]
        # Not for another configuration beside the service's own, nor for one that served at the default address so far.
        has_place = machine.has_unit() and given.output == DEFAULT_OUTPUT and before is None
        usual = usual_listen(server, seen.group if seen else None, has_place)
        listen = given.listen or known.get("server", {}).get("listen") or usual
        cache_dir = given.cache_dir or known.get("cache", {}).get("dir") or _place(given, DEFAULT_CACHE)
        configured = settings.from_values(
            {
                "server": {"listen": listen, "public_url": found.server.public_url},
                "piwigo": {"root": str(found.piwigo.root)},
                "cache": {"dir": str(cache_dir)},
                "links": {key: str(value) for key, value in known.get("links", {}).items() if key == "prefix"},
            },
            "pwgserve init",
        )
        return Answers(
            output=given.output.absolute(),
            before=before,
            root=found.piwigo.root,
            url=found.server.public_url,
            listen=listen,
            send_file=send_file,
            keys_file=given.keys_file or known.get("links", {}).get("keys_file") or _place(given, DEFAULT_KEYS),
            cache_dir=cache_dir,
            site=Site.of(configured, reached.conf),
            web_server=server,
            web_group=seen.group if seen else None,
            found_site=seen.site if seen and seen.server == server else None,
            other_sites=seen.others if seen and seen.server == server else (),
            into_web_server=_into_web_server(given, server, seen),
            database=address,
            table_prefix=known.get("piwigo", {}).get("table_prefix"),
            database_sql=own.sql if own and address in (None, own.address) else (),
            database_removal=own.drop if own else (),
            user=user,
            may_read=machine.readers_problem([*samples, *needed], USER),
            has_unit=machine.has_unit(),
            is_enabled=machine.is_enabled(),
            drop_ins=machine.written_drop_ins(),
            needs_user=os.geteuid() == 0 and not machine.user_exists(USER),
            originals=tuple(found.piwigo.originals),
            database_hosts=await asyncio.to_thread(database.hosts_elsewhere, reached.database),
            piwigo_has=frozenset(missing_helpful(_owners_conf(found.piwigo.root))),
        )


def _old_sql(file: Path) -> str | None:
    try:
        return file.read_text()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InitError(f"{file}: cannot read it: {error.strerror}; run init as the user who ran it before") from error


def _web_server(given: _Given, seen: machine.WebSeen | None, console: Console) -> WebServer | None:
    found = seen.server if seen else None
    if given.web_server is not None:
        return None if given.web_server == NO_WEB_SERVER else WebServer(given.web_server)
    if found is not None and seen is not None:
        site = seen.site
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


def _send_file(given: _Given, known: dict[str, Any], server: WebServer | None, seen: machine.WebSeen | None) -> str:
    """Who sends bytes: what was chosen before, else the web server where that needs nothing that is not there."""
    before = known.get("server", {}).get("send_file")
    if given.send_file or before:
        return given.send_file or str(before)
    # The group of the web server must be able to read the cache, which only root can give it.
    can_share = os.geteuid() == 0 and seen is not None and seen.group is not None
    if server is WebServer.NGINX and can_share:
        return "x-accel-redirect"
    if server is WebServer.APACHE and can_share and seen is not None and seen.can_xsendfile:
        return "x-sendfile"
    return "direct"


def _into_web_server(given: _Given, server: WebServer | None, seen: machine.WebSeen | None) -> bool:
    if server is None or seen is None or seen.server is not server:
        return False
    if given.install_snippets or not given.asks or not os.access(seen.folder, os.W_OK):
        return given.install_snippets
    return click.confirm(f"Write the lines for {server} into {seen.folder}? (No site is changed)", default=True)


def _makes_user(given: _Given, answers: Answers) -> bool:
    if given.make_database_user or not given.asks or os.geteuid() != 0:
        return given.make_database_user
    question = "Make a database user now that may only read what pwgserve needs (with `mariadb`, as root)?"
    return click.confirm(question, default=True)


def _place(given: _Given, usual: Path) -> Path:
    """The usual place, or beside a configuration that is not in the usual one."""
    if given.output.absolute() == DEFAULT_OUTPUT:
        return usual
    return given.output.absolute().parent / given.output.stem / ("cache" if usual == DEFAULT_CACHE else "private/keys")


def _owners_conf(root: Path) -> dict[str, Any]:
    file = root / OWNER_FILE
    try:
        return dict(read(file.read_bytes(), str(file)).conf)
    except (OSError, PhpConfigError):
        return {}


def _tell_done(done: list[Done], console: Console) -> None:
    for one in done:
        colour = "dim" if one.what == KEPT else "green"
        note = f" ({escape(one.note)})" if one.note else ""
        console.print(f"[{colour}]{one.what:<9}[/] {escape(str(one.path))}{note}")
    if all(one.what == KEPT for one in done):
        console.print("Nothing had to be changed.")


def _tell_steps(made: Plan, console: Console) -> None:
    console.print("\n[bold]What is left to do:[/]")
    for number, step in enumerate(made.steps, 1):
        console.print(f"\n{number}. {escape(step.title)}:")
        for line in step.lines:
            console.print(f"       {escape(line)}")
    console.print("\n[bold]To undo it all:[/]")
    for line in made.undo:
        console.print(f"       {escape(line)}")
