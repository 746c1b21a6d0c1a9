"""The plugin's own tests, in PHP, and what its code may not be."""

import json
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from plugin_vectors import FILE, text

import pwgserve

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


TEXT = re.compile(r"\$lang\['(pwgserve_\w+)'\] = '")
USED = re.compile(r"(?:l10n\(|\{)'(pwgserve_\w+)'")


def php(*arguments):
    program = shutil.which("php")
    assert program, "php is not installed; run scripts/system-packages"
    return subprocess.run([program, *arguments], capture_output=True, text=True, timeout=200)


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


def texts(language):
    return TEXT.findall((PLUGIN / "language" / language / "plugin.lang.php").read_text("utf-8"))


def named(source, pattern):
    return set(re.findall(pattern, (PLUGIN / source).read_text("utf-8")))


def test_the_languages_are_complete():
    english = texts("en_UK")
    assert len(english) == len(set(english)) > 40
    assert texts("fr_FR") == english
    used = {key for file in [*SOURCES, PLUGIN / "template/admin.tpl"] for key in USED.findall(file.read_text("utf-8"))}
    assert used - set(english) == set()
    problems = {name for file in SOURCES for name in re.findall(r"Problem\((?:.*\? )?'(\w+)'", file.read_text("utf-8"))}
    problems |= {"stranger", "not_asked", "key_unknown", "clock"}
    composed = {f"pwgserve_{name}" for name in problems}
    composed |= {f"pwgserve_state_{name}" for name in ("ok", "bad", "unknown")}
    composed |= {f"pwgserve_attempt_{name}" for name in named("include/LeakProbe.php", r"'(\w+)' => (?:\"|\$path)")}
    composed |= {f"pwgserve_check_{name}" for name in named("include/Administration.php", r"'name' => '(\w+)'")}
    composed |= {
        f"pwgserve_figure_{name}" for name in named("include/Administration.php", r"\n            '(\w+)' => ")
    }
    known_apart = {"pwgserve_figure_nginx", "pwgserve_figure_Apache", "pwgserve_attempt_status"}
    assert len(composed) > 25
    assert composed - set(english) - known_apart == set()


def test_every_value_in_the_template_is_escaped():
    template = re.sub(
        r"\{literal\}.*?\{/literal\}|\{\*.*?\*\}", "", (PLUGIN / "template/admin.tpl").read_text("utf-8"), flags=re.S
    )
    printed = re.findall(r"\{(['$][^}]*)\}", template)
    assert len(printed) > 20
    assert [one for one in printed if not one.endswith("|escape:'html'")] == []


def test_no_file_of_the_plugin_can_be_run_by_opening_it():
    for source in SOURCES:
        text = source.read_text("utf-8")
        assert (
            "defined('PHPWG_ROOT_PATH') or die" in text
            or "namespace Pwgserve;" in text
            or "plugin.lang" in source.name
            or source.name == "index.php"
        ), source


def test_the_zip_has_one_folder_and_is_the_same_every_time(tmp_path):
    archives = []
    for name in ("a.zip", "b.zip"):
        subprocess.run(
            [sys.executable, str(ROOT / "scripts/build-plugin"), str(tmp_path / name)], check=True, capture_output=True
        )
        archives.append((tmp_path / name).read_bytes())
    assert archives[0] == archives[1]
    names = zipfile.ZipFile(tmp_path / "a.zip").namelist()
    assert {name.partition("/")[0] for name in names} == {"pwgserve"}
    assert {"pwgserve/main.inc.php", "pwgserve/maintain.class.php", "pwgserve/admin.php", "pwgserve/LICENSE"} <= set(
        names
    )


def test_the_plugin_has_the_daemons_version():
    header = (PLUGIN / "main.inc.php").read_text("utf-8")
    assert re.findall(r"^Version: (.*)$", header, re.M) == [pwgserve.__version__]
