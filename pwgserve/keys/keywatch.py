"""Tells a running process of new keys: reads the keys file again when it changed, and knows when keys begin and end.

What a ring means at a moment is in `keyring`.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog

from pwgserve.keys import keys_file, plugin_file
from pwgserve.keys.keyring import KeyRing
from pwgserve.keys.keys_file import KeysError
from pwgserve.settings import Settings

LIFE = 1.5
"""How many times its `ttl` a link lives at most, see `links.expiry`."""

LOOK_SECONDS = 1.0
"""How often the file is looked at. New keys do not sign before all processes have done so a few times."""

_log = structlog.get_logger("keys")


def lifetime(settings: Settings) -> float:
    """How many seconds links live at most. Those that the plugin writes into mails live longer. Blocks."""
    links = settings.links
    has_plugin = os.path.exists(settings.piwigo.root / plugin_file.NAME)  # noqa: PTH110 (False where it may not look)
    return LIFE * (max(links.ttl, links.message_ttl) if has_plugin else links.ttl)


class KeyWatch:
    """The keys of a file as they count now. ring: what was in it; lifetime: how many seconds links live at most.

    `open` makes one.
    """

    def __init__(self, file: Path, ring: KeyRing, lifetime: Callable[[], float]) -> None:
        self._file = file
        self._ring = ring
        self._lifetime = lifetime
        self._version: tuple[int, ...] | None = None  # whatever came between reading the ring and now is read again
        self._problem = ""
        self.now = ring.at(time.time(), lifetime())

    @classmethod
    def open(cls, settings: Settings) -> KeyWatch:
        """The keys that the settings name, made if missing. Raises KeysError. Blocks."""
        file = settings.links.keys_file
        return cls(file, keys_file.load_or_create(file), lambda: lifetime(settings))

    async def follow(self, users: Sequence[Callable[[KeyRing], None]]) -> None:
        """Tell all users whenever other keys count than before, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            current = await asyncio.to_thread(self._look)
            if current != self.now:
                self.now = current
                for use in users:
                    use(current)

    def _look(self) -> KeyRing:
        version = _version(self._file)
        if version != self._version and self._read():
            self._version = version
        return self._ring.at(time.time(), self._lifetime())

    def _read(self) -> bool:
        """Take what is in the file; whether it can be read. What is wrong is told once, and may be mended meanwhile."""
        try:
            found = keys_file.load(self._file)
        except (KeysError, OSError) as error:
            problem = str(error) if isinstance(error, KeysError) else "the keys file is gone"
            if problem != self._problem:
                _log.error("keys-not-read", problem=problem, consequence="the keys of before go on")
            self._problem = problem
            return False
        self._problem = ""
        if found.stable_key != self._ring.stable_key:
            _log.error("keys-replaced", problem="the keys file is another one; restart the daemon to use it")
            return True
        if found != self._ring:
            _log.info("keys-read", keys=len(found.link_keys))
        self._ring = found
        return True


def _version(file: Path) -> tuple[int, ...] | None:
    """What changes when the file does; None when it is not there."""
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size
