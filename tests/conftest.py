"""Makes the tests' own modules importable by their names, whichever folder a test is in; what holds for all tests."""

import sys
from pathlib import Path

from hypothesis import HealthCheck, settings

for _folder in ("integration", "render", "hostile", "plugin", "deploy", "browser", "systemd"):
    sys.path.insert(0, str(Path(__file__).parent / _folder))

# How long an example takes says more about the machine than about the example.
settings.register_profile("tests", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tests")
