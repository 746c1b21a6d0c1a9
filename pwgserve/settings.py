"""The settings of a daemon: tables and keys, safe defaults, and what may not be. How a file of them is read is in
`settings_file`.

Not pure: to make `Settings` reads the environment and the secrets that systemd hands over, and looks whether
`piwigo.root` is there. Secrets that are kept elsewhere are in `credentials`, what the gallery itself has configured in
`pwgserve.piwigo.conf`. Every key is described in docs/configuration.md.
"""

from __future__ import annotations

import ipaddress
import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias
from urllib.parse import parse_qsl, quote, urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ByteSize,
    ConfigDict,
    Field,
    field_validator,
)
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from pwgserve import credentials
from pwgserve.misconfigured import DURATION
from pwgserve.piwigo.conf import told

ENVIRONMENT_PREFIX = "PWGSERVE_"
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|)")
_SECONDS = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}

_DATABASE_OPTIONS = (
    *("auth_plugin", "charset", "connect_timeout", "program_name", "read_default_file", "read_default_group"),
    *("sql_mode", "unix_socket"),
)
"""What may stand behind the `?` in the address of a MySQL or MariaDB."""

_FOLDERS = (
    *("_data", "admin", "doc", "galleries", "i", "include", "install", "language", "local", "plugins"),
    *("template-extension", "themes", "tools", "upload", "vendor"),
)
_PAGES = (
    *("about", "action", "category", "comments", "feed", "identification", "index", "nbm", "notification", "password"),
    *("picture", "popuphelp", "profile", "qsearch", "random", "register", "search", "search_rules", "tags", "upgrade"),
    *("upgrade_feed", "ws"),
)
"""Folders and pages of Piwigo, which may be asked for without `.php`: a prefix of links would hide one."""

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network


def _seconds(value: object) -> object:
    if isinstance(value, str):
        match = _DURATION.fullmatch(value.strip())
        if not match:
            raise ValueError(DURATION)
        return float(match[1]) * _SECONDS[match[2]]
    return value


def _gallery_address(value: str) -> str:
    """The address of a gallery with a slash at its end. Raises ValueError."""
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError('write the address of the gallery, like "https://example.org/photos/"')
    if parts.path.rstrip("/").lower().endswith(".php"):
        raise ValueError('write the folder of the gallery, like "https://example.org/photos/", not one of its pages')
    try:
        parts.port  # noqa: B018 - it is looked at when it is asked for
    except ValueError as error:
        raise ValueError("the port of this address is none; ports are numbers from 1 to 65535") from error
    # As browsers write it in requests, which need not be as they show it.
    path = quote(parts.path, safe="/%:@!$&'()*+,;=").rstrip("/")
    return parts._replace(path=f"{path}/").geturl()


def _absolute(value: Path) -> Path:
    if not value.is_absolute():
        raise ValueError(f'{_shown(str(value))} would be another place for each command; begin it with "/"')
    return value


AbsolutePath: TypeAlias = Annotated[Path, AfterValidator(_absolute)]
"""A path that means the same wherever a command is run."""

Seconds: TypeAlias = Annotated[float, BeforeValidator(_seconds), Field(gt=0, le=366 * 86400)]
"""A duration in seconds, written as a number or like "30m"."""


class Section(BaseModel):
    """A table of the file. Unknown keys are errors: a misspelt setting must not silently be the default."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Listen(Section):
    """Where to accept connections: an address and port, or a Unix socket."""

    host: str = ""
    port: int = 0
    path: str = ""

    @classmethod
    def parse(cls, text: str) -> Listen:
        """From `127.0.0.1:8280`, `[::1]:8280` or `unix:/run/pwgserve.sock`. Raises ValueError."""
        if text.startswith("unix:"):
            path = text.removeprefix("unix:")
            if not path.startswith("/"):
                raise ValueError('write a socket like "unix:/run/pwgserve/pwgserve.sock"')
            return cls(path=path)
        host, colon, port = text.rpartition(":")
        host = host.removeprefix("[").removesuffix("]")
        if not colon or not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
            raise ValueError('write an address like "127.0.0.1:8280" or "unix:/run/pwgserve/pwgserve.sock"')
        return cls(host=host, port=int(port))


class Server(Section):
    """How the daemon talks to browsers and proxies.

    `max_connections` 0: as many as the open files allow. `processes` 0: as the machine has room for.
    """

    listen: str = "127.0.0.1:8280"
    trusted_proxies: tuple[str, ...] = ("127.0.0.1/32", "::1/128")
    own_addresses: tuple[str, ...] = ()
    public_url: str = "http://127.0.0.1:8280/"
    send_file: Literal["direct", "x-accel-redirect", "x-sendfile"] = "direct"
    internal_prefix: Annotated[str, Field(pattern=r"^/[A-Za-z0-9_/-]{1,100}[A-Za-z0-9_-]$")] = "/_pwgserve"
    max_connections: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    header_timeout: Seconds = 20.0
    idle_timeout: Seconds = 75.0
    send_timeout: Seconds = 60.0
    processes: Annotated[int, Field(ge=0, le=256)] = 0

    @field_validator("listen")
    @classmethod
    def _check_listen(cls, value: str) -> str:
        Listen.parse(value)
        return value

    @field_validator("trusted_proxies", "own_addresses")
    @classmethod
    def _check_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for text in value:
            try:
                ipaddress.ip_network(text, strict=False)
            except ValueError as error:
                raise ValueError(f'{_shown(text)} is not a network; write one like "127.0.0.1/32"') from error
        return value

    @field_validator("public_url")
    @classmethod
    def _check_public_url(cls, value: str) -> str:
        return _gallery_address(value)

    @property
    def base_path(self) -> str:
        """The path of the gallery's address, with a slash at both ends."""
        return urlsplit(self.public_url).path or "/"

    @property
    def own_networks(self) -> tuple[Network, ...]:
        """Where requests of the gallery's own server may seem to come from, besides the machine's addresses."""
        return tuple(ipaddress.ip_network(text, strict=False) for text in self.own_addresses)

    @property
    def trusted_networks(self) -> tuple[Network, ...]:
        """Whose word about the visitor counts."""
        return tuple(ipaddress.ip_network(text, strict=False) for text in self.trusted_proxies)


class Piwigo(Section):
    """Where the gallery is."""

    root: Path
    database: str | None = None
    table_prefix: str | None = None
    originals: tuple[Path, ...] = ()
    visitor_address: str = "forwarded"
    conf: dict[str, Any] = Field(default_factory=dict)
    log_history: bool = False

    @field_validator("root")
    @classmethod
    def _check_root(cls, value: Path) -> Path:
        try:
            readable = value.is_dir() and os.access(value, os.R_OK | os.X_OK)
        except OSError:
            readable = False
        if not readable:
            wanted = "give the folder of Piwigo's index.php"
            raise ValueError(f"{_shown(str(value))} is not a folder that this user can read; {wanted}")
        return value.absolute()

    @field_validator("database")
    @classmethod
    def _check_database(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("mysql://", "mariadb://", "sqlite:///")):
            raise ValueError(
                'write it like "mysql://user:password@127.0.0.1:3306/piwigo" or "sqlite:////path/gallery.db"'
            )
        if value is not None and not value.startswith("sqlite:"):
            _check_options(value.partition("?")[2])
        return value

    @field_validator("table_prefix")
    @classmethod
    def _check_prefix(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"[A-Za-z0-9_$-]{0,40}", value):
            raise ValueError('use letters, digits, "_", "$" and "-" only')
        return value

    @field_validator("conf")
    @classmethod
    def _check_conf(cls, value: dict[str, Any]) -> dict[str, Any]:
        return {name: told(name, item) for name, item in value.items()}

    @field_validator("visitor_address")
    @classmethod
    def _check_visitor_address(cls, value: str) -> str:
        if value not in ("forwarded", "peer"):
            try:
                ipaddress.ip_address(value)
            except ValueError as error:
                raise ValueError('write "forwarded", "peer", or the one address that Piwigo sees') from error
        return value


def _check_options(query: str) -> None:
    """Raise ValueError for options of a database's address that its driver does not know."""
    if "@" in query:
        raise ValueError('write a "?" in the name of the user or in the password as "%3F"')
    for option, value in parse_qsl(query, keep_blank_values=True):
        if option not in _DATABASE_OPTIONS:
            raise ValueError(
                f"there is no option {option!r} behind the address; known are {', '.join(_DATABASE_OPTIONS)}"
            )
        if option == "connect_timeout" and not re.fullmatch("[0-9]{1,4}", value):
            raise ValueError("connect_timeout, behind the address, is a number of seconds")


class Access(Section):
    """What is refused beyond what Piwigo refuses. `lockdown`: nobody gets anything who has not logged in."""

    lockdown: bool = False


class Links(Section):
    """How signed URLs look and how long they live."""

    ttl: Seconds = 1800.0
    message_ttl: Seconds = 30 * 86400.0
    keys_file: AbsolutePath = Path("/var/lib/pwgserve/keys")
    bind_session: bool = False
    prefix: Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,40}$")] = "pwgs"

    @field_validator("prefix")
    @classmethod
    def _check_prefix(cls, value: str) -> str:
        if value in _FOLDERS or value in _PAGES:
            raise ValueError(f'"{value}" is an address of Piwigo itself; take another word, like "pwgs"')
        return value

    @field_validator("ttl", "message_ttl")
    @classmethod
    def _check_ttl(cls, value: float) -> float:
        if value < 2:
            raise ValueError('links must live at least "2s"')
        return value


class Cache(Section):
    """Where finished derivatives are kept."""

    dir: AbsolutePath = Path("/var/cache/pwgserve")
    max_size: Annotated[ByteSize, Field(ge=1_000_000)] = ByteSize(20_000_000_000)


class Render(Section):
    """How pictures are made, and what one may cost. `workers` and `max_memory` 0: as the machine has room for."""

    workers: Annotated[int, Field(ge=0, le=256)] = 0
    timeout: Seconds = 60.0
    queue: Annotated[int, Field(ge=1, le=100_000)] = 500
    max_megapixels: Annotated[int, Field(ge=1, le=10_000)] = 400
    max_frames: Annotated[int, Field(ge=1, le=100_000)] = 1000
    max_source: Annotated[ByteSize, Field(ge=1_000)] = ByteSize(1_000_000_000)
    max_memory: ByteSize = ByteSize(0)
    renderings_per_worker: Annotated[int, Field(ge=1, le=1_000_000)] = 1000
    sandbox: Literal["require", "best-effort", "off"] = "best-effort"
    strip_gps: bool = True
    animate: bool = False
    formats: tuple[Literal["avif", "webp"], ...] = ("avif", "webp")


class Log(Section):
    """What is told on standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["text", "json"] = "text"
    audit: str = "off"

    @field_validator("audit")
    @classmethod
    def _check_audit(cls, value: str) -> str:
        if value not in ("off", "stderr") and not value.startswith("/"):
            raise ValueError('write "off", "stderr", or the path of a file, like "/var/log/pwgserve/audit.log"')
        return value


class Check(Section):
    """What `pwgserve check` tries besides the gallery's own address."""

    also: tuple[str, ...] = ()

    @field_validator("also")
    @classmethod
    def _check_also(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(_gallery_address(address) for address in value)


class _Environment(EnvSettingsSource):
    """The environment's values. What should be JSON and is not, is told like any other wrong value."""

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        """The value of a table or list; the text itself where it is none."""
        try:
            return super().decode_complex_value(field_name, field, value)
        except ValueError:
            return value


class Settings(BaseSettings):
    """All settings. Environment variables win over the file."""

    model_config = SettingsConfigDict(
        extra="forbid",
        frozen=True,
        env_prefix=ENVIRONMENT_PREFIX,
        env_nested_delimiter="__",
        hide_input_in_errors=True,
    )

    server: Server = Server()
    piwigo: Piwigo
    access: Access = Access()
    links: Links = Links()
    cache: Cache = Cache()
    render: Render = Render()
    log: Log = Log()
    check: Check = Check()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment overrides what systemd hands over, and that what the file says."""
        return (
            _Environment(settings_cls),
            InitSettingsSource(settings_cls, credentials.handed_over()),
            init_settings,
        )


def _shown(value: str) -> str:
    """A wrong value as it may stand in a message: never an address with a password that slipped."""
    return "the value" if "@" in value or ":/" in value else repr(value)
