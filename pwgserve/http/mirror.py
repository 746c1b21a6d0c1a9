"""Tells `pwgserve check` what arrives of its requests, through all that lies between.

To caches it looks as a private picture does. Whoever has no token gets what every forged link gets.
"""

from __future__ import annotations

import secrets
import time

from aiohttp import web

from pwgserve import mirror
from pwgserve.http.refusals import COMMON_HEADERS
from pwgserve.http.visitor import FORWARDED_FOR, Proxies
from pwgserve.links import LinkSigner


def mirrored(request: web.BaseRequest, token: str, signer: LinkSigner, proxies: Proxies) -> web.Response | None:
    """What is seen of a request, as JSON; None without a valid token.

    visitor: from where it comes, as pwgserve believes; forwarded: what it was told; number: another one each time.
    """
    if not mirror.is_valid(signer, token, time.time()):
        return None
    told = request.headers.getall(FORWARDED_FOR, ())
    seen = {
        "visitor": proxies.visitor(request.remote, told),
        "forwarded": ", ".join(told),
        "number": secrets.token_hex(16),
    }
    headers = {**COMMON_HEADERS, "Cache-Control": f"private, max-age={mirror.LIFE}"}
    del headers["Content-Type"]
    return web.json_response(seen, headers=headers)
