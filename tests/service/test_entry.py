import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import os
from pwgserve.service import entry
with entry._leaving_out():
    assert os.environ["SSL_CERT_FILE"] == os.devnull
print(os.environ.get("SSL_CERT_FILE", "as the system has it"))
"""


@pytest.mark.parametrize("certificates", ["/etc/ssl/mine.pem", None])
def test_certificates_that_are_not_read_at_a_start_are_there_when_a_database_needs_them(certificates):
    environment = {name: value for name, value in os.environ.items() if name != "SSL_CERT_FILE"}
    if certificates:
        environment["SSL_CERT_FILE"] = certificates
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, cwd=Path(__file__).parents[2], capture_output=True, text=True
    )
    assert done.stdout.strip() == (certificates or "as the system has it"), done.stderr
