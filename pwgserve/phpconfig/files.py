"""An owner's PHP files before their statements count: where they come from, and their syntax trees.

Pure: whoever reads a file says how.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import tree_sitter_php
from tree_sitter import Language, Node, Parser

from pwgserve.phpconfig.effects import walk

MAX_BYTES = 1_000_000
_NOT_FOLLOWED = frozenset(("goto_statement", "namespace_definition", "namespace_use_declaration"))
_TAG = re.compile(rb"<\?(=|php(?=\s|$))", re.IGNORECASE)
_LANGUAGE = Language(tree_sitter_php.language_php())


class PhpConfigError(ValueError):
    """The file cannot be used; one line that names the file, what is wrong and what to do."""


def _no_content(_path: str) -> bytes | None:
    raise OSError


@dataclass(frozen=True)
class Files:
    """The files that PHP would see. root: Piwigo's folder, in which PHP runs.

    content: of the file with a path, None where there is none; raises OSError when that cannot be told. real: the path
    without symbolic links, which `__DIR__` never has.
    """

    root: str = ""
    content: Callable[[str], bytes | None] = _no_content
    real: Callable[[str], str] = str


def parsed(source: bytes, file: str) -> Node:
    """The syntax tree of a file. file: its name in messages. Raises PhpConfigError."""
    if len(source) > MAX_BYTES:
        raise PhpConfigError(f"{file}: larger than {MAX_BYTES} bytes; is it really Piwigo's configuration?")
    source = source.removeprefix(b"\xef\xbb\xbf")
    root = Parser(_LANGUAGE).parse(source).root_node
    if root.has_error:
        raise PhpConfigError(f"{file}: line {_first_error(root)}: not valid PHP; Piwigo itself would stop here")
    for node, _ in walk(root):
        word = _not_followed(node, source)
        if word is not None:
            raise PhpConfigError(f"{file}: line {node.start_point[0] + 1}: {word} is not followed; write it without")
    return root


def _not_followed(node: Node, source: bytes) -> str | None:
    """What nobody writes and PHP takes otherwise than it looks, or not everywhere alike; None for all else."""
    if node.type in _NOT_FOLLOWED:
        return node.type.partition("_")[0]
    if node.type == "php_tag" and not _TAG.match(source, node.start_byte):
        return "a tag other than <?php"
    if node.type == "name" and (node.text or b"").lower() == b"__halt_compiler":
        return "__halt_compiler"
    body = node.parent.child_by_field_name("body") if node.parent is not None else None
    if node.type == "text_interpolation" and body is not None and node.start_byte < body.start_byte:
        return "text in the place of a statement"
    return None


def _first_error(root: Node) -> int:
    node = root
    while not (node.is_error or node.is_missing):
        node = next((child for child in node.children if child.has_error or child.is_missing), node)
        if not any(child.has_error or child.is_missing for child in node.children):
            break
    return node.start_point[0] + 1
