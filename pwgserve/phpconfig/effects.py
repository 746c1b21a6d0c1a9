"""What a PHP statement that cannot be followed may change: of `$conf`, variables, constants, the file's course.

Pure. Errs on the safe side: whatever is not certain to be read only counts as changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum

from tree_sitter import Node

from pwgserve.phpconfig.expressions import CONF, Names, value, variable_of
from pwgserve.phpconfig.functions import CHANGES_ANYTHING, ENDS, takes_values
from pwgserve.phpconfig.operators import UnknownValueError

INCLUDES = frozenset(("include_expression", "include_once_expression", "require_expression", "require_once_expression"))
FUNCTIONS = frozenset(("function_definition", "method_declaration", "anonymous_function", "arrow_function"))
_CALLS = frozenset(
    (
        *("function_call_expression", "member_call_expression", "nullsafe_member_call_expression"),
        *("scoped_call_expression", "object_creation_expression"),
    )
)
_ASSIGNMENTS = frozenset(("assignment_expression", "augmented_assignment_expression"))
_READERS = """
    binary_expression unary_op_expression conditional_expression cast_expression echo_statement sequence_expression
    print_intrinsic return_statement encapsed_string heredoc_body shell_command_expression if_statement else_if_clause
    while_statement do_statement for_statement switch_statement match_expression match_condition_list case_statement
    match_conditional_expression match_default_expression throw_expression clone_expression exit_statement
    error_suppression_expression expression_statement arrow_function const_element dynamic_variable_name
    member_access_expression nullsafe_member_access_expression anonymous_function_use_clause yield_expression
"""
_READING = frozenset(_READERS.split()) | INCLUDES | _CALLS
_IN_ARRAYS = frozenset(("array_creation_expression", "array_element_initializer"))
_TEXTS = frozenset(("string", "encapsed_string", "binary_expression"))
_BY_NAME = CHANGES_ANYTHING | {"define"}
_DECLARING = frozenset(
    (
        *("simple_parameter", "variadic_parameter", "property_promotion_parameter", "property_element"),
        *("scoped_property_access_expression", "global_declaration"),
    )
)
"""Where a name stands for something else than the variable of the file."""


class _Use(Enum):
    READ = 1
    CHANGED = 2
    SHARED = 3


@dataclass
class Effects:
    """What may be changed. shared_*: what has another name from now on, under which it may change at any time.

    anything: why any entry of `$conf` may change, if so; all_names: any variable and constant as well. replaces_conf:
    with another array; shares_conf: for good. ends: whether the file may end here.
    """

    settings: set[str] = field(default_factory=set)
    variables: set[str] = field(default_factory=set)
    constants: set[str] = field(default_factory=set)
    shared_settings: set[str] = field(default_factory=set)
    shared_variables: set[str] = field(default_factory=set)
    anything: str | None = None
    all_names: bool = False
    replaces_conf: bool = False
    shares_conf: bool = False
    ends: bool = False


def effects(statement: Node, has_open_functions: bool) -> Effects:
    """What a statement may change.

    has_open_functions: whether a function may end PHP, was not read, or may be called by a name that is a text.
    """
    found = Effects()
    for node, is_inside in walk(statement):
        if node.type == "variable_name" or (node.type == "dynamic_variable_name" and not _is_in_text(node)):
            _note_variable(node, found)
        elif node.type in INCLUDES:
            _note_all(found, "includes another file, which is not read")
        elif node.type in _CALLS:
            _note_call(node, found, has_open_functions)
        elif node.type == "const_element":
            found.constants |= {(part.text or b"").decode("utf-8", "replace") for part in parts_of(node)[:1]}
        elif (node.type == "throw_expression" or is_exit(node)) and not is_inside:
            found.anything = "may end PHP in a way that only PHP can follow"
        elif node.type == "return_statement" and not is_inside:
            found.ends = True
    return found


def walk(root: Node) -> Iterator[tuple[Node, bool]]:
    """Every node from here on, and whether it is inside of a function, which runs another time if ever."""
    stack = [(root, False)]
    while stack:
        node, is_inside = stack.pop()
        yield node, is_inside
        is_inside = is_inside or node.type in FUNCTIONS
        stack.extend((child, is_inside) for child in reversed(node.named_children))


def reach(root: Node) -> Node | None:
    """Where a function in it may change what is outside of it, whenever PHP calls it (by `__toString`, say)."""
    for node, is_inside in walk(root):
        if node.type == "anonymous_function_use_clause" and any(child.type == "by_ref" for child in node.children):
            return node
        if not is_inside:
            continue
        if node.type in INCLUDES or (node.type == "variable_name" and node.text == b"$GLOBALS"):
            return node
        if node.type == "function_call_expression" and function_name(node) in CHANGES_ANYTHING:
            return node
        if node.type == "global_declaration" and _is_changed(node):
            return node
    return None


def may_end(root: Node) -> bool:
    """Whether a function in it may end PHP when it is called."""
    return any(is_inside and (node.type == "throw_expression" or is_exit(node)) for node, is_inside in walk(root))


def names_functions(root: Node) -> bool:
    """Whether a text in it is the name of a function that may set anything: `$f = 'define'; array_map($f, …);`."""
    texts = (_literal(node) for node, _ in walk(root) if node.type in _TEXTS)
    return any(text is not None and text.lower().removeprefix("\\") in _BY_NAME for text in texts)


def is_exit(node: Node) -> bool:
    """Whether PHP ends here, in whichever of its spellings: `exit;`, `or die;`, `die('…')`."""
    is_name = node.type == "name" and node.parent is not None and node.parent.type != "variable_name"
    return node.type == "exit_statement" or (is_name and (node.text or b"").lower() in ENDS)


def function_name(call: Node) -> str | None:
    """The name of a function that is called by its name, in lower case."""
    function = call.child_by_field_name("function")
    if function is None or function.type not in ("name", "qualified_name"):
        return None
    name = (function.text or b"").decode("utf-8", "replace").lower().removeprefix("\\")
    return None if "\\" in name else name


def parts_of(node: Node) -> list[Node]:
    """What a node consists of, without comments."""
    return [child for child in node.named_children if child.type != "comment"]


def _is_changed(declaration: Node) -> bool:
    """Whether a function does more than read the variables that it declares as global."""
    function = declaration.parent
    while function is not None and function.type not in FUNCTIONS:
        function = function.parent
    names = {variable_of(child) for child in declaration.named_children}
    if function is None or None in names:
        return True
    found = effects(function, has_open_functions=False)
    is_conf_changed = found.anything or found.replaces_conf or found.settings or found.shared_settings
    return bool((CONF in names and is_conf_changed) or names & (found.variables | found.shared_variables))


def _note_call(node: Node, found: Effects, has_open_functions: bool) -> None:
    name = function_name(node) if node.type == "function_call_expression" else None
    if name == "define":
        _note_constant(node, found)
    elif name in CHANGES_ANYTHING:
        _note_all(found, f"calls {name}(), which may set anything")
    elif name is None and node.type == "function_call_expression" and not _is_written_out(node):
        _note_all(found, "calls a function whose name only PHP knows")
    elif has_open_functions and not (name is not None and (takes_values(name, 0) or name.encode() in ENDS)):
        _note_all(found, "calls a function, which may set anything")


def _is_written_out(call: Node) -> bool:
    """Whether the function that is called stands there itself: `(function () { … })()`."""
    function = call.child_by_field_name("function")
    while function is not None and function.type == "parenthesized_expression":
        function = parts_of(function)[0]
    return function is not None and function.type in FUNCTIONS


def _note_all(found: Effects, why: str) -> None:
    found.anything = why
    found.all_names = True


def _arguments(call: Node) -> list[Node]:
    arguments = call.child_by_field_name("arguments")
    return parts_of(arguments) if arguments is not None else []


def _note_constant(node: Node, found: Effects) -> None:
    first = parts_of(_arguments(node)[0]) if _arguments(node) else []
    name = _literal(first[-1]) if first else None
    if name is None:
        found.all_names = True
        found.anything = "defines a constant whose name only PHP knows"
    else:
        found.constants.add(name)


def _note_variable(node: Node, found: Effects) -> None:
    place, name = node, variable_of(node)
    if name == "GLOBALS" and _is_base(node) and node.parent is not None:
        place, name = node.parent, variable_of(node.parent)
    key: str | None = None
    has_key = has_unknown_key = False
    if _is_base(place) and place.parent is not None:
        place, has_key = place.parent, True
        inner = parts_of(place)
        key = _literal(inner[1]) if len(inner) > 1 else ""
        has_unknown_key = key is None
    while _is_base(place) and place.parent is not None:
        place = place.parent
    use = _use(place)
    if name is None and use is not _Use.READ:
        _note_all(found, "sets a variable whose name only PHP knows")
    elif name == "GLOBALS":
        _note_all(found, "uses $GLOBALS as a whole")
    elif use is _Use.READ or name is None:
        return
    elif name != CONF:
        (found.shared_variables if use is _Use.SHARED else found.variables).add(name)
    elif not has_key and use is _Use.CHANGED:
        found.replaces_conf = True
    elif not has_key or has_unknown_key:
        found.anything = "sets an entry of $conf, and only PHP knows which"
        found.shares_conf |= use is _Use.SHARED
    elif key is not None:
        (found.shared_settings if use is _Use.SHARED else found.settings).add(key)


def _use(place: Node) -> _Use:
    """What becomes of a variable, or of an entry of one, where it stands."""
    parent = place.parent
    if parent is None:
        return _Use.CHANGED
    match parent.type:
        case "parenthesized_expression":
            return _use(parent)
        case kind if kind in _DECLARING:
            return _Use.READ
        case "subscript_expression":
            return _Use.READ if not _is_base(place) else _Use.CHANGED
        case "by_ref" | "reference_assignment_expression":
            return _Use.SHARED
        case kind if kind in _ASSIGNMENTS:
            return _Use.READ if _is(place, parent.child_by_field_name("right")) else _Use.CHANGED
        case "foreach_statement":
            return _use_in_foreach(place, parent)
        case "argument":
            return _use_as_argument(parent)
        case "array_element_initializer":
            return _use_in_array(parent)
        case kind if kind in _READING:
            return _Use.READ
    return _Use.CHANGED


def _use_in_foreach(place: Node, loop: Node) -> _Use:
    parts = parts_of(loop)
    if not _is(place, parts[0]):
        return _Use.CHANGED
    targets = [child for child in parts[1:] if not _is(child, loop.child_by_field_name("body"))]
    shares = any(node.type == "by_ref" for target in targets for node, _ in walk(target))
    return _Use.SHARED if shares else _Use.READ


def _use_as_argument(argument: Node) -> _Use:
    arguments = argument.parent
    call = arguments.parent if arguments is not None else None
    if arguments is None or call is None or call.type != "function_call_expression":
        return _Use.CHANGED
    name = function_name(call)
    is_named = argument.child_by_field_name("name") is not None
    place = next((i for i, other in enumerate(parts_of(arguments)) if _is(other, argument)), 0)
    # A named argument may be any of them.
    place = 100 if is_named else place
    return _Use.READ if name is not None and takes_values(name, place) else _Use.CHANGED


def _use_in_array(element: Node) -> _Use:
    """Whether an array takes a value or, on the left of an assignment, gives one."""
    array = element.parent
    while array is not None and array.parent is not None and array.parent.type in _IN_ARRAYS:
        array = array.parent
    outer = array.parent if array is not None else None
    if array is None or outer is None or outer.type in ("list_literal", "pair"):
        return _Use.CHANGED
    if outer.type in _ASSIGNMENTS and not _is(array, outer.child_by_field_name("right")):
        return _Use.CHANGED
    if outer.type == "foreach_statement" and not _is(array, parts_of(outer)[0]):
        return _Use.CHANGED
    return _Use.READ


def _is_base(node: Node) -> bool:
    parent = node.parent
    return parent is not None and parent.type == "subscript_expression" and _is(node, parts_of(parent)[0])


def _is_in_text(node: Node) -> bool:
    return node.parent is not None and node.parent.type in ("encapsed_string", "heredoc_body")


def _is(node: Node, other: Node | None) -> bool:
    return other is not None and node.id == other.id


def _literal(node: Node) -> str | None:
    try:
        return str(value(node, Names()))
    except UnknownValueError:
        return None
