"""What has to be on a machine so that pwgserve can protect its gallery: files, folders, and what is left to the owner.

Pure but for the texts of `templates`: takes what was found and answered, gives values. `writing` makes them true, the
command shows the rest.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pwgserve.setup import snippets
from pwgserve.setup.answers import DEFAULT_ADDRESS, DEFAULT_CACHE, DEFAULT_KEYS, DEFAULT_OUTPUT, Answers, Place, Step
from pwgserve.setup.configuration import merged
from pwgserve.setup.confinement import OF_SOCKET, USUAL_GROUP, USUAL_SOCKET, drop_ins, place
from pwgserve.setup.routing import INCLUDE, RELOAD, web_server_steps
from pwgserve.setup.templates import FOLDERS, SNIPPETS, WebServer

HELPFUL = (
    ("original_url_protection", "images", "pages lead to originals through action.php"),
    ("derivative_url_style", 2, "pages ask for sizes through i.php, and not for files that nobody may open any more"),
)
"""Settings of Piwigo that spare a redirect or a look for files: name, value, why."""

MODE_OF_UNIT = 0o750
"""Of the usual cache folder, as systemd sets it at each start of the service, which has the web server's group."""

TIMERS = "pwgserve-gc.timer pwgserve-check.timer"


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
    found += [PlannedFile(path, content, 0o644) for path, content in snippets.planned(answers).items()]
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
    return [*snippets.outdated(answers), *_old_drop_ins(answers)]


def _old_drop_ins(answers: Answers) -> list[Path]:
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
    if answers.wants_database_user:
        give = "Give pwgserve a database user of its own, which may only read what it needs"
        let = "Let pwgserve's database user read what Piwigo has added"
        title = f"{let if answers.database_lags else give}; then run init again"
        found.append(Step(title, (f"mariadb < {shlex.quote(str(answers.sql_file))}",)))
    if answers.may_read is not None:
        found.append(Step("Let pwgserve read Piwigo's files", (answers.may_read,)))
    changed = [*_drop_ins(answers), *_old_drop_ins(answers)]
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
    found += web_server_steps(answers)
    missing = [one for one in HELPFUL if one[0] not in answers.piwigo_has]
    if missing:
        lines = [f"$conf['{name}'] = {_php(value)};  // {why}" for name, value, why in missing]
        file = answers.root / "local/config/config.inc.php"
        title = f"These lines help, in {file} (behind its first line, <?php); safe without them, too"
        found.append(Step(title, tuple(lines)))
    found.append(Step("See that nothing leaks any more", (f"pwgserve check --config {config}",)))
    return found


def _undo(answers: Answers) -> list[str]:
    server = answers.web_server
    found = []
    if server is not None:
        sites = "all sites that have it" if answers.other_sites else "the site"
        found.append(f"remove the line “{INCLUDE[server]}” from {sites}, then: {RELOAD[server]}")
        folders = dict.fromkeys([FOLDERS[server], answers.snippets])
        # With what they were before and what would have come, where they were changed; other names are not ours.
        names = [shlex.quote(str(folder / name)) for folder in folders for name in SNIPPETS[server]]
        found += [f"rm -f {name} {name}.before {name}.new" for name in names]
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


def helpful_in(conf: dict[str, Any]) -> Sequence[str]:
    """The settings of HELPFUL that a configuration of Piwigo has already."""
    return [name for name, value, _ in HELPFUL if conf.get(name) == value]
