"""What a check found, as values; how it is shown to a person or a program is up to the command.

Pure. Names no path of a photo, so that it may be mailed: photos are numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pwgserve.check.attempts import in_words
from pwgserve.check.verdicts import IN_WORDS, Verdict


@dataclass(frozen=True)
class Finding:
    """An attempt that came to something, or whose answer was not clear. photo: its id, None if it is about none."""

    verdict: Verdict
    area: str
    trick: str
    photo: int | None
    status: int
    mend: str


@dataclass(frozen=True)
class Control:
    """Something that must work. problem: empty when it does."""

    what: str
    problem: str = ""


@dataclass
class Report:
    """The result of a check. closed: attempts that came to nothing, by area. notes: what else there is to know.

    doubts: why it cannot be told whether all is well, whatever the attempts came to.
    """

    url: str
    requests: int = 0
    hidden: int = 0
    closed: dict[str, int] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    controls: list[Control] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)

    @property
    def leaks(self) -> list[Finding]:
        """What a stranger gets."""
        return [finding for finding in self.findings if finding.verdict.is_leak]

    @property
    def unclear(self) -> list[Finding]:
        """What could not be told."""
        return [finding for finding in self.findings if finding.verdict is Verdict.UNCLEAR]

    @property
    def broken(self) -> list[Control]:
        """What does not work."""
        return [control for control in self.controls if control.problem]

    @property
    def exit_code(self) -> int:
        """0 all is well, 1 something leaks or does not work, 2 it cannot be told."""
        if self.leaks or self.broken:
            return 1
        return 2 if self.unclear or self.doubts else 0

    def as_json(self) -> Mapping[str, object]:
        """The report for programs."""
        return {
            "url": self.url,
            "result": {0: "closed", 1: "leaks" if self.leaks else "broken", 2: "unclear"}[self.exit_code],
            "requests": self.requests,
            "hidden_photos_tried": self.hidden,
            "attempts_that_came_to_nothing": self.closed,
            "leaks": [_finding(finding) for finding in self.leaks],
            "unclear": [_finding(finding) for finding in self.unclear],
            "controls": [{"what": one.what, "ok": not one.problem, "problem": one.problem} for one in self.controls],
            "notes": self.notes,
            "doubts": self.doubts,
        }


def _finding(finding: Finding) -> Mapping[str, object]:
    return {
        "photo": finding.photo,
        "what": finding.verdict.value,
        "in_words": IN_WORDS[finding.verdict],
        "address": finding.area,
        "address_in_words": in_words(finding.area),
        "trick": finding.trick,
        "status": finding.status,
        "mend": finding.mend,
    }
