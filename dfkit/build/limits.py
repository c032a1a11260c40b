"""The values of docker's own flags for what a step may use and whom it knows: sizes, `--ulimit`, `--add-host`, `--label`."""

from __future__ import annotations

from dfkit._regex import regex
from dfkit.errors import UsageError

_SIZE = regex(r"([0-9]+(?:\.[0-9]+)?) ?([kKmMgGtTpP]?)[iI]?[bB]?")
_ULIMITS = (
    "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile", "nproc", "rss", "rtprio", "rttime",
    "sigpending", "stack",
)  # fmt: skip
"""https://github.com/docker/go-units/blob/master/ulimit.go"""
GATEWAY = "host-gateway"


def size(text: str, flag: str) -> int:
    """Bytes: `64m`, `1.5GiB`, `1024`; a unit is a power of 1024. Raises `UsageError`."""
    found = _SIZE.fullmatch(text)
    if found is None:
        raise UsageError(f"`{flag} {text}` is no size: write a number with k, m or g, such as 64m")
    return int(float(found[1]) * 1024 ** " kmgtp".index(found[2].lower() or " "))


def swap(text: str, flag: str) -> int:
    """A size, or -1 for swap without limit. Raises `UsageError`."""
    return -1 if text == "-1" else size(text, flag)


def ulimit(text: str) -> tuple[str, tuple[int, int]]:
    """`NAME=SOFT[:HARD]`, where -1 is no limit; a soft limit alone is the hard one too. Raises `UsageError`."""
    name, equals, values = text.partition("=")
    soft, colon, hard = values.partition(":")
    numbers = [int(each) if each.removeprefix("-").isdecimal() else None for each in (soft, hard if colon else soft)]
    if not equals or None in numbers:
        raise UsageError(f"`--ulimit {text}` is no limit: write NAME=SOFT or NAME=SOFT:HARD")
    if name not in _ULIMITS:
        raise UsageError(f"`--ulimit {text}` names no limit that there is: they are {', '.join(_ULIMITS)}")
    low, high = (number or 0 for number in numbers)
    if high != -1 and (low == -1 or low > high):
        raise UsageError(f"`--ulimit {text}` has a soft limit above the hard one")
    return name, (low, high)


def host(text: str) -> str:
    """`NAME:ADDRESS` or `NAME=ADDRESS`, as `NAME:ADDRESS`; the address may be `host-gateway`. Raises `UsageError`."""
    at = min((found for sign in ":=" if (found := text.find(sign)) >= 0), default=-1)
    name, address = text[:at], text[at + 1 :]
    if address[:1] == "[" and address[-1:] == "]":
        address = address[1:-1]
    if at <= 0 or not (address == GATEWAY or _is_address(address)):
        raise UsageError(f"`--add-host {text}` is no host: write NAME:ADDRESS with an IP address or `{GATEWAY}`")
    return f"{name}:{address}"


def label(text: str) -> tuple[str, str]:
    """`NAME=VALUE`; a name alone has an empty value. Raises `UsageError`."""
    name, _, value = text.partition("=")
    if not name:
        raise UsageError(f"`--label {text}` has no name: write NAME=VALUE")
    return name, value


def _is_address(text: str) -> bool:
    import ipaddress

    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
