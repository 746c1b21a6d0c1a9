"""Stands between the daemon and its database, and does to their words what networks and failing servers do."""

import contextlib
import socket
import threading
import time


class Between:
    """A relay to a port on loopback. `mode` is "pass", "hang", "half" or "slow", and may change at any time.

    hang: nothing goes through, and connections that met it stay dead afterwards, as behind a firewall that forgot them.
    half: of every answer only the first `cut` bytes, then the connection breaks. slow: answers come `delay` later.
    """

    def __init__(self, port: int) -> None:
        self.mode = "pass"
        self.cut = 20
        self.delay = 0.3
        self.questions = 0
        self.connections = 0
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=200)
        self.port = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []
        self._states: list[dict[str, bool]] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def forget(self) -> None:
        """Forget the connections that there are: nothing goes through them any more. New ones are as `mode` says."""
        for state in self._states:
            state["is_dead"] = True

    def close(self) -> None:
        self.mode = "pass"
        for one in [self._listener, *self._open]:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self.connections += 1
                server = socket.create_connection(("127.0.0.1", self._target))
                self._open += [client, server]
                threading.Thread(target=self._relay_both, args=(client, server), daemon=True).start()

    def _relay_both(self, client: socket.socket, server: socket.socket) -> None:
        state = {"is_dead": self.mode == "hang"}
        self._states.append(state)
        questions = threading.Thread(target=self._relay, args=(client, server, state, False), daemon=True)
        questions.start()
        self._relay(server, client, state, True)
        questions.join()
        if not state["is_dead"]:  # the dead ones stay, without a word
            for one in (client, server):
                self._open.remove(one)
                one.close()

    def _relay(self, source: socket.socket, target: socket.socket, state: dict[str, bool], is_answer: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                state["is_dead"] |= self.mode == "hang"
                if state["is_dead"]:
                    continue
                # A packet's header has four bytes; the fifth says that it is a statement.
                self.questions += not is_answer and data[4:5] == b"\x03"
                if is_answer and self.mode == "slow":
                    time.sleep(self.delay)
                if is_answer and self.mode == "half":
                    target.sendall(data[: self.cut])
                    break
                target.sendall(data)
        if not state["is_dead"]:
            for one in (source, target):
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
