import asyncio
from types import SimpleNamespace

from pwgserve.cache.store import Cache
from pwgserve.http.plugin import Plugin


async def test_a_purge_that_ends_with_the_daemon_is_no_defect(tmp_path):
    cache = Cache(tmp_path / "cache", b"k" * 32, 10_000_000)
    cache.open()
    cache.put(cache.name("a"), b"picture")
    cache.upkeep.end()
    plugin = SimpleNamespace(_purging=[])
    Plugin._begin(plugin, asyncio.to_thread(cache.upkeep.purge))
    (purging,) = plugin._purging
    await asyncio.wait([purging])
    assert purging.exception() is None
