"""A clock that daemons go by and tests set: what ends at its time ends at once, and however busy the machine is."""

import time
from pathlib import Path

# A library below Python that does it hampers its threads, which then wait for one another for seconds, or for ever.
JUMPING = """
import time
from pathlib import Path

_right = time.time

def _now():
    return _right() + float(Path(__file__).with_name("jump").read_text())

time.time = _now
time.time_ns = lambda: int(_now() * 1e9)
"""


class Clock:
    """Runs as the machine's does, for all that is started with `environment`, until it is set."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder
        self.jump(0)
        (folder / "sitecustomize.py").write_text(JUMPING)
        self.environment = {"PYTHONPATH": str(folder)}

    def jump(self, seconds: float) -> None:
        """Be ahead of the machine's by so much."""
        (self._folder / "next").write_text(str(seconds))
        (self._folder / "next").replace(self._folder / "jump")

    def set_to(self, moment: float) -> None:
        """Be at a moment now."""
        self.jump(moment - time.time())
