"""What the documents say is there: tests, settings (see test_settings), metrics, reasons and links between files."""

import re
from pathlib import Path

import pytest

from pwgserve.http import refusals
from pwgserve.metrics import Metrics

ROOT = Path(__file__).parents[1]
DOCUMENTS = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]


@pytest.mark.parametrize(("document", "most"), [("compatibility", 50), ("threat-model", 40)])
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


def test_every_reason_of_a_refusal_is_described():
    text = (ROOT / "docs/metrics.md").read_text()
    source = "".join(file.read_text() for file in (ROOT / "pwgserve").glob("**/*.py"))
    reasons = {reason for _, reason in refusals._OF_ERROR.values()} | {"unexpected-error", "method"}
    for call in re.findall(r"RefusedError\(([^)]*)\)", source):
        reasons |= set(re.findall(r'"([a-z-]+)"', call))
    assert len(reasons) > 12
    assert {reason for reason in reasons if f"`{reason}`" not in text} == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_between_documents_lead_somewhere(document):
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text()):
        assert (document.parent / target).exists(), target
