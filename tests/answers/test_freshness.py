import asyncio

import pytest

from pwgserve.answers import freshness
from pwgserve.answers.freshness import Fresh, in_time
from pwgserve.at_hand import NotAtHandError
from pwgserve.piwigo.gallery import GalleryUnavailableError


class Question:
    """Answers with how often it was asked; `gate` holds answers back, `error` is raised instead of one."""

    def __init__(self):
        self.asked = 0
        self.gate = None
        self.error = None

    async def __call__(self, key):
        self.asked += 1
        count = self.asked
        if self.gate:
            await self.gate.wait()
        if self.error:
            raise self.error
        return key, count


class Clock:
    """The event loop's time, which stands still unless a test moves it."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
async def clock(monkeypatch):
    made = Clock()
    monkeypatch.setattr(asyncio.get_running_loop(), "time", made)
    return made


async def until_asked(question, times):
    while question.asked < times:
        await asyncio.sleep(0)


async def test_an_answer_is_kept_for_its_age_and_no_longer(clock):
    question = Question()
    fresh = Fresh(question, 10, max_age=0.5)
    assert await fresh.get("a") == await fresh.get("a") == ("a", 1)
    clock.now += 0.51
    assert await fresh.get("a") == ("a", 2)


async def test_an_answer_of_another_question_counts_from_when_that_was_asked(clock):
    question = Question()
    fresh = Fresh(question, 10, max_age=0.5)
    fresh.note("a", clock.now - 0.1, "noted")
    assert await fresh.get("a") == "noted"
    clock.now += 0.41
    assert await fresh.get("a") == ("a", 1)


async def test_a_newer_answer_stays(clock):
    question = Question()
    fresh = Fresh(question, 10)
    assert await fresh.get("a") == ("a", 1)
    fresh.note("a", clock.now - 0.1, "older")
    assert await fresh.get("a") == ("a", 1)
    fresh.note("a", clock.now + 0.1, "newer")
    assert await fresh.get("a") == "newer"


async def test_a_question_that_was_asked_before_does_not_bring_back_what_was(clock):
    question = Question()
    question.gate = asyncio.Event()
    fresh = Fresh(question, 10)
    asking = asyncio.create_task(fresh.get("a"))
    await until_asked(question, 1)
    clock.now += 0.1
    fresh.note("a", clock.now, "newer")
    question.gate.set()
    assert await asking == ("a", 1), "as old as it may be for who asked then"
    assert await fresh.get("a") == "newer"


async def test_answers_of_other_questions_fill_no_more_than_there_is_room_for(clock):
    fresh = Fresh(Question(), 10)
    for key in range(20):
        fresh.note(key, clock.now, key)
    assert [fresh.kept(key) for key in (9, 10)] == [None, (clock.now, 10)]


async def test_the_newest_answers_are_kept_however_old_their_keys_are(clock):
    fresh = Fresh(Question(), 2)
    for key in "abac":
        fresh.note(key, clock.now, key)
        clock.now += 0.01
    assert [fresh.kept(key) is None for key in "abc"] == [False, True, False]


async def test_the_age_counts_from_before_the_question_was_asked(clock):
    question = Question()
    question.gate = asyncio.Event()
    fresh = Fresh(question, 10, max_age=0.05)
    first = asyncio.create_task(fresh.get("a"))
    await until_asked(question, 1)
    clock.now += 0.06
    question.gate.set()
    await first
    assert await fresh.get("a") == ("a", 2)


async def test_who_comes_late_does_not_get_an_answer_to_an_old_question(clock):
    question = Question()
    question.gate = asyncio.Event()
    fresh = Fresh(question, 10, max_age=0.05)
    first = asyncio.create_task(fresh.get("a"))
    await until_asked(question, 1)
    clock.now += 0.1
    late = asyncio.create_task(fresh.get("a"))
    await asyncio.sleep(0)
    question.gate.set()
    assert await first == ("a", 1)
    assert await late == ("a", 2)


async def test_many_who_ask_at_once_share_one_question():
    question = Question()
    answers = await asyncio.gather(*(Fresh.get(fresh, "a") for fresh in [Fresh(question, 10)] * 50))
    assert question.asked == 1
    assert set(answers) == {("a", 1)}


async def test_an_error_is_told_to_all_and_kept_for_nobody():
    question = Question()
    question.error = OSError()
    fresh = Fresh(question, 10)
    told = await asyncio.gather(*(fresh.get("a") for _ in range(3)), return_exceptions=True)
    assert [type(error) for error in told] == [OSError] * 3
    question.error = None
    assert await fresh.get("a") == ("a", 2)


async def test_a_question_that_fails_or_is_ended_is_no_defect_of_the_program():
    defects = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: defects.append(context))
    asked = {"fails": asyncio.get_running_loop().create_future(), "ends": asyncio.get_running_loop().create_future()}
    fresh = Fresh(lambda key: asked[key], 10)
    waiting = [asyncio.create_task(fresh.get(key)) for key in asked]
    await asyncio.sleep(0)
    asked["fails"].set_exception(OSError())
    asked["ends"].cancel()
    assert [type(told) for told in await asyncio.gather(*waiting, return_exceptions=True)] == [
        OSError,
        asyncio.CancelledError,
    ]
    assert defects == []


async def test_an_asker_who_leaves_takes_the_answer_from_nobody():
    question = Question()
    question.gate = asyncio.Event()
    fresh = Fresh(question, 10)
    first, second = asyncio.create_task(fresh.get("a")), asyncio.create_task(fresh.get("a"))
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    question.gate.set()
    assert await second == ("a", 1)


async def test_no_more_answers_are_kept_than_allowed(clock):
    question = Question()
    fresh = Fresh(question, 2)
    for key in "abc":
        await fresh.get(key)
    await fresh.get("c")
    await fresh.get("b")
    assert question.asked == 3
    await fresh.get("a")
    assert question.asked == 4


def test_the_ages_add_up_to_what_is_promised():
    kept = freshness.MAX_AGE + freshness.DECISION_AGE + freshness.PROXY_AGE
    assert kept + freshness.AGE_FOR_PROXIES <= freshness.PROMISED_AGE
    sent = freshness.MAX_AGE + freshness.LONGEST_DECISION
    assert sent + 0.5 <= freshness.PROMISED_AGE, "when questions take long, nothing is kept of what they decide"


@pytest.mark.parametrize(("seconds", "decided"), [((0.9,), 1), ((1.1, 0.1), 2), ((1.1, 1.1), None)])
async def test_a_decision_that_took_too_long_is_made_anew_once(clock, seconds, decided):
    taken = list(seconds)

    async def decide():
        clock.now += taken.pop(0)
        return len(seconds) - len(taken)

    if decided is None:
        with pytest.raises(GalleryUnavailableError):
            await in_time(decide)
    else:
        assert await in_time(decide) == decided
    assert not taken


def test_what_is_asked_for_all_the_time_is_never_waited_for():
    for age in (freshness.MAX_AGE * freshness.ASKED_ANEW_AT, freshness.DECISION_AGE):
        assert age + freshness.DECISION_AGE <= freshness.MAX_AGE, "not asked anew at this age, it serves the next, too"


async def test_an_answer_is_renewed_before_it_is_too_old_while_it_still_serves(clock):
    question = Question()
    fresh = Fresh(question, 10, max_age=3.0)
    assert await fresh.get("a") == ("a", 1)
    clock.now += 1.9
    question.gate = asyncio.Event()
    assert [await fresh.get("a") for _ in range(3)] == [("a", 1)] * 3
    await until_asked(question, 2)
    assert await fresh.get("a") == ("a", 1)
    assert question.asked == 2, "by one asker, for whom nobody waits"
    question.gate.set()
    while await fresh.get("a") == ("a", 1):
        await asyncio.sleep(0)
    assert await fresh.get("a") == ("a", 2)


async def test_a_renewal_that_fails_is_told_to_who_asks_next(clock):
    question = Question()
    fresh = Fresh(question, 10, max_age=2.0)
    await fresh.get("a")
    clock.now += 1.3
    question.error = OSError()
    assert await fresh.get("a") == ("a", 1)
    await until_asked(question, 2)
    clock.now += 0.8
    with pytest.raises(OSError):
        await fresh.get("a")


async def test_a_renewal_may_gather_others_for_half_of_the_time_that_is_left(clock):
    question, patience = Question(), []

    def renew(key, seconds):
        patience.append(seconds)
        return question(key)

    fresh = Fresh(question, 10, max_age=1.0, renew=renew)
    await fresh.get("a")
    for age in (0.7, 0.9):
        clock.now += age
        assert (await fresh.get("a"))[1] == question.asked, "this one is still served from what is known"
        await until_asked(question, question.asked + 1)
        await asyncio.sleep(0)
    assert patience == pytest.approx([0.15, 0.05])
    clock.now += 1.1
    await fresh.get("a")
    assert len(patience) == 2, "who has to wait is not patient"


async def test_what_is_at_hand_is_taken_and_nothing_is_asked(clock):
    question, at_hand = Question(), ["first", "second"]
    fresh = Fresh(question, 10, max_age=1.0, at_hand=lambda key: at_hand[0])
    assert await fresh.get("a") == "first"
    at_hand.pop(0)
    clock.now += freshness.ASKED_ANEW_AT
    assert await fresh.get("a") == "first", "young enough"
    clock.now += 0.01
    assert await fresh.get("a") == "second"
    assert question.asked == 0


async def test_what_is_not_at_hand_is_asked_for(clock):
    def at_hand(key):
        raise NotAtHandError

    question = Question()
    fresh = Fresh(question, 10, max_age=1.0, at_hand=at_hand)
    assert await fresh.get("a") == ("a", 1)
    clock.now += 0.9
    assert await fresh.get("a") == ("a", 1), "while it is asked for anew"
    await until_asked(question, 2)
    clock.now += 0.2
    assert await fresh.get("a") == ("a", 2)


async def test_no_answer_is_younger_than_its_question(clock):
    """A question that is shared, as questions that go out together are, counts from when it was first asked for."""
    shared = asyncio.get_running_loop().create_future()
    fresh = Fresh(lambda key: shared, 10, max_age=0.5)
    first = asyncio.create_task(fresh.get("a"))
    await asyncio.sleep(0)
    clock.now += 0.4
    second = asyncio.create_task(fresh.get("a"))
    await asyncio.sleep(0)
    shared.set_result("answer")
    assert await first == await second == "answer"
    asked_at, _ = fresh.kept("a")
    assert asked_at == clock.now - 0.4
