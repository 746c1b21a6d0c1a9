"""What every database has in common: questions with values, rows as answers, and errors. Pure.

A question has a mark, `%s`, for each of its values, and `IN %s` for a list of them. What else is put into its text, the
names of tables, comes from `schema` alone.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, TypeAlias

Row: TypeAlias = tuple[Any, ...]
Item: TypeAlias = str | int | None
Value: TypeAlias = Item | Collection[str] | Collection[int]


class DatabaseError(Exception):
    """The database did not answer, or said why not. kind: of the driver's error. number: MySQL's, None of others."""

    def __init__(self, kind: str, number: int | None, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.number = number
        self.message = message


def with_values(question: str, values: Sequence[Value], literal: Callable[[Item], str]) -> str:
    """A question with the text of each value in its place. literal: what stands for an item in this database's SQL."""
    return question % tuple(_text(value, literal) for value in values)


def _text(value: Value, literal: Callable[[Item], str]) -> str:
    if value is None or isinstance(value, str | int):
        return literal(value)
    # Nothing equals NULL, so nothing is in an empty list.
    return f"({', '.join(literal(item) for item in value) or literal(None)})"
