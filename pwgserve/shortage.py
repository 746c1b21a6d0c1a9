"""Tells "there is no such file" from "this machine has run short": the second must never look like the first. Pure."""

from __future__ import annotations

import errno

_MISSING = {
    errno.ENOENT,
    errno.ENOTDIR,
    errno.ELOOP,
    errno.EACCES,
    errno.EPERM,
    errno.ENAMETOOLONG,
    errno.EINVAL,
    errno.EISDIR,
    errno.ENXIO,
    errno.ENODEV,
}

_OF_MACHINE = {errno.EMFILE, errno.ENFILE, errno.ENOMEM}


class ShortageError(Exception):
    """The machine could not say whether a file is there: out of descriptors or memory, or its disk fails."""


def is_of_machine(error: Exception) -> bool:
    """Whether nothing else can be opened either, as the process is out of descriptors or memory."""
    return isinstance(error.__cause__, OSError) and error.__cause__.errno in _OF_MACHINE


def is_missing(error: OSError) -> bool:
    """Whether an error of opening a file means that there is none (for us)."""
    return error.errno in _MISSING
