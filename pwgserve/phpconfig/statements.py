"""Goes through the statements of an owner's PHP files and keeps what is known of `$conf`, and what is not.

Pure: other files come through `Files`. Plain statements count, in their order; of all others `effects` tells what
they may change, and that is unknown then. Nothing is ever executed or guessed.
"""

from __future__ import annotations

import posixpath

from tree_sitter import Node

from pwgserve.phpconfig.effects import (
    INCLUDES,
    Effects,
    effects,
    function_name,
    is_exit,
    may_end,
    names_functions,
    parts_of,
    reach,
)
from pwgserve.phpconfig.expressions import CONF, Names, text_of, value, value_of_argument, variable_of
from pwgserve.phpconfig.files import Files, PhpConfigError, parsed
from pwgserve.phpconfig.operators import Php, UnknownValueError, appended, array_key, copied, is_true, operated
from pwgserve.piwigo.conf import FORMAT_EXT, PICTURE_EXT, USER_FIELDS

MAX_FILES = 20
_PASSED_OVER = frozenset(
    ("php_tag", "comment", "text_interpolation", "text", "empty_statement", "php_end_tag", "global_declaration")
)

_WITHOUT_ELSE = frozenset(
    (
        *("compound_statement", "colon_block", "expression_statement", "empty_statement", "echo_statement"),
        *("unset_statement", "return_statement", "exit_statement"),
    )
)
"""What stands before an `else` that cannot be its own."""


class _EndOfFileError(Exception):
    """The file ends here, by a `return`."""


class Reading:
    """What is known after the files that were read. undefined: names of constants that nobody defined before.

    unknown: entries of `$conf` that only PHP knows, and where that is. anything: where any other entry that is not in
    `conf` may have been set, if so.
    """

    def __init__(self, files: Files, undefined: frozenset[str]) -> None:
        # Entries that owners add to rather than replace begin as Piwigo's defaults.
        self.conf: dict[int | str, Php] = {
            "picture_ext": dict(enumerate(PICTURE_EXT)),
            "format_ext": dict(enumerate(FORMAT_EXT)),
            "user_fields": {str(name): column for name, column in USER_FIELDS.items()},
        }
        self.names = Names({CONF: self.conf}, {"PHPWG_ROOT_PATH": "./", "PHP_EOL": "\n"}, set(undefined))
        self.names.has_file = lambda path: self._content(path) is not None
        self.unknown: dict[str, str] = {}
        self.anything: str | None = None
        self.unknown_constants: dict[str, str] = {}
        self.warnings: list[str] = []
        self._files = files
        self._file = ""
        self._folder = ""
        self._nesting: list[str] = []
        self._seen: list[str] = []
        self._shared_settings: set[str] = set()
        self._shared_variables: set[str] = set()
        self._shares_conf = False
        self._reach: str | None = None
        self._has_open_functions = False
        self._may_have_ended = False

    def read(self, source: bytes, file: str, path: str) -> None:
        """Follow a file. file: its name in messages; path: as PHP has it. Raises PhpConfigError."""
        root = parsed(source, file)
        before = self._file, self._folder, self._may_have_ended, dict(self.names.constants)
        self._file, self._folder, self._may_have_ended = file, posixpath.dirname(path), False
        self._has_open_functions |= may_end(root) or names_functions(root)
        reached_at = reach(root)
        if reached_at is not None:
            self._reach = self._line(reached_at)
        self._nesting.append(path)
        self._seen.append(path)
        if path.startswith("/"):
            self.names.constants |= {"__FILE__": path, "__DIR__": self._folder}
        try:
            self._statements(root)
        except _EndOfFileError:
            pass
        except RecursionError as error:
            raise PhpConfigError(f"{file}: nested too deeply") from error
        self._nesting.pop()
        self._file, self._folder, self._may_have_ended = before[:3]
        for name in ("__FILE__", "__DIR__"):
            self.names.constants.pop(name, None)
            self.names.constants |= {name: before[3][name]} if name in before[3] else {}

    def end(self) -> None:
        """What functions may do that reach beyond themselves, whenever that is, after all files were read."""
        if self._reach is not None:
            self._forget_names()
            self._forget_conf(f"{self._reach}: is in a function that may set anything")

    def _statements(self, parent: Node) -> None:
        for statement in parent.named_children:
            if statement.type in _PASSED_OVER:
                continue
            try:
                if self._may_have_ended and statement.type != "return_statement":
                    raise UnknownValueError
                self._statement(statement)
            except UnknownValueError:
                self._give_up(statement)

    def _statement(self, node: Node) -> None:
        match node.type:
            case "expression_statement" if node.named_children:
                self._expression(node.named_children[0])
            case "const_declaration":
                for element in parts_of(node):
                    parts = parts_of(element)
                    if len(parts) != 2:
                        raise UnknownValueError
                    self._define(text_of(parts[0]), value(parts[1], self.names), node)
            case "if_statement":
                self._if(node)
            case "compound_statement":
                self._statements(node)
            case "unset_statement":
                for target in node.named_children:
                    self._unset(target)
            case "return_statement":
                self._give_up(node)
                raise _EndOfFileError
            case "exit_statement":
                self._exit(node)
            case _:
                raise UnknownValueError

    def _expression(self, node: Node) -> None:
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        if node.type in ("error_suppression_expression", "parenthesized_expression") and len(node.named_children) == 1:
            self._expression(node.named_children[0])
        elif node.type in INCLUDES:
            self._include(node)
        elif node.type == "function_call_expression" or is_exit(node):
            self._call(node)
        elif node.type == "binary_expression" and left and right:
            self._either(node, left, right)
        elif node.type == "assignment_expression" and left and right:
            self._assign(left, value(right, self.names))
        elif node.type == "augmented_assignment_expression" and left and right:
            operator = text_of(node.children[1]).removesuffix("=")
            self._assign(left, operated(operator, value(left, self.names), value(right, self.names)))
        else:
            raise UnknownValueError

    def _either(self, node: Node, left: Node, right: Node) -> None:
        """`defined('X') or define('X', 1);`."""
        operator = node.child_by_field_name("operator")
        if operator is None or operator.text not in (b"or", b"||", b"and", b"&&"):
            raise UnknownValueError
        if is_true(value(left, self.names)) is (operator.text in (b"and", b"&&")):
            self._expression(right)

    def _call(self, node: Node) -> None:
        arguments, function = node.child_by_field_name("arguments"), node.child_by_field_name("function")
        if is_exit(function or node):
            self._exit(node)
        if arguments is None or function_name(node) != "define":
            raise UnknownValueError
        given = [value_of_argument(argument, self.names) for argument in parts_of(arguments)]
        if len(given) != 2 or not isinstance(given[0], str):
            raise UnknownValueError
        self._define(given[0], given[1], node)

    def _define(self, name: str, item: Php, node: Node) -> None:
        is_first = name in self.names.undefined or self.names.forgotten is not None
        self.names.undefined.discard(name)
        if not is_first and name not in self.names.constants:
            self.unknown_constants.setdefault(name, self._line(node))
        if name not in self.unknown_constants:
            self.names.constants.setdefault(name, item)

    def _exit(self, node: Node) -> None:
        raise PhpConfigError(f"{self._line(node)}: ends PHP, so that Piwigo itself answers nobody; remove that")

    def _assign(self, target: Node, item: Php) -> None:
        container, key = self._place(target)
        if key is None:
            appended(container, copied(item))
            return
        container[key] = copied(item)
        if container is self.conf:
            self._settle(str(key), target)
        elif container is self.names.variables and key in self._shared_variables:
            self.names.forget(str(key))

    def _unset(self, target: Node) -> None:
        container, key = self._place(target, creates=False)
        if container is self.conf and key is not None:
            # What is not set counts as nothing, not as Piwigo's default.
            container[key] = None
            self._settle(str(key), target)
        elif key is not None:
            container.pop(key, None)

    def _settle(self, name: str, target: Node) -> None:
        """The setting is known now, unless it may change under another name."""
        self.unknown.pop(name, None)
        if name in self._shared_settings:
            self._forget_setting(name, self._line(target))
        elif self._shares_conf:
            self.conf.pop(name, None)

    def _place(self, target: Node, creates: bool = True) -> tuple[dict[int | str, Php], int | str | None]:
        """The array that an assignment goes into and the key there, None for its end. Raises UnknownValueError.

        creates: whether arrays come to be on the way, as PHP makes them.
        """
        name = variable_of(target)
        if name in (CONF, "GLOBALS"):
            raise UnknownValueError
        if name is not None:
            variables: dict[int | str, Php] = self.names.variables  # type: ignore[assignment]
            return variables, name
        if target.type != "subscript_expression":
            raise UnknownValueError
        parts = target.named_children
        container = self._array_at(parts[0], creates)
        return container, array_key(value(parts[1], self.names)) if len(parts) > 1 else None

    def _array_at(self, node: Node, creates: bool) -> dict[int | str, Php]:
        name = variable_of(node)
        if name == CONF:
            return self.conf
        if name is not None and self.names.is_forgotten(name):
            raise UnknownValueError
        container, key = self._place(node, creates)
        if key is None:
            raise UnknownValueError
        if container is self.conf and key not in container and (self.anything is not None or str(key) in self.unknown):
            raise UnknownValueError
        inner = container.setdefault(key, {}) if creates else container.get(key)
        if not isinstance(inner, dict):
            raise UnknownValueError
        return inner

    def _if(self, node: Node) -> None:
        condition, body = node.child_by_field_name("condition"), node.child_by_field_name("body")
        alternatives = node.children_by_field_name("alternative")
        # An "else" behind two of them belongs to the second one, which the tree does not say.
        if condition is None or body is None or (alternatives and body.type not in _WITHOUT_ELSE):
            raise UnknownValueError
        if is_true(value(condition, self.names)):
            self._branch(body)
            return
        for alternative in alternatives:
            if alternative.type == "else_if_clause":
                other = alternative.child_by_field_name("condition")
                if other is None:
                    raise UnknownValueError
                if not is_true(value(other, self.names)):
                    continue
            inner = alternative.child_by_field_name("body")
            if inner is None:
                raise UnknownValueError
            self._branch(inner)
            return

    def _branch(self, body: Node) -> None:
        if body.type in ("compound_statement", "colon_block"):
            self._statements(body)
        else:
            self._statement(body)

    def _include(self, node: Node) -> None:
        path = self._files.real(self._path(value(node.named_children[0], self.names)))
        if "once" in node.type and path in self._seen:
            return
        if path in self._nesting or len(self._seen) >= MAX_FILES:
            raise PhpConfigError(f"{self._line(node)}: includes files without an end")
        content = self._content(path)
        if content is not None:
            self.read(content, path, path)
        elif node.type.startswith("require"):
            raise PhpConfigError(f"{self._line(node)}: requires {path}, which is not there; Piwigo itself stops here")

    def _content(self, path: str) -> bytes | None:
        path = self._path(path)
        try:
            found = self._files.content(path)
        except OSError as error:
            raise UnknownValueError from error
        # Elsewhere PHP may see files that are not there for others, in a container.
        places = (posixpath.normpath(self._files.root), posixpath.dirname(self._seen[0]))
        if found is None and not path.startswith(tuple(f"{place}/" for place in places)):
            raise UnknownValueError
        return found

    def _path(self, given: Php) -> str:
        """A file as PHP would find it, by whatever `include_path`. Raises UnknownValueError."""
        if not isinstance(given, str) or not given.startswith(("/", "./", "../")) or "\0" in given:
            raise UnknownValueError
        return posixpath.normpath(posixpath.join(self._files.root, given))

    def _line(self, node: Node) -> str:
        return f"{self._file}: line {node.start_point[0] + 1}"

    def _give_up(self, node: Node) -> None:
        """Take for unknown whatever the statement may change."""
        found = effects(node, self._has_open_functions)
        if found.replaces_conf:
            raise PhpConfigError(
                f"{self._line(node)}: sets $conf as a whole, in a way that only PHP can follow; "
                "set its entries one by one"
            )
        self._share(found)
        if found.all_names:
            self._forget_names()
            self._has_open_functions = True
        for name in found.variables:
            self.names.forget(name)
        for name in found.constants - set(self.names.constants):
            self.names.undefined.discard(name)
            self.unknown_constants.setdefault(name, self._line(node))
        self._may_have_ended |= found.ends
        if found.anything:
            self._forget_conf(f"{self._line(node)}: {found.anything}")
        for name in sorted(found.settings):
            self._forget_setting(name, self._line(node))

    def _share(self, found: Effects) -> None:
        self._shares_conf |= found.shares_conf
        self._shared_settings |= found.shared_settings
        self._shared_variables |= found.shared_variables
        found.settings |= found.shared_settings
        found.variables |= found.shared_variables

    def _forget_names(self) -> None:
        self.names.forget_all()
        self.names.undefined.clear()

    def _forget_conf(self, why: str) -> None:
        self.conf.clear()
        self.anything = why
        self.warnings.append(why)

    def _forget_setting(self, name: str, where: str) -> None:
        self.unknown[name] = where
        self.conf.pop(name, None)
        self.warnings.append(f"{where}: $conf['{name}'] is set in a way that only PHP can follow, and is left out")
