import asyncio

import pytest
from aiohttp import web

from pwgserve.numbers import opsclient
from pwgserve.numbers.opsclient import OpsClient, parsed
from pwgserve.numbers.trend import by, total

TEXT = """# TYPE pwgserve_responses_total counter
pwgserve_responses_total{kind="signed",outcome="hit"} 3.0
pwgserve_responses_total{kind="legacy",outcome="hit"} 4.0
pwgserve_responses_total{kind="signed",outcome="render"} 2.0
# TYPE pwgserve_render_jobs gauge
pwgserve_render_jobs %d
"""


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(opsclient, "ASK_AGAIN", 0.05)


class Daemon:
    """Answers as a daemon that renders `jobs` pictures; counts how often it was asked."""

    def __init__(self, jobs):
        self.jobs = jobs
        self.asked = 0

    async def __aenter__(self):
        async def answer(request):
            self.asked += 1
            assert request.path == "/-/metrics"
            return web.Response(text=TEXT % self.jobs)

        self._runner = web.ServerRunner(web.Server(answer))
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.client = OpsClient(f"127.0.0.1:{self._runner.addresses[0][1]}")
        return self

    async def __aexit__(self, *_):
        await self.client.close()
        await self._runner.cleanup()


def test_numbers_are_summed_by_labels():
    samples = parsed(TEXT % 5)
    assert total(samples, "pwgserve_responses_total") == 9
    assert total(samples, "pwgserve_responses_total", kind="signed") == 5
    assert by(samples, "pwgserve_responses_total", "outcome") == {"hit": 7, "render": 2}
    assert total(samples, "pwgserve_nothing") == 0


async def test_work_waits_while_visitors_wait_and_no_longer(quick):
    async with Daemon(jobs=2) as daemon:
        waiting = asyncio.create_task(daemon.client.wait_while_rendering())
        while daemon.asked < 3:
            await asyncio.sleep(0.01)
        assert not waiting.done()
        daemon.jobs = 0
        await asyncio.wait_for(waiting, 30)


async def test_a_gallery_that_is_never_idle_is_worked_on_too(quick, monkeypatch):
    monkeypatch.setattr(opsclient, "LONGEST_WAIT", 0.3)
    async with Daemon(jobs=2) as daemon:
        await asyncio.wait_for(daemon.client.wait_while_rendering(), 30)


async def test_without_a_daemon_nothing_waits():
    client = OpsClient("127.0.0.1:1")
    await asyncio.wait_for(client.wait_while_rendering(), 30)
    await client.close()


async def test_a_daemon_is_not_asked_for_every_picture(monkeypatch):
    monkeypatch.setattr(opsclient, "ASK_AGAIN", 1000)
    async with Daemon(jobs=0) as daemon:
        for _ in range(50):
            await daemon.client.wait_while_rendering()
        assert daemon.asked == 1


@pytest.mark.parametrize(
    ("listen", "host"),
    [
        ("127.0.0.1:8280", "127.0.0.1:8280"),
        ("0.0.0.0:8280", "127.0.0.1:8280"),
        ("[::]:8280", "[::1]:8280"),
        ("[::1]:8280", "[::1]:8280"),
        ("unix:/run/s", "localhost"),
    ],
)
def test_what_listens_everywhere_is_asked_here(listen, host):
    assert OpsClient(listen)._host == host
