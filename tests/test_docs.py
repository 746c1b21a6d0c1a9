"""What the documents say is there, and as they say it: tests, settings (see test_settings, too), metrics, reasons, events,
messages, commands with their options, and links between files."""

import errno
import json
import os
import re
import tomllib
from pathlib import Path

import click
import pytest

from pwgserve.cli import COMMANDS, main
from pwgserve.http import refusals
from pwgserve.numbers.metrics import Metrics
from pwgserve.numbers.trend import GUESSES, TROUBLES
from pwgserve.settings import Settings
from pwgserve.settings_file import from_values

ROOT = Path(__file__).parents[1]
DOCUMENTS = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
TROUBLESHOOTING = ROOT / "docs/troubleshooting.md"


@pytest.mark.parametrize(("document", "most"), [("compatibility", 50), ("threat-model", 60)])
def test_every_test_that_a_document_names_exists(document, most):
    named = set(re.findall(r"`(test_\w+)`", (ROOT / f"docs/{document}.md").read_text()))
    there = set()
    for file in ROOT.glob("tests/**/test_*.py"):
        there |= set(re.findall(r"^(?:async )?def (test_\w+)", file.read_text(), re.M))
    assert len(named) > most
    assert named - there == set()


def test_every_metric_is_described_and_every_described_metric_exists():
    described = set(re.findall(r"`(pwgserve_\w+)", (ROOT / "docs/metrics.md").read_text()))
    assert len(described) > 15
    counted = set(re.findall(r"^# TYPE (pwgserve_\w+) (?:counter|gauge|histogram)$", Metrics().text().decode(), re.M))
    assert described == {name for name in counted if not name.endswith("_created")}


def test_the_dashboard_asks_for_nothing_that_does_not_exist_and_forgets_no_metric():
    dashboard = json.loads((ROOT / "deploy/grafana/pwgserve.json").read_text())
    queries = [one["expr"] for panel in dashboard["panels"] for one in panel["targets"]]
    asked = {name for query in queries for name in re.findall(r"pwgserve_\w+", query)}
    there = {line.split()[0].split("{")[0] for line in Metrics().text().decode().splitlines() if line[:1] != "#"}
    assert len(queries) > 20
    assert asked - there - {"pwgserve_responses_total"} == set()
    families = set(re.findall(r"^# TYPE (pwgserve_\w+) ", Metrics().text().decode(), re.M))
    assert {family for family in families if not any(name.startswith(family) for name in asked)} == set()
    outcomes = {
        word for query in queries for value in re.findall(r'outcome=~?"([^"]*)"', query) for word in value.split("|")
    }
    described = set(re.findall(r"`([a-z-]+)`", (ROOT / "docs/metrics.md").read_text()))
    assert outcomes - described == set()
    assert reasons_of_refusals() - outcomes == set()


def test_every_reason_of_a_refusal_is_told_apart_as_guess_mishap_or_trouble():
    assert reasons_of_refusals() >= GUESSES | TROUBLES
    assert set() == GUESSES & TROUBLES
    filtered = (ROOT / "deploy/fail2ban/filter.d/pwgserve.conf").read_text()
    counted = set(re.search(r"_reasons-guessing = (\S+)", filtered)[1].split("|"))
    assert counted <= GUESSES


def test_every_reason_of_a_refusal_is_described_and_every_described_reason_exists():
    text = (ROOT / "docs/metrics.md").read_text()
    reasons = reasons_of_refusals()
    assert len(reasons) > 12
    described = set()
    for line in re.findall(r"^\| (`[^|]+) \| \d{3} \|", text, re.M):
        described |= set(re.findall(r"`([a-z-]+)`", line))
    assert described == reasons


def reasons_of_refusals():
    source = "".join(file.read_text() for file in (ROOT / "pwgserve").glob("**/*.py"))
    reasons = {reason for _, reason in refusals._OF_ERROR.values()} | {"unexpected-error", "method"}
    for call in re.findall(r"RefusedError\((.*)\)", source):
        reasons |= set(re.findall(r'"([a-z-]+)"', call))
    legacy = (ROOT / "pwgserve/http/legacy.py").read_text()
    body = legacy[legacy.index("def _reason(") :].partition("\n\n\n")[0]
    for line in re.findall(r"^ +return (.*)$", body, re.M):
        reasons |= set(re.findall(r'"([a-z-]+)"', line))
    return reasons


def test_every_event_of_the_log_is_explained_and_every_explained_event_exists():
    source = "".join(file.read_text() for file in (ROOT / "pwgserve").glob("**/*.py"))
    events = set(re.findall(r"log\.(?:debug|info|warning|error)\(\s*\"([a-z-]+)\"", source))
    cells = re.findall(r"^\| (`[^|]+) \|", TROUBLESHOOTING.read_text().partition("## Lines in")[2], re.M)
    explained = [event for cell in cells for event in re.findall(r"`([a-z-]+)`", cell)]
    assert len(events) > 10
    assert sorted(explained) == sorted(events), "each of them in one place"


def test_every_message_that_is_quoted_in_troubleshooting_is_one_of_the_programs():
    text = TROUBLESHOOTING.read_text()
    starting = text.partition("## It does not start")[2].partition("\n## ")[0]
    cells = re.findall(r"^\| (`[^|]+) \|", starting, re.M)
    quoted = {message for cell in cells for message in re.findall(r"`([^`]+)`", cell)}
    quoted |= set(re.findall(r"`([^`]*…[^`]*)`", re.sub(r"^    .*$", "", text, flags=re.M)))
    assert len(quoted) > 8
    source = "".join(file.read_text() for file in (ROOT / "pwgserve").glob("**/*.py"))
    source += os.strerror(errno.EADDRINUSE)
    # What a message fills in stands between its own words.
    parts = {part.strip() for message in quoted for part in re.split("…|: ", message) if part.strip()}
    assert {part for part in parts if part not in source} == set()


def commands():
    """Every command as it is typed, with its options."""
    for name in COMMANDS:
        command = main.get_command(click.Context(main), name)
        parts = {f"{name} {part}": one for part, one in getattr(command, "commands", {}).items()}
        for typed, one in (parts or {name: command}).items():
            yield typed, {option for parameter in one.params for option in parameter.opts if option.startswith("--")}


@pytest.mark.parametrize(("typed", "options"), [pytest.param(*one, id=one[0]) for one in commands()])
def test_every_command_is_described_and_each_of_its_options_on_such_a_page(typed, options):
    pages = [file.read_text() for file in (ROOT / "README.md", *ROOT.glob("docs/*.md"))]
    text = "".join(page for page in pages if re.search(rf"(?:pwgserve |`){typed}\b", page))
    assert text
    assert {option for option in options if not re.search(rf"{option}(?![\w-])", text)} == set()


def test_the_defaults_that_are_described_are_those_of_the_settings(tmp_path):
    text = (ROOT / "docs/configuration.md").read_text()
    tables = {}
    for table, body in re.findall(r"^## \[(\w+)\]\n(.*?)(?=^## |\Z)", text, re.M | re.S):
        cells = dict(re.findall(r"^\| `(\w+)` \| ([^|]+) \|", body, re.M))
        values = {key: cell.strip("`") for key, cell in cells.items() if re.fullmatch("`[^`]+`", cell)}
        tables[table] = {key: tomllib.loads(f"value = {value}")["value"] for key, value in values.items()}
        for key in cells.keys() - values.keys():  # words instead of a value
            field = Settings.model_fields[table].annotation.model_fields[key]
            assert field.is_required() or field.default is None
    assert sum(map(len, tables.values())) > 30
    tables["piwigo"]["root"] = str(tmp_path)
    assert from_values(tables, "docs") == from_values({"piwigo": {"root": str(tmp_path)}}, "none")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_between_documents_lead_somewhere(document):
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text()):
        assert (document.parent / target).exists(), target
