"""What exactly a request leads to: the file, the plan of its rendering, its name when saved, and who may have it.

Pure. Combines a photo's row with the gallery's settings; opening and rendering are elsewhere.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from pwgserve.accept import preferred
from pwgserve.piwigo.conf import PiwigoConf
from pwgserve.piwigo.derivatives import CODES, DerivativeSettings
from pwgserve.piwigo.permissions import GalleryRules, Photo, Viewer, may_have_original, may_see
from pwgserve.piwigo.requests import UnservedRequestError, clean_path, format_path, representative_path
from pwgserve.piwigo.wanted import ENCODINGS, Part, Wanted
from pwgserve.render.plan import REVISION, RenderPlan, RenderRules, is_worth, plan_for

XXLARGE = "xx"

_ESCAPED = re.compile(r"&(?:amp|lt|gt|quot|#039);")
"""What PHP's `htmlspecialchars` makes. So Piwigo keeps the names of uploaded files, and undoes it when it sends one."""


@dataclass(frozen=True)
class GallerySettings:
    """How the gallery is set up: `$conf`, its sizes, and the rules that follow for everybody and every derivative."""

    conf: PiwigoConf
    derivatives: DerivativeSettings
    rules: GalleryRules
    render: RenderRules


@dataclass(frozen=True)
class Target:
    """One thing of a photo that can be sent.

    path: of the file below Piwigo's root, clean. extension: lower case, without the dot; of what is sent, which may be
    encoded otherwise than the file. plan: how to render it, or None when the file itself is sent. file_name: as a
    person would save it.
    """

    photo: Photo
    wanted: Wanted
    path: str
    extension: str
    plan: RenderPlan | None
    file_name: str

    @property
    def is_original(self) -> bool:
        """Whether this is the file that was uploaded."""
        return self.plan is None and self.wanted.part is Part.ELEMENT

    def facts(self) -> tuple[str, ...]:
        """What makes the result what it is, besides the bytes of the files that it is made from."""
        return facts_of_plan(self.plan) if self.plan is not None else ()


def facts_of_plan(plan: RenderPlan) -> tuple[str, ...]:
    """What makes a derivative what it is, besides the bytes of the files that it is made from."""
    return ("derivative", str(REVISION), plan.to_json())


def target(
    photo: Photo, wanted: Wanted, settings: GallerySettings, format_extension: str | None = None
) -> Target | None:
    """What is to be sent of a photo; None when this gallery offers no such thing.

    format_extension: of the photo's other format that is wanted, if one is.
    """
    try:
        path = clean_path(photo.path)
    except UnservedRequestError:
        return None
    if wanted.part is Part.REPRESENTATIVE:
        if photo.representative_ext is None:
            return None
        path = representative_path(path, photo.representative_ext)
    elif wanted.part is Part.FORMAT:
        if format_extension is None or not settings.conf.enable_formats:
            return None
        path = format_path(path, format_extension)
    extension = path.rpartition(".")[2]
    plan = None
    if wanted.code is not None:
        plan = plan_for(photo, wanted, extension, settings.derivatives, settings.render)
        if plan is None:
            return None
        extension = wanted.encoding or extension
    return Target(photo, wanted, path, extension.lower(), plan, _file_name(photo, wanted, extension))


def changes_nothing(found: Target) -> bool:
    """Whether a derivative would show the very pixels of its original, as far as table `images` knows."""
    if found.plan is None or found.wanted.part is not Part.ELEMENT or found.plan.rotation is None:
        return False
    photo = found.photo
    if not photo.width or not photo.height:
        return False
    layout = found.plan.layout((photo.width, photo.height))
    return layout.changes_nothing and not found.plan.sharpen and not found.plan.is_marked(layout.output)


def recoded(found: Target, offered: Sequence[str], accept: Sequence[str], settings: GallerySettings) -> Target:
    """The same derivative in the encoding that the asker's program shows best; the target itself when there is none.

    offered: encodings that the owner wants, the best first. accept: the values of its `Accept` headers.
    """
    if found.plan is None or found.wanted.encoding is not None:
        return found
    fitting = [name for name in offered if is_worth(name, found.plan)]
    encoding = preferred(accept, {name: ENCODINGS[name] for name in fitting}, f"image/{found.plan.format}")
    if encoding is None:
        return found
    return target(found.photo, replace(found.wanted, encoding=encoding), settings) or found


def larger(found: Target, settings: GallerySettings) -> Sequence[RenderPlan]:
    """The derivatives that this one may be made from where they are finished already, the largest first.

    From the largest, so that what was made from another one is seldom made smaller once more. Not from AVIF: workers
    write it, and read nothing but what galleries consist of.
    """
    photo, plan = found.photo, found.plan
    if plan is None or found.wanted.part is not Part.ELEMENT or not photo.width or not photo.height:
        return ()
    extension = found.path.rpartition(".")[2]
    # What a camera makes is much alike: what is the photo's alone is left out, and there is little to be remembered.
    alike = Photo(0, f"./.{extension}", "", 0, photo.width, photo.height, photo.rotation, photo.coi, None, ())
    return _larger(plan, alike, extension, settings.derivatives, settings.render)


@lru_cache(1024)
def _larger(
    plan: RenderPlan, photo: Photo, extension: str, derivatives: DerivativeSettings, rules: RenderRules
) -> Sequence[RenderPlan]:
    # Asked for at every rendering; to find it takes longer than to serve a finished picture.
    candidates = []
    for code in reversed(list(CODES)):
        native = plan_for(photo, Wanted(code=code), extension, derivatives, rules)
        if native is not None and native.may_become(plan, (photo.width or 0, photo.height or 0)):
            recoded = Wanted(code=code, encoding="webp")
            candidates += [native, plan_for(photo, recoded, extension, derivatives, rules)]
    return tuple(candidate for candidate in candidates if candidate is not None)


def is_allowed(viewer: Viewer, found: Target, settings: GallerySettings, is_trusted_admin: bool = False) -> bool:
    """Whether Piwigo would show this to the viewer.

    is_trusted_admin: an administrator whose request carries the page's own token, who gets any file.
    """
    if is_trusted_admin and viewer.status.is_admin:
        return True
    photo, conf, derivatives = found.photo, settings.conf, settings.derivatives
    if not found.is_original:
        return may_see(viewer, photo, settings.rules)
    return may_have_original(
        viewer,
        photo,
        settings.rules,
        is_picture=conf.is_picture(found.extension),
        xxlarge_is_original=derivatives.shows_original(XXLARGE, photo.size, photo.rotation),
    )


def _file_name(photo: Photo, wanted: Wanted, extension: str) -> str:
    """`Holiday.jpg`, `Holiday-medium.jpg`: the owner's name for the photo with the extension of what is sent."""
    name = _ESCAPED.sub(lambda found: html.unescape(found.group()), photo.file)
    own = name or f"{photo.photo_id}.{photo.extension}"
    if wanted.code is None and wanted.part is Part.ELEMENT:
        return own
    stem = own.rpartition(".")[0] or own
    size = f"-{CODES.get(wanted.code, 'custom')}" if wanted.code else ""
    return f"{stem}{size}.{extension}"
