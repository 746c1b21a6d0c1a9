"""The layout of the house, as CONTRIBUTING.md draws it: who may know whom, and who does no I/O and reads no clock."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "pwgserve"
ROW = re.compile(r"^\| (`[^|]*) \| ", re.M)
PLACE = re.compile(r"`([a-z_]+(?:\.py|/))`")
EXCEPTIONS = {("app.py", "service/share.py"), ("foundation.py", "service/share.py")}

OUTSIDE = {
    "asyncio",
    "socket",
    "subprocess",
    "threading",
    "tempfile",
    "shutil",
    "fcntl",
    "aiohttp",
    "aiomysql",
    "sqlite3",
    "pyvips",
}
OUTSIDE |= {"structlog", "multiprocessing", "signal", "select", "random", "secrets", "urllib.request", "http.client"}
PURE = re.compile(r"(?:^|\. )Pure(?: \w+)?[.:]|^Strict and pure:", re.M)


def layers():
    """The table's lines: folders and files of the package, from those that know the most to those that know nothing."""
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    return [PLACE.findall(row) for row in ROW.findall(text)]


def modules():
    return {
        str(file.relative_to(PACKAGE)): file for file in sorted(PACKAGE.rglob("*.py")) if "demo/page" not in str(file)
    }


def layer_of(module):
    for number, places in enumerate(layers()):
        if any(module == place or (place.endswith("/") and module.startswith(place)) for place in places):
            return number
    return None


def imported(file):
    """What a module imports when it is loaded, as dotted names; what only type checkers read counts, too."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{name.name}" for name in node.names)


def own(names, known):
    """Those of the imported names that are modules of ours."""
    for name in names:
        parts = name.split(".")
        if parts[0] != "pwgserve":
            continue
        for length in (len(parts), len(parts) - 1):
            path = "/".join(parts[1:length]) + ".py"
            if path in known:
                yield path
                break


@pytest.mark.parametrize("module", [name for name in modules() if not name.endswith("__init__.py")])
def test_a_module_knows_none_above_it(module):
    known = modules()
    above = layer_of(module)
    if module == "__main__.py":
        return
    assert above is not None, "every module has its place in CONTRIBUTING.md"
    for other in own(imported(known[module]), known):
        if (module, other) not in EXCEPTIONS:
            assert layer_of(other) >= above, f"{module} imports {other}"


def pure():
    """The modules that say of themselves that they are."""
    return [
        name for name, file in modules().items() if PURE.search(ast.get_docstring(ast.parse(file.read_text())) or "")
    ]


@pytest.mark.parametrize("module", pure())
def test_what_is_pure_knows_nothing_of_the_world(module):
    file = modules()[module]
    names = set(imported(file))
    assert {name for name in names if name in OUTSIDE or name.partition(".")[0] in OUTSIDE} == set()
    calls = {
        ast.unparse(node.func) for node in ast.walk(ast.parse(file.read_text("utf-8"))) if isinstance(node, ast.Call)
    }
    clocks = {"time.time", "time.monotonic", "datetime.now", "datetime.datetime.now", "open", "os.open", "os.stat"}
    assert calls & clocks == set()


def test_pure_modules_are_there():
    assert len(pure()) > 45
