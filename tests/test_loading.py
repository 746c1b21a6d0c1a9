import os
import subprocess
import sys
from pathlib import Path

import pytest

CERTIFICATES = """
import os
from pwgserve import loading
with loading.for_serving():
    assert os.environ["SSL_CERT_FILE"] == os.devnull
print(os.environ.get("SSL_CERT_FILE", "as the system has it"))
"""

GARBAGE = """
import gc
from pwgserve import loading
with loading.for_good():
    import pwgserve.settings
    searching = gc.isenabled()
print(searching, gc.isenabled(), gc.get_freeze_count() > 10_000)
"""

SERVING = """
import sys
from pwgserve import loading
with loading.for_serving():
    import pwgserve.service.serving
print(*[name for name in ("pyvips", "rich.console") if name in sys.modules])
"""


def said(program: str, **environment: str) -> str:
    own = {name: value for name, value in os.environ.items() if name != "SSL_CERT_FILE"}
    command, folder = [sys.executable, "-c", program], Path(__file__).parents[1]
    done = subprocess.run(command, env=own | environment, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("certificates", ["/etc/ssl/mine.pem", None])
def test_certificates_that_are_not_read_at_a_start_are_there_when_a_database_needs_them(certificates):
    given = {"SSL_CERT_FILE": certificates} if certificates else {}
    assert said(CERTIFICATES, **given) == (certificates or "as the system has it")


def test_code_that_stays_is_not_searched_for_garbage_and_what_is_made_later_is():
    assert said(GARBAGE) == "False True True"


def test_a_server_process_has_no_decoder_of_pictures():
    assert said(SERVING) == ""
