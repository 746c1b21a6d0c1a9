"""The configurations in deploy/, made to fit one gallery: their example values are replaced by the gallery's own.

Pure but for `text`, which reads a file of the package. The files in deploy/ are the only place where a web server's
configuration is written down; they are valid as they stand, for Piwigo at https://gallery.example.org/photos/.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib.resources import files
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pwgserve.piwigo.conf import PiwigoConf
from pwgserve.piwigo.requests import clean_path, data_folder
from pwgserve.problems import OwnerError
from pwgserve.settings import Listen, Settings

_PLAIN = re.compile(r"[\w./~@+,=:-]*")


class TemplateError(OwnerError):
    """A value would mean something else in a web server's configuration; one line for the owner."""


class WebServer(StrEnum):
    """The web servers that deploy/ has configurations for."""

    NGINX = "nginx"
    APACHE = "apache"
    CADDY = "caddy"


@dataclass(frozen=True)
class Site:
    """One gallery as web servers see it.

    host: its name, with a port where it is not the usual one. base: path of the gallery with a slash at both ends, not
    encoded, as web servers compare it. root: Piwigo's folder. listen: where pwgserve is, as in `server.listen`. data,
    upload: Piwigo's folders below the base, without slashes around them. php: the socket of PHP.
    """

    host: str
    base: str
    root: Path
    listen: str
    cache_dir: Path
    internal_prefix: str = "/_pwgserve"
    link_prefix: str = "pwgs"
    data: str = "_data"
    upload: str = "upload"
    php: str = "/run/php/php-fpm.sock"

    @classmethod
    def of(cls, settings: Settings, conf: PiwigoConf) -> Site:
        """The site of a configuration."""
        return cls(
            host=urlsplit(settings.server.public_url).netloc,
            base=unquote(settings.server.base_path),
            root=settings.piwigo.root,
            listen=settings.server.listen,
            cache_dir=settings.cache.dir,
            internal_prefix=settings.server.internal_prefix,
            link_prefix=settings.links.prefix,
            data=data_folder(conf) or "_data",
            upload=clean_path(conf.upload_dir),
        )

    @property
    def document_root(self) -> Path:
        """The folder that the host's first slash stands for, if the gallery's folder lies below it as its address."""
        inner = Path(self.base.strip("/"))
        parts = inner.parts
        is_below = bool(parts) and self.root.parts[-len(parts) :] == parts
        return Path(*self.root.parts[: -len(parts)]) if is_below else self.root


SNIPPETS: Mapping[WebServer, tuple[str, ...]] = {
    WebServer.NGINX: ("conf.d/pwgserve.conf", "snippets/pwgserve-proxy.conf", "snippets/pwgserve.conf"),
    WebServer.APACHE: ("pwgserve.conf",),
    WebServer.CADDY: ("pwgserve.caddy",),
}
"""The files that an existing site needs, by their paths below deploy/ and below the web server's own folder."""

FOLDERS: Mapping[WebServer, Path] = {
    WebServer.NGINX: Path("/etc/nginx"),
    WebServer.APACHE: Path("/etc/apache2"),
    WebServer.CADDY: Path("/etc/caddy"),
}

NAMES = tuple(server.value for server in WebServer)
"""What owners call them."""


def text(server: WebServer, name: str) -> str:
    """A file of deploy/ as it stands. Blocks."""
    return (files("pwgserve.setup") / "deploy" / server / name).read_text("utf-8")


def filled(server: WebServer, template: str, site: Site, more: Mapping[str, str] | None = None) -> str:
    """A configuration with the gallery's own values. `more`: further texts to replace. Raises TemplateError."""
    values = _values(server, site)
    for value in values.values():
        if not _PLAIN.fullmatch(value.replace("|", "")):
            raise TemplateError(
                f"{value}: web servers' configurations give a meaning to a character of this name; "
                "use letters, digits and . _ ~ @ + , = : - / only"
            )
    values |= more or {}
    # Longest first: an example value may begin like another one.
    pattern = "|".join(re.escape(example) for example in sorted(values, key=len, reverse=True))
    return re.sub(pattern, lambda match: values[match.group()], template)


def _values(server: WebServer, site: Site) -> dict[str, str]:
    """What stands in deploy/ → what stands there for this gallery."""
    listen = Listen.parse(site.listen)
    place = f"[{listen.host}]:{listen.port}" if ":" in listen.host else f"{listen.host}:{listen.port}"
    base = site.base
    values = {
        "gallery.example.org": site.host,
        "/var/www/photos/upload": f"{site.root}/{site.upload}",
        "/var/www/photos/_data/i": f"{site.root}/{site.data}/i",
        "/var/www/photos": str(site.root),
        "/var/www": str(site.document_root),
        "/var/cache/pwgserve": str(site.cache_dir),
        "/run/php/php-fpm.sock": site.php,
        "/_pwgserve/": f"{site.internal_prefix}/",
        "/photos/_data/i/": f"{base}{site.data}/i/",
        "/photos/upload/": f"{base}{site.upload}/",
        "/photos/pwgs/": f"{base}{site.link_prefix}/",
        "/photos/": base,
        "127.0.0.1:8280": place,
        "http://127.0.0.1:8280": f"http://{place}",
    }
    if listen.path:
        match server:
            case WebServer.NGINX:
                values["127.0.0.1:8280"] = f"unix:{listen.path}"
            case WebServer.CADDY:
                values["127.0.0.1:8280"] = f"unix/{listen.path}"
            case WebServer.APACHE:
                values["http://127.0.0.1:8280"] = f"unix:{listen.path}|http://localhost"
    return values
