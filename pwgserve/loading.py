"""Loading code quickly: every command, start and reload waits for it. Which code, is up to those who use this."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from collections.abc import Iterator

_CERTIFICATES = "SSL_CERT_FILE"
"""The variable that tells OpenSSL where they are."""


@contextlib.contextmanager
def for_good() -> Iterator[None]:
    """Let Python not search for garbage in what is loaded: next to nothing of it ever becomes any.

    It would search many times while more and more is loaded, and through all of it once more when the process ends:
    together that takes as long as half of the loading.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


@contextlib.contextmanager
def for_serving() -> Iterator[None]:
    """`for_good`, and let libraries not load what no process of the service uses.

    structlog would colour tracebacks with rich, and aiohttp's client would read all that the system trusts.
    """
    before = os.environ.get(_CERTIFICATES)
    os.environ[_CERTIFICATES] = os.devnull
    sys.modules["rich"] = None  # type: ignore[assignment]
    try:
        with for_good():
            yield
    finally:
        # A database that is reached by TLS does need them.
        del os.environ[_CERTIFICATES]
        if before is not None:
            os.environ[_CERTIFICATES] = before
