"""The configuration file that `init` writes: what is new in it, and all that the owner has changed left as it is.

Pure: text in, text out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import Table

from pwgserve.problems import OwnerError

HEADER = """\
# pwgserve's configuration, begun by `pwgserve init`. All keys: docs/configuration.md.
# After a change: pwgserve check --config FILE, and reload or restart the service.

"""

Values = Mapping[str, Mapping[str, Any]]
"""Tables of keys; a key whose value is None is not written."""


class ConfigurationError(OwnerError):
    """The file that is there cannot be kept and changed."""


def merged(before: str | None, values: Values, source: str) -> str:
    """The file's text with these values; everything else in it stays. Raises ConfigurationError."""
    try:
        document = tomlkit.parse(before if before is not None else HEADER)
    except TOMLKitError as error:
        raise ConfigurationError(f"{source}: not valid TOML: {error}; mend it, or move it away") from error
    for name, keys in values.items():
        table = document.get(name)
        if table is not None and not isinstance(table, Table):
            raise ConfigurationError(f"{source}: {name}: write a table, [{name}]")
        if table is None:
            table = tomlkit.table()
            document[name] = table
        for key, value in keys.items():
            if value is not None and table.get(key) != value:
                table[key] = value
    return tomlkit.dumps(document)
