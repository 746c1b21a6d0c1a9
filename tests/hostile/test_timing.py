"""How long a no takes tells nothing: by a rank test over thousands of requests in random order, and by its control.

Ranks and not averages, because one slow answer of a busy machine must not decide; random order, so that whatever else
the machine does hits all kinds alike. HOSTILE_REQUESTS=20000 makes a long run of it.
"""

import asyncio
import itertools
import math
import os
import random
import statistics
import textwrap
import time

import family
import pytest
import sqlalchemy as sa
from daemon import Daemon
from wire import DAY, request

REQUESTS = int(os.environ.get("HOSTILE_REQUESTS", "700"))
"""Of each kind."""

ROUNDS = 20
"""Of so many requests, at the most: where other programs make answers scatter, it takes more of them to see anything."""

CONNECTIONS = 6
BAR = 4.5
"""Standard deviations: chance alone is beyond it once in 150,000 comparisons."""

HIDDEN = range(5000, 5200)
"""Photos in a private album, whose files were never there: a no is said before a file is looked at."""

CODES = ("sq", "th", "2s", "xs", "sm", "me")


pytestmark = pytest.mark.timeout(1200)


@pytest.fixture(scope="module")
def hidden(gallery):
    """All of HIDDEN, in one transaction: a commit for each would take longer than the test."""
    photo = {"file": "x.jpg", "rotation": 0, "level": 0, "width": 900, "height": 600}
    photos = [{"id": number, "path": f"./{DAY}/20260101000000-{number:08x}.jpg", **photo} for number in HIDDEN]
    places = [{"image_id": number, "category_id": family.FAMILY_ALBUM} for number in HIDDEN]
    images, image_category = gallery.schema.images, gallery.schema.image_category
    with gallery.engine.begin() as connection:
        connection.execute(sa.insert(images), photos)
        connection.execute(sa.insert(image_category), places)
    yield
    with gallery.engine.begin() as connection:
        connection.execute(sa.delete(image_category).where(image_category.c.image_id.in_(HIDDEN)))
        connection.execute(sa.delete(images).where(images.c.id.in_(HIDDEN)))


def targets(gallery):
    """Kind of no → addresses that get it, each in the same forms."""

    def forms(name, number):
        return [
            *(f"/i.php?/{DAY}/{name}-{code}.jpg" for code in CODES),
            f"/{DAY}/{name}.jpg",
            f"/action.php?id={number}&part=e",
        ]

    def of(numbers):
        return [form for number in numbers for form in forms(f"20260101000000-{number:08x}", number)]

    def of_photo(photo):
        return forms(gallery.paths[photo].rpartition("/")[2].removesuffix(".jpg"), photo)

    return {
        "forbidden": of(HIDDEN),
        "not there": of(range(6000, 6000 + len(HIDDEN))),
        # What is asked again and again is answered from memory, whatever it is: as few addresses of each kind.
        "in the cache": [*of_photo(family.PARTY), *of_photo(family.LETTER)],
        "forbidden, often": of((5000, 5001)),
        "not there, often": of((6000, 6001)),
    }


ALIKE = (
    ("forbidden", "not there"),
    ("in the cache", "not there, often"),
    ("in the cache", "forbidden, often"),
    ("forbidden, often", "not there, often"),
)


def seconds_of(port, kinds, number, is_enough):
    """Kind → how long each of its answers took, in as many rounds as it takes until they are enough."""
    found = {kind: [] for kind in kinds}
    for seed in range(ROUNDS):
        for kind, values in _seconds_of(port, kinds, number, seed).items():
            found[kind] += values
        if is_enough(found):
            break
    return found


def _seconds_of(port, kinds, number, seed):
    """Kind → how long each of its answers took; all in one random order over several connections."""
    dice = random.Random(seed)
    asked = [(kind, dice.choice(choice)) for kind, choice in kinds.items() for _ in range(number)]
    dice.shuffle(asked)
    found = {kind: [] for kind in kinds}

    async def visit(mine):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for kind, target in mine:
            data = request(target)
            started = time.perf_counter()
            writer.write(data)
            head = await reader.readuntil(b"\r\n\r\n")
            took = time.perf_counter() - started
            assert head.startswith(b"HTTP/1.1 404 "), (kind, target, head)
            await reader.readexactly(len(b"Not found\n"))
            found[kind].append(took)
        writer.close()

    async def all_visits():
        await asyncio.gather(*(visit(asked[start::CONNECTIONS]) for start in range(CONNECTIONS)))

    asyncio.run(all_visits())
    return found


def deviation(one, other):
    """By how many standard deviations the ranks of two samples differ (Mann and Whitney; ties are halved)."""
    ranked = sorted((value, sample) for sample, values in enumerate((one, other)) for value in values)
    total, place = 0.0, 0
    for _, group in itertools.groupby(ranked, key=lambda pair: pair[0]):
        members = list(group)
        total += sum(place + (len(members) + 1) / 2 for _, sample in members if sample == 0)
        place += len(members)
    first, second = len(one), len(other)
    expected = first * (first + second + 1) / 2
    return (total - expected) / math.sqrt(first * second * (first + second + 1) / 12)


def fill_the_cache(daemon, gallery):
    anna = daemon.visitor(family.cookie("anna"))
    for photo, code in itertools.product((family.PARTY, family.LETTER), CODES):
        assert anna.follow(f"/i.php?/{gallery.paths[photo].replace('.jpg', f'-{code}.jpg')}").status == 200


def test_how_long_a_no_takes_does_not_tell_whether_there_is_a_picture(daemon, gallery, hidden):
    fill_the_cache(daemon, gallery)
    kinds = targets(gallery)

    def sees_three_milliseconds(found):
        return all(deviation([value + 0.003 for value in found[one]], found[other]) > BAR for one, other in ALIKE)

    found = seconds_of(daemon.port, kinds, REQUESTS, sees_three_milliseconds)
    differences = {pair: deviation(found[pair[0]], found[pair[1]]) for pair in ALIKE}
    number = sum(map(len, found.values()))
    print({" / ".join(pair): round(value, 2) for pair, value in differences.items()}, number, "requests")
    assert max(abs(value) for value in differences.values()) < BAR, differences
    assert sees_three_milliseconds(found), "of these very samples, the same test finds three milliseconds"


BATCHES, TOGETHER, EACH = 40, 100, 10
"""How often so many connections ask for one address together, and how often each of them: they wait for one another, and
no pace hides how long all of it takes."""


def test_how_much_work_a_no_is_does_not_tell_whether_there_is_a_picture(start, gallery):
    daemon = start(gallery, log={"level": "error"})
    (pid,) = daemon.processes()
    there = gallery.paths[family.PARTY]
    kinds = {"there": there, "nowhere": there.replace("-0", "-f")}
    spent = {kind: [] for kind in kinds}
    for batch in range(BATCHES + 1):
        for kind in random.sample(list(kinds), 2):
            began = _processor_seconds(pid)
            asyncio.run(_all_refused(daemon.port, request(f"/{kinds[kind]}", "X-Forwarded-For: 203.0.113.9")))
            if batch > 0:  # the first one also loads code
                spent[kind].append((_processor_seconds(pid) - began) / TOGETHER / EACH)
    found = deviation(spent["there"], spent["nowhere"])
    print(f"{found:.2f}", {kind: f"{statistics.median(values) * 1e6:.0f} µs" for kind, values in spent.items()})
    assert abs(found) < BAR


async def _all_refused(port, data):
    async def one():
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(EACH):
            writer.write(data)
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 404 ")
            await reader.readexactly(len(b"Not found\n"))
        writer.close()

    await asyncio.gather(*(one() for _ in range(TOGETHER)))


def _processor_seconds(pid):
    """What a process has taken of the processor, by the clock that the kernel has for each."""
    return time.clock_gettime(~pid << 3 | 2)


PLANTED = """
    import asyncio
    from pwgserve import app
    from pwgserve.answers import catalogue

    find = catalogue.Catalogue.find

    async def slower(self, request):
        found = await find(self, request)
        if found:
            await asyncio.sleep(0.003)
        return found

    catalogue.Catalogue.find = slower
"""
UNPACED = """
    app.pause_before_no = lambda elapsed: 0.0
"""


@pytest.fixture
def planted(gallery, tmp_path):
    """Starts a daemon whose code a text has changed."""
    running = []

    def begin(change):
        (tmp_path / "sitecustomize.py").write_text(textwrap.dedent(change))
        running.append(Daemon(gallery, tmp_path, environment={"PYTHONPATH": str(tmp_path)}).start())
        return running[-1]

    yield begin
    for one in running:
        one.stop()


def test_the_statistics_find_a_difference_that_is_there(planted, gallery, hidden):
    """The control: a daemon that is 3 ms slower for photos that exist, and says no at once."""
    daemon = planted(PLANTED + UNPACED)
    kinds = {kind: choice for kind, choice in targets(gallery).items() if kind in ("forbidden", "not there")}

    def is_found(found):
        return deviation(found["forbidden"], found["not there"]) > BAR

    assert is_found(seconds_of(daemon.port, kinds, max(300, REQUESTS // 3), is_found))
