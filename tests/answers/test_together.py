import asyncio

import pytest

from pwgserve.answers.together import MOST, Questions, Together


class Table:
    """Answers with ten times the key; `gate` holds answers back, `error` is raised instead of one."""

    def __init__(self):
        self.questions = []
        self.starts = []
        self.gate = None
        self.error = None
        self.under_way = self.most_under_way = 0

    async def __call__(self, keys):
        self.questions.append(list(keys))
        self.starts.append(asyncio.get_running_loop().time())
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        await asyncio.sleep(0)
        if self.gate:
            await self.gate.wait()
        self.under_way -= 1
        if self.error:
            raise self.error
        return {key: key * 10 for key in keys if key < 1000}


async def all_that_can_be_done_now():
    """Many turns of the event loop: however slow the machine is, they are turns."""
    for _ in range(50):
        await asyncio.sleep(0)


async def test_what_is_asked_at_once_is_one_question():
    table = Table()
    together = Together(table, None)
    assert await asyncio.gather(*(together.get(key) for key in (1, 2, 3, 2, 4000))) == [10, 20, 30, 20, None]
    assert table.questions == [[1, 2, 3, 4000]]


async def test_a_question_has_a_bounded_number_of_keys():
    table = Table()
    table.gate = asyncio.Event()
    together = Together(table, None, pause=0)
    asked = asyncio.gather(*(together.get(key) for key in range(MOST + 1)))
    await all_that_can_be_done_now()
    assert [len(question) for question in table.questions] == [MOST, 1], "none waits for the end of another"
    table.gate.set()
    await asked


async def test_questions_per_second_are_bounded_whatever_is_asked(monkeypatch):
    """By a clock that goes on with each who asks: on a busy machine, a question is noted later than it went out."""
    table, now, asked = Table(), [1000.0], []
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: now[0])
    together = Together(table, None, pause=0.02, burst=3)
    for key in range(300):
        asked.append(asyncio.create_task(together.get(key)))
        await all_that_can_be_done_now()
        now[0] += 0.001
    await asyncio.gather(*asked[:-20])
    assert len(table.starts) > 10
    for first, start in enumerate(table.starts):
        for count, later in enumerate(table.starts[first:], start=1):
            assert later - start >= (count - 3) * 0.02 - 0.0001
    now[0] += 1
    await asyncio.gather(*asked)
    assert sum(len(question) for question in table.questions) == 300


async def test_the_first_questions_after_a_silence_do_not_wait_for_one_another():
    table = Table()
    together = Together(table, None, pause=60, burst=3)
    assert [await together.get(key) for key in (1, 2, 3)] == [10, 20, 30]
    waiting = asyncio.create_task(together.get(4))
    await all_that_can_be_done_now()
    assert table.questions == [[1], [2], [3]]
    waiting.cancel()


async def test_few_questions_are_under_way_at_once_and_the_rest_gathers():
    table = Table()
    table.gate = asyncio.Event()
    together = Together(table, None, pause=0, under_way=2)
    asked = []
    for key in range(20):
        asked.append(asyncio.create_task(together.get(key)))
        await all_that_can_be_done_now()
    assert table.questions == [[0], [1]]
    table.gate.set()
    assert await asyncio.gather(*asked) == [key * 10 for key in range(20)]
    assert table.most_under_way == 2
    assert table.questions == [[0], [1], list(range(2, 20))]


async def test_who_asks_while_a_question_is_under_way_is_not_answered_by_it():
    table = Table()
    table.gate = asyncio.Event()
    together = Together(table, None, pause=0)
    first = asyncio.create_task(together.get(1))
    await all_that_can_be_done_now()
    second = asyncio.create_task(together.get(1))
    await all_that_can_be_done_now()
    table.gate.set()
    assert await first == await second == 10
    assert table.questions == [[1], [1]]


async def test_an_error_is_told_to_all_in_the_question_and_to_nobody_later():
    table = Table()
    table.error = OSError("away")
    together = Together(table, None)
    told = await asyncio.gather(*(together.get(key) for key in (1, 2)), return_exceptions=True)
    assert [type(error) for error in told] == [OSError, OSError]
    table.error = None
    assert await together.get(1) == 10


async def test_an_asker_who_leaves_takes_the_answer_from_nobody():
    table = Table()
    table.gate = asyncio.Event()
    together = Together(table, None)
    first, second = asyncio.create_task(together.get(1)), asyncio.create_task(together.get(1))
    await all_that_can_be_done_now()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    table.gate.set()
    assert await second == 10


async def test_the_patient_go_out_with_whoever_is_in_a_hurry():
    table = Table()
    together = Together(table, None, pause=0)
    patient = [asyncio.create_task(together.get(key, patience=60)) for key in (1, 2)]
    await all_that_can_be_done_now()
    assert table.questions == []
    assert await together.get(3) == 30
    assert await asyncio.gather(*patient) == [10, 20]
    assert table.questions == [[1, 2, 3]]


async def test_one_in_a_hurry_hurries_the_same_question_of_a_patient_one(monkeypatch):
    table, now = Table(), [1000.0]
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: now[0])
    together = Together(table, None, pause=0)
    patient = asyncio.create_task(together.get(1, patience=60))
    await all_that_can_be_done_now()
    assert await together.get(1) == await patient == 10
    now[0] += 61
    await all_that_can_be_done_now()
    assert table.questions == [[1]], "nor is it asked once more when the patience would have ended"


async def test_the_patient_wait_no_longer_than_the_least_patient_of_them():
    table = Table()
    together = Together(table, None, pause=0)
    loop = asyncio.get_running_loop()
    started = loop.time()
    asked = [together.get(key, patience) for key, patience in [(1, 60), (2, 0.05), (3, 60)]]
    assert await asyncio.gather(*asked) == [10, 20, 30]
    assert table.questions == [[1, 2, 3]]
    assert table.starts[0] - started >= 0.049


async def test_the_patient_are_not_hurried_by_the_end_of_another_question():
    table = Table()
    table.gate = asyncio.Event()
    together = Together(table, None, pause=0)
    first = asyncio.create_task(together.get(1))
    await all_that_can_be_done_now()
    patient = asyncio.create_task(together.get(2, patience=60))
    await all_that_can_be_done_now()
    table.gate.set()
    assert await first == 10
    await all_that_can_be_done_now()
    assert table.questions == [[1]]
    patient.cancel()


async def test_a_patient_question_that_finds_no_room_goes_out_when_there_is_some():
    table = Table()
    table.gate = asyncio.Event()
    together = Together(table, None, pause=0, under_way=1)
    first = asyncio.create_task(together.get(1))
    await all_that_can_be_done_now()
    patient = asyncio.create_task(together.get(2, patience=0.01))
    await asyncio.sleep(0.05)
    assert table.questions == [[1]]
    table.gate.set()
    assert await asyncio.gather(first, patient) == [10, 20]


async def test_one_in_a_hurry_who_finds_no_room_does_not_wait_for_a_patient_one_who_comes_later():
    table = Table()
    table.gate = asyncio.Event()
    together = Together(table, None, pause=0, under_way=1)
    first = asyncio.create_task(together.get(1))
    await all_that_can_be_done_now()
    hurried = asyncio.create_task(together.get(2))
    await all_that_can_be_done_now()
    patient = asyncio.create_task(together.get(3, patience=60))
    await all_that_can_be_done_now()
    table.gate.set()
    async with asyncio.timeout(60):
        assert await asyncio.gather(first, hurried, patient) == [10, 20, 30]
    assert table.questions == [[1], [2, 3]]


async def test_a_question_that_is_due_when_all_are_closed_never_goes_out():
    table = Table()
    questions = Questions()
    kind = questions.add(Together(table, None))
    renewed = kind.ask(1, patience=0.01)
    await questions.close()
    late = kind.ask(2, patience=0.01)
    await asyncio.wait([renewed, late])
    assert renewed.cancelled() and late.cancelled()
    assert table.questions == []


async def test_what_is_under_way_when_all_are_closed_has_ended_and_nothing_follows_it():
    table = Table()
    table.gate = asyncio.Event()
    questions = Questions()
    kind = questions.add(Together(table, None, pause=0, under_way=1))
    first = kind.ask(1)
    await all_that_can_be_done_now()
    second = kind.ask(2)
    before = asyncio.all_tasks()
    await questions.close()
    await all_that_can_be_done_now()
    assert first.cancelled() and second.cancelled()
    assert table.questions == [[1]]
    assert len(before) == 2 and asyncio.all_tasks() == {asyncio.current_task()}


async def test_the_patient_do_not_wait_for_their_patience_when_all_are_closed():
    questions = Questions()
    patient = questions.add(Together(Table(), None)).ask(1, patience=60)
    await questions.close()
    assert patient.cancelled()


async def test_a_question_that_takes_its_time_to_end_has_ended_when_all_are_closed():
    is_ended, is_asking = False, asyncio.Event()

    async def ask(keys):
        nonlocal is_ended
        is_asking.set()
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.05)  # as a database's connection that is closed
            is_ended = True

    questions = Questions()
    questions.add(Together(ask, None)).ask(1)
    await is_asking.wait()
    await questions.close()
    assert is_ended
