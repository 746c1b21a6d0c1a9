"""The one kind of error that is told to the owner in a line of its own, wherever it is raised. Nothing else."""

from __future__ import annotations


class OwnerError(Exception):
    """Something that the owner can mend: the message is one line that says what is wrong, where, and what to do."""
