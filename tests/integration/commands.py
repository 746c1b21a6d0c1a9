"""The commands of `pwgserve` as an owner runs them, with a configuration file: as processes, or in this one."""

import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import structlog
from click.testing import CliRunner
from daemon import settings_for, toml
from galleries import TestGallery
from ports import free_port

from pwgserve.cli import main

COMMAND = [sys.executable, "-m", "pwgserve"]
ENVIRONMENT = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "200"}


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str


def here(*words: str, **environment: str) -> Done:
    """What `pwgserve WORDS…` says, run in this process: most commands are done long before another has loaded its code.

    Not for what becomes another user, ends by a signal, or is about the process itself.
    """
    try:
        told = CliRunner(env={"COLUMNS": "300", **environment}).invoke(main, words)
    finally:
        # What the command has set for all of its process.
        structlog.reset_defaults()
        logging.disable(logging.NOTSET)
    if told.exception is not None and not isinstance(told.exception, SystemExit):
        raise told.exception
    return Done(told.exit_code, told.stdout, told.stderr)


class Installation:
    """A configuration file for a gallery. `changes`: settings as {"links": {"ttl": "2s"}}."""

    def __init__(self, gallery: TestGallery, directory: Path, port: int | None = None, **changes) -> None:
        directory.mkdir(exist_ok=True, parents=True)
        self.file = directory / "pwgserve.toml"
        self.cache = directory / "cache"
        tables = settings_for(gallery, directory, port or free_port())
        for table, values in changes.items():
            tables.setdefault(table, {}).update(values)
        self.file.write_text(toml(tables))

    def run(self, *words: str, timeout: float = 560, preexec: Callable[[], None] | None = None) -> Done:
        """`pwgserve WORDS… --config FILE`. timeout: seconds; `warm` goes behind all else that the machine does.

        preexec: is called in the new process.
        """
        done = subprocess.run(
            [*COMMAND, *words, "--config", str(self.file)],
            capture_output=True,
            text=True,
            env=ENVIRONMENT,
            timeout=timeout,
            stdin=subprocess.DEVNULL,
            preexec_fn=preexec,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return Done(done.returncode, done.stdout, done.stderr)

    def here(self, *words: str) -> Done:
        """`pwgserve WORDS… --config FILE` in this process, as `here`."""
        return here(*words, "--config", str(self.file))

    def warmed(self, *words: str, preexec: Callable[[], None] | None = None) -> Done:
        """`pwgserve warm`, and again for what the machine was too busy for: it goes behind all else that it does."""
        for _ in range(5):
            done = self.run("warm", *words, preexec=preexec)
            if "did not start" not in done.out and "takes longer" not in done.out:
                break
        return done

    def begin(self, *words: str) -> subprocess.Popen[str]:
        """Start it as a terminal does: Ctrl-C reaches it, also when what runs the tests ignores that (`make test &`).

        Ctrl-Z, too: the kernel stops no process whose shell could not let it go on.
        """
        return subprocess.Popen(
            [*COMMAND, *words, "--config", str(self.file)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
            process_group=0,
        )

    def derivatives(self) -> list[Path]:
        return sorted(path for path in self.cache.glob("??/??/*") if path.is_file())
