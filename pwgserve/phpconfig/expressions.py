"""The values of PHP expressions that need no running program: literals, arrays, joined texts, known names.

Pure. Works on tree-sitter's syntax trees; which statements count is in `statements`. Nothing is ever executed or
guessed: what is not understood raises `UnknownValueError`.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tree_sitter import Node

from pwgserve.phpconfig.operators import (
    Php,
    UnknownValueError,
    appended,
    array_key,
    as_text,
    is_true,
    joined,
    merged,
    operated,
)

CONF = "conf"
PARTLY_KNOWN = frozenset(
    (CONF, "GLOBALS", "_SERVER", "_GET", "_POST", "_COOKIE", "_FILES", "_ENV", "_REQUEST", "_SESSION")
)
"""Variables of which some entries are known, never the whole."""

MAX_DEPTH = 60
_ESCAPE = re.compile(
    r"\\(?:(?P<octal>[0-7]{1,3})|x(?P<hex>[0-9A-Fa-f]{1,2})|u\{(?P<code>[0-9A-Fa-f]+)\}|(?P<one>.))", re.S
)
_CONTROL = {"n": "\n", "t": "\t", "r": "\r", "v": "\v", "e": "\x1b", "f": "\f", "\\": "\\", "$": "$", '"': '"'}


def _no_file(_path: str) -> bool:
    raise UnknownValueError


@dataclass
class Names:
    """What is known so far: variables by name without the dollar, constants by name.

    undefined: constants that are certainly not defined yet. forgotten: variables that have some value, None for all
    that are not in `variables`. has_file: whether there is a file; raises UnknownValueError.
    """

    variables: dict[str, Php] = field(default_factory=dict)
    constants: dict[str, Php] = field(default_factory=dict)
    undefined: set[str] = field(default_factory=set)
    forgotten: set[str] | None = field(default_factory=set)
    has_file: Callable[[str], bool] = _no_file

    def forget(self, name: str) -> None:
        """The variable may have any value from now on."""
        self.variables.pop(name, None)
        if self.forgotten is not None:
            self.forgotten.add(name)

    def forget_all(self) -> None:
        """Every variable may have any value from now on."""
        self.variables = {name: item for name, item in self.variables.items() if name == CONF}
        self.forgotten = None

    def is_forgotten(self, name: str) -> bool:
        """Whether the variable has a value that is not known, rather than none yet."""
        return name not in self.variables and (self.forgotten is None or name in self.forgotten)


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
    return joined(parts)


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


def variable_of(node: Node) -> str | None:
    """The name of the global variable that `$x`, `${'x'}` or `$GLOBALS['x']` is; None for anything else."""
    try:
        if node.type == "variable_name":
            return text_of(node).removeprefix("$")
        parts = [child for child in node.named_children if child.type != "comment"]
        is_global = node.type == "subscript_expression" and len(parts) == 2 and parts[0].text == b"$GLOBALS"
        if not is_global and (node.type != "dynamic_variable_name" or len(parts) != 1 or parts[0].type == "name"):
            return None
        name = value(parts[-1], Names())
        return name if isinstance(name, str) else None
    except UnknownValueError:
        return None


def _variable(node: Node, names: Names, _depth: int) -> Php:
    name = variable_of(node)
    if name is None or name not in names.variables or name in PARTLY_KNOWN:
        raise UnknownValueError
    return names.variables[name]


def _subscript(node: Node, names: Names, depth: int) -> Php:
    parts = node.named_children
    if len(parts) != 2:
        raise UnknownValueError
    of_variable = variable_of(node)
    if of_variable is not None:
        return _variable(node, names, depth)
    name = variable_of(parts[0])
    array = value(parts[0], names, depth) if name is None else names.variables.get(name)
    key = array_key(text_of(parts[1]) if _is_bare(node) else value(parts[1], names, depth))
    if not isinstance(array, dict) or key not in array:
        raise UnknownValueError
    return array[key]


def _is_bare(subscript: Node) -> bool:
    """Whether the key is the very text that stands there: "$conf[db_base]", and not "{$conf['db_base']}"."""
    is_in_text = subscript.parent is not None and subscript.parent.type == "encapsed_string"
    return is_in_text and (subscript.prev_sibling is None or subscript.prev_sibling.type != "{")


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
    left = value(left_node, names, depth)
    if operator_node.text == b"??":
        return value(right_node, names, depth) if left is None else left
    return operated(text_of(operator_node), left, value(right_node, names, depth))


def _conditional(node: Node, names: Names, depth: int) -> Php:
    condition, body = node.child_by_field_name("condition"), node.child_by_field_name("body")
    alternative = node.child_by_field_name("alternative")
    if condition is None or alternative is None:
        raise UnknownValueError
    chosen = value(condition, names, depth)
    if not is_true(chosen):
        return value(alternative, names, depth)
    return chosen if body is None else value(body, names, depth)


def _call(node: Node, names: Names, depth: int) -> Php:
    function, arguments = node.child_by_field_name("function"), node.child_by_field_name("arguments")
    if function is None or arguments is None or function.type != "name":
        raise UnknownValueError
    given = [value_of_argument(argument, names, depth) for argument in arguments.named_children]
    match text_of(function).lower():
        case "array_merge":
            return merged(given)
        case "defined" if len(given) == 1 and isinstance(given[0], str):
            if given[0] in names.constants or given[0] in names.undefined:
                return given[0] in names.constants
        case "dirname" if len(given) == 1 and isinstance(given[0], str) and given[0].startswith("/"):
            return posixpath.dirname(given[0].rstrip("/")) or "/"
        case "file_exists" | "is_file" | "is_readable" if len(given) == 1 and isinstance(given[0], str):
            return names.has_file(given[0])
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
    "dynamic_variable_name": _variable,
    "subscript_expression": _subscript,
    "array_creation_expression": _array,
    "parenthesized_expression": _inner,
    "unary_op_expression": _unary,
    "binary_expression": _binary,
    "conditional_expression": _conditional,
    "function_call_expression": _call,
}
