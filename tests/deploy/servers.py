"""Private instances of real web servers with exactly the files of deploy/, filled for a test's gallery.

A machine's own nginx, Apache or Caddy is never touched: other folders, other ports, ended by their process.
"""

import getpass
import grp
import http.client
import os
import pwd
import ssl
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from mariadb import program
from visitor import Visitor

from pwgserve.setup.templates import SNIPPETS, Site, WebServer, filled, text

START_SECONDS = 120
WEB_GROUP = "www-data"
IS_ROOT = getpass.getuser() == "root"
CACHE_LINE = "# include snippets/pwgserve-cache.conf;"

NGINX = """
worker_processes 1;
daemon off;
{user}
pid {folder}/pid;
error_log {folder}.log;
events {{ worker_connections 256; }}
http {{
    include /etc/nginx/mime.types;
    access_log off;
    client_body_temp_path {folder}/1; proxy_temp_path {folder}/2; fastcgi_temp_path {folder}/3;
    uwsgi_temp_path {folder}/4; scgi_temp_path {folder}/5;
    include conf.d/*.conf;
    include site.conf;
}}
"""

APACHE_MODULES = (
    "mpm_event", "authz_core", "mime", "dir", "alias", "autoindex", "socache_shmcb", "ssl", "http2",
    "proxy", "proxy_http", "proxy_fcgi", "setenvif", "headers",
)  # fmt: skip

APACHE = """
ServerRoot {folder}
ServerName localhost
PidFile {folder}/pid
ErrorLog {folder}.log
DefaultRuntimeDir {folder}
Listen 127.0.0.1:{port}
Listen 127.0.0.1:{plain_port}
{user}
TypesConfig /etc/mime.types
{modules}
<Directory />
    Require all denied
</Directory>
StartServers 1
Include site.conf
"""

CADDY = """
{{
	admin off
	skip_install_trust
	http_port {plain_port}
	https_port {port}
	log default {{
		output stderr
		level ERROR
	}}
}}
import site.caddy
"""

Change = Callable[[dict[str, str]], None]
"""Spoils the files of a configuration (by their names below the server's folder), as an owner might."""


@dataclass
class TlsVisitor(Visitor):
    """A visitor who comes by https and, because this is a test, believes any certificate."""

    def connection(self) -> http.client.HTTPConnection:
        context = ssl._create_unverified_context()
        # Piwigo's sessions are for one address, and the name may mean ::1 as well.
        own = ("127.0.0.1", 0)
        return http.client.HTTPSConnection("localhost", self.port, timeout=60, context=context, source_address=own)


@dataclass
class WebServerProcess:
    """One web server for one site. files: what is written into its folder, by name."""

    kind: WebServer
    site: Site
    folder: Path
    port: int
    plain_port: int
    has_xsendfile: bool = False
    keeps_public: bool = False
    files: dict[str, str] = field(default_factory=dict)
    process: "subprocess.Popen[bytes] | None" = None

    def write(self, change: Change | None = None) -> None:
        """Write the configuration, spoilt by `change` if that is given."""
        certificate, key = _certificate(self.folder)
        local = {
            "/etc/ssl/certs/gallery.pem": str(certificate),
            "/etc/ssl/private/gallery.key": str(key),
            "    listen [::]:80;\n": "",
            "    listen [::]:443 ssl http2;\n": "",
            "listen 80;": f"listen 127.0.0.1:{self.plain_port};",
            "listen 443 ssl http2;": f"listen 127.0.0.1:{self.port} ssl http2;",
            "server_name gallery.example.org;": "server_name localhost;",
            "ServerName gallery.example.org": "ServerName localhost",
            "VirtualHost *:80>": f"VirtualHost *:{self.plain_port}>",
            "VirtualHost *:443>": f"VirtualHost *:{self.port}>",
            "include fastcgi.conf;": "include /etc/nginx/fastcgi.conf;",
            "/var/cache/nginx-pwgserve": str(self.folder / "kept"),
        }
        names = list(SNIPPETS[self.kind])
        if self.keeps_public:
            names += ["conf.d/pwgserve-cache.conf", "snippets/pwgserve-cache.conf"]
        whole, site_name = {
            WebServer.NGINX: ("sites/gallery.conf", "site.conf"),
            WebServer.APACHE: ("gallery.conf", "site.conf"),
            WebServer.CADDY: ("Caddyfile", "site.caddy"),
        }[self.kind]
        self.files = {name: filled(self.kind, text(self.kind, name), self.site, local) for name in names}
        self.files[site_name] = filled(self.kind, text(self.kind, whole), self.site, local)
        if self.keeps_public:
            snippet = self.files["snippets/pwgserve.conf"]
            assert CACHE_LINE in snippet
            self.files["snippets/pwgserve.conf"] = snippet.replace(CACHE_LINE, CACHE_LINE.removeprefix("# "))
        self.files["main"] = self._main()
        if change is not None:
            change(self.files)
        for name, content in self.files.items():
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).write_text(content)

    def _main(self) -> str:
        user = ""
        match self.kind:
            case WebServer.NGINX:
                user = f"user {WEB_GROUP};" if IS_ROOT else ""
                return NGINX.format(folder=self.folder, user=user)
            case WebServer.APACHE:
                modules = [*APACHE_MODULES, *(["xsendfile"] if self.has_xsendfile else [])]
                loaded = "\n".join(
                    f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so" for name in modules
                )
                user = f"User {WEB_GROUP}\nGroup {WEB_GROUP}" if IS_ROOT else ""
                return APACHE.format(
                    folder=self.folder, port=self.port, plain_port=self.plain_port, user=user, modules=loaded
                )
        return CADDY.format(port=self.port, plain_port=self.plain_port)

    def start(self) -> "WebServerProcess":
        main = str(self.folder / "main")
        command = {
            WebServer.NGINX: ["nginx", "-c", main],
            WebServer.APACHE: ["apache2", "-d", str(self.folder), "-f", main, "-D", "FOREGROUND"],
            WebServer.CADDY: ["caddy", "run", "--config", main, "--adapter", "caddyfile"],
        }[self.kind]
        own = {"HOME": str(self.folder), "XDG_DATA_HOME": str(self.folder), "XDG_CONFIG_HOME": str(self.folder)}
        with self.folder.with_suffix(".output").open("ab") as output:
            self.process = subprocess.Popen(
                [program(command[0]), *command[1:]],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, **own},
            )
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                self.visitor().get("/")
                return self
            except OSError:
                assert self.process.poll() is None, self.complaints
                assert time.monotonic() < deadline, self.complaints
                time.sleep(0.05)

    @property
    def complaints(self) -> str:
        logs = [self.folder.with_suffix(".output"), self.folder.with_suffix(".log")]
        return "\n".join(log.read_text()[-3000:] for log in logs if log.exists())

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(120)
            self.process = None

    def clear(self) -> None:
        """Take the configuration away, to write another one."""
        for name in self.files:
            (self.folder / name).unlink(missing_ok=True)

    def visitor(self, cookie: str | None = None, **headers: str) -> TlsVisitor:
        return TlsVisitor(self.port, cookie, {name.replace("_", "-"): value for name, value in headers.items()})

    @property
    def authority(self) -> Path:
        """The certificate that vouches for this server."""
        if self.kind is WebServer.CADDY:
            return self.folder / "caddy/pki/authorities/local/root.crt"
        return self.folder / "certificate.pem"


def for_web_servers(folder: Path, mode: int = 0o2750) -> Path:
    """Give a folder to the group of web servers, as owners do with the cache."""
    folder.mkdir(parents=True, exist_ok=True)
    if IS_ROOT:
        os.chown(folder, pwd.getpwuid(os.getuid()).pw_uid, grp.getgrnam(WEB_GROUP).gr_gid)
    folder.chmod(mode)
    return folder


def _certificate(folder: Path) -> tuple[Path, Path]:
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    if not certificate.exists():
        subprocess.run(
            [
                *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
                *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-days", "2"),
                *("-keyout", str(key), "-out", str(certificate)),
            ],
            check=True,
            capture_output=True,
        )
    return certificate, key
