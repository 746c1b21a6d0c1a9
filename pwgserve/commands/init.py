"""`pwgserve init`: from a Piwigo on this machine to a protected one, with few questions."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape

from pwgserve import credentials, logs, settings_file
from pwgserve.answers.owner_file import DATABASE_FILE, OWNER_FILE
from pwgserve.check.samples import hidden_photos
from pwgserve.commands import choices
from pwgserve.commands.choices import NO_WEB_SERVER, Given, InitError
from pwgserve.commands.options import A_PATH
from pwgserve.foundation import Reached
from pwgserve.phpconfig.config import read
from pwgserve.phpconfig.files import PhpConfigError
from pwgserve.piwigo.hidden import folders as elsewhere
from pwgserve.piwigo.people import People
from pwgserve.piwigo.permissions import Photo
from pwgserve.piwigo.requests import UnservedRequestError, clean_path
from pwgserve.piwigo.walking import Walk
from pwgserve.settings import Settings
from pwgserve.setup import database, folders, machine, snippets
from pwgserve.setup.answers import DEFAULT_CACHE, DEFAULT_KEYS, DEFAULT_OUTPUT, Answers, extras_of, sql_file_of
from pwgserve.setup.database import OwnUser
from pwgserve.setup.grants import user_for
from pwgserve.setup.plan import Plan, helpful_in, plan, usual_listen
from pwgserve.setup.reading import readers_problem
from pwgserve.setup.sites import FoundSite, visited
from pwgserve.setup.templates import NAMES, Site
from pwgserve.setup.writing import KEPT, Done, carry_out

USER = "pwgserve"
SEND_FILES = ("direct", "x-accel-redirect", "x-sendfile")
FURTHER = 20
"""Of how many folders of photos is told, besides the usual two."""

SIGNS = ("i.php", "local/config/database.inc.php")
"""What a folder of Piwigo has, one or the other at least."""


@click.command("init")
@click.option("--piwigo", "root", required=True, type=A_PATH, metavar="DIR", help="Piwigo's folder.")
@click.option(
    "--output",
    type=A_PATH,
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
@click.option("--keys", "keys_file", type=A_PATH, default=None, metavar="FILE", help="The keys file.")
@click.option("--cache", "cache_dir", type=A_PATH, default=None, metavar="DIR", help="The cache.")
@click.option("--yes", is_flag=True, help="Ask nothing; take what was found or given.")
@click.option("--install-snippets", is_flag=True, help="Write the web server's lines into its own folder.")
@click.option("--make-database-user", is_flag=True, help="Make the database user now, as the database's owner.")
def init_command(**options: Any) -> None:
    """Look at the Piwigo in DIR and at this machine, write pwgserve's configuration, keys and cache folder, and say
    what is left to do, and how to undo it all.

    Changes nothing of Piwigo and no site of the web server. Run again, it changes only what has to be.
    """
    logs.configure("error", "text")
    given = Given(**options)
    _run(given, Console(highlight=False, soft_wrap=True))


def _run(given: Given, console: Console) -> None:
    if given.output.stem == given.output.name:
        raise InitError(f"--output: {given.output} needs an ending, such as .toml: a folder is called like it without")
    root = _piwigo(given.root)
    before, known = _known(given.output, root)
    seen = machine.web_servers(root, name=given.root.absolute())
    first = next((one for one in seen if given.web_server in (None, one.server)), None)
    url = choices.url(given, known, first)
    kept_by_root = credentials.kept_by_root(given.output)
    database_of_root = kept_by_root.get("piwigo", {}).get("database")
    database_address = given.database or database_of_root or known.get("piwigo", {}).get("database")
    tables = {"server": {"public_url": url}, "piwigo": {"root": str(root), "database": database_address}}
    kept = {key: value for key, value in known.get("piwigo", {}).items() if key not in ("root", "database")}
    tables["piwigo"] = {key: value for key, value in tables["piwigo"].items() if value is not None} | kept
    found = settings_file.from_values(tables, "pwgserve init")
    answers = asyncio.run(_answers(given, found, before, known, seen, first, console))
    if database_of_root:
        # What root keeps for the service is not to be written where others may read it.
        answers = replace(answers, database=known.get("piwigo", {}).get("database"), database_sql=())
    made = plan(replace(answers, there=machine.texts(snippets.places(answers))))
    done = carry_out(made, None if "links" in kept_by_root else answers.keys_file)
    _tell_done(done, console)
    if answers.wants_database_user and choices.makes_user(given):
        database.make(answers.sql_file)
        console.print("The database user is made.")
        _run(_answered(given, answers), console)
        return
    _tell_steps(made, console)


def _answered(given: Given, answers: Answers) -> Given:
    """The options that stand for what was answered, so that nothing is asked twice."""
    return replace(
        given,
        url=answers.url,
        web_server=answers.web_server or NO_WEB_SERVER,
        install_snippets=answers.into_web_server,
        yes=True,
        make_database_user=False,
    )


@contextmanager
def _as_root(file: Path) -> Iterator[None]:
    """Says what to do where this user may not look at a file."""
    try:
        yield
    except PermissionError as error:
        raise InitError(f"{file}: this user may not read it; run init as root: sudo pwgserve init …") from error


def _piwigo(folder: Path) -> Path:
    root = Path(os.path.realpath(folder))
    with _as_root(folder):
        is_folder, is_piwigo = _is_there(root) and root.is_dir(), _has_signs(root)
    if not is_folder:
        raise InitError(f"--piwigo: {folder} is not a folder; give the folder of Piwigo's index.php")
    if not is_piwigo:
        raise InitError(f"--piwigo: {folder} is not Piwigo's folder: it has no {SIGNS[0]}; give that of its index.php")
    return root


def _has_signs(folder: Path) -> bool:
    return any(_is_there(folder / name) for name in SIGNS)


def _is_there(path: Path) -> bool:
    """Like `exists`, which from Python 3.14 on says no where this user may not look. Raises PermissionError then."""
    with suppress(FileNotFoundError, NotADirectoryError):
        path.stat()
        return True
    return False


def _refuse_unread(found: Settings) -> None:
    """Raise InitError where only root can see how Piwigo reaches its database: nobody else is to be let."""
    file = found.piwigo.root / DATABASE_FILE
    if found.piwigo.database is None or found.piwigo.table_prefix is None:
        with _as_root(file), suppress(FileNotFoundError):
            file.open("rb").close()


def _known(output: Path, root: Path) -> tuple[str | None, dict[str, Any]]:
    """The configuration that is there already: its text and its values. root: that counts now, if Piwigo was moved."""
    if not output.exists():
        return None, {}
    text = settings_file.read(output)
    content = settings_file.content(text, str(output))
    piwigo = content.get("piwigo")
    if isinstance(piwigo, dict):
        before = Path(os.path.realpath(str(piwigo.get("root", root))))
        if before != root and _has_signs(before):
            raise InitError(
                f"{output} is of the gallery in {before}, which is still there and would be open. If it has "
                f'moved, write piwigo.root = "{root}" there; a second gallery needs an --output of its own'
            )
        piwigo["root"] = str(root)
    found = settings_file.from_values(content, str(output))
    return text, found.model_dump(exclude_unset=True)


async def _answers(
    given: Given,
    found: Settings,
    before: str | None,
    known: dict[str, Any],
    all_seen: Sequence[machine.WebSeen],
    seen: machine.WebSeen | None,
    console: Console,
) -> Answers:
    _refuse_unread(found)
    async with AsyncExitStack() as resources:
        reached = await Reached.open(found, resources)
        hidden = await _hidden(reached, console)
        server = choices.web_server(given, seen, found.server.public_url, console)
        # Whoever is asked may know better which one it is.
        seen = next((one for one in all_seen if one.server is server), None) if server else seen
        sites = seen.sites if seen and server else ()
        site = _visited(sites, found.server.public_url, console)
        send_file = choices.send_file(given, known, server, seen)
        own, address = await _database(given, found, known, reached)
        user = USER if os.geteuid() == 0 and machine.user_exists(USER) else None
        samples = [found.piwigo.root / path for path in _inside(hidden)][:2]
        needed = [found.piwigo.root / DATABASE_FILE]
        originals = [found.piwigo.root / name for name in (clean_path(reached.conf.upload_dir), "galleries")]
        # Not for another configuration beside the service's own, nor for one that served at the default address so far.
        has_place = machine.has_unit() and given.output == DEFAULT_OUTPUT and before is None
        usual = usual_listen(server, seen.group if seen else None, has_place)
        listen = given.listen or known.get("server", {}).get("listen") or usual
        cache_dir = given.cache_dir or known.get("cache", {}).get("dir") or choices.place(given, DEFAULT_CACHE)
        keys_file = given.keys_file or known.get("links", {}).get("keys_file") or choices.place(given, DEFAULT_KEYS)
        configured = settings_file.from_values(
            {
                "server": {"listen": listen, "public_url": found.server.public_url} | _internal_prefix(known),
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
            keys_file=keys_file,
            cache_dir=cache_dir,
            site=Site.of(configured, reached.conf),
            web_server=server,
            web_group=seen.group if seen else None,
            found_site=site,
            other_sites=tuple(one for one in sites if one is not site) if site else (),
            into_web_server=choices.into_web_server(given, server, seen),
            database=address,
            table_prefix=known.get("piwigo", {}).get("table_prefix"),
            database_sql=own.sql if own and address in (None, own.address) else (),
            database_removal=own.drop if own else (),
            database_lags=reached.gallery.hides_key_types,
            user=user,
            own_group=user if user and machine.group_exists(user) else None,
            may_read=readers_problem([*samples, *needed], USER, seen.group if seen else None, originals),
            has_unit=machine.has_unit(),
            is_enabled=machine.is_enabled(),
            drop_ins=machine.written_drop_ins(),
            needs_user=os.geteuid() == 0 and not machine.user_exists(USER),
            originals=tuple(found.piwigo.originals),
            further=await _further(reached),
            database_hosts=await asyncio.to_thread(database.hosts_elsewhere, reached.database),
            shared=folders.shared(cache_dir, keys_file, extras_of(given.output)),
            piwigo_has=frozenset(helpful_in(_owners_conf(found.piwigo.root))),
        )


async def _hidden(reached: Reached, console: Console) -> list[Photo]:
    """Some photos that guests may not see; says what gallery this is."""
    number = await Walk(reached.gallery).count()
    how = await reached.catalogue.settings()
    guest = (await People(reached.gallery).viewers([how.conf.guest_id])).get(how.conf.guest_id)
    hidden = await hidden_photos(reached.gallery, guest, how, 5)
    what = "some of them hidden from guests" if hidden else "none of them hidden from guests"
    console.print(f"Found a gallery of {number} photos, {what}.")
    return hidden


def _visited(sites: Sequence[FoundSite], url: str, console: Console) -> FoundSite | None:
    """The site that visitors of the gallery's address reach; says so if only others are here."""
    site = visited(sites, url)
    if sites and site is None:
        shown = ", ".join(dict.fromkeys(one.url or f"{one.path} at {one.file}" for one in sites))
        console.print(
            f"[yellow]No site here shows the gallery at {url}[/], but {escape(shown)}. "
            "Unless another server in front changes the address, run this again with that as --url."
        )
    return site


async def _database(
    given: Given, found: Settings, known: dict[str, Any], reached: Reached
) -> tuple[OwnUser | None, str | None]:
    """The database user that may be made, and the address for the configuration: None to use Piwigo's access."""
    old_sql = _old_sql(sql_file_of(given.output))
    is_second = given.output.absolute() != DEFAULT_OUTPUT and DEFAULT_OUTPUT.exists()
    own = database.own_user(reached, found.piwigo.log_history, user_for(given.output, is_second), old_sql)
    address = known.get("piwigo", {}).get("database") or given.database
    if address is None and own is not None and old_sql is not None and await database.works(found, own.address):
        address = own.address
    return own, address


async def _further(reached: Reached) -> tuple[str, ...]:
    """The folders of photos besides the usual two: what lies in Piwigo's folder is open unless something closes it."""
    usual = [f"{clean_path(reached.conf.upload_dir)}/", "galleries/"]
    starts = await elsewhere(reached.gallery, [f"./{folder}" for folder in usual], FURTHER)
    found = [start.removeprefix("./").lstrip("/") for start in starts]
    # Photos of another server, of another folder of this one, and what no path begins with.
    return tuple(sorted(one for one in found if re.fullmatch(r"(?!\.\./)[^:\"\\\0-\x1f/]+/", one) and one not in usual))


def _inside(photos: Iterable[Photo]) -> Iterator[str]:
    """The paths of those photos that lie in Piwigo's folder."""
    for photo in photos:
        with suppress(UnservedRequestError):
            yield clean_path(photo.path)


def _old_sql(file: Path) -> str | None:
    try:
        return file.read_text()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InitError(f"{file}: cannot read it: {error.strerror}; run init as the user who ran it before") from error


def _internal_prefix(known: dict[str, Any]) -> dict[str, str]:
    """What the owner chose: nginx must listen for the name that the daemon answers with."""
    return {key: value for key, value in known.get("server", {}).items() if key == "internal_prefix"}


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
