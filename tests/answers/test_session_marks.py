import asyncio

from pwgserve.answers import session_marks
from pwgserve.answers.session_marks import Marks
from pwgserve.answers.together import Questions
from pwgserve.keys.keys_file import generated
from pwgserve.links import LinkSigner

SIGNER = LinkSigner(generated())


class People:
    """Sessions by user; counts how often their table is read."""

    def __init__(self, **sessions):
        self.sessions = sessions
        self.read = []

    async def session_ids_of(self, user_ids):
        self.read.append(sorted(user_ids))
        return {user_id: self.sessions.get(f"user{user_id}", ()) for user_id in user_ids}


def mark(row_id):
    return SIGNER.credential(session_marks.SESSION, row_id).mark


async def test_a_session_that_showed_itself_is_never_searched():
    people = People()
    marks = Marks(people, SIGNER, Questions())
    assert marks.credential("7F00anna") == SIGNER.credential("s", "7F00anna")
    assert await marks.session(3, mark("7F00anna")) == "7F00anna"
    assert people.read == []


async def test_all_others_are_searched_together():
    people = People(user3=["a", "b"], user4=["c"])
    marks = Marks(people, SIGNER, Questions(), pause=0.01)
    asked = [(3, "b"), (4, "c"), (4, "gone"), (5, "a")]
    found = await asyncio.gather(*(marks.session(user_id, mark(row_id)) for user_id, row_id in asked))
    assert found[:3] == ["b", "c", None]
    assert people.read == [[3, 4, 5]]
    assert await marks.session(3, mark("a")) == "a", "found on the way"
    assert len(people.read) == 1


async def test_the_table_is_read_no_more_often_than_allowed():
    people = People(user3=["a"])
    marks = Marks(people, SIGNER, Questions(), pause=0.2)
    loop = asyncio.get_running_loop()
    started = loop.time()
    for number in range(3):
        assert await marks.session(number + 10, mark("nowhere")) is None
    assert loop.time() - started >= 0.399


async def test_no_more_marks_are_remembered_than_allowed(monkeypatch):
    monkeypatch.setattr(session_marks, "KEPT", 3)
    people = People()
    marks = Marks(people, SIGNER, Questions(), pause=0.0)
    for row_id in "abcd":
        marks.credential(row_id)
        marks.credential("a")
    assert [await marks.session(3, mark(row_id)) for row_id in "abcd"] == ["a", None, "c", "d"]
    assert len(marks._session_of) == len(marks._of_session) == 3
