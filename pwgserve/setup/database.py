"""The database user of pwgserve's own: its address, the SQL that makes it, and whether it works. Asks the database."""

from __future__ import annotations

import ipaddress
import re
import secrets
import socket
import subprocess
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from shutil import which

from pwgserve.foundation import Reached
from pwgserve.piwigo.address import Address
from pwgserve.piwigo.gallery import GalleryConfigurationError, GalleryUnavailableError
from pwgserve.problems import OwnerError
from pwgserve.settings import Settings
from pwgserve.setup.grants import removal, statements

LOCAL_HOSTS = ("localhost", "127.0.0.1")
SECONDS = 60
_PASSWORD = re.compile(r"IDENTIFIED BY '([A-Za-z0-9_-]{20,})'")


class DatabaseUserError(OwnerError):
    """The database server would not make the user."""


@dataclass(frozen=True)
class OwnUser:
    """address: of the database for this user. sql, drop: the statements that make and remove it."""

    address: str
    sql: tuple[str, ...]
    drop: tuple[str, ...]


def own_user(reached: Reached, log_history: bool, name: str, before: str | None) -> OwnUser | None:
    """A user for a gallery's MySQL or MariaDB; None for a database that has no users.

    name: the user's. before: statements that were made once, whose password stays.
    """
    address = reached.database
    if address.is_sqlite:
        return None
    known = _PASSWORD.search(before or "")
    password = known[1] if known else secrets.token_urlsafe(24)
    is_local = address.unix_socket or (address.host or "localhost") in (*LOCAL_HOSTS, "::1")
    hosts = LOCAL_HOSTS if is_local else ("%",)
    tables = reached.gallery.schema
    history = reached.history_table if log_history else None
    has_recent = reached.gallery.has_key_types or reached.gallery.hides_key_types
    sql = statements(tables, address.name, password, hosts, has_recent, history, name)
    # No name in it: behind a line break in a comment the database's client takes commands, for a shell as well.
    intro = "-- A database user for pwgserve that may read what it needs of the gallery, and nothing else."
    return OwnUser(address.of(name, password).text(), (intro, *sql), tuple(removal(hosts, name)))


def hosts_elsewhere(address: Address) -> tuple[str, ...]:
    """The IP addresses of a database on another machine, none for one on this. Blocks."""
    if address.is_sqlite or address.unix_socket or not address.host:
        return ()
    try:
        found = {str(info[4][0]) for info in socket.getaddrinfo(address.host, None, type=socket.SOCK_STREAM)}
    except OSError:
        return ()
    return tuple(sorted(one for one in found if not ipaddress.ip_address(one).is_loopback))


async def works(settings: Settings, address: str) -> bool:
    """Whether pwgserve can do its work with this address of the database."""
    piwigo = settings.piwigo.model_copy(update={"database": address})
    async with AsyncExitStack() as resources:
        try:
            await Reached.open(settings.model_copy(update={"piwigo": piwigo}), resources)
        except (GalleryConfigurationError, GalleryUnavailableError):
            return False
    return True


def make(sql_file: Path) -> None:
    """Run the statements as the owner of the database server on this machine. Raises DatabaseUserError. Blocks."""
    program = which("mariadb") or which("mysql")
    if program is None:
        raise DatabaseUserError(
            f"neither mariadb nor mysql is installed here; run {sql_file} on the database's machine"
        )
    with sql_file.open("rb") as statements_file:
        done = subprocess.run(  # noqa: S603 - a fixed program, with a file of ours
            [program, "--batch"], stdin=statements_file, capture_output=True, text=True, timeout=SECONDS, check=False
        )
    if done.returncode:
        raise DatabaseUserError(f"{program}: {done.stderr.strip() or 'failed'}; run {sql_file} as the database's owner")
