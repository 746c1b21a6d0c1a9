"""What lies between a stranger and pwgserve, seen in pwgserve's own mirror: who keeps answers, who believes strangers.

What the mirror is, is in `pwgserve.mirror`.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import Sequence
from typing import Any

from pwgserve import mirror
from pwgserve.check.attempts import Attempt
from pwgserve.check.report import Control, Finding, Report
from pwgserve.check.stranger import Stranger
from pwgserve.check.verdicts import Verdict, leads_to
from pwgserve.keys import keys_file
from pwgserve.keys.keys_file import KeysError
from pwgserve.links import LinkSigner
from pwgserve.settings import Settings

ELSEWHERE = "203.0.113.77"
"""An address that nobody has (RFC 5737)."""

PAIRS = 3
"""A cache may keep answers for a second only, and a machine may be busy."""

SPOOFED = Finding(
    Verdict.ADDRESS,
    "said",
    "to come from another address",
    None,
    200,
    "set X-Forwarded-For to the visitor's own address, whatever the visitor says; see deploy/",
)
KEPT = Finding(
    Verdict.PICTURE,
    "links",
    "that somebody else has just opened",
    None,
    200,
    "something before pwgserve keeps private pictures for others: let it heed Cache-Control, or keep nothing of these",
)
ANSWERS = "pwgserve answers at this address"


async def reflect(report: Report, stranger: Stranger, settings: Settings, read: Sequence[Finding]) -> None:
    """Try whether answers are kept for others and strangers believed, and note what came of it; and whether it is
    pwgserve that answers, which only the mirror shows where no photo is public: a no may come from anybody.

    read: what the web server's configuration seems to have of them; named where it is true, and believed where it
    cannot be tried. Raises UnreachableError.
    """
    try:
        ring = await asyncio.to_thread(keys_file.load, settings.links.keys_file)
    except (KeysError, OSError):
        report.notes.append(
            "pwgserve's keys cannot be read here: that nothing keeps private pictures, and that nobody may say from "
            "where he comes, was read from the configuration and not tried. Run this as root, or as pwgserve's user."
        )
        report.findings += read
        if not report.controls:
            report.doubts.append(
                "Without the keys, and without a public photo, nothing shows that it is pwgserve that answers."
            )
        return
    shown = not report.broken and bool(report.controls)
    glass = _Glass(stranger, LinkSigner(ring), settings)
    first = await glass.look()
    if first is None:
        report.findings += read
        if shown:
            report.doubts.append(
                "Pictures are shown, but pwgserve's mirror is not: are the keys those of the running daemon, and is "
                "the clock here right? That nothing keeps private pictures was not tried."
            )
        else:
            report.controls.append(Control(ANSWERS, await _silence(stranger, settings)))
        return
    report.controls.append(Control(ANSWERS))
    found = [KEPT] if await _is_kept(glass) else []
    found += [SPOOFED] if await _is_believed(glass) else []
    for finding in found:
        named = [one for one in read if one.trick == finding.trick]
        report.findings += named or [finding]
    for finding in (KEPT, SPOOFED):
        if finding not in found:
            report.closed[finding.area] = report.closed.get(finding.area, 0) + 1


async def _silence(stranger: Stranger, settings: Settings) -> str:
    """Why nothing of pwgserve is seen, as far as the gallery's first page tells."""
    folder = f"{settings.server.base_path}{settings.links.prefix}/"
    asked = (
        f"it does not. Is {settings.server.public_url} the address of the gallery (server.public_url), does the web "
        f"server route {folder} and the other addresses to pwgserve, and does the service run?"
    )
    elsewhere = leads_to(await stranger.ask(Attempt("door", "the gallery's page", settings.server.base_path)))
    return f"{asked} The address redirects to {elsewhere}" if elsewhere else asked


class _Glass:
    """The mirror, as a stranger reaches it."""

    def __init__(self, stranger: Stranger, signer: LinkSigner, settings: Settings) -> None:
        self._stranger = stranger
        self._signer = signer
        self._folder = f"{settings.server.base_path}{settings.links.prefix}/"

    def address(self) -> str:
        """A new address of the mirror."""
        return f"{self._folder}{mirror.token(self._signer, secrets.token_hex(8), time.time())}.jpg"

    async def look(
        self, address: str | None = None, headers: tuple[tuple[str, str], ...] = ()
    ) -> dict[str, Any] | None:
        attempt = Attempt("links", "pwgserve's mirror", address or self.address(), headers=headers)
        # An address may lead on to the encrypted one.
        answer = await self._stranger.end(await self._stranger.ask(attempt), attempt)
        try:
            seen = json.loads(answer.body) if answer.status == 200 else None
        except ValueError:
            return None
        return seen if isinstance(seen, dict) else None


async def _is_kept(glass: _Glass) -> bool:
    for _ in range(PAIRS):
        address = glass.address()
        first, second = await glass.look(address), await glass.look(address)
        if first and second and first.get("number") == second.get("number"):
            return True
    return False


async def _is_believed(glass: _Glass) -> bool:
    headers = (("X-Forwarded-For", ELSEWHERE), ("X-Real-IP", ELSEWHERE), ("Forwarded", f"for={ELSEWHERE}"))
    seen = await glass.look(headers=headers)
    # A proxy that adds the visitor's address behind what the visitor says is right; then the last word is its own.
    return (
        seen is not None and seen.get("visitor") == ELSEWHERE == str(seen.get("forwarded")).rpartition(",")[2].strip()
    )
