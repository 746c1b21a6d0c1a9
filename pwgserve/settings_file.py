"""Reads a configuration: a TOML file, and environment variables (`PWGSERVE_SERVER__LISTEN`), which win over it.

Whatever is wrong is one line for the owner, that names the file or the variable, the key, and what would be right.
Which settings there are is in `settings`.
"""

from __future__ import annotations

import os
import stat
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import ValidationError

from pwgserve import credentials
from pwgserve.misconfigured import in_words, variable_of
from pwgserve.problems import OwnerError
from pwgserve.settings import ENVIRONMENT_PREFIX, Settings


class SettingsError(OwnerError):
    """The configuration is wrong: one line with file, key, what is wrong and what would be right."""


def load(file: Path) -> Settings:
    """The settings of a file, with the environment's overrides, and for root with the secrets that root keeps.

    Raises SettingsError and CredentialError. Blocks.
    """
    tables = content(read(file), str(file))
    for name, values in credentials.kept_by_root(file).items():
        if isinstance(before := tables.get(name, {}), dict):
            tables[name] = before | values
    return from_values(tables, str(file))


def read(file: Path) -> str:
    """The text of a configuration. Raises SettingsError. Blocks."""
    try:
        # Some editors put a mark before UTF-8.
        return file.read_text("utf-8-sig")
    except PermissionError as error:
        raise SettingsError(
            f"{file}: cannot read the configuration: {error.strerror}; run this as root (sudo)"
        ) from error
    except OSError as error:
        raise SettingsError(f"{file}: cannot read the configuration: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{file}: the configuration is not UTF-8 text") from error


def parse(text: str, source: str) -> Settings:
    """The settings that a text describes, with the environment's overrides; `source` is named in errors.

    Raises SettingsError.
    """
    return from_values(content(text, source), source)


def content(text: str, source: str) -> dict[str, Any]:
    """The tables of a configuration as they are written; `source` is named in errors. Raises SettingsError."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{source}: not valid TOML: {error}") from error


def is_open_secret(file: Path, tables: Mapping[str, Any]) -> bool:
    """Whether everybody on this machine can read a configuration that holds the database's password. Blocks."""
    section = tables.get("piwigo")
    address = section.get("database") if isinstance(section, dict) else None
    try:
        has_password = isinstance(address, str) and bool(urlsplit(address).password)
        return has_password and bool(file.stat().st_mode & stat.S_IROTH)
    except (OSError, ValueError):
        return False


def from_values(tables: Mapping[str, Any], source: str) -> Settings:
    """The settings in a mapping of tables; `source` is named in errors. Raises SettingsError."""
    _check_environment()
    if not isinstance(tables.get("piwigo", {}), dict):
        raise SettingsError(f"{source}: piwigo: write a table, [piwigo]")
    try:
        return Settings(**tables)
    except ValidationError as error:
        raise SettingsError(_one_line(error, source)) from error
    except ValueError as error:
        raise SettingsError(f"{source}: an environment variable {ENVIRONMENT_PREFIX}… is wrong: {error}") from error


def _check_environment() -> None:
    """A variable that is none of ours must not silently change nothing. Raises SettingsError."""
    tables: Mapping[str, Any] = Settings.model_fields
    for variable in sorted(os.environ):
        if not variable.upper().startswith(ENVIRONMENT_PREFIX):
            continue
        table, *keys = variable[len(ENVIRONMENT_PREFIX) :].lower().split("__")
        fields = tables[table].annotation.model_fields if table in tables else {}
        is_deep = len(keys) > 1 and (table, keys[0]) != ("piwigo", "conf")
        if table not in tables or is_deep or (keys and keys[0] not in fields):
            raise SettingsError(
                f"environment variable {variable}: there is no such setting; it is {ENVIRONMENT_PREFIX}TABLE__KEY, "
                f"with two underscores between, and {_known((table, *keys))}"
            )


def _one_line(error: ValidationError, source: str) -> str:
    """The first problem; a person mends one at a time. source: unless it came from the environment."""
    problem = error.errors(include_url=False, include_input=False)[0]
    place = variable_of(problem["loc"], os.environ, ENVIRONMENT_PREFIX) or source
    key = f"{place}: {'.'.join(str(part) for part in problem['loc'])}"
    match problem["type"]:
        case "extra_forbidden":
            return f"{key}: there is no such setting; {_known(problem['loc'])}"
        case "missing":
            return f"{key}: is missing; it must be given"
        case _:
            return f"{key}: {in_words(problem)}"


def _known(location: tuple[int | str, ...]) -> str:
    fields: Mapping[str, Any] = Settings.model_fields
    if len(location) > 1 and location[0] in fields:
        section = fields[str(location[0])].annotation
        return f"[{location[0]}] knows {', '.join(section.model_fields)}"
    return f"known tables are {', '.join(fields)}"
