"""Who is asking: takes a request's claims in Piwigo's order and asks the gallery which of them hold.

The claims' grammar and cryptography are in `pwgserve.piwigo.identity`; what a viewer may see is in
`pwgserve.piwigo.permissions`. Every answer here is at most `freshness.MAX_AGE` old.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pwgserve.answers.freshness import Fresh, fresh
from pwgserve.answers.session_marks import SESSION, Marks
from pwgserve.answers.together import Questions
from pwgserve.links import Credential, LinkSigner
from pwgserve.piwigo.conf import PiwigoConf
from pwgserve.piwigo.identity import RememberMe, is_auth_key, pwg_token, session_row_id
from pwgserve.piwigo.people import Account, People, Session
from pwgserve.piwigo.permissions import Status, Viewer

KEPT = 20_000
"""How many sessions and viewers are remembered, each for `freshness.MAX_AGE`."""

REMEMBER_ME = "r"
"""Piwigo's cookie that outlives a session."""

AUTH_KEY = "a"
"""Piwigo's key in an address (`auth=`)."""

PROXY_USER = "x"
"""Whom the web server names (`apache_authentication`)."""

ADMIN_TOKEN = "t"  # noqa: S105 - a kind of credential, not a secret
"""An administrator's session, together with its `pwg_token`."""

PROGRAM_KEY = "k"
"""A program's API key, for which the plugin makes links."""

MESSAGE = "m"
"""The account itself: links of this kind are made by the plugin for mails and feeds, which outlive every session."""

OWNERS_HAND = "o"
"""The account itself, too: links of this kind are made by `pwgserve sign`."""


@dataclass(frozen=True, repr=False)
class Claims:
    """What a request says about who sends it; nothing of it is verified.

    address: the visitor's, as Piwigo's PHP would see it. remote_user: named by a trusted proxy.
    """

    session_id: str | None = None
    remember_me: str | None = None
    address: str | None = None
    remote_user: str | None = None
    auth_key: str | None = None
    pwg_token: str | None = None


@dataclass(frozen=True)
class Asker:
    """Who asks. `credential`: by what they are known, None for guests.

    is_trusted_admin: an administrator whose request carries the page's own token; Piwigo then gives any file.
    """

    viewer: Viewer
    credential: Credential | None = None
    is_trusted_admin: bool = False


class Viewers:
    """Finds viewers by their claims, and tells whether what a link was made for still holds."""

    def __init__(self, people: People, signer: LinkSigner, questions: Questions) -> None:
        self._signer = signer
        self._viewers: Fresh[int, Viewer | None] = fresh(questions, people.viewers, None, KEPT)
        self._sessions: Fresh[str, Session | None] = fresh(questions, people.sessions, None, KEPT)
        self._accounts: Fresh[int, Account | None] = fresh(questions, people.accounts, None, KEPT)
        self._names: Fresh[str, int | None] = fresh(questions, people.users_named, None, KEPT)
        self._auth_keys: Fresh[str, int | None] = fresh(questions, people.users_of_auth_keys, None, KEPT)
        self._auth_keys_of: Fresh[int, Sequence[str]] = fresh(questions, people.auth_keys_of, (), KEPT)
        self._program_keys_of: Fresh[int, Sequence[str]] = fresh(questions, people.program_keys_of, (), KEPT)
        self._marks = Marks(people, signer, questions)

    async def who(self, claims: Claims, conf: PiwigoConf) -> Asker | None:
        """Who asks: a user, else the guest; None in a gallery without one. Raises GalleryUnavailableError."""
        user_id, credential = await self._identified(claims, conf)
        viewer = None
        if user_id is not None and user_id != conf.guest_id:
            viewer = await self._viewers.get(user_id)
        if viewer is None:
            # Also what is left of a user who was deleted.
            guest = await self.guest(conf)
            return Asker(guest) if guest else None
        if viewer.status.is_admin and credential.kind == SESSION and _has_token(claims, conf):
            return Asker(viewer, Credential(ADMIN_TOKEN, credential.mark), is_trusted_admin=True)
        return Asker(viewer, credential)

    async def guest(self, conf: PiwigoConf) -> Viewer | None:
        """The viewer that everybody is who has not logged in. Raises GalleryUnavailableError."""
        viewer = await self._viewers.get(conf.guest_id)
        return replace(viewer, status=Status.GUEST) if viewer else None

    async def holder(self, user_id: int, credential: Credential, conf: PiwigoConf) -> Asker | None:
        """The user of a link as known by its credential, None when that no longer holds.

        Raises GalleryUnavailableError.
        """
        viewer = await self._viewers.get(user_id)
        if viewer is None or user_id == conf.guest_id or not await self._is_alive(user_id, credential, conf):
            return None
        is_trusted_admin = credential.kind == ADMIN_TOKEN
        if is_trusted_admin and not viewer.status.is_admin:
            return None
        return Asker(viewer, credential, is_trusted_admin)

    async def owners_hand(self, user_id: int) -> Credential | None:
        """What a link names that the gallery's owner signs for a user: the account, while its password stays."""
        account = await self._accounts.get(user_id)
        if account is None:
            return None
        return self._signer.credential(OWNERS_HAND, f"{account.username}\n{account.password_hash}")

    async def _identified(self, claims: Claims, conf: PiwigoConf) -> tuple[int | None, Credential]:
        """The user whom the claims name, and by which of them; None is a guest."""
        nobody = Credential("", "")
        user_id, credential = None, nobody
        row_id = _row_id(claims, conf)
        if row_id is not None:
            session = await self._sessions.get(row_id)
            if session is not None and session.age <= conf.session_length:
                user_id, credential = session.user_id, self._marks.credential(row_id)
        if user_id in (None, conf.guest_id) and claims.remember_me and conf.authorize_remembering:
            remembered = await self._remembered(claims.remember_me, conf)
            if remembered is not None:
                user_id, credential = remembered
        if conf.apache_authentication and claims.remote_user:
            # Also whom the gallery does not know (yet) is not whoever used this browser before.
            user_id = await self._names.get(claims.remote_user)
            credential = self._signer.credential(PROXY_USER, claims.remote_user) if user_id is not None else nobody
        if claims.auth_key and is_auth_key(claims.auth_key):
            holder = await self._auth_keys.get(claims.auth_key)
            if holder is not None:
                user_id, credential = holder, self._signer.credential(AUTH_KEY, claims.auth_key)
        return user_id, credential

    async def _remembered(self, cookie: str, conf: PiwigoConf) -> tuple[int, Credential] | None:
        claim = RememberMe.parse(cookie)
        if claim is None or not claim.is_current(time.time(), conf.remember_me_length):
            return None
        account = await self._accounts.get(claim.user_id)
        if account is None or not claim.is_genuine(conf.secret_key, account.password_hash, account.username):
            return None
        return claim.user_id, self._signer.credential(REMEMBER_ME, _remembering(account, conf))

    async def _is_alive(self, user_id: int, credential: Credential, conf: PiwigoConf) -> bool:
        """Whether one of the user's present secrets has the credential's mark."""
        kind = credential.kind
        secrets: Sequence[str] = ()
        if kind in (SESSION, ADMIN_TOKEN):
            return await self._is_logged_in(user_id, credential.mark, conf)
        if kind in (MESSAGE, OWNERS_HAND):
            account = await self._accounts.get(user_id)
            secrets = (f"{account.username}\n{account.password_hash}",) if account else ()
        elif kind == REMEMBER_ME and conf.authorize_remembering:
            account = await self._accounts.get(user_id)
            secrets = (_remembering(account, conf),) if account else ()
        elif kind == AUTH_KEY:
            secrets = await self._auth_keys_of.get(user_id)
        elif kind == PROGRAM_KEY:
            secrets = await self._program_keys_of.get(user_id)
        elif kind == PROXY_USER and conf.apache_authentication:
            account = await self._accounts.get(user_id)
            secrets = (account.username,) if account else ()
        marks = [self._signer.credential(kind, secret).mark for secret in secrets]
        # Every mark is compared: how long it takes must not tell which one came close.
        return sum(hmac.compare_digest(mark, credential.mark) for mark in marks) > 0

    async def _is_logged_in(self, user_id: int, mark: str, conf: PiwigoConf) -> bool:
        """Whether the session that a mark stands for is there, and still this user's."""
        row_id = await self._marks.session(user_id, mark)
        session = await self._sessions.get(row_id) if row_id is not None else None
        return session is not None and session.user_id == user_id and session.age <= conf.session_length


def _remembering(account: Account, conf: PiwigoConf) -> str:
    """What all remember-me cookies of a user hold for: another password or key of the gallery ends them."""
    return f"{account.username}\n{account.password_hash}\n{conf.secret_key}"


def _row_id(claims: Claims, conf: PiwigoConf) -> str | None:
    if claims.session_id is None:
        return None
    return session_row_id(claims.session_id, claims.address if conf.session_use_ip_address else None)


def _has_token(claims: Claims, conf: PiwigoConf) -> bool:
    if not claims.pwg_token or not claims.session_id or not conf.secret_key:
        return False
    return hmac.compare_digest(pwg_token(claims.session_id, conf.secret_key).encode(), claims.pwg_token.encode())
