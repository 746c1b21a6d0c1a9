"""The owner's `local/config/config.inc.php` and `database.inc.php`, and the files that they include, as they are now.

Nothing is executed. What PHP would have to compute is refused, unless `[piwigo.conf]` says it.
"""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeAlias

from pwgserve.phpconfig.config import PhpConfig, Source, read_all
from pwgserve.phpconfig.database import DatabaseSettings, database_settings
from pwgserve.phpconfig.files import MAX_BYTES, Files, PhpConfigError
from pwgserve.piwigo.conf import DECIDING, SETTING_NAMES, ConfError, ConfValue, PiwigoConf, from_words
from pwgserve.piwigo.gallery import GalleryConfigurationError

OWNER_FILE = Path("local/config/config.inc.php")
DATABASE_FILE = Path("local/config/database.inc.php")
"""Comes after the other one, and may set the same."""

Version: TypeAlias = tuple[int, int, int] | None


class OwnerFile:
    """The owner's configuration, read again whenever it changes. Blocks: call it in a thread.

    tables: names of tables by Piwigo's constants, which the owner has chosen. database_file: where Piwigo looks for it.
    """

    def __init__(self, root: Path, overrides: Mapping[str, ConfValue]) -> None:
        self._root = root
        self._file = root / OWNER_FILE
        self._overrides = overrides
        # Settings may be asked for by several threads at once.
        self._lock = threading.Lock()
        self._versions: dict[str, Version] = {}
        self._conf: PiwigoConf | None = None
        self.warnings: tuple[str, ...] = ()
        self.tables: Mapping[str, str] = {}
        self.database_file = root / DATABASE_FILE
        self._database: PhpConfig | OSError | None = None

    def conf(self) -> PiwigoConf:
        """Piwigo's defaults overlaid with the file, then with `[piwigo.conf]`. Raises GalleryConfigurationError."""
        try:
            with self._lock:
                if self._conf is None or any(_version(path) != known for path, known in self._versions.items()):
                    self._conf = None
                    self._conf = self._read()
                return self._conf
        except OSError as error:
            raise GalleryConfigurationError(f"{self._file}: cannot read it: {error.strerror}") from error
        except (PhpConfigError, ConfError) as error:
            place = "" if str(error).startswith("/") else f"{self._file}: "
            raise GalleryConfigurationError(f"{place}{error}") from error

    def database(self) -> DatabaseSettings | None:
        """Piwigo's own access to its database, as of the last `conf`; None where there is no file of it.

        Raises GalleryConfigurationError.
        """
        if isinstance(self._database, OSError):
            raise _unreadable(self.database_file, self._database, "piwigo.database and piwigo.table_prefix")
        try:
            return database_settings(self._database, str(self.database_file)) if self._database else None
        except PhpConfigError as error:
            raise GalleryConfigurationError(str(error)) from error

    def _read(self) -> PiwigoConf:
        self._versions = {}
        files = Files(os.path.realpath(self._root), self._content, os.path.realpath)
        sources = self._sources(self._file)
        local_dir = read_all(sources, files).local_dir or "local/"
        self.database_file = Path(f"{self._root}/{local_dir}config/{DATABASE_FILE.name}")
        self._database = None
        try:
            of_database = self._sources(self.database_file)
        except OSError as error:
            self._database, of_database = error, []
            missing = DECIDING - set(self._overrides)
            if missing:
                told = f"under [piwigo.conf], because it may set them: {_listed(missing)}"
                raise _unreadable(self.database_file, error, f"piwigo.database, and {told}") from error
        found = read_all([*sources, *of_database], files)
        self.warnings, self.tables = found.warnings, found.tables
        if of_database:
            self._database = found
        self._check(found)
        known = {name: value for name, value in found.conf.items() if name not in self._overrides}
        return PiwigoConf().updated(known).updated(from_words(self._overrides))

    def _sources(self, file: Path) -> list[Source]:
        """The file as PHP has it (in __DIR__), none where there is none. Raises OSError."""
        content = self._content(str(file))
        return [] if content is None else [Source(content, str(file), os.path.realpath(file))]

    def _check(self, found: PhpConfig) -> None:
        """Raises GalleryConfigurationError for what nobody knows."""
        for name in sorted(SETTING_NAMES & found.unknown - set(self._overrides)):
            raise GalleryConfigurationError(
                f"{found.where[name]}: $conf['{name}'] is set in a way that only PHP can follow; "
                f"write its value under [piwigo.conf], like: {name} = …"
            )
        missing = [name for name in DECIDING - set(self._overrides) if found.is_unknown(name)]
        if missing:
            raise GalleryConfigurationError(
                f"{found.anything}; write plain assignments instead (and whole paths of included files, like "
                f"__DIR__ . '/more.php'), or all of these under [piwigo.conf]: {_listed(missing)}"
            )

    def _content(self, path: str) -> bytes | None:
        """The beginning of a file, None where there is none; its version is remembered. Raises OSError."""
        self._versions[path] = version = _version(path)
        return content(path) if version is not None else None


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))


def _unreadable(file: Path, error: OSError, instead: str) -> GalleryConfigurationError:
    return GalleryConfigurationError(
        f"{file}: cannot read it: {error.strerror}; run this as root (sudo), or let a group of this user read it "
        f"(chmod g+r), or give {instead}"
    )


def content(path: str) -> bytes:
    """The beginning of a file that may be a configuration. Raises OSError."""
    if not stat.S_ISREG(Path(path).stat().st_mode):
        raise IsADirectoryError(0, "not a file")
    with Path(path).open("rb") as file:
        return file.read(MAX_BYTES + 1)


def _version(path: str) -> Version:
    try:
        status = Path(path).stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
