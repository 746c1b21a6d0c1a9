from xml.etree import ElementTree

from benchmarks import report
from benchmarks.charts import svg
from benchmarks.results import Bar, Rounds, Row, Table, interleaved

TABLE = Table(
    "hits",
    'Hits & "misses"',
    "per second",
    "a file",
    [Row("a <file>", 40_000.0), Row("ours", 21_000.0, 0.525, Bar(at_least=0.5)), Row("slow", 9.0, 4.0, Bar(at_most=3))],
)


def test_a_bar_is_met_or_missed():
    assert [row.verdict for row in TABLE.rows] == ["", "met", "missed"]


def test_ratios_are_of_values_from_the_same_round():
    rounds = Rounds({"ours": [10.0, 40.0, 30.0], "peer": [20.0, 80.0, 30.0]})
    assert rounds.ratio("ours", "peer") == 0.5
    assert rounds.median("ours") == 30.0


def test_contenders_take_turns():
    order = []
    found = interleaved({name: lambda name=name: order.append(name) or float(len(order)) for name in "ab"}, 3)
    assert "".join(order) == "abbaab"
    assert found.values == {"a": [1.0, 4.0, 5.0], "b": [2.0, 3.0, 6.0]}


def test_a_table_survives_being_kept():
    assert Table.from_json(TABLE.to_json()) == TABLE


def test_a_chart_is_well_formed_and_says_every_value():
    drawn = ElementTree.fromstring(svg(TABLE))
    texts = [element.text for element in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert texts == ["a <file>", "40,000", "ours", "21,000", "slow", "9"]


def test_a_table_without_a_row_is_no_reason_to_lose_all_others():
    assert ElementTree.fromstring(svg(Table("none", "None", "per second", "a file", []))) is not None


def test_the_page_says_what_was_measured_by_hand_and_how_as_it_is_recorded():
    page = report.DOCUMENT.read_text()
    assert page.startswith(report._INTRODUCTION)
    assert report._recorded().strip() in page
