"""Many visitors at once, who look at what they get: whole pictures, the right ones, and nobody else's."""

import contextlib
import http.client
import random
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pyvips
from galleries import GUEST, TestGallery
from visitor import Visitor

PUBLIC, PRIVATE = 1, 2
ANNA = 3
COOKIE = "pwg_id=annasession"
CODES = {"sq": (120, 120), "th": (144, 108), "2s": (240, 180), "xs": (432, 324), "sm": (576, 432)}


def build(gallery: TestGallery, photos: int = 24) -> dict[int, str]:
    """A gallery whose photos with odd numbers are private, and anna's to see; each has a colour of its own."""
    gallery.user(GUEST, "guest", "guest")
    gallery.user(ANNA, "anna")
    gallery.album(PUBLIC)
    gallery.album(PRIVATE, private=True)
    gallery.insert("user_access", user_id=ANNA, cat_id=PRIVATE)
    gallery.session(ANNA, "annasession")
    paths = {}
    for number in range(1, photos + 1):
        path = f"upload/2026/05/14/20260514101112-{number:08x}.jpg"
        file = gallery.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        flat = pyvips.Image.black(1200, 900, bands=3) + colour(number)
        flat.cast("uchar").copy(interpretation="srgb").jpegsave(str(file), Q=95)
        paths[number] = gallery.photo(number, (PRIVATE if number % 2 else PUBLIC,), path=path)
    return paths


def colour(number: int) -> list[int]:
    """The colour of a photo, far enough from all others to survive JPEG."""
    return [20 + number % 6 * 40, 20 + number // 6 % 6 * 40, 20 + number // 36 % 6 * 40]


def problem_of(body: bytes, number: int, size: tuple[int, int]) -> str | None:
    """What is wrong with an answer's picture, None when it is whole and the right one."""
    try:
        image = pyvips.Image.new_from_buffer(body, "", fail_on="truncated")
        average = [image[band].avg() for band in range(3)]
    except pyvips.Error:
        return "torn"
    if (image.width, image.height) != size:
        return f"{image.width}x{image.height} instead of {size}"
    is_right = all(abs(one - other) < 12 for one, other in zip(average, colour(number), strict=True))
    return None if is_right else "another picture"


class Storm:
    """Visitors who ask for random sizes of random photos for some seconds, while the caller does harm."""

    def __init__(self, port: int, paths: dict[int, str], threads: int = 6, seed: int = 1) -> None:
        self.port = port
        self.paths = paths
        self.statuses: Counter[int | str] = Counter()
        self.problems: list[str] = []
        self._threads = threads
        self._seed = seed
        self._stop = threading.Event()

    @contextlib.contextmanager
    def raging(self):
        with ThreadPoolExecutor(self._threads) as pool:
            visits = [pool.submit(self._visit, number) for number in range(self._threads)]
            try:
                yield self
            finally:
                self._stop.set()
        for visit in visits:
            visit.result()

    def _visit(self, thread: int) -> None:
        dice = random.Random(self._seed * 1000 + thread)
        while not self._stop.is_set():
            self.look(dice.choice(list(self.paths)), dice.choice(list(CODES)), dice.random() < 0.5)

    def look(self, number: int, code: str, is_anna: bool) -> int | str:
        """One visit; notes what came and what was wrong with it."""
        visitor = Visitor(self.port, COOKIE if is_anna else None)
        try:
            answer = visitor.follow(f"/i.php?/{self.paths[number].replace('.jpg', f'-{code}.jpg')}")
        except (ConnectionError, http.client.HTTPException, TimeoutError) as error:
            self.statuses[type(error).__name__] += 1
            time.sleep(0.05)
            return type(error).__name__
        self.statuses[answer.status] += 1
        may_see = is_anna or number % 2 == 0
        if answer.status == 200:
            problem = problem_of(answer.body, number, CODES[code]) if may_see else "a private picture"
            if problem:
                self.problems.append(f"photo {number} {code}: {problem}")
        elif answer.status == 404 and may_see:
            self.problems.append(f"photo {number} {code}: 404 for who may see it")
        elif answer.status not in (404, 503):
            self.problems.append(f"photo {number} {code}: {answer.status}")
        if answer.status == 503 and not answer.headers.get("retry-after"):
            self.problems.append("503 without Retry-After")
        return answer.status


CALM_SECONDS = 120
"""How long the daemon may go on saying "not now" after a storm."""


def all_is_well(port: int, paths: dict[int, str]) -> None:
    """Every size of every photo comes for who may see it, and for nobody else, once what was under way has ended."""
    calm = Storm(port, paths)
    deadline = time.monotonic() + CALM_SECONDS
    for number in paths:
        for code in CODES:
            while (status := calm.look(number, code, is_anna=True)) == 503 and time.monotonic() < deadline:
                time.sleep(0.2)
            assert status == 200
        assert calm.look(number, "sm", is_anna=False) == (404 if number % 2 else 200)
    assert calm.problems == []
