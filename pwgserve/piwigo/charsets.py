"""Which texts a column of the database can hold at all, by its character set and length.

Pure. To compare a column with a text beyond its character set is an error in MariaDB, for the whole question: a visitor
who asks for such a path would take the answers from all who asked in the same moment. Piwigo's tables are `utf8`, which
has no emoji. Whether a row has the text is asked in `gallery`.
"""

from __future__ import annotations

import codecs

LONGEST = 255
"""Characters that Piwigo's columns for paths and names hold. To look for longer ones, as long as addresses are, takes
the database twenty times as long, and everybody who asked in the same moment waits for it."""

_UTF8_OF_3_BYTES = ("utf8mb3", "utf8", "ucs2")
_LAST_OF_3_BYTES = "\uffff"
_CODECS = {None: "utf-8", "utf8mb4": "utf-8", "latin1": "cp1252"}
"""MySQL's character set → Python's codec, where the names differ. SQLite has UTF-8."""


def can_hold(charset: str | None, text: str) -> bool:
    """Whether a column of this character set may hold the text. None: of a database that has but one, UTF-8.

    Of character sets that nobody knows only ASCII is believed, which all of them have.
    """
    if len(text) > LONGEST:
        return False
    if text.isascii():
        return True
    if charset in _UTF8_OF_3_BYTES:
        return max(text) <= _LAST_OF_3_BYTES and not any("\ud800" <= char <= "\udfff" for char in text)
    try:
        return bool(codecs.encode(text, _CODECS.get(charset) or str(charset)))
    except (LookupError, UnicodeError, TypeError):
        return False
