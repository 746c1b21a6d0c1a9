"""Who is known to a gallery: users, their sessions and their keys, as rows. SQL, like `gallery`, which it asks.

Every question is for many at once, and answers by key. What a session or a key is worth is decided in
`pwgserve.answers.viewers`; raises GalleryUnavailableError throughout.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pwgserve.piwigo.gallery import USERNAME, Gallery, as_text
from pwgserve.piwigo.identity import session_user_id
from pwgserve.piwigo.permissions import Status, Viewer

_VIEWERS = """
SELECT infos.user_id, infos.status, infos.level, infos.enabled_high
FROM {user_infos} AS infos JOIN {users} AS users ON users.{users[id]} = infos.user_id
WHERE infos.user_id IN %s
"""
_ACCESS = """
SELECT user_id, cat_id FROM {user_access} WHERE user_id IN %s
UNION ALL
SELECT members.user_id, access.cat_id
FROM {user_group} AS members JOIN {group_access} AS access ON access.group_id = members.group_id
WHERE members.user_id IN %s
"""
_SESSIONS = "SELECT id, data, {seconds_since[expiration]} FROM {sessions} WHERE id IN %s"
_SESSION_IDS = """
SELECT id, SUBSTR(behind, 1, INSTR(behind, ';') - 1)
FROM (
    SELECT id, SUBSTR(data, INSTR(data, 'pwg_uid|') + 8, 16) AS behind
    FROM {sessions} WHERE INSTR(data, 'pwg_uid|') > 0
) AS found
WHERE SUBSTR(behind, 1, INSTR(behind, ';') - 1) IN %s
"""
_ACCOUNTS = "SELECT {users[id]}, {users[username]}, {users[password]} FROM {users} WHERE {users[id]} IN %s"
_USERS_NAMED = "SELECT {users[id]}, {users[username]} FROM {users} WHERE {users[username]} IN %s"
_USERS_OF_KEYS = """
SELECT auth_keys.user_id, auth_keys.auth_key, infos.status
FROM {user_auth_keys} AS auth_keys JOIN {user_infos} AS infos ON infos.user_id = auth_keys.user_id
WHERE auth_keys.auth_key IN %s AND {seconds_since[auth_keys.expired_on]} <= 0
"""
_KEYS_OF = """
SELECT auth_keys.user_id, auth_keys.auth_key FROM {user_auth_keys} AS auth_keys
WHERE auth_keys.user_id IN %s AND {seconds_since[auth_keys.expired_on]} <= 0
"""
_OF_LINKS = "AND auth_keys.revoked_on IS NULL AND (auth_keys.key_type IS NULL OR auth_keys.key_type = 'auth_key')"
_OF_PROGRAMS = "AND auth_keys.revoked_on IS NULL AND auth_keys.key_type = 'api_key'"
"""Which of the keys that there are since Piwigo 16: those of mailed links, or of programs, that are not revoked."""


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

    async def viewers(self, user_ids: Sequence[int]) -> Mapping[int, Viewer]:
        """Users as far as permissions go, by id."""
        people, access = await asyncio.gather(
            self._gallery.rows(_VIEWERS, user_ids), self._gallery.rows(_ACCESS, user_ids, user_ids)
        )
        albums: dict[int, set[int]] = defaultdict(set)
        for user_id, album_id in access:
            albums[int(user_id)].add(int(album_id))
        return {
            int(user_id): Viewer(
                user_id=int(user_id),
                status=Status(status),
                level=-1 if level is None else int(level),  # below that of every photo
                enabled_high=enabled_high == "true",
                albums=frozenset(albums[int(user_id)]),
            )
            for user_id, status, level, enabled_high in people
            if status in tuple(Status)
        }

    async def sessions(self, row_ids: Sequence[str]) -> Mapping[str, Session]:
        """Sessions by the ids of their rows."""
        rows = await self._gallery.rows(_SESSIONS, row_ids)
        return {as_text(row_id): Session(session_user_id(data or ""), float(age or 0)) for row_id, data, age in rows}

    async def session_ids_of(self, user_ids: Sequence[int]) -> Mapping[int, Sequence[str]]:
        """The row ids of all sessions that seem to be of these users, by user. Reads the whole table.

        Ask `sessions` whose they really are: this looks at where Piwigo writes it, not at the grammar.
        """
        spelled = {spelling: user_id for user_id in user_ids for spelling in _spellings(user_id)}
        found: dict[int, list[str]] = defaultdict(list)
        for row_id, value in await self._gallery.rows(_SESSION_IDS, list(spelled)):
            user_id = spelled.get(as_text(value))
            if user_id is not None:
                found[user_id].append(as_text(row_id))
        return found

    async def accounts(self, user_ids: Sequence[int]) -> Mapping[int, Account]:
        """Names and password hashes of users, by id."""
        rows = await self._gallery.rows(_ACCOUNTS, user_ids)
        return {int(user_id): Account(as_text(name), as_text(password)) for user_id, name, password in rows}

    async def users_named(self, usernames: Sequence[str]) -> Mapping[str, int]:
        """The ids of the users with exactly these names, by name."""
        rows = await self._gallery.rows(_USERS_NAMED, self._gallery.held(USERNAME, usernames))
        return {as_text(name): int(user_id) for user_id, name in rows}

    async def users_of_auth_keys(self, auth_keys: Sequence[str]) -> Mapping[str, int]:
        """The users whom valid authentication keys log in, by key: neither expired nor revoked, and of plain users."""
        rows = await self._gallery.rows(_USERS_OF_KEYS + self._of_links(), auth_keys)
        return {
            as_text(auth_key): int(user_id)
            for user_id, auth_key, status in rows
            if status in (Status.NORMAL, Status.GENERIC)
        }

    async def auth_keys_of(self, user_ids: Sequence[int]) -> Mapping[int, Sequence[str]]:
        """Users' authentication keys that have neither expired nor been revoked, by user."""
        return await self._keys_of(user_ids, self._of_links())

    async def program_keys_of(self, user_ids: Sequence[int]) -> Mapping[int, Sequence[str]]:
        """The public halves of users' keys for programs that have neither expired nor been revoked, by user."""
        return await self._keys_of(user_ids, _OF_PROGRAMS) if await self._gallery.learn_key_types() else {}

    async def _keys_of(self, user_ids: Sequence[int], kind: str) -> Mapping[int, Sequence[str]]:
        found: dict[int, list[str]] = defaultdict(list)
        for user_id, auth_key in await self._gallery.rows(_KEYS_OF + kind, user_ids):
            found[int(user_id)].append(as_text(auth_key))
        return found

    def _of_links(self) -> str:
        """That a key is one of mailed links; old galleries have no others."""
        return _OF_LINKS if self._gallery.has_key_types else ""


def _spellings(user_id: int) -> tuple[str, str]:
    """How PHP writes the number into a session, as a number or as a text."""
    return f"i:{user_id}", f's:{len(str(user_id))}:"{user_id}"'
