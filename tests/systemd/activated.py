"""Starts a program as systemd starts a service with a socket and a watchdog.

`python activated.py DESCRIPTOR WATCHDOG_USEC PROGRAM …`; a descriptor of -1: no socket; 0 microseconds: no watchdog.
"""

import os
import sys

FIRST = 3

if __name__ == "__main__":
    descriptor, watchdog, *program = sys.argv[1:]
    if int(descriptor) >= 0:
        os.dup2(int(descriptor), FIRST, inheritable=True)
        os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"}
    if int(watchdog):
        os.environ |= {"WATCHDOG_PID": str(os.getpid()), "WATCHDOG_USEC": watchdog}
    os.execvp(program[0], program)
