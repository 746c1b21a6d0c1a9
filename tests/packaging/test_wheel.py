"""The wheel, installed by `pipx` as owners do, and installing from sources with `make install`."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
VERSION = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["version"]

pytestmark = [pytest.mark.timeout(600)]


def done(*command, **options):
    made = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=500, **options)
    assert made.returncode == 0, f"{command}: {made.stdout[-2000:]}{made.stderr[-2000:]}"
    return made.stdout


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Nothing that is installed here is used twice: Python need not compile all of it."""
    monkeypatch.setenv("PIP_NO_COMPILE", "0")  # as which pip takes "compile: no"


def test_pipx_takes_the_wheel(tmp_path):
    done("make", "wheel", f"PYTHON={sys.executable}", cwd=PROJECT)
    (wheel,) = (PROJECT / "dist").glob(f"pwgserve-{VERSION}-*.whl")
    own = {"PIPX_HOME": str(tmp_path / "home"), "PIPX_BIN_DIR": str(tmp_path / "bin")}
    environment = {**os.environ, **own, "PIPX_MAN_DIR": str(tmp_path / "man")}
    done(sys.executable, "-m", "pipx", "install", "--python", sys.executable, wheel, env=environment)
    command = tmp_path / "bin/pwgserve"
    assert done(command, "--version", cwd=tmp_path).split()[-1] == VERSION
    refused = subprocess.run(
        [command, "serve", "--config", "/nonexistent.toml"], capture_output=True, text=True, timeout=200
    )
    assert refused.returncode == 2
    assert len(refused.stderr.splitlines()) == 1
    done(sys.executable, "-m", "pipx", "uninstall", "pwgserve", env=environment)
    assert not command.exists()


def test_installing_from_sources_and_uninstalling_leaves_nothing(tmp_path):
    environment = {**os.environ, "DESTDIR": str(tmp_path), "PREFIX": "/opt/pwgserve"}
    done("make", "install", f"PYTHON={sys.executable}", cwd=PROJECT, env=environment)
    installed = tmp_path / "opt/pwgserve/bin/pwgserve"
    assert done(installed, "--version").split()[-1] == VERSION
    assert (tmp_path / "usr/local/bin/pwgserve").readlink() == Path("/opt/pwgserve/bin/pwgserve")
    for unit in (tmp_path / "etc/systemd/system").glob("*.service"):
        text = unit.read_text()
        assert "/usr/bin/pwgserve" not in text
        assert "/opt/pwgserve/bin/pwgserve" in text
        (documents,) = re.findall(r"^Documentation=file:/(.*)$", text, re.M)
        assert (tmp_path / documents).is_file()
    assert (tmp_path / "usr/local/share/doc/pwgserve/examples/nginx/snippets/pwgserve-cache.conf").is_file()
    keys = tmp_path / "var/lib/pwgserve/keys"
    keys.parent.mkdir(parents=True)
    keys.touch()
    secrets = [tmp_path / "etc/credstore" / name for name in ("pwgserve.keys", "pwgserve.database", "other.keys")]
    secrets[0].parent.mkdir()
    units = tmp_path / "etc/systemd/system"
    drop_ins = [units / f"pwgserve.{kind}.d/init.conf" for kind in ("service", "socket")]
    for file in drop_ins:
        file.parent.mkdir()
    for file in (*secrets, *drop_ins):
        file.touch()

    done("make", "uninstall", cwd=PROJECT, env=environment)
    left = {file for file in tmp_path.rglob("*") if file.is_file()}
    assert left == {keys, *drop_ins, *secrets}, "keys are the owner's"
    done("make", "uninstall", cwd=PROJECT, env={**environment, "PURGE": "1"})
    assert [file for file in tmp_path.rglob("*") if not file.is_dir()] == secrets[2:]
    assert not any(file.parent.exists() for file in drop_ins)
