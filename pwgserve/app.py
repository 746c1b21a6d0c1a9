"""Puts a daemon together: settings in, something that answers requests out.

`Daemon` can be asked by any aiohttp server; `pwgserve.service.serving` runs it as a service.
"""

from __future__ import annotations

import asyncio
import time
import traceback
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import structlog
from aiohttp import web
from aiohttp.http_parser import RawRequestMessage
from structlog.typing import FilteringBoundLogger

from pwgserve.answers.freshness import Fresh
from pwgserve.answers.sources import Sources
from pwgserve.answers.viewers import Viewers
from pwgserve.audit import AuditLog
from pwgserve.cache.standing import Standing
from pwgserve.cache.store import Cache
from pwgserve.finished import Derivatives
from pwgserve.foundation import Foundation, encodings_of, pool_settings
from pwgserve.http.icons import FOLDERS, Icons
from pwgserve.http.issuing import Issuer
from pwgserve.http.legacy import Legacy
from pwgserve.http.ops import PREFIX as OPS_PREFIX
from pwgserve.http.ops import Ops
from pwgserve.http.own_server import Ahead, OwnAddresses
from pwgserve.http.plugin import LinkFacts, Plugin
from pwgserve.http.refusals import Refusal, RefusedError, pause_before_no, refusal_of
from pwgserve.http.repeats import Repeats
from pwgserve.http.sending import Sender
from pwgserve.http.signed import Signed
from pwgserve.http.visitor import Proxies
from pwgserve.numbers.metrics import Metrics
from pwgserve.numbers.shared import PUBLISH_SECONDS, SharedNumbers
from pwgserve.numbers.trend import Trend, keep
from pwgserve.originals import Originals
from pwgserve.piwigo.gallery import Gallery
from pwgserve.piwigo.history import History
from pwgserve.piwigo.people import People
from pwgserve.piwigo.requests import split_target
from pwgserve.piwigo.walking import Walk
from pwgserve.plugin import Acquaintance
from pwgserve.render.pool import RenderPool
from pwgserve.render.workers import ENDINGS
from pwgserve.service.share import ALL, Share
from pwgserve.settings import Settings

COUNT_SECONDS = 3600.0
"""How often a process looks whether the cache's files are to be counted again: once a day, by one of all processes."""

METHODS = ("GET", "HEAD")
_log = structlog.get_logger("http")


@dataclass(frozen=True)
class Daemon:
    """A running daemon. `open` makes one; requests of any method and address go to `handle`.

    protections: how its workers are confined, in words.
    """

    base: str
    link_prefix: str
    legacy: Legacy
    signed: Signed
    repeats: Repeats
    ops: Ops
    plugin: Plugin
    metrics: Metrics
    proxies: Proxies
    audit: AuditLog
    protections: str
    log: FilteringBoundLogger
    _resources: AsyncExitStack = field(repr=False)

    @classmethod
    async def open(cls, settings: Settings, share: Share = ALL) -> Daemon:
        """Start everything that the settings describe, and check it.

        Raises GalleryConfigurationError, GalleryUnavailableError, KeysError, CacheError and RenderFailedError, each
        with one line for the owner.
        """
        async with AsyncExitStack() as resources:
            return await _assembled(settings, share, resources)

    async def close(self) -> None:
        """Finish renderings that are under way, end worker processes, close connections."""
        await self._resources.aclose()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request. Never raises but for broken connections and cancellation."""
        started = time.perf_counter()
        kind, reason = "other", ""
        try:
            kind, path, query = self._classified(request)
            if request.method not in METHODS:
                answer = await self.plugin.answer(request, path) if kind == "ops" else None
                return answer or self._refused(request, kind, Refusal.METHOD, "method")
            response = await self._answered(request, kind, path, query)
        except (ConnectionError, asyncio.CancelledError):
            raise
        except Exception as error:
            refusal, reason = refusal_of(error)
            if reason == "unexpected-error":
                # Only where it happened: the message of an error may hold a path or a cookie.
                _log.error("unexpected-error", error=type(error).__name__, at=_place(error))
            if refusal is Refusal.NOT_FOUND:
                await asyncio.sleep(pause_before_no(time.perf_counter() - started))
            return self._refused(request, kind, refusal, reason)
        outcome = response.headers.get("X-Pwgserve") or str(response.status)
        self.metrics.count(kind, outcome, (response.content_length or 0) if request.method == "GET" else 0)
        self.log.debug("answered", kind=kind, outcome=outcome, ms=round((time.perf_counter() - started) * 1000, 1))
        return response

    def repeated(self, message: RawRequestMessage, peer: str | None, now: float) -> tuple[bytes, ...] | None:
        """The complete answer to a request like one that was answered a moment ago, None for any other request.

        now: the loop's time.
        """
        found = self.repeats.find(message, peer, now)
        if found is None:
            return None
        self.metrics.count("signed", found.outcome, len(found.body))
        self.log.debug("answered", kind="signed", outcome=found.outcome, repeated=True)
        return found.parts

    def _classified(self, request: web.BaseRequest) -> tuple[str, str, str]:
        """Which kind of address, and the rest of it: path below its folder and query, still percent-encoded."""
        target = request.raw_path
        if target.startswith(OPS_PREFIX):
            return "ops", target.removeprefix(OPS_PREFIX).partition("?")[0], ""
        split = split_target(target, self.base)
        if split is None:
            return "other", "", ""
        path, query = split
        folder, slash, name = path.partition("/")
        if slash and folder == self.link_prefix:
            return "signed", name, query
        return "legacy", path, query

    async def _answered(self, request: web.BaseRequest, kind: str, path: str, query: str) -> web.StreamResponse:
        match kind:
            case "signed":
                return await self.signed.answer(request, path, query)
            case "legacy":
                return await self.legacy.answer(request, path, query)
            case "ops":
                return await self.ops.answer(request, path)
        raise RefusedError("unknown-address")

    def _refused(self, request: web.BaseRequest, kind: str, refusal: Refusal, reason: str) -> web.Response:
        self.metrics.count(kind, reason)
        visitor = self.proxies.visitor(request.remote, request.headers.getall("X-Forwarded-For", ()))
        _log.info("refused", kind=kind, reason=reason, status=refusal.value.status, visitor=visitor)
        self.audit.note(visitor, kind, reason, refusal.value.status)
        return refusal.response()


async def _assembled(settings: Settings, share: Share, resources: AsyncExitStack) -> Daemon:
    pool = RenderPool(pool_settings(settings.render, settings.cache.dir, share))
    resources.push_async_callback(pool.close)
    # A worker takes as long to begin as the database to answer.
    beginning = asyncio.create_task(pool.start())
    resources.push_async_callback(_ended, beginning)
    house = await Foundation.open(settings, resources)
    await beginning
    gallery, catalogue, signer = house.gallery, house.catalogue, house.signer
    cache, sources = house.cache, house.sources
    metrics = Metrics(await asyncio.to_thread(SharedNumbers, share.folder) if share.folder else None)
    _read_numbers(metrics, house, pool, int(settings.cache.max_size))

    publishing = asyncio.create_task(_publish(metrics))
    resources.callback(publishing.cancel)

    derivatives = Derivatives(cache, pool, sources, metrics.render_seconds.observe)
    resources.push_async_callback(derivatives.close)
    icon_sources = Sources(Originals(settings.piwigo.root, FOLDERS), sources.watermarks)
    icon_derivatives = Derivatives(cache, pool, icon_sources, metrics.render_seconds.observe)
    resources.push_async_callback(icon_derivatives.close)
    _keep_counted(cache, resources)

    server, links = settings.server, settings.links
    history = None
    if settings.piwigo.log_history:
        history = History(house.database, house.history_table)
        resources.push_async_callback(history.close)

    acquaintance = Acquaintance(house.keys.now)
    following = asyncio.create_task(house.keys.follow((signer.renew, acquaintance.renew)))
    resources.callback(following.cancel)

    viewers = Viewers(People(gallery), signer, house.questions)
    issuer = Issuer(signer, viewers, sources, server.base_path, links.prefix, links.ttl)
    proxies = Proxies(server.trusted_networks, settings.piwigo.visitor_address)
    sender = Sender(server.send_file, server.internal_prefix)
    repeats = Repeats()
    readiness = Fresh(_pinged(gallery), 1)
    trend = Trend()
    remembering = asyncio.create_task(keep(trend, metrics.samples))
    resources.push_async_callback(_cancelled, remembering)
    encodings = encodings_of(settings.render, pool)
    ahead = Ahead(sources, derivatives, encodings)
    resources.push_async_callback(ahead.close)
    audit = AuditLog(settings.log.audit)
    resources.push_async_callback(asyncio.to_thread, audit.close)
    metrics.read("pwgserve_audit_lost", lambda: audit.lost)
    return Daemon(
        base=server.base_path,
        link_prefix=links.prefix,
        legacy=Legacy(
            catalogue=catalogue,
            viewers=viewers,
            sources=sources,
            issuer=issuer,
            proxies=proxies,
            icons=Icons(icon_sources, icon_derivatives, signer, sender, server.public_url),
            public_url=server.public_url,
            own_addresses=OwnAddresses(server.own_networks),
            ahead=ahead,
            history=history,
            encodings=encodings,
        ),
        signed=Signed(
            catalogue=catalogue,
            viewers=viewers,
            signer=signer,
            issuer=issuer,
            sources=sources,
            derivatives=derivatives,
            sender=sender,
            proxies=proxies,
            repeats=repeats,
            bind_session=links.bind_session,
        ),
        repeats=repeats,
        plugin=Plugin(
            acquaintance=acquaintance,
            proxies=proxies,
            links=LinkFacts(
                public_url=server.public_url,
                send_file=server.send_file,
                prefix=links.prefix,
                ttl=int(links.ttl),
                message_ttl=int(links.message_ttl),
                bind_session=links.bind_session,
                encodings=encodings,
            ),
            signer=signer,
            catalogue=catalogue,
            sources=sources,
            derivatives=derivatives,
            standing=Standing(catalogue, sources, cache),
            walk=Walk(gallery),
            max_cache=int(settings.cache.max_size),
            metrics=metrics,
            protections=pool.workers.protections,
        ),
        ops=Ops(metrics, trend, lambda: readiness.get(None)),
        metrics=metrics,
        proxies=proxies,
        audit=audit,
        protections=pool.workers.protections,
        # Bound once: what is not told must cost nothing at every request.
        log=_log.bind(),
        _resources=resources.pop_all(),
    )


def _read_numbers(metrics: Metrics, house: Foundation, pool: RenderPool, cache_limit: int) -> None:
    tally = house.cache.upkeep.tally
    metrics.read("pwgserve_render_jobs", lambda: pool.jobs)
    metrics.read("pwgserve_render_queue", lambda: pool.waiting)
    metrics.read("pwgserve_workers", lambda: pool.workers.count)
    metrics.read("pwgserve_workers_ended", lambda: dict.fromkeys(ENDINGS, 0.0) | dict(pool.workers.ended))
    metrics.read("pwgserve_workers_confined_info", lambda: {pool.workers.protections: 1.0})
    metrics.read("pwgserve_cache_bytes", lambda: tally.last.size)
    metrics.read("pwgserve_cache_files", lambda: tally.last.files)
    metrics.read("pwgserve_cache_limit_bytes", lambda: cache_limit)
    metrics.read("pwgserve_database_questions", lambda: house.gallery.questions)
    metrics.read("pwgserve_database_failures", lambda: house.gallery.failures)


def _keep_counted(cache: Cache, resources: AsyncExitStack) -> None:
    """Let the files be counted once a day, and the tally of all processes be known within a second."""
    # Counting a large cache takes a while, and nothing waits for it, neither now nor at the end.
    counting = asyncio.create_task(_repeat(cache.upkeep.collect_if_due, COUNT_SECONDS))
    resources.push_async_callback(_cancelled, counting)
    resources.callback(cache.upkeep.end)
    following = asyncio.create_task(_repeat(cache.upkeep.tally.get, PUBLISH_SECONDS))
    resources.push_async_callback(_cancelled, following)


async def _repeat(work: Callable[[], object], seconds: float) -> None:
    """Do something that blocks again and again."""
    while True:
        await asyncio.to_thread(work)
        await asyncio.sleep(seconds)


async def _publish(metrics: Metrics) -> None:
    while True:
        await metrics.publish()
        await asyncio.sleep(PUBLISH_SECONDS)


def _pinged(gallery: Gallery) -> Callable[[None], Awaitable[None]]:
    async def ask(_key: None) -> None:
        await gallery.ping()

    return ask


async def _ended(task: asyncio.Task[None]) -> None:
    """Wait for a task; whoever had a use for its error has been told."""
    await asyncio.gather(task, return_exceptions=True)


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])


def _place(error: Exception) -> str:
    """The innermost place of ours that an error went through."""
    ours = [
        f"{Path(frame.filename).name}:{frame.lineno}"
        for frame in traceback.extract_tb(error.__traceback__)
        if "pwgserve" in Path(frame.filename).parts
    ]
    return ours[-1] if ours else ""
