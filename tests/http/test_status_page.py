import asyncio
import base64
import hashlib
import re

import pytest

from pwgserve.http import status_page
from pwgserve.numbers.metrics import Metrics
from pwgserve.numbers.trend import Trend


def page(metrics=None, trend=None, problem=None):
    return status_page.page(asyncio.run((metrics or Metrics()).samples()), trend or Trend(), problem)


def test_nothing_is_loaded_and_nothing_runs():
    html = page()
    assert not re.search(r"<script|<link|<img|<iframe|src=|url\(|@import|\bon\w+=|https?:", html)
    assert "style=" not in html.replace("<style", "")
    policy = status_page.HEADERS["Content-Security-Policy"]
    style = re.search(r"<style>(.*?)</style>", html, re.S)[1]
    assert f"'sha256-{base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()}'" in policy
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy


def test_what_is_wrong_is_said_first_and_cannot_be_markup():
    html = page(problem="the database <b>did not</b> answer")
    assert "the database &lt;b&gt;did not" in html
    assert "healthy" not in html


def test_the_numbers_of_a_working_daemon_are_there():
    metrics, trend = Metrics(), Trend()
    metrics.read("pwgserve_workers_confined_info", lambda: {"Landlock <3": 1.0})
    for hits in (0, 90):
        for outcome, number in (("hit", hits), ("render", hits // 9), ("forged", hits // 30)):
            for _ in range(number):
                metrics.count("signed", outcome)
        trend.note(asyncio.run(metrics.samples()), at=1_700_000_000 + hits)
    html = page(metrics, trend)
    assert "<b>90.0%</b>" in html
    assert "<td>forged</td><td>3</td>" in html
    assert "Landlock &lt;3" in html
    assert html.count("<svg") == 6


@pytest.mark.parametrize(
    ("share", "text"), [(0, "0%"), (1, "100%"), (0.99999, "99.9%"), (0.5, "50.0%"), (0.00001, "0.0%")]
)
def test_only_all_is_a_hundred_percent(share, text):
    assert status_page.percent(float(share)) == text
