"""The address of a gallery's database, as `piwigo.database` has it: `mysql://user:password@host:port/name?options`.

Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import parse_qsl, quote, unquote, urlencode

SQLITE = "sqlite"
KINDS = ("mysql", "mariadb", SQLITE)
LAST_PORT = 65535

_ADDRESS = re.compile(
    r"""(?P<kind>\w+)://
        (?:(?P<user>[^:/]*)(?::(?P<password>[^@]*))?@)?
        (?:\[(?P<ipv6>[^\]/]*)\]|(?P<host>[^:/?]*))
        (?::(?P<port>[0-9]{1,5}))?
        (?:/(?P<name>[^?]*))?
        (?:\?(?P<options>.*))?""",
    re.VERBOSE | re.DOTALL,
)


class AddressError(ValueError):
    """This is no address of a database. The message does not repeat it: it may hold a password."""


@dataclass(frozen=True, repr=False)
class Address:
    """Where a database is. kind: one of KINDS. name: of the database, or the file of an SQLite one.

    options: further arguments of the driver, such as `unix_socket`.
    """

    kind: str
    user: str | None = None
    password: str | None = None
    host: str | None = None
    port: int | None = None
    name: str = ""
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_sqlite(self) -> bool:
        """Whether it is a file of SQLite."""
        return self.kind == SQLITE

    @property
    def unix_socket(self) -> str | None:
        """The socket's path, where the database is reached along one."""
        return self.options.get("unix_socket")

    def of(self, user: str, password: str) -> Address:
        """The same database for another user."""
        return replace(self, user=user, password=password)

    def text(self) -> str:
        """The address as an owner writes it, with its password."""
        if self.is_sqlite:
            return f"{self.kind}:///{self.name}"
        access = ":".join(quote(part, safe="") for part in (self.user, self.password) if part is not None)
        host = f"[{self.host}]" if ":" in (self.host or "") else quote(self.host or "", safe="")
        port = "" if self.port is None else f":{self.port}"
        options = f"?{urlencode(self.options)}" if self.options else ""
        return f"{self.kind}://{f'{access}@' if access else ''}{host}{port}/{quote(self.name, safe='')}{options}"


def parsed(text: str) -> Address:
    """The address that a text is. Raises AddressError."""
    found = _ADDRESS.fullmatch(text)
    if found is None or found["kind"] not in KINDS or int(found["port"] or 0) > LAST_PORT:
        raise AddressError("not an address of a database")
    if found["kind"] == SQLITE:
        # A file's name stands as it is: "100%.db".
        return Address(SQLITE, name=text.removeprefix(f"{SQLITE}://").removeprefix("/"))

    def plain(name: str) -> str | None:
        return None if found[name] is None else unquote(found[name])

    return Address(
        kind=found["kind"],
        user=plain("user"),
        password=plain("password"),
        host=found["ipv6"] or plain("host") or None,
        port=int(found["port"]) if found["port"] else None,
        name=plain("name") or "",
        options=dict(parse_qsl(found["options"] or "")),
    )
