"""Which driver a database gets, and that it can be loaded wherever pwgserve runs."""

import subprocess
import sys

import pytest

# As Python 3.13 says it; earlier ones raise a KeyError.
NAMELESS = """
import getpass, os
for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
    os.environ.pop(name, None)
def getuser(found=getpass.getuser):
    if "LOGNAME" in os.environ:
        return found()
    raise {error}("No username set in the environment")
getpass.getuser = getuser
from pwgserve.piwigo.address import parsed
from pwgserve.piwigo.database import opened
print(type(opened(parsed("mysql://u:p@127.0.0.1/g"), 1.0)).__name__)
"""


@pytest.mark.parametrize("error", ["OSError", "KeyError"])
def test_a_process_whose_user_has_no_name_as_in_a_container_can_ask_mariadb(error):
    command = [sys.executable, "-c", NAMELESS.format(error=error)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("MariaDb\n", 0), done.stderr[-300:]
