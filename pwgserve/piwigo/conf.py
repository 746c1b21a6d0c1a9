"""The settings of a Piwigo gallery (`$conf`) that pwgserve respects, with Piwigo's defaults.

Pure. `PiwigoConf.updated` takes them from what was read: the owner's `local/config/config.inc.php` (see `phpconfig`)
overlaid with table `config`, whose words `from_words` understands. Only settings that change an answer are here.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import TypeAlias

from pwgserve.piwigo.pcre import PhpPattern

ConfValue: TypeAlias = "bool | int | float | str | list[ConfValue] | dict[str, ConfValue] | None"

USER_FIELDS = {"id": "id", "username": "username", "password": "password", "email": "mail_address"}
DEFAULT_SYNC_CHARS = "/^[a-zA-Z0-9-_.]+$/"
PICTURE_EXT = ("jpg", "jpeg", "png", "gif", "webp")
FORMAT_EXT = ("cr2", "tif", "tiff", "nef", "dng", "ai", "psd")

_REGEX_SECONDS = 0.05


class ConfError(ValueError):
    """A setting of the gallery cannot be understood; the message names it."""


@dataclass(frozen=True)
class SyncChars:
    """The owner's rule for one part of a path (`sync_chars_regex`), a PCRE with its delimiters and flags."""

    source: str = DEFAULT_SYNC_CHARS
    pattern: PhpPattern = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        try:
            object.__setattr__(self, "pattern", PhpPattern.parse(self.source))
        except ValueError as error:
            raise ConfError(f"sync_chars_regex {self.source!r} {error}") from error

    def allows(self, part: str) -> bool:
        """Whether the part of a path is well-formed in this gallery."""
        try:
            return self.pattern.is_found_in(part, _REGEX_SECONDS)
        except TimeoutError:
            return False


@dataclass(frozen=True)
class PiwigoConf:
    """One gallery's settings. Times in seconds; `picture_ext` in lower case without the dot."""

    guest_id: int = 2
    guest_access: bool = True
    gallery_locked: bool = False
    session_name: str = "pwg_id"
    session_use_ip_address: bool = True
    session_length: int = 3600
    session_save_handler: str = "db"
    authorize_remembering: bool = True
    remember_me_name: str = "pwg_remember"
    remember_me_length: int = 5_184_000
    secret_key: str = ""
    apache_authentication: bool = False
    users_table: str | None = None
    user_fields: Mapping[str, str] = field(default_factory=lambda: dict(USER_FIELDS))
    picture_ext: tuple[str, ...] = PICTURE_EXT
    enable_formats: bool = False
    log: bool = True
    history_admin: bool = False
    history_guest: bool = True
    upload_dir: str = "./upload"
    data_location: str = "_data/"
    sync_chars: SyncChars = field(default_factory=SyncChars)
    derivatives_strip_metadata_threshold: int = 256_000

    def is_picture(self, extension: str) -> bool:
        """Whether Piwigo treats a file with this extension as a picture rather than a video or document."""
        return extension.lower() in self.picture_ext

    def updated(self, values: Mapping[str, ConfValue]) -> PiwigoConf:
        """These settings overlaid with others by Piwigo's names; names we do not use are passed over.

        Raises ConfError when a value is of a kind that the setting cannot have.
        """
        changes: dict[str, object] = {}
        for name, value in values.items():
            if name == "sync_chars_regex":
                changes["sync_chars"] = SyncChars(_text(name, value))
            elif name == "user_fields":
                changes[name] = dict(USER_FIELDS) | _names(name, value)
            elif name == "users_table":
                changes[name] = _text(name, value) or None
            elif name == "picture_ext":
                changes[name] = tuple(item.lower() for item in _texts(name, value))
            elif name in _READERS:
                changes[name] = _READERS[name](name, value)
        return replace(self, **changes)  # type: ignore[arg-type]


def told(name: str, value: ConfValue) -> ConfValue:
    """The value of a setting that the owner tells us, for which there is no second reading. Raises ValueError."""
    if name not in SETTING_NAMES:
        near = difflib.get_close_matches(name, SETTING_NAMES) or sorted(SETTING_NAMES)
        raise ValueError(f"{name!r} is no setting that pwgserve uses; there is {', '.join(near)}")
    if name not in TRUTHS or isinstance(value, bool):
        return value
    # Variables of the environment are texts.
    if value not in ("true", "false"):
        raise ValueError(f"{name} is true or false; write one of them, without quotes")
    return value == "true"


def from_words(values: Mapping[str, ConfValue]) -> dict[str, ConfValue]:
    """Settings as table `config` holds them, where booleans are the words true and false, exactly so spelled."""
    words: dict[ConfValue, bool] = {"true": True, "false": False}
    return {name: words.get(value, value) if isinstance(value, str) else value for name, value in values.items()}


def _truth(_name: str, value: ConfValue) -> bool:
    """A setting as PHP's `if` would take it: a text is true unless it is empty or `0`, whatever it says."""
    return value not in ("", "0") if isinstance(value, str) else bool(value)


def _whole(name: str, value: ConfValue) -> int:
    try:
        if isinstance(value, bool | int | float | str):
            return int(value)
    except (ValueError, OverflowError):
        pass
    raise ConfError(f"{name} must be a whole number, not {value!r}")


def _text(name: str, value: ConfValue) -> str:
    if value is None:
        return ""
    if isinstance(value, str | int) and not isinstance(value, bool):
        return str(value)
    raise ConfError(f"{name} must be a text, not {value!r}")


def _handler(name: str, value: ConfValue) -> str:
    if value != "db":
        raise ConfError(
            f"{name} is not 'db': Piwigo then keeps its sessions in files, where pwgserve cannot see who has logged "
            "in; remove the line"
        )
    return "db"


def _folder(name: str, value: ConfValue) -> str:
    folder = _text(name, value)
    if ".." in folder.split("/"):
        raise ConfError(
            f"{name} leads out of Piwigo's folder; make a symbolic link in Piwigo's folder, set {name} to the link, "
            "and name the folder that it leads to in piwigo.originals"
        )
    return folder


def _texts(name: str, value: ConfValue) -> list[str]:
    items = list(value.values()) if isinstance(value, dict) else value
    if not isinstance(items, list):
        raise ConfError(f"{name} must be a list, not {value!r}")
    return [_text(name, item) for item in items]


def _names(name: str, value: ConfValue) -> dict[str, str]:
    if not isinstance(value, dict):
        raise ConfError(f"{name} must map names to columns, not {value!r}")
    return {key: _text(name, column) for key, column in value.items()}


_READERS = {
    "guest_id": _whole,
    "guest_access": _truth,
    "gallery_locked": _truth,
    "session_name": _text,
    "session_use_ip_address": _truth,
    "session_length": _whole,
    "session_save_handler": _handler,
    "authorize_remembering": _truth,
    "remember_me_name": _text,
    "remember_me_length": _whole,
    "secret_key": _text,
    "apache_authentication": _truth,
    "enable_formats": _truth,
    "log": _truth,
    "history_admin": _truth,
    "history_guest": _truth,
    "upload_dir": _folder,
    "data_location": _text,
    "derivatives_strip_metadata_threshold": _whole,
}

SETTING_NAMES = frozenset({field.name for field in fields(PiwigoConf)} - {"sync_chars"} | {"sync_chars_regex"})
"""The names in `$conf` that change an answer of ours."""

TRUTHS = frozenset(name for name, reader in _READERS.items() if reader is _truth)
"""Those that are true or false."""

_DECIDING = """guest_id guest_access gallery_locked session_name session_use_ip_address session_length
    authorize_remembering remember_me_name remember_me_length apache_authentication users_table user_fields picture_ext
    enable_formats"""
DECIDING = frozenset(_DECIDING.split())
"""Those that decide who somebody is and may have what. A wrong value of another one never gives anything away."""
