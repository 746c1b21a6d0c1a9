"""`pwgserve cache`: how full the cache is, and how to empty it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import click
import uvloop
from pydantic import ByteSize, TypeAdapter, ValidationError
from rich.console import Console

from pwgserve import logs, settings_file
from pwgserve.cache.standing import Removed, Standing
from pwgserve.cache.store import CacheError
from pwgserve.cache.upkeep import Collected, Upkeep
from pwgserve.commands.options import ROW, as_json, chosen_albums, config_file
from pwgserve.commands.owner import become_owner_of, keys_as_owner
from pwgserve.foundation import Foundation
from pwgserve.keys.keywatch import KeyWatch
from pwgserve.piwigo.gallery import BULK_SECONDS, GalleryConfigurationError
from pwgserve.piwigo.walking import Walk
from pwgserve.settings import Settings

NICENESS = 15
AGES = (("an hour", 3600.0), ("a day", 86_400.0), ("a week", 604_800.0), ("a month", 2_592_000.0))


@click.group("cache")
def cache_command() -> None:
    """See how full the cache is, and empty it. Safe while the daemon runs."""


@cache_command.command("stats")
@config_file
@as_json
def stats_command(file: Path, as_json: bool) -> None:
    """Count what the cache holds, and when it was last used."""
    found, upkeep = _opened(file)
    with _walking("Counting") as on_walk:
        contents = upkeep.measure(on_walk)
    limit = int(found.cache.max_size)
    ages = {name: contents.used_within(seconds) for name, seconds in AGES}
    if as_json:
        _print_json(
            dir=str(found.cache.dir),
            files=contents.files,
            bytes=contents.size,
            max_bytes=limit,
            oldest_use_seconds=round(contents.oldest),
            used_within={str(round(seconds)): ages[name][0] for name, seconds in AGES},
        )
        _tell_skipped(contents.skipped)
        return
    click.echo(f"{found.cache.dir}: {contents.files} derivatives, {_size(contents.size)} of {_size(limit)} ", nl=False)
    click.echo(f"({contents.size / limit:.0%})")
    for name, (size, files) in ages.items():
        click.echo(f"  used within {name:8} {_size(size):>10}  {files} files")
    if contents.files:
        click.echo(f"  longest not used: {contents.oldest / 86_400:.1f} days")
    _tell_skipped(contents.skipped)


@cache_command.command("gc")
@config_file
@click.option("--max-size", metavar="SIZE", default=None, help="Another limit than cache.max_size, like 5GB.")
@as_json
def gc_command(file: Path, max_size: str | None, as_json: bool) -> None:
    """Remove the least recently used when the cache is over its limit, and what killed renderings left."""
    limit = None if max_size is None else _bytes(max_size)
    found, upkeep = _opened(file)
    try:
        with _walking("Collecting") as on_walk:
            done = upkeep.collect(limit, on_walk)
    except OSError as error:
        raise CacheError(f"cache.dir: cannot read {found.cache.dir}: {error.strerror}") from error
    if done.is_busy:
        click.echo("The daemon (or another command) is collecting already; nothing to do." if not as_json else "{}")
        return
    _tell(done, as_json)


@cache_command.command("purge")
@config_file
@click.option("--photo", "photos", type=ROW, multiple=True, metavar="ID", help="Only of this photo; may be repeated.")
@chosen_albums
@as_json
def purge_command(
    file: Path, photos: tuple[int, ...], albums: tuple[int, ...], sub_albums: bool, as_json: bool
) -> None:
    """Remove everything, or the derivatives of some photos or albums. They are rendered again when asked for.

    The cache cannot tell whose an old file is: of a chosen photo goes what its present file and the present settings
    of the gallery make. Versions from before an edit are never served again, and go with gc when they are the oldest.
    """
    if photos or albums:
        found = settings_file.load(file)
        logs.configure("error", found.log.format)
        done = uvloop.run(_purge_chosen(found, keys_as_owner(found), photos, albums, sub_albums))
        _tell(done, as_json)
        if not as_json:
            click.echo("Versions from before an edit, if any, are never served again; gc removes them in time.")
        return
    _, upkeep = _opened(file)
    with _walking("Purging") as on_walk:
        _tell(upkeep.purge(on_walk), as_json)


async def _purge_chosen(
    found: Settings, keys: KeyWatch, photo_ids: Sequence[int], album_ids: Sequence[int], sub_albums: bool
) -> Collected:
    async with AsyncExitStack() as resources:
        house = await Foundation.open(found, resources, keys, BULK_SECONDS)
        standing = Standing(house.catalogue, house.sources, house.cache)
        removed = Removed()
        chosen = await house.gallery.photos_of(list(photo_ids)) if photo_ids else ()
        for missing in set(photo_ids) - {photo.photo_id for photo in chosen}:
            raise GalleryConfigurationError(f"--photo: the gallery has no photo {missing}")
        for photo in chosen:
            removed += await standing.remove(photo)
        albums = await house.albums(album_ids, sub_albums)
        if albums is not None:
            async for photo in Walk(house.gallery, albums).photos():
                removed += await standing.remove(photo)
        left = await asyncio.to_thread(house.cache.upkeep.tally.get)
        return Collected(removed.files, removed.size, left.files, left.size, skipped=removed.skipped)


def _opened(file: Path) -> tuple[Settings, Upkeep]:
    found = settings_file.load(file)
    logs.configure("error", found.log.format)
    become_owner_of(found.cache.dir)
    with contextlib.suppress(OSError):
        os.nice(NICENESS)
    folder = found.cache.dir
    if not folder.is_dir() or not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        raise CacheError(f"cache.dir: {folder} cannot be used by this user; run this as the daemon's user")
    return found, Upkeep(folder, int(found.cache.max_size))


@contextlib.contextmanager
def _walking(what: str) -> Iterator[Callable[[int], None] | None]:
    """Shows how far a walk is, on a terminal."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    began = time.monotonic()
    with console.status(f"{what} …") as status:
        yield lambda seen: status.update(f"{what}: {seen:,} files, {time.monotonic() - began:.0f} s")


def _tell(done: Collected, as_json: bool) -> None:
    if as_json:
        _print_json(removed_files=done.removed, removed_bytes=done.removed_size, files=done.left, bytes=done.left_size)
    else:
        click.echo(f"Removed {done.removed} derivatives, {_size(done.removed_size)}.", nl=False)
        click.echo(f" {done.left} are left, {_size(done.left_size)}.")
    _tell_skipped(done.skipped)


def _tell_skipped(number: int) -> None:
    if number:
        click.echo(
            f"{number} files or folders could not be read or removed; give all of cache.dir to the daemon's user",
            err=True,
        )


def _print_json(**values: Any) -> None:
    click.echo(json.dumps(values, indent=2))


def _size(number: int) -> str:
    return ByteSize(number).human_readable(decimal=True)


def _bytes(text: str) -> int:
    try:
        return int(TypeAdapter(ByteSize).validate_python(text))
    except ValidationError as error:
        raise click.UsageError('--max-size: write a size like "5GB"') from error
