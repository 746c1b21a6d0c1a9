"""Piwigo's own access to its database, as an owner's files set it. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from pwgserve.phpconfig.config import PhpConfig
from pwgserve.phpconfig.files import PhpConfigError
from pwgserve.piwigo.address import Address

DEFAULT_PREFIX = "piwigo_"


@dataclass(frozen=True, repr=False)
class DatabaseSettings:
    """Piwigo's own access to its database. `host` as PHP takes it: a name, `name:port` or `localhost:/socket`."""

    user: str
    password: str
    host: str
    base: str
    prefix: str

    def address(self, local_socket: str | None = None) -> Address:
        """Where the database is. local_socket: what PHP means by `localhost` on this machine."""
        host, _, detail = self.host.partition(":")
        if self.host.count(":") > 1 and not detail.startswith("/"):
            host, detail = self.host.strip("[]"), ""
            if "]:" in self.host:
                host, _, detail = self.host.strip("[").partition("]:")
        socket = detail if detail.startswith("/") else None
        if socket is None and not detail and host in ("", "localhost"):
            socket = local_socket
        port = int(detail) if detail.isdecimal() and detail.isascii() else None
        options = {"unix_socket": socket} if socket else {}
        return Address("mysql", self.user, self.password, host or "localhost", port, self.base, options)


def database_settings(found: PhpConfig, file: str) -> DatabaseSettings:
    """The access to the database that was set. `file`: where it should be. Raises PhpConfigError."""
    instead = "give piwigo.database and piwigo.table_prefix instead"
    texts = {}
    for name in ("db_user", "db_password", "db_host", "db_base"):
        item = found.conf.get(name, "" if name == "db_password" else None)
        if not isinstance(item, str | int) or isinstance(item, bool) or found.is_unknown(name):
            raise PhpConfigError(f"{file}: $conf['{name}'] is not set to a plain text; {instead}")
        texts[name] = str(item)
    prefix = found.variables.get("prefixeTable", DEFAULT_PREFIX)
    if not isinstance(prefix, str) or "prefixeTable" in found.unknown_variables:
        raise PhpConfigError(f"{file}: $prefixeTable is not set to a plain text; {instead}")
    return DatabaseSettings(texts["db_user"], texts["db_password"], texts["db_host"], texts["db_base"], prefix)
