"""What everything that works on a gallery stands on: its database, its settings, the keys, the cache and its files.

The daemon (`app`) and the commands that do a part of its work (`warm`, `cache`, `sign`) start from here alike, so that
they mean the same derivative by the same name. Nothing here answers requests or renders.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import structlog

from pwgserve.answers.catalogue import Catalogue
from pwgserve.answers.owner_file import OwnerFile
from pwgserve.answers.sources import Sources
from pwgserve.answers.together import Questions
from pwgserve.cache.store import Cache
from pwgserve.keys.keywatch import KeyWatch
from pwgserve.links import LinkSigner
from pwgserve.originals import Originals
from pwgserve.phpconfig.database import DEFAULT_PREFIX
from pwgserve.piwigo.address import Address
from pwgserve.piwigo.conf import PiwigoConf
from pwgserve.piwigo.gallery import QUERY_SECONDS, Gallery, GalleryConfigurationError, database_address
from pwgserve.piwigo.requests import clean_path
from pwgserve.piwigo.schema import schema
from pwgserve.piwigo.walking import albums_of
from pwgserve.render import machine
from pwgserve.render.limits import Limits, memory_for_one, workers_for
from pwgserve.render.plan import RenderRules
from pwgserve.render.pool import RenderPool
from pwgserve.render.workers import PoolSettings
from pwgserve.service.share import ALL, Share
from pwgserve.settings import Render, Settings

LOCAL_SOCKETS = (Path("/run/mysqld/mysqld.sock"), Path("/var/lib/mysql/mysql.sock"))
"""Where a database server listens that PHP reaches as `localhost`. Never below /tmp, where anybody could listen."""

LARGE_FILE = "large"
"""In the cache's folder: whose lock has the process that renders a large picture."""

HIDDEN_KEY_TYPES = (
    "piwigo.database: this user may not read key_type and revoked_on of table user_auth_keys, which Piwigo 16 added: "
    "programs' API keys open nothing; run pwgserve init again, or grant it"
)

_log = structlog.get_logger("foundation")


@dataclass(frozen=True)
class Reached:
    """A gallery that can be asked; nothing of pwgserve's own (keys, cache) is needed for that, or made.

    database: its address; history_table: the name of the one that is ever written. questions: of all who
    ask it, which end before it is closed. conf: as the owner's files have it.
    """

    database: Address
    history_table: str
    gallery: Gallery
    questions: Questions
    catalogue: Catalogue
    conf: PiwigoConf

    @classmethod
    async def open(cls, settings: Settings, resources: AsyncExitStack, patience: float = QUERY_SECONDS) -> Reached:
        """Reach the gallery and check it; `resources` closes it again. patience: of each question, in seconds.

        Raises GalleryConfigurationError and GalleryUnavailableError.
        """
        owner_file = OwnerFile(settings.piwigo.root, settings.piwigo.conf)
        conf = await asyncio.to_thread(owner_file.conf)
        for warning in owner_file.warnings:
            _log.warning("piwigo-configuration", problem=warning)
        address, prefix = await asyncio.to_thread(_database, settings, owner_file)
        gallery = Gallery(address, schema(prefix, conf.users_table, conf.user_fields, owner_file.tables), patience)
        history = owner_file.tables.get("HISTORY_TABLE", f"{prefix}history")
        resources.push_async_callback(gallery.close)
        questions = Questions()
        resources.push_async_callback(questions.close)
        await gallery.check()
        if gallery.hides_key_types:
            _log.warning("piwigo-database", problem=HIDDEN_KEY_TYPES)
        rules = RenderRules(strip_gps=settings.render.strip_gps, animate=settings.render.animate)
        catalogue = Catalogue(gallery, owner_file, settings.access.lockdown, rules, questions)
        return cls(address, history, gallery, questions, catalogue, conf)


@dataclass(frozen=True)
class Foundation:
    """One gallery, ready to be asked. database: its address; history_table: see `Reached`."""

    database: Address
    history_table: str
    gallery: Gallery
    questions: Questions
    catalogue: Catalogue
    keys: KeyWatch
    signer: LinkSigner
    cache: Cache
    sources: Sources

    async def albums(self, album_ids: Sequence[int], with_sub_albums: bool) -> frozenset[int] | None:
        """These albums, with all below them if wanted; None for none given. Raises GalleryConfigurationError."""
        found: set[int] = set()
        for album_id in album_ids:
            albums = await albums_of(self.gallery, album_id, with_sub_albums)
            if not albums:
                raise GalleryConfigurationError(f"--album: the gallery has no album {album_id}")
            found |= albums
        return frozenset(found) if album_ids else None

    @classmethod
    async def open(
        cls,
        settings: Settings,
        resources: AsyncExitStack,
        keys: KeyWatch | None = None,
        patience: float = QUERY_SECONDS,
    ) -> Foundation:
        """Reach everything that the settings name, and check it; `resources` closes it again.

        keys: if read already. patience: seconds after which a question to the database counts as not answered.
        Raises GalleryConfigurationError, GalleryUnavailableError, KeysError and CacheError.
        """
        reached = await Reached.open(settings, resources, patience)
        watch = keys if keys is not None else await asyncio.to_thread(KeyWatch.open, settings)
        group_reads = settings.server.send_file != "direct"
        cache = Cache(settings.cache.dir, watch.now.stable_key, int(settings.cache.max_size), group_reads)
        await asyncio.to_thread(cache.open)
        return cls(
            database=reached.database,
            history_table=reached.history_table,
            gallery=reached.gallery,
            questions=reached.questions,
            catalogue=reached.catalogue,
            keys=watch,
            signer=LinkSigner(watch.now),
            cache=cache,
            sources=_sources(settings, reached.conf),
        )


def _database(settings: Settings, owner_file: OwnerFile) -> tuple[Address, str]:
    """Address of the database and prefix of the tables: as configured, else as Piwigo itself has them. Blocks."""
    setting, prefix = settings.piwigo.database, settings.piwigo.table_prefix
    address = None if setting is None else database_address(setting)
    if address is None or prefix is None:
        of_piwigo = owner_file.database()
        if of_piwigo is not None:
            socket = next((str(path) for path in LOCAL_SOCKETS if path.is_socket()), None)
            address = of_piwigo.address(socket) if address is None else address
            prefix = of_piwigo.prefix if prefix is None else prefix
    if address is None:
        raise GalleryConfigurationError(
            f"{owner_file.database_file}: not found; is piwigo.root Piwigo's folder? If so, give piwigo.database"
        )
    return address, DEFAULT_PREFIX if prefix is None else prefix


def pool_settings(render: Render, cache: Path | None = None, share: Share = ALL) -> PoolSettings:
    """How many and which workers this process has of those that the settings ask for on this machine.

    cache: the cache's folder, in which all processes of the daemon agree who renders a large picture.
    """
    memory = machine.memory()
    limits = Limits(
        max_pixels=render.max_megapixels * 1_000_000,
        max_frames=render.max_frames,
        max_source=int(render.max_source),
        max_memory=int(render.max_memory) or memory_for_one(memory),
    )
    workers = render.workers or workers_for(machine.cores(), memory)
    alone = cache / LARGE_FILE if cache else None
    return PoolSettings(
        share.of(workers),
        share.of(render.queue),
        render.timeout,
        limits,
        render.sandbox,
        render.renderings_per_worker,
        alone,
        # With a server process in one session: Linux weighs sessions first, and processes by their niceness within one.
        apart=share.folder is None,
        patience=render.timeout,
    )


def _sources(settings: Settings, conf: PiwigoConf) -> Sources:
    root = settings.piwigo.root
    folders = [clean_path(conf.upload_dir), "galleries"]
    originals = Originals(root, folders, settings.piwigo.originals)
    watermarks = Originals(root, ["local/watermarks", "themes"])
    return Sources(originals, watermarks)


def encodings_of(render: Render, pool: RenderPool) -> tuple[str, ...]:
    """What derivatives are offered as, the best first: what the owner wants and this libvips can write."""
    missing = [name for name in render.formats if name not in pool.workers.encodings]
    if missing:
        _log.warning("formats", problem=f"this libvips cannot write {', '.join(missing)}; pyvips-binary can")
    return tuple(name for name in render.formats if name in pool.workers.encodings)
