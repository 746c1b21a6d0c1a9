"""What Python signs, written down for PHP: `python tests/plugin/plugin_vectors.py` writes tests/vectors/links.json anew."""

import itertools
import json
from pathlib import Path
from typing import Any

from pwgserve import fingerprints
from pwgserve.keys.keyring import KeyRing
from pwgserve.links import PUBLIC, Audience, Credential, Link, LinkSigner, expiry
from pwgserve.piwigo.conf import PiwigoConf
from pwgserve.piwigo.derivatives import DerivativeParams, DerivativeSettings, Watermark
from pwgserve.piwigo.permissions import GalleryRules, Photo
from pwgserve.piwigo.wanted import Part, Wanted
from pwgserve.render.plan import MAX_AVIF_PIXELS, RenderRules
from pwgserve.targets import GallerySettings, recoded, target
from pwgserve.versions import SourceFacts, Version

FILE = Path(__file__).parents[1] / "vectors/links.json"
RING = KeyRing((bytes(range(32)), bytes(range(32, 64))), bytes(range(64, 96)))
RULES = "0123456789abcdef"
"""Stands for the daemon's own rules: vectors must not change whenever the engine draws other pixels."""

TYPES = {
    "sq": DerivativeParams((120, 120), 1.0, (120, 120)),
    "th": DerivativeParams((144, 144)),
    "xs": DerivativeParams((432, 324), 0.37, (100, 90), 12.5),
    "me": DerivativeParams((792, 594), sharpen=7),
    "la": DerivativeParams((1008, 756)),
    "xx": DerivativeParams((1656, 1242)),
    "4x": DerivativeParams((3000, 2250)),
}
ACCEPTS = [
    "",
    "*/*",
    "image/*",
    "text/html,image/avif,image/webp,image/apng,*/*;q=0.8",
    "image/webp,*/*",
    "image/avif;q=0.5, image/webp",
    "image/avif;q=0",
    "image/avif;q=0.1,image/*;q=0.9",
    "IMAGE/AVIF ; Q=0.7",
    "image/avif;q=1.5",
    "image/avif;v=b3",
    "image/webp;q=0.8,image/webp;q=0",
    "image/jpeg,image/png,image/avif;q=0.9",
    "image/webp;q=0.333,image/avif;q=0.332",
    ",;,",
    "image/avif," * 200,
]
CUSTOM = DerivativeParams((300, 200), 0.4, (100, 80))
MARK = Watermark("local/watermarks/Grüße.png", (500, 400), 80, 90, 2, 0, 60)


def vectors() -> dict[str, Any]:
    """Everything that both sides must compute alike, with the answers."""
    signer = LinkSigner(RING)
    return {
        "keys": {"link_key": RING.link_keys[-1].hex(), "mark_key": RING.mark_key.hex()},
        "tokens": [_token(signer, link) for link in _links()],
        "marks": [
            {"kind": kind, "secret": secret, "mark": signer.credential(kind, secret).mark}
            for kind, secret in [
                ("s", "7F00abcdef0123456789"), ("x", "Zoë"), ("m", "anna\n$P$G,hash"), ("k", "pkid-20260514-abc"), ("s", ""),
            ]
        ],
        "fingerprints": [
            {"facts": list(facts), "fingerprint": signer.fingerprint(*facts)}
            for facts in [("file", "e", "1", "2"), ("ab", "c"), ("a", "bc"), ("",), ("Grüße", "日本")]
        ],
        "expiries": [
            {"now": now, "ttl": ttl, "expiry": expiry(now, ttl)}
            for now, ttl in itertools.product([0, 1, 899, 900, 1_800_000_000, 1_800_000_001], [2, 3, 1800, 2_592_000])
        ],
        "encodings": {
            "offered": {"jpeg": ["avif", "webp"], "png": ["webp"], "webp": ["avif"]},
            "max_avif_pixels": MAX_AVIF_PIXELS,
            "chosen": [_chosen(*case) for case in itertools.product(ACCEPTS, ("jpg", "png", "gif", "webp"), ("me", "4x"))],
        },
        "gallery": _gallery(),
        "facts": [_facts(*case) for case in _renderings()],
    }  # fmt: skip


def _chosen(accept: str, extension: str, code: str) -> dict[str, Any]:
    settings = _settings(Watermark())
    found = target(_photo(extension), Wanted(code=code), settings)
    assert found is not None
    encoding = recoded(found, ("avif", "webp"), [accept], settings).wanted.encoding
    return {"accept": accept, "extension": extension, "box": TYPES[code].ideal, "encoding": encoding}


def _links() -> list[Link]:
    wanted = [
        Wanted(), Wanted(Part.REPRESENTATIVE), Wanted(Part.FORMAT, format_id=7), Wanted(code="me"),
        Wanted(Part.REPRESENTATIVE, "sq"), Wanted(code="cu", custom=CUSTOM),
        Wanted(code="cu", custom=DerivativeParams((260, 180), 1.0, (260, 180))),
        Wanted(code="cu", custom=DerivativeParams((1200, 1200))), Wanted(Part.REPRESENTATIVE, "la", encoding="avif"),
    ]  # fmt: skip
    audiences = [PUBLIC, *(Audience(3, Credential(kind, "abcdefghijklmn-_")) for kind in "smkx")]
    return [
        Link(number, one, audience, 1_800_000_000 + number, "ABCDEFGHIJKLMN-_")
        for number, (one, audience) in enumerate(itertools.product(wanted, audiences), start=1)
    ]


def _token(signer: LinkSigner, link: Link) -> dict[str, Any]:
    credential = link.audience.credential
    return {
        "photo": link.photo_id,
        "wanted": link.wanted.spelled(),
        "user": link.audience.user_id,
        "kind": credential.kind if credential else None,
        "mark": credential.mark if credential else None,
        "expiry": link.expiry,
        "fingerprint": link.fingerprint,
        "token": signer.sign(link),
    }


def _renderings() -> list[tuple[Photo, Wanted, Watermark, str | None]]:
    custom = Wanted(code="cu", custom=CUSTOM)
    cases: list[tuple[Photo, Wanted, Watermark, str | None]] = []
    for code, rotation, coi in itertools.product(["sq", "xs", "me", "4x"], [0, 3, None], [None, "bcde"]):
        cases.append((_photo(rotation=rotation, coi=coi), Wanted(code=code), Watermark(), None))
    cases += [(_photo(), Wanted(code=code), MARK, None) for code in ("sq", "th", "xs", "me", "la")]
    cases += [(_photo(extension), Wanted(code="me"), Watermark(), None) for extension in ("JPEG", "png", "gif", "webp")]
    cases += [(_photo(coi="bcde"), custom, mark, None) for mark in (Watermark(), MARK)]
    cases += [(_photo(), Wanted(code="me", encoding=encoding), MARK, None) for encoding in ("avif", "webp")]
    cases.append((_photo("png", coi="bcde"), Wanted(code="sq", encoding="webp"), Watermark(), None))
    film = _photo("mp4", representative_ext="jpg", rotation=None, coi="bcde")
    cases += [(film, Wanted(Part.REPRESENTATIVE, code), MARK, None) for code in ("sq", "me")]
    cases += [(film, Wanted(), Watermark(), None), (film, Wanted(Part.REPRESENTATIVE), Watermark(), None)]
    cases += [(_photo(), Wanted(), MARK, None), (_photo(), Wanted(Part.FORMAT, format_id=7), MARK, "dng")]
    return cases


def _photo(extension: str = "jpg", **columns: Any) -> Photo:
    row = {"rotation": 0, "coi": None, "representative_ext": None} | columns
    return Photo(5, f"./upload/a.{extension}", f"A.{extension}", 0, 4000, 3000, albums=(), **row)


def _facts(photo: Photo, wanted: Wanted, mark: Watermark, format_extension: str | None) -> dict[str, Any]:
    settings = _settings(mark)
    found = target(photo, wanted, settings, format_extension)
    assert found is not None
    is_marked = found.plan is not None and found.plan.watermark is not None
    version = Version(
        (),
        1_790_000_000,
        SourceFacts(found.path, 123_456, 1_790_000_000_987_654_321),
        SourceFacts(mark.file, 777, 1_780_000_000_999_999_999) if is_marked else None,
    )
    facts = fingerprints.facts(found, version, settings.derivatives)
    own = fingerprints.rules_digest(found.plan.rules) if found.plan else None
    return {
        "photo": {
            "path": photo.path, "rotation": photo.rotation, "coi": photo.coi, "representative_ext": photo.representative_ext,
        },
        "part": wanted.part.value,
        "format_id": wanted.format_id,
        "code": wanted.code,
        "is_watermark_set": bool(mark.file),
        "encoding": wanted.encoding,
        "source": found.path,
        "wanted": wanted.spelled(),
        "facts": [RULES if fact == own else fact for fact in facts],
    }  # fmt: skip


def _settings(mark: Watermark) -> GallerySettings:
    return GallerySettings(
        PiwigoConf(enable_formats=True),
        DerivativeSettings(TYPES, frozenset([CUSTOM.token()]), 90, mark),
        GalleryRules(),
        RenderRules(keep_metadata_from=200_000),
    )


def _gallery() -> dict[str, Any]:
    return {
        "types": {code: _params(params) for code, params in TYPES.items()},
        "custom": _params(CUSTOM),
        "quality": 90,
        "threshold": 200_000,
        "rules": RULES,
        "watermark": {
            "file": MARK.file, "min_size": MARK.min_size, "xpos": MARK.xpos, "ypos": MARK.ypos,
            "xrepeat": MARK.xrepeat, "yrepeat": MARK.yrepeat, "opacity": MARK.opacity,
        },
        "source": {"size": 123_456, "mtime": 1_790_000_000},
        "watermark_source": {"size": 777, "mtime": 1_780_000_000},
    }  # fmt: skip


def _params(params: DerivativeParams) -> dict[str, Any]:
    return {
        "ideal": params.ideal, "max_crop": params.max_crop, "min_size": params.min_size, "sharpen": params.sharpen,
    }  # fmt: skip


def text() -> str:
    """The file's content."""
    return json.dumps(vectors(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(text(), "utf-8")
