"""Whose rendering is next: every client has a line, lines take turns, and what nobody waits for comes last. Pure.

One client with a thousand pictures delays another by one picture. A picture that two clients want stands in both lines
and is rendered when its first turn comes. Who is called may take others along, for whom that is less work.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass


@dataclass(frozen=True)
class Client:
    """Whom a rendering is for. key: tells clients apart. is_bulk: nobody is waiting for it in front of a screen."""

    key: str
    is_bulk: bool = False


class Turns:
    """Who waits and who is served.

    places: how many jobs may be served at once for one client; one more is served when there is a second client.
    room: how many may wait; no client may fill more than half of it.
    """

    def __init__(self, places: int, room: int) -> None:
        self._places = places
        self._room = room
        self._lines: dict[bool, OrderedDict[str, OrderedDict[str, None]]] = {False: OrderedDict(), True: OrderedDict()}
        self._waiting: dict[str, set[Client]] = {}
        self._served: dict[str, Client] = {}
        self._along: set[str] = set()
        self._aside: dict[str, Client] = {}

    def __len__(self) -> int:
        """How many jobs wait or are served."""
        return self.waiting + len(self._served) + len(self._along)

    @property
    def waiting(self) -> int:
        """How many jobs wait."""
        return len(self._waiting) + len(self._aside)

    def add(self, job: str, client: Client) -> bool:
        """Let a new job wait; False when there is no room for it."""
        if self._is_full() or not self._has_room(client):
            return False
        self._waiting[job] = set()
        self._stand(job, client)
        return True

    def join(self, job: str, client: Client) -> None:
        """Another client wants a job that waits already; without room in its line the job keeps its place."""
        if job in self._waiting and self._has_room(client):
            self._stand(job, client)

    def take(self) -> str | None:
        """The job whose turn it is, which is now served; None when none may be."""
        for is_bulk in (False, True):
            lines = self._lines[is_bulk]
            for key in lines:
                client = Client(key, is_bulk)
                if self._may_serve(client):
                    job = next(iter(lines[key]))
                    self._leave_lines(job)
                    if key in lines:
                        lines.move_to_end(key)
                    self._served[job] = client
                    return job
        return None

    def take_along(self, job: str, leader: str) -> bool:
        """Serve a waiting job together with one that is served; False when that would keep people waiting.

        It takes no place of its own: what is done for both is done once.
        """
        waits_for_screen = any(not client.is_bulk for client in self._waiting.get(job, ()))
        if job not in self._waiting or waits_for_screen == self._served[leader].is_bulk:
            return False
        self._leave_lines(job)
        self._along.add(job)
        return True

    def set_aside(self, job: str) -> Client:
        """A job that is served cannot go on yet: its place is another's. Returns whose turn it has."""
        client = self._aside[job] = self._served.pop(job)
        return client

    def resume(self, job: str) -> None:
        """A job that was set aside goes on, beside whoever has its place now."""
        if (client := self._aside.pop(job, None)) is not None:
            self._served[job] = client

    def end(self, job: str) -> None:
        """A job was served, or is no longer wanted."""
        self._along.discard(job)
        self._aside.pop(job, None)
        self._served.pop(job, None)
        if job in self._waiting:
            self._leave_lines(job)

    def _is_full(self) -> bool:
        return self.waiting - self._free() >= self._room

    def _free(self) -> int:
        """Places that waiting jobs are about to have: who is served at once needs no room."""
        return max(0, self._places - len(self._served))

    def _may_serve(self, client: Client) -> bool:
        served = len(self._served)
        if client.is_bulk and served >= max(1, self._places - 1):
            return False
        # The place beyond is for who has none: however many one client asks for, the next is served at once.
        if served >= self._places and any(other.key == client.key for other in self._served.values()):
            return False
        return served <= self._places

    def _has_room(self, client: Client) -> bool:
        line = self._lines[client.is_bulk].get(client.key, ())
        aside = sum(other == client for other in self._aside.values())
        return len(line) + aside < max(1, self._room // 2)

    def _stand(self, job: str, client: Client) -> None:
        self._lines[client.is_bulk].setdefault(client.key, OrderedDict())[job] = None
        self._waiting[job].add(client)

    def _leave_lines(self, job: str) -> None:
        for client in self._waiting.pop(job):
            line = self._lines[client.is_bulk][client.key]
            del line[job]
            if not line:
                del self._lines[client.is_bulk][client.key]
