"""The client of all contenders: wrk, and a slow and exact one for the time to the first byte."""

from __future__ import annotations

import contextlib
import itertools
import re
import socket
import subprocess
import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0}

CONNECTIONS = 32
"""Of a client."""

TIMEOUT = 20
"""Seconds until an answer counts as none: a benchmark is to fail for what is wrong, not for a machine that is busy."""

REFUSED = "neither 2xx nor 3xx"
"""The kind of errors that are answers."""

REPLAY = """
-- Sends the requests of a file, each thread from another place in it. A line: path, tab, Cookie header or nothing.
local threads = 0
function setup(thread) thread:set("number", threads); threads = threads + 1 end
function init(arguments)
   requests = {}
   for line in io.lines(arguments[1]) do
      local path, cookie = line:match("([^\\t]+)\\t?(.*)")
      local headers = { Host = "127.0.0.1" }
      if cookie ~= "" then headers["Cookie"] = cookie end
      requests[#requests + 1] = wrk.format("GET", path, headers)
   end
   position = (number * 7919) % #requests
end
function request()
   position = position % #requests + 1
   return requests[position]
end
"""


@dataclass(frozen=True)
class Load:
    """What a run of the client found. Latencies in milliseconds. errors: how many of each kind that there was."""

    per_second: float
    p50: float
    p99: float
    errors: Mapping[str, int]


def hammer(port: int, target: str, seconds: float, connections: int = CONNECTIONS, cookie: str = "") -> Load:
    """As many requests for one address as the contender answers. Raises RuntimeError when the client fails."""
    headers = ["-H", f"Cookie: {cookie}"] if cookie else []
    return _wrk([*headers, f"http://127.0.0.1:{port}{target}"], seconds, connections)


def replay(port: int, requests: Path, seconds: float, directory: Path, connections: int = CONNECTIONS) -> Load:
    """As many of a file's requests as the contender answers; see REPLAY for the file."""
    script = directory / "replay.lua"
    script.write_text(REPLAY)
    return _wrk(["-s", str(script), f"http://127.0.0.1:{port}/", "--", str(requests)], seconds, connections)


def _wrk(arguments: Sequence[str], seconds: float, connections: int) -> Load:
    # wrk wants whole seconds.
    run = ["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}", "--timeout", f"{TIMEOUT}s", "--latency"]
    command = [*run, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 60)
    text = done.stdout
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    if done.returncode != 0 or rate is None:
        raise RuntimeError(f"wrk failed: {done.stderr or text}")
    return Load(float(rate[1]), _percentile(text, 50), _percentile(text, 99), _errors(text))


def _errors(text: str) -> Mapping[str, int]:
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    broken = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
    kinds = ("connect", "read", "write", f"no answer in {TIMEOUT} s")
    found = dict(zip(kinds, map(int, broken.groups()), strict=True)) if broken else {}
    found[REFUSED] = int(refused[1]) if refused else 0
    return {kind: count for kind, count in found.items() if count}


def _percentile(text: str, percent: int) -> float:
    match = re.search(rf"^\s*{percent}%\s+([\d.]+)(us|ms|s)", text, re.M)
    return float(match[1]) * _UNITS[match[2]] if match else 0.0


def first_bytes(port: int, targets: Sequence[str], count: int, pause: float) -> list[float]:
    """Milliseconds to the first byte of `count` answers, one request at a time on one connection, sorted."""
    with contextlib.closing(visits(port, targets, pause)) as found:
        return sorted(itertools.islice(found, count))


def visits(port: int, targets: Sequence[str], pause: float) -> Generator[float, None, None]:
    """Milliseconds to the first byte of one answer after the other, for ever, on one connection.

    It stays with one server process, which soon knows what is asked for: each new connection may begin anew.
    """
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for target in itertools.cycle(targets):
            time.sleep(pause)
            started = time.perf_counter()
            connection.sendall(f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
            data = connection.recv(65_536)
            yield (time.perf_counter() - started) * 1000
            _rest(connection, data)


def _rest(connection: socket.socket, data: bytes) -> None:
    while b"\r\n\r\n" not in data:
        data += connection.recv(65_536)
    head, _, body = data.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"not a picture: {head.splitlines()[0].decode()}")
    length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
    left = (int(length[1]) if length else 0) - len(body)
    while left > 0:
        left -= len(connection.recv(min(left, 262_144)))


def percentile(ordered: Sequence[float], share: float) -> float:
    """The value below which a share (0 to 1) of sorted values lies."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
