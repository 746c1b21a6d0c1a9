"""The values of PHP expressions that need no running program: literals, arrays, joined texts, known names.

Pure. Works on tree-sitter's syntax trees; which statements count is in `phpconfig`. Nothing is ever executed or
guessed: what is not understood raises `UnknownValueError`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from tree_sitter import Node

Php: TypeAlias = "bool | int | float | str | dict[int | str, Php] | None"
"""A PHP value. Arrays are dicts in their order; lists have the keys 0, 1, …"""

MAX_DEPTH = 60
_DECIMAL_KEY = re.compile(r"0|-?[1-9][0-9]{0,17}")
_ESCAPE = re.compile(
    r"\\(?:(?P<octal>[0-7]{1,3})|x(?P<hex>[0-9A-Fa-f]{1,2})|u\{(?P<code>[0-9A-Fa-f]+)\}|(?P<one>.))", re.S
)
_CONTROL = {"n": "\n", "t": "\t", "r": "\r", "v": "\v", "e": "\x1b", "f": "\f", "\\": "\\", "$": "$", '"': '"'}


class UnknownValueError(ValueError):
    """The expression's value is only known to a running PHP."""


@dataclass
class Names:
    """What is known so far: variables by name without the dollar, constants by name."""

    variables: dict[str, Php] = field(default_factory=dict)
    constants: dict[str, Php] = field(default_factory=dict)


def value(node: Node, names: Names, depth: int = 0) -> Php:
    """The value of an expression. Raises UnknownValueError."""
    if depth > MAX_DEPTH:
        raise UnknownValueError
    reader = _READERS.get(node.type)
    if reader is None:
        raise UnknownValueError
    return reader(node, names, depth + 1)


def text_of(node: Node) -> str:
    """The source text of a node. Raises UnknownValueError when it is not UTF-8."""
    try:
        return (node.text or b"").decode("utf-8")
    except UnicodeDecodeError as error:
        raise UnknownValueError from error


def array_key(found: Php) -> int | str:
    """A value as PHP uses it for an array's key. Raises UnknownValueError."""
    if isinstance(found, str):
        return int(found) if _DECIMAL_KEY.fullmatch(found) else found
    if isinstance(found, bool | int | float):
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


def is_true(found: Php) -> bool:
    """A value as a condition."""
    return found not in ("", "0", 0, 0.0, False, None) and found != {}


def appended(array: dict[int | str, Php], item: Php) -> None:
    """Put an item at an array's end (`$a[] = …`)."""
    array[max((key for key in array if isinstance(key, int)), default=-1) + 1] = item


def _string(node: Node, _names: Names, _depth: int) -> Php:
    parts = []
    for child in node.named_children:
        text = text_of(child)
        if child.type == "escape_sequence":
            text = text[1:] if text in ("\\\\", "\\'") else text
        elif child.type != "string_content":
            raise UnknownValueError
        parts.append(text)
    return "".join(parts)


def _encapsed(node: Node, names: Names, depth: int) -> Php:
    parts = []
    for child in node.named_children:
        if child.type == "string_content":
            parts.append(text_of(child))
        elif child.type == "escape_sequence":
            parts.append(_ESCAPE.sub(_escaped, text_of(child)))
        else:
            parts.append(as_text(value(child, names, depth)))
    return "".join(parts)


def _escaped(match: re.Match[str]) -> str:
    if match["one"] is not None:
        return _CONTROL.get(match["one"], match[0])
    code = int(match["octal"], 8) & 0xFF if match["octal"] else int(match["hex"] or match["code"], 16)
    # Bytes above 127 would be parts of characters, put together by PHP byte by byte.
    if (match["code"] is None and code > 0x7F) or code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
        raise UnknownValueError
    return chr(code)


def _integer(node: Node, _names: Names, _depth: int) -> Php:
    text = text_of(node).replace("_", "").lower()
    if len(text) > 70:
        raise UnknownValueError
    try:
        if text.startswith(("0x", "0b", "0o")):
            return int(text, 0)
        return int(text, 8) if len(text) > 1 and text.startswith("0") else int(text)
    except ValueError as error:
        raise UnknownValueError from error


def _float(node: Node, _names: Names, _depth: int) -> Php:
    try:
        return float(text_of(node).replace("_", ""))
    except ValueError as error:
        raise UnknownValueError from error


def _boolean(node: Node, _names: Names, _depth: int) -> Php:
    return text_of(node).lower() == "true"


def _null(_node: Node, _names: Names, _depth: int) -> Php:
    return None


def _constant(node: Node, names: Names, _depth: int) -> Php:
    name = text_of(node)
    if name not in names.constants:
        raise UnknownValueError
    return names.constants[name]


def _variable(node: Node, names: Names, _depth: int) -> Php:
    name = text_of(node).removeprefix("$")
    if name not in names.variables:
        raise UnknownValueError
    return names.variables[name]


def _subscript(node: Node, names: Names, depth: int) -> Php:
    parts = node.named_children
    if len(parts) != 2:
        raise UnknownValueError
    array = value(parts[0], names, depth)
    # Inside a text a key stands without quotes: "$conf[db_base]".
    bare = parts[1].type == "name" and node.parent is not None and node.parent.type == "encapsed_string"
    key = array_key(text_of(parts[1]) if bare else value(parts[1], names, depth))
    if not isinstance(array, dict) or key not in array:
        raise UnknownValueError
    return array[key]


def _array(node: Node, names: Names, depth: int) -> Php:
    array: dict[int | str, Php] = {}
    for element in node.named_children:
        if element.type == "comment":
            continue
        parts = [child for child in element.named_children if child.type != "comment"]
        if element.type != "array_element_initializer" or element.children[0].type in ("...", "&", "by_ref"):
            raise UnknownValueError
        if len(parts) == 2:
            array[array_key(value(parts[0], names, depth))] = value(parts[1], names, depth)
        elif len(parts) == 1:
            appended(array, value(parts[0], names, depth))
        else:
            raise UnknownValueError
    return array


def _inner(node: Node, names: Names, depth: int) -> Php:
    inner = [child for child in node.named_children if child.type != "comment"]
    if len(inner) != 1:
        raise UnknownValueError
    return value(inner[0], names, depth)


def _unary(node: Node, names: Names, depth: int) -> Php:
    operator, argument = node.child_by_field_name("operator"), node.child_by_field_name("argument")
    if operator is None or argument is None:
        raise UnknownValueError
    operand = value(argument, names, depth)
    match text_of(operator):
        case "!":
            return not is_true(operand)
        case "-" if isinstance(operand, int | float) and not isinstance(operand, bool):
            return -operand
        case "+" if isinstance(operand, int | float) and not isinstance(operand, bool):
            return operand
    raise UnknownValueError


def _binary(node: Node, names: Names, depth: int) -> Php:
    left_node, right_node = node.child_by_field_name("left"), node.child_by_field_name("right")
    operator_node = node.child_by_field_name("operator")
    if left_node is None or right_node is None or operator_node is None:
        raise UnknownValueError
    return operated(text_of(operator_node), value(left_node, names, depth), value(right_node, names, depth))


def operated(operator: str, left: Php, right: Php) -> Php:
    """The result of an operator on two values. Raises UnknownValueError."""
    if operator == ".":
        return as_text(left) + as_text(right)
    if operator == "+" and isinstance(left, dict) and isinstance(right, dict):
        return right | left
    if operator in ("&&", "and"):
        return is_true(left) and is_true(right)
    if operator in ("||", "or"):
        return is_true(left) or is_true(right)
    if operator in ("===", "!=="):
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


def _call(node: Node, names: Names, depth: int) -> Php:
    function, arguments = node.child_by_field_name("function"), node.child_by_field_name("arguments")
    if function is None or arguments is None or function.type != "name":
        raise UnknownValueError
    given = [value_of_argument(argument, names, depth) for argument in arguments.named_children]
    match text_of(function).lower():
        case "array_merge" if all(isinstance(item, dict) for item in given):
            merged: dict[int | str, Php] = {}
            for array in given:
                for key, item in array.items() if isinstance(array, dict) else ():
                    if isinstance(key, int):
                        appended(merged, item)
                    else:
                        merged[key] = item
            return merged
        case "defined" if len(given) == 1 and given[0] in names.constants:
            return True
    raise UnknownValueError


def value_of_argument(node: Node, names: Names, depth: int = 0) -> Php:
    """The value of a call's plain argument. Raises UnknownValueError."""
    if node.type != "argument" or len(node.named_children) != 1 or node.child_count != 1:
        raise UnknownValueError
    return value(node.named_children[0], names, depth + 1)


_READERS: Mapping[str, Callable[[Node, Names, int], Php]] = {
    "string": _string,
    "encapsed_string": _encapsed,
    "integer": _integer,
    "float": _float,
    "boolean": _boolean,
    "null": _null,
    "name": _constant,
    "variable_name": _variable,
    "subscript_expression": _subscript,
    "array_creation_expression": _array,
    "parenthesized_expression": _inner,
    "unary_op_expression": _unary,
    "binary_expression": _binary,
    "function_call_expression": _call,
}
