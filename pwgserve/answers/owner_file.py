"""The owner's `local/config/config.inc.php`, and the files that it includes, as they are now.

Nothing is executed. What PHP would have to compute is refused, unless `[piwigo.conf]` says it.
"""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

from pwgserve.piwigo.conf import DECIDING, SETTING_NAMES, ConfError, ConfValue, PiwigoConf, from_words
from pwgserve.piwigo.gallery import GalleryConfigurationError
from pwgserve.piwigo.phpconfig import Files, PhpConfig, PhpConfigError, read
from pwgserve.piwigo.phpfiles import MAX_BYTES

OWNER_FILE = Path("local/config/config.inc.php")

Version: TypeAlias = tuple[int, int, int] | None


class OwnerFile:
    """The owner's configuration, read again whenever it changes. Blocks: call it in a thread.

    tables: names of tables by Piwigo's constants, which the owner has chosen. local_dir: where Piwigo looks for
    `config/database.inc.php`, if elsewhere than in `local/`.
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
        self.local_dir: str | None = None

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

    def _read(self) -> PiwigoConf:
        conf = PiwigoConf()
        self._versions = {}
        self.warnings, self.tables, self.local_dir = (), {}, None
        content = self._content(str(self._file))
        if content is not None:
            # As PHP has it in __DIR__.
            path = os.path.realpath(self._file)
            found = read(content, str(self._file), Files(os.path.realpath(self._root), self._content), path)
            self.warnings, self.tables, self.local_dir = found.warnings, found.tables, found.local_dir
            self._check(found)
            conf = conf.updated({name: value for name, value in found.conf.items() if name not in self._overrides})
        return conf.updated(from_words(self._overrides))

    def _check(self, found: PhpConfig) -> None:
        """Raises GalleryConfigurationError for what nobody knows."""
        for name in sorted(SETTING_NAMES & found.unknown - set(self._overrides)):
            raise GalleryConfigurationError(
                f"{found.where[name]}: $conf['{name}'] is set in a way that only PHP can follow; "
                f"write its value under [piwigo.conf], like: {name} = …"
            )
        missing = sorted(name for name in DECIDING - set(self._overrides) if found.is_unknown(name))
        if missing:
            raise GalleryConfigurationError(
                f"{found.anything}; write plain assignments instead (and whole paths of included files, like "
                f"__DIR__ . '/more.php'), or all of these under [piwigo.conf]: {', '.join(missing)}"
            )

    def _content(self, path: str) -> bytes | None:
        """The beginning of a file, None where there is none; its version is remembered. Raises OSError."""
        self._versions[path] = version = _version(path)
        return content(path) if version is not None else None


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
