"""The plugin's own tests, in PHP, and what its code may not be."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from plugin_vectors import FILE, text

ROOT = Path(__file__).parents[2]
PLUGIN = ROOT / "piwigo-plugin/pwgserve"
SOURCES = sorted(PLUGIN.rglob("*.php"))
TESTS = sorted((Path(__file__).parent / "php").glob("test_*.php"))

ONLY_IN_PHP_8 = [
    r"\bmatch\s*\(", r"\?->", r"\b(?:str_contains|str_starts_with|str_ends_with|get_debug_type|array_is_list)\b",
    r"\benum\s+\w+", r"\breadonly\b", r"#\[", r"function [^{;]*\)\s*:\s*(?:\??\w+\s*\|\s*\w+|static|mixed|never)\b",
    r"\(\s*(?:public|private|protected)\s[^()]*\$", r",\s*\)\s*(?::\s*\??\w+\s*)?\{", r"catch\s*\([\w\\| ]+\)\s*\{",
    r"\b\w+\(\s*[a-z_]+:\s",
]  # fmt: skip


def php(*arguments):
    program = shutil.which("php")
    assert program, "php is not installed; run scripts/system-packages"
    return subprocess.run([program, *arguments], capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("test", TESTS, ids=lambda file: file.name)
def test_the_plugins_own_tests_pass(test):
    done = php("-d", "zend.assertions=1", str(test))
    assert done.returncode == 0, done.stdout + done.stderr


def test_php_and_python_are_held_to_what_python_signs_now():
    message = "run: .venv/bin/python tests/plugin/plugin_vectors.py"
    assert json.loads(FILE.read_text("utf-8")) == json.loads(text()), message


@pytest.mark.parametrize("source", SOURCES, ids=lambda file: str(file.relative_to(PLUGIN)))
def test_every_file_is_php_also_for_the_oldest_version(source):
    checked = php("-l", str(source))
    assert checked.returncode == 0, checked.stdout + checked.stderr
    tokens = php("-w", str(source)).stdout  # without comments
    code = re.sub(r"'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"", "''", tokens)
    assert [rule for rule in ONLY_IN_PHP_8 if re.search(rule, code)] == []
