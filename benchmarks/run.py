"""The command behind `make bench`: finds the benchmarks, runs them, shows their tables, writes docs/performance.md.

python -m benchmarks.run [--quick] [--write] [--peer NAME=URL] [--thumbor VENV] [--json FILE] [BENCHMARK...]
"""

from __future__ import annotations

import argparse
import compileall
import importlib
import json
import pkgutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console

from benchmarks import machine, measures, report
from benchmarks.lab import ROOT, Lab
from benchmarks.results import Table


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmarks that are named, or all. arguments: other ones than the command's."""
    known = sorted(module.name for module in pkgutil.iter_modules(measures.__path__))
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="BENCHMARK", help=f"some of: {', '.join(known)}")
    parser.add_argument("--quick", action="store_true", help="only see that they run; the numbers mean nothing")
    parser.add_argument("--write", action="store_true", help="write docs/performance.md")
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=URL", help="measure this address, too")
    parser.add_argument("--thumbor", type=Path, metavar="VENV", help="a virtual environment that has thumbor")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep the tables in a file; add to what it has")
    asked = parser.parse_args(arguments)
    unknown = set(asked.names) - set(known)
    if unknown:
        parser.error(f"there is no benchmark {sorted(unknown)[0]!r}; there are: {', '.join(known)}")

    console = Console()
    if not console.is_terminal:
        console = Console(width=130)
    # As installing it does: where Python is told to keep nothing that it compiled, each start would compile it all.
    compileall.compile_dir(ROOT / "pwgserve", quiet=1)
    tables: list[Table] = _kept(asked.json)
    with tempfile.TemporaryDirectory(prefix="pwgserve-bench-") as directory:
        peers = dict(peer.split("=", 1) for peer in asked.peer)
        for name in asked.names or known:
            with Lab(Path(directory) / name, asked.quick, asked.thumbor, peers) as lab:
                for table in measured(name, lab, console):
                    tables = [other for other in tables if other.key != table.key] + [table]
                    report.show(table, console)
                    if asked.json:
                        asked.json.write_text(json.dumps([one.to_json() for one in tables], indent=1))
    if asked.write:
        report.write(tables, machine.facts())
        console.print(f"wrote {report.DOCUMENT.relative_to(report.ROOT)}")


def measured(name: str, lab: Lab, console: Console) -> Iterator[Table]:
    """The tables of one benchmark."""
    module = importlib.import_module(f"{measures.__name__}.{name}")
    console.print(f"[bold]{name}[/bold] (other work on this machine: {machine.load():.1f} processes)")
    started = time.monotonic()
    yield from module.measure(lab)
    console.print(f"{name}: {time.monotonic() - started:.0f} s\n")


def _kept(file: Path | None) -> list[Table]:
    if file is None or not file.exists():
        return []
    return [Table.from_json(values) for values in json.loads(file.read_text())]


if __name__ == "__main__":
    main()
