"""What the documents say is there: tests, settings (see test_settings), metrics, reasons and links between files."""

import json
import re
from pathlib import Path

import click
import pytest

from pwgserve.cli import COMMANDS, main
from pwgserve.http import refusals
from pwgserve.numbers.metrics import Metrics
from pwgserve.numbers.trend import GUESSES, TROUBLES

ROOT = Path(__file__).parents[1]
DOCUMENTS = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]


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


def test_every_reason_of_a_refusal_is_described():
    text = (ROOT / "docs/metrics.md").read_text()
    reasons = reasons_of_refusals()
    assert len(reasons) > 12
    assert {reason for reason in reasons if f"`{reason}`" not in text} == set()


def reasons_of_refusals():
    source = "".join(file.read_text() for file in (ROOT / "pwgserve").glob("**/*.py"))
    reasons = {reason for _, reason in refusals._OF_ERROR.values()} | {"unexpected-error", "method"}
    for call in re.findall(r"RefusedError\((.*)\)", source):
        reasons |= set(re.findall(r'"([a-z-]+)"', call))
    legacy = (ROOT / "pwgserve/http/legacy.py").read_text()
    body = legacy[legacy.index("def _reason(") :].partition("\n    async def ")[0]
    for line in re.findall(r"^ +return (.*)$", body, re.M):
        reasons |= set(re.findall(r'"([a-z-]+)"', line))
    return reasons


def test_every_event_of_the_log_is_explained():
    source = "".join(file.read_text() for file in (ROOT / "pwgserve").glob("**/*.py"))
    events = set(re.findall(r"log\.(?:debug|info|warning|error)\(\s*\"([a-z-]+)\"", source))
    explained = set(
        re.findall(r"`([a-z-]+)`", (ROOT / "docs/troubleshooting.md").read_text().partition("## Lines in")[2])
    )
    assert len(events) > 10
    assert events - explained == set()


def test_every_command_and_its_options_are_described():
    text = "".join(document.read_text() for document in DOCUMENTS)
    for name in COMMANDS:
        described = [f"pwgserve {name}", f"`{name}`", f"`{name} "]
        assert any(spelled in text for spelled in described), name
    operating = (ROOT / "docs/operating.md").read_text()
    for name in ("warm", "cache", "sign", "status"):
        command = main.get_command(click.Context(main), name)
        for one in getattr(command, "commands", {name: command}).values():
            options = {option for parameter in one.params for option in parameter.opts if option.startswith("--")}
            assert {option for option in options if option not in operating} == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_between_documents_lead_somewhere(document):
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text()):
        assert (document.parent / target).exists(), target
