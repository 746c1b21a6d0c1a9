"""`pwgserve sign`: a link for a script, a mail or a test."""

from __future__ import annotations

import time
from contextlib import AsyncExitStack
from pathlib import Path
from urllib.parse import urljoin

import click
import uvloop
from pydantic import TypeAdapter, ValidationError

from pwgserve import fingerprints, logs, settings_file
from pwgserve.answers.viewers import Viewers
from pwgserve.commands.options import ROW, config_file
from pwgserve.commands.owner import keys_as_owner
from pwgserve.foundation import Foundation
from pwgserve.keys.keywatch import KeyWatch
from pwgserve.links import PUBLIC, Audience, Link
from pwgserve.originals import MissingOriginalError
from pwgserve.piwigo.conf import PiwigoConf
from pwgserve.piwigo.derivatives import CODES
from pwgserve.piwigo.gallery import GalleryConfigurationError
from pwgserve.piwigo.people import People
from pwgserve.piwigo.permissions import Viewer
from pwgserve.piwigo.wanted import Wanted
from pwgserve.settings import Seconds, Settings
from pwgserve.targets import is_allowed, target


class UnsignedError(GalleryConfigurationError):
    """No link is made; the message says why, to the owner."""


@click.command("sign")
@config_file
@click.argument("photo_id", type=ROW, metavar="PHOTO_ID")
@click.option("--type", "what", default="me", show_default=True, help="A size by its code; e: the original.")
@click.option("--user", default=None, metavar="NAME", help="For this user of the gallery; default: for everybody.")
@click.option("--ttl", default="1h", show_default=True, help="How long the link works, like 30m, 12h or 7d.")
def sign_command(file: Path, photo_id: int, what: str, user: str | None, ttl: str) -> None:
    """Print a link to a photo that works without logging in.

    Only for what the user (or everybody) may see, and at every use it is asked again whether they still may. A link for
    one user ends with a change of that user's password, and with the key that signed it (keys rotate).
    """
    found = settings_file.load(file)
    logs.configure("error", found.log.format)
    try:
        seconds: float = TypeAdapter(Seconds).validate_python(ttl)
    except ValidationError as error:
        raise click.UsageError('--ttl: write a duration like "30m" (ms, s, m, h or d)') from error
    wanted = Wanted.parse(what)
    if wanted is None:
        raise click.UsageError(f"--type: {what!r} is nothing of a photo; there are {', '.join(CODES)}, and e and r")
    click.echo(uvloop.run(_signed(found, keys_as_owner(found), photo_id, wanted, user, seconds)))


async def _signed(found: Settings, keys: KeyWatch, photo_id: int, wanted: Wanted, user: str | None, ttl: float) -> str:
    async with AsyncExitStack() as resources:
        house = await Foundation.open(found, resources, keys)
        gallery = await house.catalogue.settings()
        photo = await house.catalogue.photo(photo_id)
        if photo is None:
            raise UnsignedError(f"the gallery has no photo {photo_id}")
        picture = target(photo, wanted, gallery, await house.catalogue.format_extension(wanted, photo))
        if picture is None:
            raise UnsignedError(f"of photo {photo_id} the gallery offers no {wanted.spelled()!r}")
        viewers = Viewers(People(house.gallery), house.signer, house.questions)
        guest = await viewers.guest(gallery.conf)
        audience = PUBLIC
        if guest is None or not is_allowed(guest, picture, gallery):
            if user is None:
                raise UnsignedError(f"not everybody may see photo {photo_id} as {wanted.spelled()!r}; use --user")
            if found.links.bind_session:
                raise UnsignedError("links.bind_session is on: a link for one user would need that user's cookies, too")
            viewer, audience = await _named(house, viewers, user, gallery.conf)
            if not is_allowed(viewer, picture, gallery):
                raise UnsignedError(f"{user} may not see photo {photo_id} as {wanted.spelled()!r}")
        elif user is not None:
            await _named(house, viewers, user, gallery.conf)
        try:
            version = await house.sources.version(picture)
        except MissingOriginalError as error:
            raise UnsignedError(f"the file of photo {photo_id} is missing, or this user cannot read it") from error
        fingerprint = house.signer.fingerprint(*fingerprints.facts(picture, version, gallery.derivatives))
        token = house.signer.sign(Link(photo_id, wanted, audience, int(time.time() + ttl), fingerprint))
        return urljoin(found.server.public_url, f"{found.links.prefix}/{token}.{picture.extension}")


async def _named(house: Foundation, viewers: Viewers, user: str, conf: PiwigoConf) -> tuple[Viewer, Audience]:
    """The user with this name, and the audience of a link for them."""
    user_id = (await People(house.gallery).users_named([user])).get(user)
    credential = None if user_id is None else await viewers.owners_hand(user_id)
    asker = None
    if user_id is not None and credential is not None:
        asker = await viewers.holder(user_id, credential, conf)
    if asker is None:
        raise UnsignedError(f"--user: the gallery has no user {user!r} who can log in")
    return asker.viewer, Audience(asker.viewer.user_id, credential)
