"""Which session the mark in a link stands for.

A mark is a keyed hash of a session's row id (see `links`). Whoever comes with the session's cookie, or asked this
process for the link, has shown it the id; only for other marks the table of sessions has to be read, which has no
index that helps: all that wait are looked for at once, and at most once a second (docs/decisions/0021).
Whether the session is alive, and whose, is asked elsewhere, by its key.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence

from pwgserve.answers.freshness import Fresh
from pwgserve.answers.together import Questions, Together
from pwgserve.links import Credential, LinkSigner
from pwgserve.piwigo.people import People

SESSION = "s"
KEPT = 20_000
"""Of how many sessions the marks are remembered: 5 MB."""

SEARCH_PAUSE = 1.0
"""Seconds between two readings of the whole table."""

AT_ONCE = 200
"""Marks that are computed before others get a turn."""


class Marks:
    """The marks of one gallery's sessions, as far as they are known."""

    def __init__(self, people: People, signer: LinkSigner, questions: Questions, pause: float = SEARCH_PAUSE) -> None:
        self._signer = signer
        self._of_session: OrderedDict[str, Credential] = OrderedDict()
        self._session_of: dict[str, str] = {}
        self._search: Together[int, Sequence[str]] = questions.add(
            Together(people.session_ids_of, (), pause=pause, under_way=1, burst=1)
        )
        self._searched = Fresh(self._look, KEPT)

    def credential(self, row_id: str) -> Credential:
        """A session as a link names it."""
        known = self._of_session.get(row_id)
        if known is not None:
            self._of_session.move_to_end(row_id)
            return known
        made = self._of_session[row_id] = self._signer.credential(SESSION, row_id)
        self._session_of[made.mark] = row_id
        while len(self._of_session) > KEPT:
            _, forgotten = self._of_session.popitem(last=False)
            del self._session_of[forgotten.mark]
        return made

    async def session(self, user_id: int, mark: str) -> str | None:
        """The row id of the session that a mark stands for; None when this user has no such session.

        Raises GalleryUnavailableError.
        """
        row_id = self._session_of.get(mark)
        if row_id is None:
            await self._searched.get(user_id)
            row_id = self._session_of.get(mark)
        return row_id

    async def _look(self, user_id: int) -> None:
        for number, row_id in enumerate(await self._search.get(user_id)):
            if number % AT_ONCE == AT_ONCE - 1:
                await asyncio.sleep(0)
            self.credential(row_id)
