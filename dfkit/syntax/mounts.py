"""The value of `RUN --mount=…`."""

from __future__ import annotations

from dfkit._record import Record
from dfkit.syntax import lalr
from dfkit.syntax.nodes import Flag, Instruction

ALIASES = {"src": "source", "dst": "target", "destination": "target", "ro": "readonly", "rw": "readwrite"}


class Mount(Record):
    """One mount. `options` has canonical names (`src` is `source`, `dst` is `target`); an option without `=` has the value `true`."""

    flag: Flag
    options: tuple[tuple[str, str], ...]

    def get(self, name: str) -> str | None:
        """The last value of an option."""
        for key, value in reversed(self.options):
            if key == name:
                return value
        return None

    @property
    def type(self) -> str:
        """`bind` (the default), `cache`, `tmpfs`, `secret` or `ssh`."""
        return self.get("type") or "bind"

    @property
    def target(self) -> str | None:
        """Where it is mounted, as written."""
        return self.get("target")


def mounts(instruction: Instruction) -> tuple[Mount, ...]:
    """The mounts of an instruction."""
    return tuple([mount(flag) for flag in instruction.flags if flag.name == "mount"])


def mount(flag: Flag) -> Mount:
    """What a `--mount` says; a value that is not a list of options gives a mount without options."""
    text = flag.value or ""
    try:
        *tokens, _ = lalr.parser("mount").parse("mount", text)
    except lalr.Mismatch:
        return Mount(flag, ())
    options = []
    for kind, start, end, _ in tokens:
        field = text[start:end]
        if kind == "QUOTED":
            field = field[1:-1].replace('""', '"')
        key, equals, value = field.partition("=")
        key = key.strip().lower()
        options.append((ALIASES.get(key, key), value if equals else "true"))
    return Mount(flag, tuple(options))
