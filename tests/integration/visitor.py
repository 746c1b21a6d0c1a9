"""A visitor of the daemon who sends exactly the bytes that a test says, and follows no redirect unasked."""

import contextlib
import http.client
import socket
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def location(self) -> str:
        return self.headers["location"]


@dataclass
class Visitor:
    """`cookie`: the Cookie header of every request, None for none."""

    port: int
    cookie: str | None = None
    headers: dict[str, str] = field(default_factory=dict)

    def get(self, target: str, method: str = "GET", cookie: str | None = None, **headers: str) -> Answer:
        """One request; `If_None_Match="x"` sends the header If-None-Match."""
        sent = dict(self.headers)
        if cookie or self.cookie:
            sent["Cookie"] = cookie or self.cookie or ""
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        with contextlib.closing(self.connection()) as connection:
            connection.putrequest(method, target, skip_accept_encoding=True)
            for name, value in sent.items():
                connection.putheader(name, value)
            connection.endheaders()
            response = connection.getresponse()
            body = response.read()
            return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, body)

    def connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def follow(self, target: str, **headers: str) -> Answer:
        """The answer behind one redirect, or the refusal."""
        answer = self.get(target)
        return self.get(answer.location, **headers) if answer.status == 302 else answer

    def link(self, target: str) -> str:
        """The signed URL that a legacy request leads to."""
        answer = self.get(target)
        assert answer.status == 302, (answer.status, target)
        return answer.location


@dataclass
class LocalVisitor(Visitor):
    """One who comes over a Unix socket, as a web server does."""

    path: str = ""

    def connection(self) -> http.client.HTTPConnection:
        found = super().connection()
        found.sock = socket.socket(socket.AF_UNIX)
        found.sock.settimeout(found.timeout)
        try:
            found.sock.connect(self.path)
        except OSError as error:
            found.sock.close()
            raise ConnectionRefusedError(self.path) from error
        return found
