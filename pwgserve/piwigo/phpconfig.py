"""Reads an owner's `local/config/config.inc.php` and `database.inc.php` without running them.

Pure. Plain assignments count, in their order; what only a running PHP could know is named, never guessed, so that the
caller can refuse to go on. Values of expressions are in `phpsyntax`. No value is ever part of a message.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import quote

import tree_sitter_php
from tree_sitter import Language, Node, Parser

from pwgserve.piwigo.conf import FORMAT_EXT, PICTURE_EXT, USER_FIELDS, ConfValue
from pwgserve.piwigo.phpsyntax import (
    Names,
    Php,
    UnknownValueError,
    appended,
    array_key,
    is_true,
    operated,
    text_of,
    value,
    value_of_argument,
)

MAX_BYTES = 1_000_000
DEFAULT_PREFIX = "piwigo_"
CONF = "conf"
_PASSED_OVER = frozenset(
    ("php_tag", "comment", "text_interpolation", "text", "empty_statement", "php_end_tag", "global_declaration")
)
_LANGUAGE = Language(tree_sitter_php.language_php())


class PhpConfigError(ValueError):
    """The file cannot be used; one line that names the file, what is wrong and what to do."""


@dataclass(frozen=True, repr=False)
class PhpConfig:
    """What a file sets. `unknown`: names of `$conf` settings whose values only PHP knows; `warnings` tell where."""

    conf: Mapping[str, ConfValue]
    variables: Mapping[str, ConfValue]
    unknown: frozenset[str]
    warnings: tuple[str, ...]


@dataclass(frozen=True, repr=False)
class DatabaseSettings:
    """Piwigo's own access to its database. `host` as PHP takes it: a name, `name:port` or `localhost:/socket`."""

    user: str
    password: str
    host: str
    base: str
    prefix: str

    def url(self, local_socket: str | None = None) -> str:
        """The address as in `piwigo.database`. local_socket: what PHP means by `localhost` on this machine."""
        host, _, detail = self.host.partition(":")
        if self.host.count(":") > 1 and not detail.startswith("/"):
            host, detail = self.host.strip("[]"), ""
            if "]:" in self.host:
                host, _, detail = self.host.strip("[").partition("]:")
        socket = detail if detail.startswith("/") else None
        if socket is None and not detail and host in ("", "localhost"):
            socket = local_socket
        host = host or "localhost"
        place = f"[{host}]" if ":" in host else quote(host, safe="")
        port = f":{detail}" if detail.isdecimal() and detail.isascii() else ""
        access = f"{_quoted(self.user)}:{_quoted(self.password)}"
        suffix = f"?unix_socket={_quoted(socket)}" if socket else ""
        return f"mysql://{access}@{place}{port}/{_quoted(self.base)}{suffix}"


def read(source: bytes, file: str) -> PhpConfig:
    """What the file sets. `file` is named in messages. Raises PhpConfigError when it is not PHP."""
    if len(source) > MAX_BYTES:
        raise PhpConfigError(f"{file}: larger than {MAX_BYTES} bytes; is it really Piwigo's configuration?")
    root = Parser(_LANGUAGE).parse(source.removeprefix(b"\xef\xbb\xbf")).root_node
    if root.has_error:
        raise PhpConfigError(f"{file}: line {_first_error(root)}: not valid PHP; Piwigo itself would stop here")
    reading = _Reading(file)
    reading.statements(root)
    return reading.result()


def database_settings(source: bytes, file: str) -> DatabaseSettings:
    """The access to the database that the file sets. Raises PhpConfigError."""
    found = read(source, file)
    texts = {}
    for name in ("db_user", "db_password", "db_host", "db_base"):
        item = found.conf.get(name, "" if name == "db_password" else None)
        if not isinstance(item, str | int) or isinstance(item, bool) or name in found.unknown:
            raise PhpConfigError(f"{file}: $conf['{name}'] is not set to a plain text; give piwigo.database instead")
        texts[name] = str(item)
    prefix = found.variables.get("prefixeTable", DEFAULT_PREFIX)
    if not isinstance(prefix, str):
        raise PhpConfigError(f"{file}: $prefixeTable is not set to a plain text; give piwigo.table_prefix instead")
    return DatabaseSettings(texts["db_user"], texts["db_password"], texts["db_host"], texts["db_base"], prefix)


class _Reading:
    """Goes through a file's statements and keeps what is known and what is not."""

    def __init__(self, file: str) -> None:
        self._file = file
        # Entries that owners add to rather than replace begin as Piwigo's defaults.
        self._conf: dict[int | str, Php] = {
            "picture_ext": dict(enumerate(PICTURE_EXT)),
            "format_ext": dict(enumerate(FORMAT_EXT)),
            "user_fields": {str(name): column for name, column in USER_FIELDS.items()},
        }
        self._names = Names({CONF: self._conf}, {"PHPWG_ROOT_PATH": "./", "PHP_EOL": "\n"})
        self._unknown: set[str] = set()
        self._warnings: list[str] = []

    def result(self) -> PhpConfig:
        variables = {name: item for name, item in self._names.variables.items() if name != CONF}
        return PhpConfig(
            conf={str(name): _plain(item) for name, item in self._conf.items()},
            variables={name: _plain(item) for name, item in variables.items()},
            unknown=frozenset(self._unknown),
            warnings=tuple(self._warnings),
        )

    def statements(self, parent: Node) -> None:
        for statement in parent.named_children:
            if statement.type in _PASSED_OVER:
                continue
            try:
                self._statement(statement)
            except UnknownValueError:
                self._give_up(statement)

    def _statement(self, node: Node) -> None:
        match node.type:
            case "expression_statement" if node.named_children:
                self._expression(node.named_children[0])
            case "const_declaration":
                for element in node.named_children:
                    name, item = element.named_children
                    self._names.constants[text_of(name)] = value(item, self._names)
            case "if_statement":
                self._if(node)
            case "compound_statement":
                self.statements(node)
            case "unset_statement":
                for target in node.named_children:
                    container, key = self._place(target)
                    if key is not None:
                        container.pop(key, None)
            case _:
                raise UnknownValueError

    def _expression(self, node: Node) -> None:
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        if node.type == "error_suppression_expression" and len(node.named_children) == 1:
            self._expression(node.named_children[0])
        elif node.type == "function_call_expression":
            self._define(node)
        elif node.type == "assignment_expression" and left and right:
            self._assign(left, value(right, self._names))
        elif node.type == "augmented_assignment_expression" and left and right:
            operator = text_of(node.children[1]).removesuffix("=")
            self._assign(left, operated(operator, value(left, self._names), value(right, self._names)))
        else:
            raise UnknownValueError

    def _define(self, node: Node) -> None:
        function, arguments = node.child_by_field_name("function"), node.child_by_field_name("arguments")
        if function is None or arguments is None or text_of(function).lower() != "define":
            raise UnknownValueError
        given = [value_of_argument(argument, self._names) for argument in arguments.named_children]
        if len(given) < 2 or not isinstance(given[0], str):
            raise UnknownValueError
        self._names.constants.setdefault(given[0], given[1])

    def _assign(self, target: Node, item: Php) -> None:
        container, key = self._place(target)
        if key is None:
            appended(container, item)
        else:
            container[key] = item
        if container is self._conf and isinstance(key, str):
            self._unknown.discard(key)

    def _place(self, target: Node) -> tuple[dict[int | str, Php], int | str | None]:
        """The array that an assignment goes into and the key there, None for its end. Raises UnknownValueError."""
        if target.type == "variable_name" and target.text != b"$conf":
            variables: dict[int | str, Php] = self._names.variables  # type: ignore[assignment]
            return variables, text_of(target).removeprefix("$")
        if target.type != "subscript_expression":
            raise UnknownValueError
        parts = target.named_children
        container = self._array_at(parts[0])
        return container, array_key(value(parts[1], self._names)) if len(parts) > 1 else None

    def _array_at(self, node: Node) -> dict[int | str, Php]:
        if node.type == "variable_name" and node.text == b"$conf":
            return self._conf
        container, key = self._place(node)
        if key is None:
            raise UnknownValueError
        inner = container.setdefault(key, {})
        if not isinstance(inner, dict) or (container is self._conf and key in self._unknown):
            raise UnknownValueError
        return inner

    def _if(self, node: Node) -> None:
        condition, body = node.child_by_field_name("condition"), node.child_by_field_name("body")
        if condition is None or body is None:
            raise UnknownValueError
        if is_true(value(condition, self._names)):
            self._branch(body)
            return
        for alternative in node.children_by_field_name("alternative"):
            if alternative.type == "else_if_clause":
                other = alternative.child_by_field_name("condition")
                if other is None:
                    raise UnknownValueError
                if not is_true(value(other, self._names)):
                    continue
            inner = alternative.child_by_field_name("body")
            if inner is None:
                raise UnknownValueError
            self._branch(inner)
            return

    def _branch(self, body: Node) -> None:
        if body.type in ("compound_statement", "colon_block"):
            self.statements(body)
        else:
            self._statement(body)

    def _give_up(self, node: Node) -> None:
        """Name every setting that the statement may touch."""
        names = sorted({name for target in _targets(node) if (name := _setting_of(target)) is not None})
        line = node.start_point[0] + 1
        for name in names:
            self._unknown.add(name)
            self._conf.pop(name, None)
            self._warnings.append(
                f"{self._file}: line {line}: $conf['{name}'] is set in a way that only PHP can follow; "
                "write it as a plain assignment, or under [piwigo.conf]"
            )
        if any(target.text == b"$conf" for target in _targets(node)):
            raise PhpConfigError(
                f"{self._file}: line {line}: sets $conf as a whole, in a way that only PHP can follow; "
                "set its entries one by one"
            )
        if not names and node.type == "expression_statement" and b"include" in node.type.encode() + (node.text or b""):
            self._warnings.append(f"{self._file}: line {line}: includes another file, which is not read")


def _targets(node: Node) -> Iterator[Node]:
    """Everything inside a statement that is assigned to, in any way that PHP has."""
    stack = [node]
    while stack:
        inner = stack.pop()
        stack.extend(inner.children)
        if inner.type in (
            "assignment_expression",
            "augmented_assignment_expression",
            "reference_assignment_expression",
        ):
            left = inner.child_by_field_name("left")
            if left is not None:
                yield from left.named_children if left.type == "list_literal" else (left,)
        elif inner.type in ("unset_statement", "update_expression"):
            yield from inner.named_children


def _setting_of(target: Node) -> str | None:
    """The setting that a target belongs to: `x` of `$conf['x']['y']`; None when it is no entry of `$conf`."""
    while target.type == "subscript_expression" and target.named_children:
        first = target.named_children[0]
        if first.type == "variable_name" and first.text == b"$conf" and len(target.named_children) == 2:
            try:
                return str(value(target.named_children[1], Names()))
            except UnknownValueError:
                return None
        target = first
    return None


def _first_error(root: Node) -> int:
    node = root
    while not (node.is_error or node.is_missing):
        node = next((child for child in node.children if child.has_error or child.is_missing), node)
        if not any(child.has_error or child.is_missing for child in node.children):
            break
    return node.start_point[0] + 1


def _plain(item: Php) -> ConfValue:
    if not isinstance(item, dict):
        return item
    if list(item) == list(range(len(item))):
        return [_plain(inner) for inner in item.values()]
    return {str(key): _plain(inner) for key, inner in item.items()}


def _quoted(text: str) -> str:
    return quote(text, safe="")
