"""What has to be on a machine so that pwgserve can protect its gallery: files, folders, and what is left to the owner.

Pure: takes what was found and answered, gives values. `writing` makes them true, the command shows the rest.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from pwgserve.settings import Server
from pwgserve.setup.configuration import merged
from pwgserve.setup.confinement import OF_SOCKET, USUAL_GROUP, USUAL_SOCKET, drop_ins, place
from pwgserve.setup.sites import FoundSite
from pwgserve.setup.templates import FOLDERS, SNIPPETS, Site, WebServer, filled, text

HELPFUL = (
    ("original_url_protection", "images", "pages lead to originals through action.php"),
    ("derivative_url_style", 2, "pages ask for sizes through i.php, and not for files that nobody may open any more"),
)
"""Settings of Piwigo that spare a redirect or a look for files: name, value, why."""

INCLUDE = {
    WebServer.NGINX: "include snippets/pwgserve.conf;",
    WebServer.APACHE: "Include pwgserve.conf",
    WebServer.CADDY: "import pwgserve.caddy",
}
BLOCK = {
    WebServer.NGINX: "server { … }",
    WebServer.APACHE: "<VirtualHost …>",
    WebServer.CADDY: "{ … }",
}
CLOSE = {
    WebServer.NGINX: "location ^~ {path} {{ return 301 {url}; }}",
    WebServer.APACHE: "Redirect permanent {path} {url}",
    WebServer.CADDY: "redir {path}* {url}",
}
"""What lets a path of a site lead to the gallery's own address."""

PREPARE = {WebServer.APACHE: "a2enmod proxy proxy_http headers"}
RELOAD = {
    WebServer.NGINX: "nginx -t && systemctl reload nginx",
    WebServer.APACHE: "apache2ctl configtest && systemctl reload apache2",
    WebServer.CADDY: "caddy validate --config /etc/caddy/Caddyfile && systemctl reload caddy",
}

DEFAULT_OUTPUT = Path("/etc/pwgserve.toml")
DEFAULT_KEYS = Path("/var/lib/pwgserve/keys")
DEFAULT_CACHE = Path("/var/cache/pwgserve")
DEFAULT_ADDRESS = Server().listen
MODE_OF_UNIT = 0o750
"""Of the usual cache folder, as systemd sets it at each start of the service, which has the web server's group."""

TIMERS = "pwgserve-gc.timer pwgserve-check.timer"


class Place(StrEnum):
    """What folders of pwgserve's own are for. EXTRAS: what lies beside the configuration."""

    CACHE = "cache"
    KEYS = "keys"
    EXTRAS = "extras"


@dataclass(frozen=True)
class PlannedFile:
    """A file with its content. user, group: whose it is to be, None for whoever writes it."""

    path: Path
    content: str
    mode: int
    user: str | None = None
    group: str | None = None


@dataclass(frozen=True)
class PlannedFolder:
    """A folder that has to be there, and holds nothing but pwgserve's: it may be given away and closed to others."""

    path: Path
    mode: int
    user: str | None = None
    group: str | None = None


@dataclass(frozen=True)
class Step:
    """Something left to the owner: what it is for, and the lines to type or to add."""

    title: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Answers:
    """What was found, and what the owner chose.

    output: the configuration file; before: its text, None when there is none. user: as whom pwgserve is to run, if
    that user exists and we may give files to it. web_server: None for another one. into_web_server: whether its
    snippets go to its own folder. database: address for pwgserve's own database user, None to use Piwigo's access.
    database_sql, database_removal: statements that make and remove that user, empty where there is none to be made.
    piwigo_has: the settings of Piwigo that are as HELPFUL already. may_read: the command that lets the user read
    Piwigo's files, None when it may. has_unit: whether the service is installed; is_enabled: and starts with the
    machine. needs_user: whether the user that pwgserve should run as is still to be made. originals: folders of photos
    outside of Piwigo's. database_hosts: addresses of the database, if it is on another machine. drop_ins: those for
    systemd that an earlier `init` wrote. shared: the places that hold something of others as well.
    own_group: that of the user alone, None where it has none.
    """

    output: Path
    before: str | None
    root: Path
    url: str
    listen: str
    send_file: str
    keys_file: Path
    cache_dir: Path
    site: Site
    web_server: WebServer | None = None
    web_group: str | None = None
    found_site: FoundSite | None = None
    other_sites: tuple[FoundSite, ...] = ()
    into_web_server: bool = False
    database: str | None = None
    table_prefix: str | None = None
    database_sql: tuple[str, ...] = ()
    database_removal: tuple[str, ...] = ()
    user: str | None = None
    may_read: str | None = None
    has_unit: bool = False
    is_enabled: bool = False
    needs_user: bool = False
    piwigo_has: frozenset[str] = frozenset()
    originals: tuple[Path, ...] = ()
    database_hosts: tuple[str, ...] = ()
    drop_ins: tuple[Path, ...] = ()
    shared: frozenset[Place] = frozenset()
    own_group: str | None = None

    @property
    def extras(self) -> Path:
        """The folder beside the configuration for what is not the configuration."""
        return self.output.parent / self.output.stem

    @property
    def sql_file(self) -> Path:
        """Where the statements for the database user lie."""
        return self.extras / "database-user.sql"

    @property
    def snippets(self) -> Path:
        """Where the web server's files go."""
        if self.web_server is None or not self.into_web_server:
            return self.extras / (self.web_server or "web-server")
        return FOLDERS[self.web_server]


@dataclass(frozen=True)
class Plan:
    """Everything that `init` does and says. removals: files that `init` wrote and that nothing needs any more.

    user: whose the keys are to be, None for whoever makes them.
    """

    folders: tuple[PlannedFolder, ...]
    files: tuple[PlannedFile, ...]
    removals: tuple[Path, ...]
    steps: tuple[Step, ...]
    undo: tuple[str, ...]
    user: str | None = None


def plan(answers: Answers) -> Plan:
    """What to make and to say. Raises TemplateError and ConfigurationError."""
    return Plan(
        tuple(_folders(answers)),
        tuple(_files(answers)),
        tuple(_removals(answers)),
        tuple(_steps(answers)),
        tuple(_undo(answers)),
        answers.user,
    )


def usual_listen(web_server: WebServer | None, web_group: str | None, has_place: bool) -> str:
    """Where pwgserve listens unless its owner says otherwise. has_place: whether the service's folder is there for it.

    A Unix socket is open to the web server's group only, and faster. It needs the service's folder, and a group that
    the service has anyway and that PHP, for the plugin, has as well.
    """
    is_usual = web_server is not None and web_group == USUAL_GROUP and has_place
    return USUAL_SOCKET if is_usual else DEFAULT_ADDRESS


def config_values(answers: Answers) -> dict[str, dict[str, Any]]:
    """What the configuration says after `init`; what is as the default is not written."""
    is_default_keys = answers.keys_file == DEFAULT_KEYS
    is_default_cache = answers.cache_dir == DEFAULT_CACHE
    values: dict[str, dict[str, Any]] = {
        "server": {"listen": answers.listen, "public_url": answers.url, "send_file": answers.send_file},
        "piwigo": {
            "root": str(answers.root),
            "database": answers.database,
            "table_prefix": answers.table_prefix,
        },
    }
    if answers.before is not None or not is_default_keys:
        values["links"] = {"keys_file": None if is_default_keys else str(answers.keys_file)}
    if answers.before is not None or not is_default_cache:
        values["cache"] = {"dir": None if is_default_cache else str(answers.cache_dir)}
    return {name: keys for name, keys in values.items() if any(value is not None for value in keys.values())}


def _folders(answers: Answers) -> list[PlannedFolder]:
    # The web server opens what it is told to send; pwgserve hands the folder's group on.
    shares = answers.send_file != "direct"
    mode = 0o2750 if shares else 0o700
    if answers.has_unit and answers.cache_dir == DEFAULT_CACHE:
        mode = MODE_OF_UNIT
    cache = PlannedFolder(answers.cache_dir, mode, answers.user, answers.web_group if shares else None)
    # A folder that others need as well (/etc, a home) is not ours to give away or to close.
    is_shared = Place.KEYS in answers.shared
    return [cache] if is_shared else [PlannedFolder(answers.keys_file.parent, 0o700, answers.user), cache]


def _files(answers: Answers) -> list[PlannedFile]:
    config = merged(answers.before, config_values(answers), str(answers.output))
    # It may hold the password of the database: for pwgserve's user, and nobody else.
    mode, user = (0o640, None) if answers.own_group else (0o600, answers.user)
    found = [PlannedFile(answers.output, config, mode, user, answers.own_group)]
    if answers.database_sql:
        found.append(PlannedFile(answers.sql_file, "\n".join(answers.database_sql) + "\n", 0o600))
    if answers.web_server is not None:
        for name in SNIPPETS[answers.web_server]:
            content = filled(answers.web_server, text(answers.web_server, name), answers.site)
            found.append(PlannedFile(answers.snippets / name, content, 0o644))
    return found + [PlannedFile(path, content, 0o644) for path, content in _drop_ins(answers).items()]


def _drop_ins(answers: Answers) -> Mapping[Path, str]:
    if not answers.has_unit or answers.user is None:
        return {}
    usual = {DEFAULT_KEYS.parent, DEFAULT_CACHE}
    own = [folder.path for folder in _folders(answers)]
    writes = [path for path in own if path not in usual]
    # Who sends files itself must be able to read the cache, and who comes through a socket to write to it.
    needs_group = answers.send_file != "direct" or answers.listen.startswith("unix:")
    group = answers.web_group if needs_group else None
    reads = (answers.root, *answers.originals)
    return drop_ins(reads, writes, group, answers.database_hosts, answers.listen)


def _removals(answers: Answers) -> list[Path]:
    # Another configuration beside the service's own knows nothing of what that one needs.
    if not answers.has_unit or answers.user is None or answers.output != DEFAULT_OUTPUT:
        return []
    return [path for path in answers.drop_ins if path not in _drop_ins(answers)]


def _steps(answers: Answers) -> list[Step]:
    found = []
    config = shlex.quote(str(answers.output))
    if answers.needs_user:
        command = "useradd --system --home-dir /var/lib/pwgserve --shell /usr/sbin/nologin"
        group = f" --groups {answers.web_group}" if answers.web_group else ""
        found.append(
            Step(
                "Make a user for pwgserve, who may do nothing else; then run init again",
                (f"{command}{group} pwgserve",),
            )
        )
    if answers.database_sql and answers.database is None:
        found.append(
            Step(
                "Give pwgserve a database user of its own, which may only read what it needs; then run init again",
                (f"mariadb < {shlex.quote(str(answers.sql_file))}",),
            )
        )
    if answers.may_read is not None:
        found.append(Step("Let pwgserve read Piwigo's files", (answers.may_read,)))
    changed = [*_drop_ins(answers), *_removals(answers)]
    units = ("systemctl daemon-reload",) if changed else ()
    if answers.has_unit and answers.is_enabled:
        # What systemd allows a service is taken at a restart.
        take = "restart" if any(path != OF_SOCKET for path in changed) else "reload-or-restart"
        found.append(Step("Let pwgserve take the configuration", (*units, f"systemctl {take} pwgserve")))
    elif answers.has_unit:
        starts = (*units, "systemctl enable --now pwgserve", f"systemctl enable --now {TIMERS}")
        found.append(Step("Start pwgserve, now and with the machine, and its daily upkeep and check", starts))
    else:
        as_user = f"runuser -u {answers.user} -- " if answers.user else ""
        command = f"{as_user}pwgserve serve --config {config}"
        found.append(Step("Start pwgserve (as a service: see docs/install.md)", (command,)))
    found += _web_server_steps(answers)
    missing = [one for one in HELPFUL if one[0] not in answers.piwigo_has]
    if missing:
        lines = [f"$conf['{name}'] = {_php(value)};  // {why}" for name, value, why in missing]
        file = answers.root / "local/config/config.inc.php"
        title = f"These lines help, in {file} (behind its first line, <?php); safe without them, too"
        found.append(Step(title, tuple(lines)))
    found.append(Step("See that nothing leaks any more", (f"pwgserve check --config {config}",)))
    return found


def _web_server_steps(answers: Answers) -> list[Step]:
    server = answers.web_server
    if server is None:
        return [Step("Route the gallery's picture addresses to pwgserve", ("see docs/install.md",))]
    found = []
    if not answers.into_web_server:
        target = FOLDERS[server]
        copies = [f"cp {shlex.quote(str(answers.snippets / name))} {target / name}" for name in SNIPPETS[server]]
        found.append(Step(f"Put the lines for {server} where it finds them", tuple(copies)))
    site = answers.found_site
    if site is not None and site.rivals:
        found.append(Step("Remove these, which are for the same addresses", site.rivals))
    if site is None:
        where = f"the {BLOCK[server]} of the gallery's site, below {FOLDERS[server]}"
    else:
        where = f"{site.file}, in the {BLOCK[server]} that begins in line {site.line}"
    if site is None or not site.includes:
        found.append(Step(f"Add this line to {where}", (INCLUDE[server],)))
    found += [_other_site(answers, server, other) for other in answers.other_sites if not other.includes]
    lines = [PREPARE[server]] if server in PREPARE else []
    if answers.send_file == "x-sendfile":
        lines.append("apt-get install libapache2-mod-xsendfile && a2enmod xsendfile")
    found.append(Step(f"Let {server} take them", (*lines, RELOAD[server])))
    return found


def _other_site(answers: Answers, server: WebServer, site: FoundSite) -> Step:
    """What closes a site that shows the gallery's folder, too: whoever finds it there asks nobody."""
    place = f"{site.file}, in the {BLOCK[server]} that begins in line {site.line}"
    if site.path == answers.site.base:
        title = (
            f"Add the same line to {place}: it shows the same folder (unless it shall only redirect to {answers.url})"
        )
        return Step(title, (INCLUDE[server],))
    title = f"Close {site.path} in {place}: it shows the same folder, and nobody would ask pwgserve there"
    return Step(title, (CLOSE[server].format(path=site.path, url=answers.url),))


def _undo(answers: Answers) -> list[str]:
    server = answers.web_server
    found = []
    if server is not None:
        sites = "all sites that have it" if answers.other_sites else "the site"
        found.append(f"remove the line “{INCLUDE[server]}” from {sites}, then: {RELOAD[server]}")
        folders = dict.fromkeys([FOLDERS[server], answers.snippets])
        # With what they were before, where they were changed.
        names = " ".join(f"{shlex.quote(str(folder / name))}*" for folder in folders for name in SNIPPETS[server])
        found.append(f"rm -f {names}")
    if answers.has_unit:
        found.append(f"systemctl disable --now pwgserve.service pwgserve.socket {TIMERS}")
    if _drop_ins(answers):
        found.append(f"rm -f {place('pwgserve*')}* && systemctl daemon-reload")
    if answers.database_removal:
        statements = " ".join(answers.database_removal)
        # The statements have quotes of one kind only, and nothing that a shell would understand in the other.
        found.append(f'mariadb -e "{statements}"')
    kept = answers.output.with_name(f"{answers.output.name}.before")
    # A folder of that name may have been there before, with other things in it.
    beside = answers.sql_file if Place.EXTRAS in answers.shared else answers.extras
    made = [answers.output, kept, beside, answers.keys_file, answers.cache_dir]
    found.append("rm -rf " + " ".join(shlex.quote(str(path)) for path in made))
    found.append("Piwigo itself was not changed, and shows its pictures as before.")
    return found


def _php(value: object) -> str:
    return f"'{value}'" if isinstance(value, str) else str(value)


def missing_helpful(conf: dict[str, Any]) -> Sequence[str]:
    """The helpful settings that a configuration of Piwigo has already."""
    return [name for name, value, _ in HELPFUL if conf.get(name) == value]
