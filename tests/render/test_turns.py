"""Whose turn it is: tables for what is promised, hypothesis for what must hold whatever happens."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pwgserve.render.turns import Client, Turns

ANNA, BEN, CARL = Client("anna"), Client("ben"), Client("carl")


def taken(turns: Turns) -> list[str]:
    found = []
    while (job := turns.take()) is not None:
        found.append(job)
    return found


def test_one_client_has_all_places_but_not_the_one_beyond():
    turns = Turns(places=2, room=10)
    for number in range(4):
        turns.add(f"a{number}", ANNA)
    assert taken(turns) == ["a0", "a1"]
    turns.add("b0", BEN)
    assert taken(turns) == ["b0"], "at once, though anna has all places"
    turns.add("c0", CARL)
    assert taken(turns) == []
    turns.end("a0")
    assert taken(turns) == ["c0"], "ben and anna have one each; the line of who has waited without one goes first"


def test_what_is_set_aside_gives_its_place_to_others_and_still_counts():
    turns = Turns(places=1, room=4)
    assert turns.add("a0", ANNA)
    assert taken(turns) == ["a0"]
    assert turns.add("a1", ANNA)
    assert turns.set_aside("a0") == ANNA
    assert (len(turns), turns.waiting) == (2, 2)
    assert taken(turns) == ["a1"]
    turns.set_aside("a1")
    assert turns.add("b0", BEN)
    assert taken(turns) == ["b0"]
    turns.resume("a0")
    assert turns.add("b1", BEN)
    assert turns.add("c0", CARL)
    assert turns.add("c1", CARL)
    assert not turns.add("b2", BEN), "what is set aside takes room"
    turns.end("b0")
    assert taken(turns) == ["b1"], "beside what goes on"
    turns.end("a0")
    turns.end("a1")
    turns.resume("a1")
    turns.end("b1")
    assert taken(turns) == ["c0"]
    turns.end("c0")
    assert taken(turns) == ["c1"]
    turns.end("c1")
    assert len(turns) == 0


def test_clients_take_turns_however_many_one_of_them_wants():
    turns = Turns(places=1, room=1000)
    for number in range(100):
        turns.add(f"a{number}", ANNA)
    order = taken(turns)
    turns.add("b0", BEN)
    turns.add("b1", BEN)
    order += taken(turns)
    for _ in range(6):
        turns.end(order[-1])
        order += taken(turns)
    assert order.index("b0") <= 2
    assert order.index("b1") <= 5


def test_nobody_is_forgotten_while_others_always_want_more():
    turns = Turns(places=1, room=1000)
    for client in (ANNA, BEN, CARL):
        for number in range(20):
            turns.add(f"{client.key}{number}", client)
    order = taken(turns)
    while len(order) < 30:
        turns.end(order[-2])
        order += taken(turns)
    assert [sum(job.startswith(client.key) for job in order) for client in (ANNA, BEN, CARL)] == [10, 10, 10]


def test_bulk_work_waits_for_all_that_somebody_looks_at_and_leaves_a_place_free():
    turns = Turns(places=3, room=100)
    for number in range(5):
        turns.add(f"bulk{number}", Client("warm", is_bulk=True))
    assert taken(turns) == ["bulk0", "bulk1"]
    turns.add("a0", ANNA)
    turns.add("a1", ANNA)
    assert taken(turns) == ["a0"]
    turns.end("bulk0")
    assert taken(turns) == ["a1"], "before all bulk work"
    turns.end("a0")
    turns.end("a1")
    assert taken(turns) == ["bulk2"]


def test_a_picture_that_two_want_has_the_earlier_of_both_turns():
    turns = Turns(places=1, room=100)
    for number in range(50):
        turns.add(f"a{number}", ANNA)
    taken(turns)
    turns.join("a49", BEN)
    assert taken(turns) == ["a49"], "ben's turn, on the place beyond"
    assert len(turns) == 50
    turns.end("a49")
    turns.end("a0")
    assert taken(turns) == ["a1"]


def test_a_job_is_not_wanted_beyond_the_room_of_who_joins():
    turns = Turns(places=1, room=4)
    for job, client in (("a0", ANNA), ("b0", BEN), ("b1", BEN), ("a1", ANNA)):
        assert turns.add(job, client)
        taken(turns)
    turns.add("b2", BEN)
    turns.join("a1", BEN)
    for job in ("b0", "b1", "b2"):
        turns.end(job)
        taken(turns)
    assert (len(turns), turns.waiting) == (2, 1), "it keeps its place behind the other one of anna's"
    turns.end("a0")
    assert taken(turns) == ["a1"]


@pytest.mark.parametrize(
    ("leader_is_bulk", "is_bulk", "goes_along"),
    [(False, False, True), (True, True, True), (False, True, False), (True, False, False)],
)
def test_what_is_taken_along_takes_no_place_and_keeps_nobody_waiting(leader_is_bulk, is_bulk, goes_along):
    turns = Turns(places=2, room=10)
    assert turns.add("leader", Client("anna", leader_is_bulk))
    assert taken(turns) == ["leader"]
    assert turns.add("other", Client("ben", is_bulk))
    assert turns.take_along("other", "leader") is goes_along
    assert (len(turns), turns.waiting) == (2, 0 if goes_along else 1)
    assert not turns.take_along("unknown", "leader")
    turns.join("other", Client("warm", is_bulk=True))
    assert turns.take_along("other", "leader") is False, "as for whoever else wants it"
    if goes_along:
        assert turns.add("third", CARL)
        assert taken(turns) == ["third"]
    for job in ("leader", "other", "third"):
        turns.end(job)
    assert len(turns) == 0


def test_one_client_cannot_fill_the_room():
    turns = Turns(places=1, room=10)
    accepted = [turns.add(f"a{number}", ANNA) for number in range(20)]
    assert accepted.count(True) == 5
    taken(turns)
    assert turns.add("b0", BEN)


def test_what_is_served_at_once_needs_no_room():
    turns = Turns(places=2, room=1)
    assert turns.add("a0", ANNA)
    taken(turns)
    assert turns.add("b0", BEN)
    taken(turns)
    assert turns.add("c0", CARL)
    assert not turns.add("d0", Client("dora"))


def test_who_gives_up_leaves_no_trace():
    turns = Turns(places=1, room=10)
    turns.add("a0", ANNA)
    turns.add("a1", ANNA)
    turns.join("a1", BEN)
    taken(turns)
    turns.end("a1")
    turns.end("a0")
    turns.end("unknown")
    assert len(turns) == 0
    assert turns.take() is None


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(0, 40), st.sampled_from("abcd"), st.booleans()),
        st.tuples(st.just("join"), st.integers(0, 40), st.sampled_from("abcd"), st.booleans()),
        st.tuples(st.just("take"), st.just(0), st.just("a"), st.just(False)),
        st.tuples(st.just("end"), st.integers(0, 40), st.just("a"), st.just(False)),
    ),
    max_size=120,
)


@given(STEPS, st.integers(1, 4), st.integers(1, 12))
def test_nothing_is_lost_doubled_or_served_beyond_its_places(steps, places, room):
    turns = Turns(places, room)
    waiting, served = set(), set()
    for step, number, key, is_bulk in steps:
        job = f"j{number}"
        client = Client(key, is_bulk)
        match step:
            case "add" if job not in waiting | served:
                if turns.add(job, client):
                    waiting.add(job)
            case "join":
                turns.join(job, client)
            case "take":
                taken_job = turns.take()
                if taken_job is not None:
                    assert taken_job in waiting
                    waiting.discard(taken_job)
                    served.add(taken_job)
            case "end" if job in waiting | served:
                turns.end(job)
                waiting.discard(job)
                served.discard(job)
        assert len(turns) == len(waiting) + len(served)
        assert len(served) <= places + 1
    # Whatever happened: when everything that is served ends, everything that waits gets its turn.
    while waiting:
        for job in list(served):
            turns.end(job)
            served.discard(job)
        taken_job = turns.take()
        assert taken_job in waiting
        waiting.discard(taken_job)
        served.add(taken_job)


def test_one_client_cannot_fill_the_room_with_what_is_set_aside():
    turns = Turns(places=1, room=10)
    accepted = 0
    for number in range(20):
        accepted += turns.add(f"a{number}", ANNA)
        for job in taken(turns):
            turns.set_aside(job)
    assert accepted == 5
    assert turns.add("b0", BEN)
    assert taken(turns) == ["b0"]
