"""Looks into signed URLs from outside, as an intruder would: splitting texts, without a key."""


def parts_of(link: str) -> list[str]:
    """`photo, wanted, audience, expiry, fingerprint, signature` of `/pwgs/….jpg`."""
    return link.rpartition("/")[2].rpartition(".")[0].split(".")


def wanted_of(link: str) -> str:
    return parts_of(link)[1]


def expiry_of(link: str) -> int:
    return int(parts_of(link)[3])


def with_part(link: str, index: int, value: str) -> str:
    """The link with one part replaced."""
    folder, _, name = link.rpartition("/")
    token, _, extension = name.rpartition(".")
    parts = token.split(".")
    parts[index] = value
    return f"{folder}/{'.'.join(parts)}.{extension}"
