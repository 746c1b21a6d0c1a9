"""The shape of what benchmarks find: tables of values with their ratio to a peer and the bar that the ratio must meet.

Pure. How tables are shown is in `report` and `charts`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any


@dataclass(frozen=True)
class Bar:
    """What a ratio must be: `at_least` or `at_most`, one of the two."""

    at_least: float | None = None
    at_most: float | None = None

    def is_met(self, ratio: float) -> bool:
        """Whether a ratio meets the bar."""
        return (self.at_least is None or ratio >= self.at_least) and (self.at_most is None or ratio <= self.at_most)

    def __str__(self) -> str:
        return f"≥ {self.at_least:g}" if self.at_least is not None else f"≤ {self.at_most:g}"


@dataclass(frozen=True)
class Row:
    """One line: what was measured, its value in the table's unit, and its ratio to the peer, if that says something.

    against: the peer of this line, when it is another than the table's. note: what a reader must know of it.
    """

    what: str
    value: float
    ratio: float | None = None
    bar: Bar | None = None
    against: str = ""
    note: str = ""

    @property
    def verdict(self) -> str:
        """`met`, `missed`, or nothing when there is no bar."""
        if self.bar is None or self.ratio is None:
            return ""
        return "met" if self.bar.is_met(self.ratio) else "missed"


def told(value: float) -> str:
    """A value for people: as many digits as they want to read."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


@dataclass(frozen=True)
class Table:
    """The result of one benchmark. key: a short name for files. peer: what ratios are to. unit: of the values."""

    key: str
    title: str
    unit: str
    peer: str
    rows: Sequence[Row]
    note: str = ""

    def to_json(self) -> dict[str, Any]:
        """As values that JSON can hold."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Table:
        """What `to_json` wrote."""
        rows = [Row(**{**row, "bar": Bar(**row["bar"]) if row["bar"] else None}) for row in values["rows"]]
        return cls(**{**values, "rows": rows})


@dataclass
class Rounds:
    """Values of several contenders, taken in turns so that a noisy moment of the machine hits all of them."""

    values: dict[str, list[float]] = field(default_factory=dict)

    def median(self, name: str) -> float:
        """The middle of a contender's values."""
        return median(self.values[name])

    def ratio(self, name: str, peer: str) -> float:
        """The middle of the ratios to a peer, each of two values from the same round."""
        return median(one / other for one, other in zip(self.values[name], self.values[peer], strict=True))


def interleaved(contenders: Mapping[str, Callable[[], float]], rounds: int) -> Rounds:
    """Measure all contenders once a round. A contender is a function that returns its value."""
    found = Rounds({name: [] for name in contenders})
    names = list(contenders)
    for number in range(rounds):
        # Not always in the same order: whoever comes first must not always find the machine cool.
        for name in names[number % len(names) :] + names[: number % len(names)]:
            found.values[name].append(contenders[name]())
    return found
