"""Reads values that PHP serialized: rows of table `config`, and sessions.

Strict and pure: hostile input gives `PhpValueError`, never an object of ours, never code, never deep recursion.
Session rows hold strings that visitors chose, so they are parsed by their grammar and not searched for a pattern.
Objects become `PhpObject`. References (`R:`, `r:`) stand for None: nothing that we read is ever one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

PhpValue: TypeAlias = "bool | int | float | bytes | dict[int | bytes, PhpValue] | PhpObject | None"

MAX_DEPTH = 64
_INTEGER = re.compile(rb"[+-]?[0-9]{1,19}")
_FLOAT = re.compile(rb"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
# Names of Piwigo and its plugins. What begins the rows of PHP's other handlers is none of these, so that a text that
# somebody wrote into such a row is never taken for variables.
_SESSION_NAME = re.compile(rb"[A-Za-z0-9_][A-Za-z0-9_ ./@:,=+-]*")
_FLOAT_WORDS = {b"INF": float("inf"), b"-INF": float("-inf"), b"NAN": float("nan")}


class PhpValueError(ValueError):
    """The bytes are not a serialized PHP value."""


@dataclass(frozen=True)
class PhpObject:
    """An object of class `name`; `fields` maps its property names, without visibility marks, to values."""

    name: bytes
    fields: Mapping[bytes, PhpValue] = field(default_factory=dict)


def unserialize(data: bytes) -> PhpValue:
    """The value in `data`, strings as bytes and arrays as dicts in their order. Raises PhpValueError."""
    reader = _Reader(data)
    value = reader.value()
    if reader.position != len(data):
        raise PhpValueError("there is more after the value")
    return value


def session_values(data: bytes) -> dict[bytes, PhpValue]:
    """The variables of a session row: `name|value` over and over (PHP's `session.serialize_handler = php`).

    Raises PhpValueError.
    """
    reader = _Reader(data)
    values: dict[bytes, PhpValue] = {}
    while reader.position < len(data):
        name = reader.until(b"|")
        if not _SESSION_NAME.fullmatch(name):
            raise PhpValueError("a session variable without a name, or a session of another serialize_handler")
        values[name] = reader.value()
    return values


class _Reader:
    """A position in serialized bytes, moving on as values are read."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.position = 0

    def value(self, depth: int = 0) -> PhpValue:
        if depth > MAX_DEPTH:
            raise PhpValueError(f"nested deeper than {MAX_DEPTH}")
        kind = self._take(1)
        if kind == b"N":
            self._expect(b";")
            return None
        self._expect(b":")
        match kind:
            case b"b":
                return self._integer_until(b";") != 0
            case b"i":
                return self._integer_until(b";")
            case b"d":
                return self._float()
            case b"s":
                text = self._counted()
                self._expect(b";")
                return text
            case b"E":
                self._counted()
                self._expect(b";")
                return None
            case b"R" | b"r":
                self._integer_until(b";")
                return None
            case b"a":
                return self._items(depth)
            case b"O":
                name = self._counted()
                self._expect(b":")
                return PhpObject(name, {_property(key): item for key, item in self._items(depth).items()})
            case b"C":
                name = self._counted()
                self._expect(b":")
                length = self._length()
                self._expect(b"{")
                self._take(length)
                self._expect(b"}")
                return PhpObject(name)
        raise PhpValueError(f"unknown kind of value at byte {self.position}")

    def until(self, mark: bytes) -> bytes:
        end = self.data.find(mark, self.position)
        if end < 0:
            raise PhpValueError("the data end too early")
        found = self.data[self.position : end]
        self.position = end + len(mark)
        return found

    def _items(self, depth: int) -> dict[int | bytes, PhpValue]:
        count = self._length()
        self._expect(b"{")
        items: dict[int | bytes, PhpValue] = {}
        for _ in range(count):
            key = self.value(depth + 1)
            if isinstance(key, bool) or not isinstance(key, int | bytes):
                raise PhpValueError("an array key is neither a number nor a string")
            items[key] = self.value(depth + 1)
        self._expect(b"}")
        return items

    def _counted(self) -> bytes:
        length = self._length()
        self._expect(b'"')
        text = self._take(length)
        self._expect(b'"')
        return text

    def _length(self) -> int:
        length = self._integer_until(b":")
        if not 0 <= length <= len(self.data):
            raise PhpValueError("a length that the data do not have")
        return length

    def _integer_until(self, mark: bytes) -> int:
        text = self.until(mark)
        if not _INTEGER.fullmatch(text):
            raise PhpValueError("not a whole number")
        return int(text)

    def _float(self) -> float:
        text = self.until(b";")
        if text in _FLOAT_WORDS:
            return _FLOAT_WORDS[text]
        if not _FLOAT.fullmatch(text):
            raise PhpValueError("not a number")
        return float(text)

    def _take(self, length: int) -> bytes:
        end = self.position + length
        if end > len(self.data):
            raise PhpValueError("the data end too early")
        taken = self.data[self.position : end]
        self.position = end
        return taken

    def _expect(self, mark: bytes) -> None:
        if self._take(len(mark)) != mark:
            raise PhpValueError(f"expected {mark.decode()!r} before byte {self.position}")


def _property(key: int | bytes) -> bytes:
    """A property's bare name: PHP writes `\\0*\\0name` for protected and `\\0Class\\0name` for private ones."""
    name = key if isinstance(key, bytes) else str(key).encode()
    return name.rpartition(b"\0")[2]
