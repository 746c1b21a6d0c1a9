"""What an owner's files set, all together.

Pure. What only a running PHP could know is named, so that the caller can refuse to go on. No value is ever part of a
message.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pwgserve.phpconfig.expressions import CONF
from pwgserve.phpconfig.files import Files, PhpConfigError
from pwgserve.phpconfig.operators import Php
from pwgserve.phpconfig.statements import Reading
from pwgserve.piwigo.conf import ConfValue
from pwgserve.piwigo.tables import CONSTANTS, LOCAL_DIR


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
