"""What of a response a link's fingerprint stands for: texts that the daemon and Piwigo's plugin write alike.

Pure. Only whole numbers and short texts, from what both sides know: another language must find the same letters. A fact
that differs costs a redirect and shows nothing wrong (docs/decisions/0029). How they are hashed is in `links`.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict
from functools import lru_cache

from pwgserve.piwigo.derivatives import DerivativeSettings
from pwgserve.piwigo.sizing import Size
from pwgserve.render.plan import FORMATS, RECODED, REVISION, RenderPlan, RenderRules
from pwgserve.render.quality import SIZES, quality_like
from pwgserve.targets import Target
from pwgserve.versions import Version

_NONE = "-"
_NANOSECONDS = 10**9
_QUALITIES = range(5, 101, 5)


def facts(found: Target, version: Version, derivatives: DerivativeSettings) -> tuple[str, ...]:
    """The facts of a target in this version of its files, in their order. derivatives: the gallery's sizes."""
    source = (str(version.source.size), str(version.modified))
    if found.plan is None:
        return ("file", found.wanted.spelled(), *source)
    mark: tuple[str, ...] = ()
    if version.watermark is not None:
        mark = (str(version.watermark.size), str(version.watermark.mtime // _NANOSECONDS))
    own = _of_plan(found.plan, derivatives.quality_of(found.wanted.code or ""), found.path.rpartition(".")[2].lower())
    return ("derivative", found.wanted.spelled(), *own, *source, *mark)


@lru_cache(64)
def rules_digest(rules: RenderRules) -> str:
    """A short name of everything that is the daemon's own in a rendering; the plugin is told it and repeats it.

    What the gallery says of metadata is no part of it: the plugin knows that itself.
    """
    own = asdict(rules)
    del own["keep_metadata_from"]
    qualities = [
        [
            native,
            encoding,
            *(quality_like(quality, native, written, size) for size in SIZES for quality in _QUALITIES),
        ]
        for native, encodings in RECODED.items()
        for encoding, written in encodings.items()
    ]
    text = json.dumps([REVISION, own, qualities], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@lru_cache(4096)
def _of_plan(plan: RenderPlan, quality: int, extension: str) -> tuple[str, ...]:
    # Quality and format as the gallery has them: another encoding is in what is wanted, and its quality in the rules.
    own = (
        rules_digest(plan.rules),
        str(plan.rules.keep_metadata_from),
        _size(plan.ideal),
        _millionths(plan.max_crop),
        _size(plan.min_size) if plan.max_crop > 0 else _NONE,
        plan.coi or _NONE,
        _NONE if plan.rotation is None else str(plan.rotation),
        _millionths(plan.sharpen),
        str(quality),
        FORMATS[extension],
    )
    mark = plan.watermark
    if mark is None:
        return own
    numbers = (mark.xpos, mark.ypos, mark.xrepeat, mark.yrepeat, mark.opacity)
    return (*own, mark.file, _size(mark.min_size), *(str(number) for number in numbers))


def _size(size: Size | None) -> str:
    return f"{size[0]}x{size[1]}" if size else _NONE


def _millionths(number: float) -> str:
    return str(math.floor(number * 1e6 + 0.5))
