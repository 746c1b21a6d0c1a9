"""What is known before anything is planned: what was found on a machine, and what its owner chose. Only values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from pwgserve.settings import Server
from pwgserve.setup.sites import FoundSite
from pwgserve.setup.templates import FOLDERS, Site, WebServer

DEFAULT_OUTPUT = Path("/etc/pwgserve.toml")
DEFAULT_KEYS = Path("/var/lib/pwgserve/keys")
DEFAULT_CACHE = Path("/var/cache/pwgserve")
DEFAULT_ADDRESS = Server().listen


@dataclass(frozen=True)
class Step:
    """Something left to the owner: what it is for, and the lines to type or to add."""

    title: str
    lines: tuple[str, ...]


class Place(StrEnum):
    """What folders of pwgserve's own are for. EXTRAS: what lies beside the configuration."""

    CACHE = "cache"
    KEYS = "keys"
    EXTRAS = "extras"


def extras_of(output: Path) -> Path:
    """The folder beside a configuration for what is not the configuration."""
    return output.parent / output.stem


def sql_file_of(output: Path) -> Path:
    """Where the statements for a configuration's database user lie."""
    return extras_of(output) / "database-user.sql"


@dataclass(frozen=True)
class Answers:
    """What was found, and what the owner chose.

    output: the configuration file; before: its text, None when there is none. user: as whom pwgserve is to run, if
    that user exists and we may give files to it. web_server: None for another one. into_web_server: whether its
    snippets go to its own folder. database: address for pwgserve's own database user, None to use Piwigo's access.
    database_sql, database_removal: statements that make and remove that user, empty where there is none to be made.
    database_lags: whether that user is there, but may not read yet what a newer Piwigo has added.
    piwigo_has: the settings of Piwigo that are as HELPFUL already. may_read: the command that lets the user read
    Piwigo's files, None when it may. has_unit: whether the service is installed; is_enabled: and starts with the
    machine. needs_user: whether the user that pwgserve should run as is still to be made. originals: folders of photos
    outside of Piwigo's. database_hosts: addresses of the database, if it is on another machine. drop_ins: those for
    systemd that an earlier `init` wrote. shared: the places that hold something of others as well.
    own_group: that of the user alone, None where it has none. there: the content of the web server's files that are
    there, of those in `snippets.places`. further: folders of photos below Piwigo's own that are not its usual two, with
    a slash behind: those of further sites.
    """

    output: Path
    before: str | None
    root: Path
    url: str
    listen: str
    send_file: str
    keys_file: Path
    cache_dir: Path
    site: Site
    web_server: WebServer | None = None
    web_group: str | None = None
    found_site: FoundSite | None = None
    other_sites: tuple[FoundSite, ...] = ()
    into_web_server: bool = False
    database: str | None = None
    table_prefix: str | None = None
    database_sql: tuple[str, ...] = ()
    database_removal: tuple[str, ...] = ()
    database_lags: bool = False
    user: str | None = None
    may_read: str | None = None
    has_unit: bool = False
    is_enabled: bool = False
    needs_user: bool = False
    piwigo_has: frozenset[str] = frozenset()
    originals: tuple[Path, ...] = ()
    database_hosts: tuple[str, ...] = ()
    drop_ins: tuple[Path, ...] = ()
    shared: frozenset[Place] = frozenset()
    own_group: str | None = None
    there: Mapping[Path, str] = field(default_factory=dict)
    further: tuple[str, ...] = ()

    @property
    def wants_database_user(self) -> bool:
        """Whether the statements are to be run: for the first time, or for what Piwigo has added since."""
        return bool(self.database_sql) and (self.database is None or self.database_lags)

    @property
    def extras(self) -> Path:
        """The folder beside the configuration for what is not the configuration."""
        return extras_of(self.output)

    @property
    def sql_file(self) -> Path:
        """Where the statements for the database user lie."""
        return sql_file_of(self.output)

    @property
    def snippets(self) -> Path:
        """Where the web server's files go."""
        if self.web_server is None or not self.into_web_server:
            return self.extras / (self.web_server or "web-server")
        return FOLDERS[self.web_server]
