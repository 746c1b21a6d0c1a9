import pytest

from pwgserve.numbers.trend import KEPT, Moment, Trend, by_outcome, reasons


def samples(hits=0, renders=0, forged=0, expired=0, busy=0, seconds=0.0, cache=0):
    def response(outcome, kind="signed"):
        return ("pwgserve_responses_total", (("kind", kind), ("outcome", outcome)))

    return {
        response("hit"): hits,
        response("render"): renders,
        response("forged"): forged,
        response("expired"): expired,
        response("busy"): busy,
        response("302", "legacy"): 7,
        response("200", "ops"): 1000,
        ("pwgserve_render_seconds_sum", ()): seconds,
        ("pwgserve_render_seconds_count", ()): renders,
        ("pwgserve_cache_bytes", ()): cache,
    }


def test_refusals_are_told_apart_and_operators_are_not_counted():
    moment = Moment.of(samples(hits=3, forged=2, expired=5, busy=1), 10)
    assert (moment.hit, moment.guesses, moment.mishaps, moment.troubles) == (3, 2, 5, 1)
    assert "200" not in by_outcome(samples())
    assert reasons(samples(forged=2, expired=5))[:2] == [("expired", 5), ("forged", 2)]


def test_what_happened_lately_is_a_difference_and_what_is_now_is_not():
    trend = Trend()
    for step in range(21):
        trend.note(samples(hits=step * 10, cache=step), at=1000 + step * 15)
    lately, seconds = trend.since(60)
    assert (lately.hit, seconds, lately.cache_bytes) == (40, 60, 20)


def test_a_restart_is_no_negative_number():
    trend = Trend()
    trend.note(samples(hits=100), at=0)
    trend.note(samples(hits=3), at=15)
    assert trend.since(60)[0].hit == 0


def test_nothing_is_known_at_first():
    trend = Trend()
    assert trend.since(60) == (Moment(), 0.0)
    assert trend.spans(10) == []
    trend.note(samples(), at=0)
    assert trend.since(60)[1] == 0.0
    assert trend.spans(10) == []


@pytest.mark.parametrize("number", [2, 3, 10, 11, 12, 100, 1000])
def test_spans_are_few_and_lose_nothing_of_late(number):
    trend = Trend()
    for step in range(number):
        trend.note(samples(hits=step), at=step * 15)
    spans = trend.spans(10)
    assert 1 <= len(spans) <= 10
    assert spans[-1][0].at == (number - 1) * 15
    assert sum(moment.hit for moment, _ in spans) >= (number - 1) * 0.8


def test_the_present_is_told_and_not_remembered():
    trend = Trend()
    trend.note(samples(hits=1), at=0)
    assert trend.until(samples(hits=5), 3).since(60)[0].hit == 4
    assert len(trend.moments) == 1


def test_memory_is_bounded():
    trend = Trend()
    for step in range(KEPT + 10):
        trend.note({}, at=step)
    assert len(trend.moments) == KEPT
