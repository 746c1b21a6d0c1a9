"""What is wrong with a setting, in words for its owner: what would be right, not what a library expected.

Pure. Where a setting comes from, and which there are, is known in `settings`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

DURATION = 'write a duration like "30m" (ms, s, m, h or d), or a number of seconds'

_LISTS = {
    "server.trusted_proxies": '["127.0.0.1/32"]',
    "server.own_addresses": '["203.0.113.7"]',
    "piwigo.originals": '["/srv/photos"]',
    "render.formats": '["avif", "webp"]',
}
_LETTERS = {
    "links.prefix": 'use small letters (a-z), digits, "_" and "-" only, 40 at most',
    "server.internal_prefix": 'write a path like "/_pwgserve", of letters, digits, "_", "-" and "/", with no "/" last',
}
_RIGHT = {
    "path_type": 'write a path in quotes, like "/srv/photos"',
    "byte_size": 'write a size like "20GB"',
    "byte_size_unit": 'write a size like "20GB"',
    "bool_type": "write true or false",
    "bool_parsing": "write true or false",
    "int_type": "write a whole number",
    "int_parsing": "write a whole number",
    "int_parsing_size": "write a smaller number",
    "int_from_float": "write a whole number",
    "float_type": DURATION,
    "float_parsing": DURATION,
    "string_type": "write a string, in quotes",
}


def in_words(problem: ErrorDetails) -> str:
    """What would be right in the place of a wrong value."""
    key = ".".join(str(part) for part in problem["loc"])
    match problem["type"]:
        case "tuple_type":
            return f"write a list like {_LISTS[key]}" if key in _LISTS else "write a list, in brackets"
        case "model_type" | "dict_type":
            return f"write a table, [{key}]"
        case "string_pattern_mismatch" if key in _LETTERS:
            return _LETTERS[key]
        case kind if kind in _RIGHT:
            return _RIGHT[kind]
    message = problem["msg"].removeprefix("Value error, ")
    return f"{message[:1].lower()}{message[1:]}"


def variable_of(location: Sequence[int | str], environment: Mapping[str, str], prefix: str) -> str | None:
    """The environment variable that a value came from, None if it is not from there."""
    names = {name.upper(): name for name in environment}
    for length in range(len(location), 0, -1):
        name = names.get(prefix + "__".join(str(part) for part in location[:length]).upper())
        if name is not None and _holds(environment[name], location[length:]):
            return name
    return None


def _holds(value: str, location: Sequence[int | str]) -> bool:
    """Whether a variable that stands for a whole table says something of a key in it."""
    try:
        found: Any = json.loads(value)
    except ValueError:
        return True
    for part in location:
        if not isinstance(found, dict):
            break
        if part not in found:
            return False
        found = found[part]
    return True
