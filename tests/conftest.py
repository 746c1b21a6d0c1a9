"""Makes the tests' own modules importable by their names, whichever folder a test is in."""

import sys
from pathlib import Path

for _folder in ("integration", "render", "hostile", "plugin", "deploy", "browser", "systemd"):
    sys.path.insert(0, str(Path(__file__).parent / _folder))
