"""Manual pages and completions say what the command line is."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

from pwgserve.cli import main

PROJECT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    command = [sys.executable, PROJECT / "scripts/cli-pages", folder]
    subprocess.run(command, check=True, timeout=200, env={**os.environ, "SOURCE_DATE_EPOCH": "1764000000"})
    return folder


def commands(command, name):
    yield name, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for below in command.list_commands(context):
            yield from commands(command.get_command(context, below), f"{name}-{below}")


def test_every_command_has_a_manual_page_with_all_its_options(pages):
    written = {file.stem: file.read_text() for file in (pages / "man").iterdir()}
    expected = dict(commands(main, "pwgserve"))
    assert set(written) == set(expected)
    for name, command in expected.items():
        for parameter in command.params:
            if isinstance(parameter, click.Option) and not parameter.hidden:
                assert parameter.opts[0].replace("-", "\\-") in written[name], (name, parameter.opts)
        assert "2025-11-24" in written[name] or "2025\\-11\\-24" in written[name]
        assert "..." not in written[name].partition("SYNOPSIS")[0], "the first sentence is told in full"


@pytest.mark.skipif(not shutil.which("man"), reason="`man` is not installed; the pages are checked as text")
def test_man_has_nothing_to_complain_about(pages):
    for page in (pages / "man").iterdir():
        shown = subprocess.run(
            ["man", "--warnings", "--local-file", str(page)], capture_output=True, text=True, timeout=200
        )
        assert shown.returncode == 0
        assert not shown.stderr, (page.name, shown.stderr)


def test_bash_completes_commands(pages):
    script = f"""
        source {pages / "completions/bash"}
        PATH={Path(sys.executable).parent}:$PATH
        COMP_WORDS=(pwgserve ser) COMP_CWORD=1
        _pwgserve_completion pwgserve
        echo "${{COMPREPLY[@]}}"
    """
    answer = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=200)
    assert answer.stdout.split() == ["serve"], answer.stderr


def test_there_are_completions_for_every_shell(pages):
    for shell in ("bash", "zsh", "fish"):
        assert "pwgserve" in (pages / "completions" / shell).read_text()
