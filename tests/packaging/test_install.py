"""What scripts/install leaves, with a Python that only pretends to install packages: the rest is the script's own."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYTHON = """#!/bin/sh
# `-m venv FOLDER` makes a folder with this very program; whatever else is asked for is fine.
[ "$1 $2" = "-m venv" ] || { touch "$(dirname "$0")/pwgserve" && chmod u=rwx,go= "$(dirname "$0")/pwgserve"; exit 0; }
mkdir -p "$3/bin" && cp "$0" "$3/bin/python"
"""


@pytest.fixture
def sources(tmp_path):
    """A copy of what the script takes, closed to all but its owner as in a clone under umask 077."""
    folder = tmp_path / "sources"
    for name in ("docs", "deploy", "systemd", "scripts"):
        shutil.copytree(ROOT / name, folder / name)
    for name in ("README.md", "CHANGELOG.md"):
        shutil.copy(ROOT / name, folder)
    for name in ("man/pwgserve.1", "completions/bash", "completions/zsh", "completions/fish"):
        (folder / "build/pages" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "build/pages" / name).touch()
    for path in folder.rglob("*"):
        path.chmod(0o700 if path.is_dir() or os.access(path, os.X_OK) else 0o600)
    (folder / "python").write_text(PYTHON)
    (folder / "python").chmod(0o700)
    return folder


@pytest.mark.parametrize("umask", [0o077, 0o027, 0o022])
def test_everybody_may_use_what_root_installs_whatever_roots_umask(sources, tmp_path, umask):
    target = tmp_path / "target"
    (target / "opt/pwgserve/lib").mkdir(parents=True, mode=0o700)
    done = subprocess.run(
        [str(sources / "scripts/install")],
        capture_output=True,
        text=True,
        timeout=200,
        umask=umask,
        env={**os.environ, "DESTDIR": str(target), "PYTHON": str(sources / "python")},
    )
    assert done.returncode == 0, done.stderr
    found = [path for path in target.rglob("*") if not path.is_symlink()]
    assert target / "etc/systemd/system/pwgserve.service" in found
    closed = [path for path in found if (0o005 if path.is_dir() else 0o004) & ~path.stat().st_mode]
    assert closed == []
    assert (target / "opt/pwgserve/bin/pwgserve").stat().st_mode & 0o001
