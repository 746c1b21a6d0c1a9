"""The web server's lines as files: what `init` writes of them, and that what owners changed in them is never lost.

Pure. Owners are to change them (a rate limit, a trusted header), so each says at its end what it was as written.
"""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Mapping
from pathlib import Path

from pwgserve.setup.answers import Answers, Step
from pwgserve.setup.templates import FOLDERS, SNIPPETS, filled, text

_END = "# As `pwgserve init` wrote it ({sum}). Change what you like: init leaves a file alone that was changed.\n"
_SIGNED = re.compile(r"(.*\n)" + re.escape(_END).replace(r"\{sum\}", "([0-9a-f]{16})"), re.DOTALL)


def signed(content: str) -> str:
    """A file's content with the line by which it is known as unchanged."""
    return content + _END.format(sum=_sum(content))


def is_changed(content: str) -> bool:
    """Whether somebody else than `init` has written this content, or a part of it."""
    found = _SIGNED.fullmatch(content)
    return found is None or found[2] != _sum(found[1])


def places(answers: Answers) -> list[Path]:
    """The files whose content matters: `Answers.there` is to hold those that are there. Raises TemplateError."""
    files = [path for name in _wanted(answers) for path in _both(answers, name)]
    return [*files, *(_new(path) for path in files)]


def planned(answers: Answers) -> Mapping[Path, str]:
    """The files to write: beside those that were changed, what would have come in their places."""
    return {_written(answers, name): content for name, content in _wanted(answers).items()}


def outdated(answers: Answers) -> list[Path]:
    """What was written beside a changed file that is as it should be by now."""
    new = [_new(answers.snippets / name) for name in _wanted(answers)]
    return [path for path in new if path in answers.there and path not in planned(answers)]


def steps(answers: Answers) -> list[Step]:
    """Copying them to where the web server finds them, and comparing those that were changed."""
    copies, changed = [], []
    for name, content in _wanted(answers).items():
        source, target = _both(answers, name)
        written = _written(answers, name)
        if written != source:
            changed.append(_difference(source, written))
        there = answers.there.get(target)
        if target == source or there == answers.there.get(source, content):
            continue
        if there is None or there == content or not is_changed(there):
            copies.append(f"cp {shlex.quote(str(source))} {shlex.quote(str(target))}")
        else:
            changed.append(_difference(target, written))
    found = []
    if copies:
        found.append(Step(f"Put the lines for {answers.web_server} where it finds them", tuple(copies)))
    if changed:
        found.append(
            Step("You changed these, so they stay; see whether you want something of the new ones", tuple(changed))
        )
    return found


def _wanted(answers: Answers) -> dict[str, str]:
    server = answers.web_server
    if server is None:
        return {}
    return {name: signed(filled(server, text(server, name), answers.site)) for name in SNIPPETS[server]}


def _both(answers: Answers, name: str) -> tuple[Path, Path]:
    """Where a file is written, and where the web server finds it."""
    folder = FOLDERS[answers.web_server] if answers.web_server else answers.snippets
    return answers.snippets / name, folder / name


def _written(answers: Answers, name: str) -> Path:
    path = answers.snippets / name
    there = answers.there.get(path)
    return path if there is None or not is_changed(there) else _new(path)


def _new(path: Path) -> Path:
    """Beside a file; no web server reads a name that ends so."""
    return path.with_name(f"{path.name}.new")


def _difference(old: Path, new: Path) -> str:
    return f"diff -u {shlex.quote(str(old))} {shlex.quote(str(new))}"


def _sum(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()[:16]
