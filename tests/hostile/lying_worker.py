"""A worker that a picture has taken over and that now lies to the daemon; which lie, the plan's quality says."""

import json
import os
import sys

from pwgserve.render import engine, worker

LIES = (
    b"",
    b"no json",
    b"[" * 60_000,
    b"[]",
    b"7",
    b'"ready"',
    b'{"memory": "much"}',
    b'{"memory": [1]}',
    b'{"memory": NaN}',
    b'{"memory": Infinity}',
    b'{"memory": 1e400}',
    b'{"memory": 1' + b"0" * 5_000 + b"}",
    b'{"unrenderable": "' + b"x" * 60_000 + b'"}',
    b'{"unrenderable": "line\\nlevel=error event=forged\\u001b[2J\\u2028\\ud800"}',
    b'{"unrenderable": {"a": ["b"]}}',
    b'{"failed": null}',
    b'{"needs": "everything"}',
    b"\xff\xfe",
)


def lying_render(plan, source, output, watermark, limits, ask, shared):
    connection.send(LIES[plan.quality])


def main():
    global connection
    import socket

    genuine, warm_up = engine.render, engine.warm_up
    connection = socket.socket(fileno=os.dup(json.loads(sys.argv[1])["socket"]))

    def genuine_warm_up():
        encodings = warm_up()
        engine.render = lying_render
        return encodings

    engine.warm_up, engine.render = genuine_warm_up, genuine
    worker.main()


if __name__ == "__main__":
    main()
