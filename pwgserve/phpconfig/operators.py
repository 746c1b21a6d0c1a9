"""PHP's values and what its operators make of them.

Pure. What is not certain raises `UnknownValueError`: nothing is guessed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeAlias

Php: TypeAlias = "bool | int | float | str | dict[int | str, Php] | None"
"""A PHP value. Arrays are dicts in their order; lists have the keys 0, 1, …"""

MAX_TEXT = 1_000_000
MAX_ITEMS = 100_000
_DECIMAL_KEY = re.compile(r"0|-?[1-9][0-9]{0,17}")


class UnknownValueError(ValueError):
    """The expression's value is only known to a running PHP."""


def array_key(found: Php) -> int | str:
    """A value as PHP uses it for an array's key. Raises UnknownValueError."""
    if isinstance(found, str):
        return int(found) if _DECIMAL_KEY.fullmatch(found) else found
    if isinstance(found, bool | int | float) and math.isfinite(found):
        return int(found)
    if found is None:
        return ""
    raise UnknownValueError


def as_text(found: Php) -> str:
    """A value joined into a text, as PHP writes it. Raises UnknownValueError."""
    if isinstance(found, str):
        return found
    if isinstance(found, bool):
        return "1" if found else ""
    if isinstance(found, int):
        return str(found)
    if found is None:
        return ""
    raise UnknownValueError


def joined(texts: Sequence[str]) -> str:
    """Texts put together. Raises UnknownValueError when that is more than a configuration holds."""
    if sum(map(len, texts)) > MAX_TEXT:
        raise UnknownValueError
    return "".join(texts)


def is_true(found: Php) -> bool:
    """A value as a condition."""
    return found not in ("", "0", 0, 0.0, False, None) and found != {}


def appended(array: dict[int | str, Php], item: Php) -> None:
    """Put an item at an array's end (`$a[] = …`)."""
    array[max((key for key in array if isinstance(key, int)), default=-1) + 1] = item


def merged(arrays: Iterable[Php]) -> Php:
    """What `array_merge` makes of arrays. Raises UnknownValueError."""
    found: dict[int | str, Php] = {}
    for array in arrays:
        if not isinstance(array, dict):
            raise UnknownValueError
        for key, item in array.items():
            if isinstance(key, int):
                appended(found, item)
            else:
                found[key] = item
    return found


def copied(found: Php) -> Php:
    """A value of its own: PHP copies arrays when it assigns them. Raises UnknownValueError when it is endless."""
    left = [MAX_ITEMS]

    def copy(item: Php) -> Php:
        left[0] -= 1
        if left[0] < 0:
            raise UnknownValueError
        return {key: copy(inner) for key, inner in item.items()} if isinstance(item, dict) else item

    return copy(found)


def operated(operator: str, left: Php, right: Php) -> Php:
    """The result of an operator on two values. Raises UnknownValueError."""
    if operator == ".":
        return joined([as_text(left), as_text(right)])
    if operator == "+" and isinstance(left, dict) and isinstance(right, dict):
        return left | {key: item for key, item in right.items() if key not in left}
    if operator in ("&&", "and"):
        return is_true(left) and is_true(right)
    if operator in ("||", "or"):
        return is_true(left) or is_true(right)
    if operator in ("===", "!=="):
        if isinstance(left, dict) and isinstance(right, dict):
            raise UnknownValueError  # for PHP, order and kinds count in there as well
        same = type(left) is type(right) and left == right
        return same if operator == "===" else not same
    calculate = _ARITHMETIC.get(operator)
    if calculate is not None and type(left) is int and type(right) is int and max(abs(left), abs(right)) < 2**31:
        return calculate(left, right)
    raise UnknownValueError


_ARITHMETIC: Mapping[str, Callable[[int, int], int]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
}
