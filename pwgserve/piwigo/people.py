"""Who is known to a gallery: users, their sessions and their keys, as rows. SQL, like `gallery`, which it asks.

Every question is for many at once, and answers by key. What a session or a key is worth is decided in
`pwgserve.answers.viewers`; raises GalleryUnavailableError throughout.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, func, select, true, union_all

from pwgserve.piwigo.gallery import KEYS, Gallery, as_text
from pwgserve.piwigo.identity import session_user_id
from pwgserve.piwigo.permissions import Status, Viewer

_USER = "pwg_uid|"


@dataclass(frozen=True)
class Session:
    """A session's row. `user_id` is None for a guest's; `age`: seconds since Piwigo last wrote it."""

    user_id: int | None
    age: float


@dataclass(frozen=True, repr=False)
class Account:
    """What a remember-me cookie is verified against."""

    username: str
    password_hash: str


class People:
    """The people of one gallery."""

    def __init__(self, gallery: Gallery) -> None:
        self._gallery = gallery
        self._schema = s = gallery.schema
        # Written once, see `gallery`.
        infos, sessions = s.user_infos.c, s.sessions.c
        self._viewers = (
            select(infos.user_id, infos.status, infos.level, infos.enabled_high)
            .join(s.users, s.users.c.id == infos.user_id)
            .where(infos.user_id.in_(KEYS))
        )
        self._access = union_all(
            select(s.user_access.c.user_id, s.user_access.c.cat_id).where(s.user_access.c.user_id.in_(KEYS)),
            select(s.user_group.c.user_id, s.group_access.c.cat_id)
            .join(s.group_access, s.user_group.c.group_id == s.group_access.c.group_id)
            .where(s.user_group.c.user_id.in_(KEYS)),
        )
        age = gallery.seconds_since(sessions.expiration).label("age")
        self._sessions = select(sessions.id, sessions.data, age).where(sessions.id.in_(KEYS))

    async def viewers(self, user_ids: Sequence[int]) -> Mapping[int, Viewer]:
        """Users as far as permissions go, by id."""
        people, access = await asyncio.gather(
            self._gallery.rows(self._viewers, user_ids), self._gallery.rows(self._access, user_ids)
        )
        albums: dict[int, set[int]] = defaultdict(set)
        for row in access:
            albums[int(row.user_id)].add(int(row.cat_id))
        return {
            int(row.user_id): Viewer(
                user_id=int(row.user_id),
                status=Status(row.status),
                level=int(row.level),
                enabled_high=row.enabled_high == "true",
                albums=frozenset(albums[int(row.user_id)]),
            )
            for row in people
            if row.status in tuple(Status)
        }

    async def sessions(self, row_ids: Sequence[str]) -> Mapping[str, Session]:
        """Sessions by the ids of their rows."""
        rows = await self._gallery.rows(self._sessions, row_ids)
        return {as_text(row.id): Session(session_user_id(row.data or ""), float(row.age or 0)) for row in rows}

    async def session_ids_of(self, user_ids: Sequence[int]) -> Mapping[int, Sequence[str]]:
        """The row ids of all sessions that seem to be of these users, by user. Reads the whole table.

        Ask `sessions` whose they really are: this looks at where Piwigo writes it, not at the grammar.
        """
        sessions = self._schema.sessions.c
        start = func.instr(sessions.data, _USER)
        behind = func.substr(sessions.data, start + len(_USER), 16)
        value = func.substr(behind, 1, func.instr(behind, ";") - 1)
        spelled = {spelling: user_id for user_id in user_ids for spelling in _spellings(user_id)}
        query = select(sessions.id, value.label("value")).where(start > 0, value.in_(list(spelled)))
        found: dict[int, list[str]] = defaultdict(list)
        for row in await self._gallery.rows(query):
            user_id = spelled.get(as_text(row.value))
            if user_id is not None:
                found[user_id].append(as_text(row.id))
        return found

    async def accounts(self, user_ids: Sequence[int]) -> Mapping[int, Account]:
        """Names and password hashes of users, by id."""
        users = self._schema.users.c
        rows = await self._gallery.rows(select(users.id, users.username, users.password).where(users.id.in_(user_ids)))
        return {int(row.id): Account(as_text(row.username), as_text(row.password)) for row in rows}

    async def users_named(self, usernames: Sequence[str]) -> Mapping[str, int]:
        """The ids of the users with exactly these names, by name."""
        users = self._schema.users.c
        known = self._gallery.held(users.username, usernames)
        rows = await self._gallery.rows(select(users.id, users.username).where(users.username.in_(known)))
        return {as_text(row.username): int(row.id) for row in rows}

    async def users_of_auth_keys(self, auth_keys: Sequence[str]) -> Mapping[str, int]:
        """The users whom valid authentication keys log in, by key: neither expired nor revoked, and of plain users."""
        keys, infos = self._schema.user_auth_keys.c, self._schema.user_infos.c
        query = (
            select(keys.user_id, keys.auth_key, infos.status)
            .join(self._schema.user_infos, infos.user_id == keys.user_id)
            .where(keys.auth_key.in_(auth_keys), self._is_unexpired(), self._is_link_key())
        )
        return {
            as_text(row.auth_key): int(row.user_id)
            for row in await self._gallery.rows(query)
            if row.status in (Status.NORMAL, Status.GENERIC)
        }

    async def auth_keys_of(self, user_ids: Sequence[int]) -> Mapping[int, Sequence[str]]:
        """Users' authentication keys that have neither expired nor been revoked, by user."""
        return await self._keys_of(user_ids, self._is_link_key())

    async def program_keys_of(self, user_ids: Sequence[int]) -> Mapping[int, Sequence[str]]:
        """The public halves of users' keys for programs that have neither expired nor been revoked, by user."""
        if not await self._gallery.learn_key_types():
            return {}
        keys = self._schema.user_auth_keys.c
        return await self._keys_of(user_ids, keys.revoked_on.is_(None) & (keys.key_type == "api_key"))

    async def _keys_of(self, user_ids: Sequence[int], kind: ColumnElement[bool]) -> Mapping[int, Sequence[str]]:
        keys = self._schema.user_auth_keys.c
        query = select(keys.user_id, keys.auth_key).where(keys.user_id.in_(user_ids), self._is_unexpired(), kind)
        found: dict[int, list[str]] = defaultdict(list)
        for row in await self._gallery.rows(query):
            found[int(row.user_id)].append(as_text(row.auth_key))
        return found

    def _is_unexpired(self) -> ColumnElement[bool]:
        return self._gallery.seconds_since(self._schema.user_auth_keys.c.expired_on) <= 0

    def _is_link_key(self) -> ColumnElement[bool]:
        """Whether a key is one of mailed links, not of programs, and not revoked; old galleries have no others."""
        keys = self._schema.user_auth_keys.c
        if not self._gallery.has_key_types:
            return true()
        return keys.revoked_on.is_(None) & (keys.key_type.is_(None) | (keys.key_type == "auth_key"))


def _spellings(user_id: int) -> tuple[str, str]:
    """How PHP writes the number into a session, as a number or as a text."""
    return f"i:{user_id}", f's:{len(str(user_id))}:"{user_id}"'
