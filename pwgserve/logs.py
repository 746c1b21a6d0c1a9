"""What is told on standard error, and that nothing else is: no library's message, which may quote a request.

Every event is a name with values; values are numbers, addresses and words of ours, never a path, cookie or token.
"""

from __future__ import annotations

import asyncio
import atexit
import logging
from typing import Any

import structlog

from pwgserve.log_lines import Lines, to_standard_error

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}

_lines = Lines("log", to_standard_error)
atexit.register(_lines.close)


def configure(level: str, form: str) -> None:
    """Set up logging for the process. level: debug, info, warning or error. form: text or json."""
    logging.disable(logging.CRITICAL)
    renderer: Any = structlog.processors.JSONRenderer()
    if form == "text":
        renderer = structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"])
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=lambda *_: _Output(),
        cache_logger_on_first_use=False,
    )


class _Output:
    """Hands lines over to be written to standard error, and says how many were lost when that goes on."""

    told = 0

    def msg(self, line: str) -> None:
        lost = _lines.lost - _Output.told
        if lost and not _lines.waiting:
            _Output.told += lost
            log = structlog.get_logger("logs")
            log.warning("log-lines-lost", lines=lost)
        _lines.put(f"{line}\n")

    debug = info = warning = error = msg


def watch(loop: asyncio.AbstractEventLoop) -> None:
    """Let the loop's complaints about forgotten errors name their kind only, and the task that they are about."""
    log = structlog.get_logger("loop")

    def complain(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        task = context.get("task") or context.get("future")
        work = getattr(task.get_coro(), "__qualname__", "") if isinstance(task, asyncio.Task) else ""
        log.error(
            "unexpected-error",
            error=type(context.get("exception")).__name__,
            at=f"{str(context.get('message'))[:40]} {work}".rstrip(),
        )

    loop.set_exception_handler(complain)
