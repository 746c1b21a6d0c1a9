"""Reads an owner's `local/config/config.inc.php` and `database.inc.php` without running them.

Pure. What only a running PHP could know is named, never guessed, so that the caller can refuse to go on. How statements
are read is in `phpreading`. No value is ever part of a message.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

from pwgserve.piwigo.conf import ConfValue
from pwgserve.piwigo.phpfiles import Files, PhpConfigError
from pwgserve.piwigo.phpoperators import Php
from pwgserve.piwigo.phpreading import Reading
from pwgserve.piwigo.phpsyntax import CONF
from pwgserve.piwigo.tables import CONSTANTS, LOCAL_DIR

__all__ = ["DEFAULT_PREFIX", "DatabaseSettings", "Files", "PhpConfig", "PhpConfigError", "database_settings", "read"]

DEFAULT_PREFIX = "piwigo_"


@dataclass(frozen=True, repr=False)
class Source:
    """An owner's file. `name`: in messages; `path`: its own, as PHP has it, for files that it includes."""

    content: bytes
    name: str
    path: str


@dataclass(frozen=True, repr=False)
class PhpConfig:
    """What files set. `unknown`: names of `$conf` settings whose values only PHP knows; `warnings` tell where.

    anything: where something may have set any entry that is not in `conf`, if so. where: the places of the unknown
    ones. tables: names of tables by their constants, as far as the files define them.
    """

    conf: Mapping[str, ConfValue]
    variables: Mapping[str, ConfValue]
    unknown: frozenset[str]
    warnings: tuple[str, ...]
    anything: str | None = None
    where: Mapping[str, str] = field(default_factory=dict)
    tables: Mapping[str, str] = field(default_factory=dict)
    local_dir: str | None = None
    unknown_variables: frozenset[str] = frozenset()

    def is_unknown(self, name: str) -> bool:
        """Whether only PHP knows the value of a setting."""
        return name in self.unknown or (self.anything is not None and name not in self.conf)


@dataclass(frozen=True, repr=False)
class DatabaseSettings:
    """Piwigo's own access to its database. `host` as PHP takes it: a name, `name:port` or `localhost:/socket`."""

    user: str
    password: str
    host: str
    base: str
    prefix: str

    def url(self, local_socket: str | None = None) -> str:
        """The address as in `piwigo.database`. local_socket: what PHP means by `localhost` on this machine."""
        host, _, detail = self.host.partition(":")
        if self.host.count(":") > 1 and not detail.startswith("/"):
            host, detail = self.host.strip("[]"), ""
            if "]:" in self.host:
                host, _, detail = self.host.strip("[").partition("]:")
        socket = detail if detail.startswith("/") else None
        if socket is None and not detail and host in ("", "localhost"):
            socket = local_socket
        host = host or "localhost"
        place = f"[{host}]" if ":" in host else quote(host, safe="")
        port = f":{detail}" if detail.isdecimal() and detail.isascii() else ""
        access = f"{_quoted(self.user)}:{_quoted(self.password)}"
        suffix = f"?unix_socket={_quoted(socket)}" if socket else ""
        return f"mysql://{access}@{place}{port}/{_quoted(self.base)}{suffix}"


def read(source: bytes, file: str, files: Files | None = None, path: str = "") -> PhpConfig:
    """What one file sets, as `read_all`. `file` is named in messages; path: as of Source."""
    return read_all([Source(source, file, path or file)], files)


def read_all(sources: Sequence[Source], files: Files | None = None) -> PhpConfig:
    """What these files set, one after the other.

    Raises PhpConfigError when one is not PHP, or cannot be followed in a way that no other setting could mend.
    """
    reading = Reading(files or Files(), frozenset((*CONSTANTS, LOCAL_DIR)))
    for source in sources:
        reading.read(source.content, source.name, source.path)
    reading.end()
    names = reading.names
    variables = {name: item for name, item in names.variables.items() if name != CONF}
    forgotten = names.forgotten if names.forgotten is not None else {"prefixeTable"}
    return PhpConfig(
        conf={str(name): _plain(item) for name, item in reading.conf.items()},
        variables={name: _plain(item) for name, item in variables.items()},
        unknown=frozenset(reading.unknown),
        warnings=tuple(reading.warnings),
        anything=reading.anything,
        where=reading.unknown,
        tables={name: _constant(reading, name) for name in CONSTANTS if _is_defined(reading, name)},
        local_dir=_constant(reading, LOCAL_DIR) if _is_defined(reading, LOCAL_DIR) else None,
        unknown_variables=frozenset(forgotten - set(variables)),
    )


def database_settings(found: PhpConfig, file: str) -> DatabaseSettings:
    """The access to the database that was set. `file`: where it should be. Raises PhpConfigError."""
    instead = "give piwigo.database and piwigo.table_prefix instead"
    texts = {}
    for name in ("db_user", "db_password", "db_host", "db_base"):
        item = found.conf.get(name, "" if name == "db_password" else None)
        if not isinstance(item, str | int) or isinstance(item, bool) or found.is_unknown(name):
            raise PhpConfigError(f"{file}: $conf['{name}'] is not set to a plain text; {instead}")
        texts[name] = str(item)
    prefix = found.variables.get("prefixeTable", DEFAULT_PREFIX)
    if not isinstance(prefix, str) or "prefixeTable" in found.unknown_variables:
        raise PhpConfigError(f"{file}: $prefixeTable is not set to a plain text; {instead}")
    return DatabaseSettings(texts["db_user"], texts["db_password"], texts["db_host"], texts["db_base"], prefix)


def _is_defined(reading: Reading, name: str) -> bool:
    return name in reading.names.constants or name in reading.unknown_constants


def _constant(reading: Reading, name: str) -> str:
    """A constant that decides which tables are read: it must be known. Raises PhpConfigError."""
    found = reading.names.constants.get(name)
    if not isinstance(found, str) or not found:
        where = reading.unknown_constants.get(name)
        place = f"{where}: " if where else ""
        raise PhpConfigError(
            f"{place}{name} is defined in a way that only PHP can follow; define it as a plain text, before all else"
        )
    return found


def _plain(item: Php) -> ConfValue:
    if not isinstance(item, dict):
        return item
    if list(item) == list(range(len(item))):
        return [_plain(inner) for inner in item.values()]
    return {str(key): _plain(inner) for key, inner in item.items()}


def _quoted(text: str) -> str:
    return quote(text, safe="")
