"""The instructions of a build's stages, carried out as far as BuildKit's checks depend on it; see `dfkit.lint.buildkit.replay`."""

from __future__ import annotations

import posixpath

from dfkit._record import Record
from dfkit._regex import regex
from dfkit.checks.variables import secret_message
from dfkit.syntax.mounts import mounts
from dfkit.syntax.nodes import (
    Arg,
    Cmd,
    Copy,
    Entrypoint,
    Env,
    Expose,
    Healthcheck,
    Label,
    Run,
    Shell,
    ShellForm,
    StopSignal,
    Transfer,
    User,
    Volume,
    Word,
    Workdir,
)
from dfkit.syntax.words import BadWord, expand, variables
from dfkit.text import Span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from dfkit.context.ignore import IgnoreFile
    from dfkit.model import Model, Stage
    from dfkit.syntax.nodes import Flag, Instruction

_NOT_ENV = ("BUILDKIT_SBOM_SCAN_CONTEXT", "BUILDKIT_SBOM_SCAN_STAGE")
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_SECRET = regex(r"(?i)(?:_|^)(?:apikey|auth|credentials?|key|password|pword|passwd|secret|token)(?:_|$)")
_NO_SECRET = regex(r"(?i)(?:_|^)(?:public|file|version)(?:_|$)")
_OCTAL = regex(r"[0-7]+")
_SYMBOLIC = regex(r"[ugoa]*(?:[-+=](?:[rwxXst]*|[ugo]))+(?:,[ugoa]*(?:[-+=](?:[rwxXst]*|[ugo]))+)*")
_REMOTE = regex(r"(?:https?|git|ssh)://|[\w.-]+@[\w.-]+:")
_DIGEST = regex(r"sha256:[a-f0-9]{64}|sha384:[a-f0-9]{96}|sha512:[a-f0-9]{128}")
_NUMBER = regex(r"[-+]?[0-9]+")
_SIGNAL = regex(
    r"(?i)(?:SIG)?(?:ABRT|ALRM|BUS|CHLD|CLD|CONT|FPE|HUP|ILL|INT|IO|IOT|KILL|PIPE|POLL|PROF|PWR|QUIT|SEGV|STKFLT|STOP|SYS|TERM|TRAP"
    r"|TSTP|TTIN|TTOU|URG|USR1|USR2|VTALRM|WINCH|XCPU|XFSZ|RTMIN(?:\+(?:[1-9]|1[0-5]))?|RTMAX(?:-(?:[1-9]|1[0-4]))?)"
)
_BOOLEAN = r"[01tTfF]|TRUE|true|True|FALSE|false|False"
_MOUNT_OPTIONS = {
    "type": regex(r"(?i)bind|cache|tmpfs|secret|ssh"),
    "readonly": regex(_BOOLEAN),
    "readwrite": regex(_BOOLEAN),
    "required": regex(_BOOLEAN),
    "sharing": regex(r"(?i)shared|private|locked"),
    "mode": regex(r"[0-7]+"),
    "uid": regex(r"[0-9]+"),
    "gid": regex(r"[0-9]+"),
    "size": regex(r"(?i)[0-9]+(?:\.[0-9]*)? ?(?:[kmgtp]?i?b?)"),
    **dict.fromkeys(("from", "source", "target", "id", "env"), regex(r"(?s:.*)")),
}
"""Values of an option of `--mount` (instructions/commands_runmount.go, parseMount)."""
_LAST_PORT = 65535


class Said(Record):
    """A remark: by which of dfkit's rules, where, and in which words if those of the rule are not meant.

    The line that BuildKit names is that of the instruction which `span` begins in, or of an empty `span` itself.
    """

    rule: str
    span: Span
    message: str | None = None


class Stop(Exception):
    """The build fails here, and nothing more is said."""


class Build(Record):
    """What is known of a build before its stages are carried out.

    `globals` are the values of the ARGs above the first FROM, `bases` and `windows` each stage's base and whether its platform is
    Windows, `sources` by an instruction's id the stages and images that it reads from, `triggers` by a stage's number the instructions
    that it runs first.
    """

    model: Model
    globals: Mapping[str, str]
    bases: Sequence[Stage | None]
    windows: Sequence[bool]
    sources: Mapping[int, tuple[Stage | str, ...]]
    triggers: Mapping[int, tuple[Instruction, ...]]
    ignore: IgnoreFile | None


def run(build: Build, said: list[Said]) -> None:
    """Carry out all stages, also those that none needs, and add what is to be said. Raises `Stop` where the build would fail."""
    done: list[_Stage] = []
    for stage in build.model.stages:
        base = build.bases[stage.index]
        state = _Stage(build, stage, said, done[base.index] if base is not None else None)
        state.run()
        done.append(state)


def suggestion(name: str, names: Iterable[str]) -> str:
    """The end of a message about a name: one that is like it, as BuildKit finds it (util/suggest)."""
    best, least = "", 3
    for other in sorted(names):
        distance = _distance(name, other, least)
        if distance < least:
            best, least = other, distance
    return f"; did you mean `{best}`?" if best and least else ""


def _distance(one: str, other: str, limit: int) -> int:
    """How many characters have to be added, taken away or changed (Levenshtein), up to a limit."""
    if abs(len(one) - len(other)) >= limit:
        return limit
    row = list(range(len(other) + 1))
    for number, char in enumerate(one, 1):
        above, row[0] = row[0], number
        for at, another in enumerate(other, 1):
            above, row[at] = row[at], min(row[at] + 1, row[at - 1] + 1, above + (char != another))
    return min(row[-1], limit)


class _Stage:
    """A stage while it is carried out."""

    def __init__(self, build: Build, stage: Stage, said: list[Said], base: _Stage | None) -> None:
        self.build = build
        self.stage = stage
        self.said = said
        self.escape = build.model.dockerfile.escape
        self.is_windows = build.windows[stage.index]
        self.env: dict[str, str] = dict(base.env) if base is not None else {} if self.is_windows else {"PATH": _PATH}
        self.declared: set[str] = set(base.declared) if base is not None else set()
        self.has_shell: bool = base.has_shell if base is not None else False
        self.workdir: str = base.workdir if base is not None else "/"
        self.has_workdir: bool = base.has_workdir if base is not None else False
        self.once: dict[str, Span] = {}
        self.place: Span | None = None

    def run(self) -> None:
        if self.stage.replaced:
            return
        self.place = self.stage.from_.keyword.span
        for instruction in self.build.triggers.get(self.stage.index, ()):
            self.execute(instruction)
        self.place = None
        for instruction in self.stage.instructions:
            self.execute(instruction)

    def say(self, rule: str, span: Span, message: str | None = None) -> None:
        """What is said of a trigger is said of the FROM that runs it."""
        self.said.append(Said(rule, self.place or span, message))

    def execute(self, instruction: Instruction) -> None:
        match instruction:
            case Env():
                self.set(instruction)
            case Label():
                self.expand_pairs(instruction)
            case Arg():
                self.declare(instruction)
            case Transfer():
                self.transfer(instruction)
            case Run():
                self.mount(instruction)
            case Workdir():
                self.enter(instruction)
            case User():
                self.expand(instruction.value)
            case Volume():
                if not all([self.expand(word) for word in instruction.words]):
                    raise Stop
            case StopSignal():
                signal = self.expand(instruction.value)
                if not (_SIGNAL.fullmatch(signal) or (_NUMBER.fullmatch(signal) and int(signal))):
                    raise Stop
            case Expose():
                self.expose(instruction)
            case Cmd() | Entrypoint():
                self.only(instruction)
                if isinstance(instruction.form, ShellForm) and not self.has_shell:
                    self.say(
                        "shell-form-command", instruction.form.span if instruction.form.text.text else instruction.keyword.span
                    )
            case Healthcheck():
                self.only(instruction)
            case Shell():
                self.has_shell = True
            case _:
                pass

    # --- words

    def expand(self, word: Word, *, escape: str | None = None) -> str:
        """The value of a word; what it names and nothing sets is said."""
        escape = escape or self.escape
        unset: dict[str, None] = {}

        def value(name: str) -> str | None:
            known = self.env.get(name)
            if known is None:
                unset[name] = None
            return known

        try:
            text: str | None = expand(word.text, value, escape)
        except BadWord:
            text = None
        if unset:
            self.undefined(unset, {each.name: each.span for each in variables(word, escape)}, word.span)
        if text is None:
            raise Stop
        return text

    def undefined(self, names: Iterable[str], places: Mapping[str, Span], otherwise: Span) -> None:
        for name in names:
            if name in self.declared or name in _NOT_ENV:
                continue
            message = f"nothing in this file sets `{name}`{suggestion(name, self.env)}"
            if name in self.build.model.global_arguments:
                message = f"`{name}` is declared above the first FROM only: repeat `ARG {name}` in this stage"
            self.say("undefined-variable", places.get(name, otherwise), message)

    def expand_flag(self, flag: Flag | None) -> str:
        if flag is None or not flag.value or flag.value_span is None:
            return ""
        return self.expand(Word(flag.value_span, flag.value))

    def expand_pairs(self, instruction: Env | Label) -> list[tuple[str, str]]:
        values = [
            (self.expand(pair.key), self.expand(pair.value) if pair.value is not None else "") for pair in instruction.pairs
        ]
        if instruction.legacy:
            pair = instruction.pairs[0]
            self.say("value-without-equals", pair.span)
        return values

    # --- instructions

    def set(self, instruction: Env) -> None:
        values = self.expand_pairs(instruction)
        for pair, (key, _) in zip(instruction.pairs, values, strict=True):
            self.secret(instruction, key, pair.key.span)
        self.env |= dict(values)

    def declare(self, instruction: Arg) -> None:
        given = self.build.model.build_args
        for pair in instruction.pairs:
            name = pair.key.text
            self.secret(instruction, name, pair.key.span)
            value = given.get(name)
            if value is None and pair.value is not None:
                value = self.expand(pair.value)
            elif value is None:
                value = self.build.globals.get(name)
            if value is not None and name not in _NOT_ENV:
                self.env[name] = value
            self.declared.add(name)

    def secret(self, instruction: Env | Arg, name: str, span: Span) -> None:
        if _SECRET.search(name) and not _NO_SECRET.search(name):
            self.say("secret-in-variable", span, secret_message(instruction, name))

    def transfer(self, instruction: Transfer) -> None:
        flags = {name: self.expand_flag(instruction.flag(name)) for name in ("chown", "chmod", "checksum")}
        markers = {heredoc.marker for heredoc in instruction.heredocs}
        sources = [(self.expand(word), word.span) for word in instruction.sources if word.span not in markers]
        self.expand(instruction.destination)
        for heredoc in instruction.heredocs:
            if heredoc.expand:
                # Quotes are text like any other there, and the escape character is a backslash whatever the directive says.
                self.expand(Word(heredoc.span, heredoc.content.replace('"', ",").replace("'", ",")), escape="\\")
        self.reachable(instruction)
        mode, checksum = flags["chmod"], flags["checksum"]
        if mode and not (_SYMBOLIC.fullmatch(mode) or (_OCTAL.fullmatch(mode) and int(mode, 8) <= 0o7777)):
            raise Stop
        if checksum and not (len(sources) == 1 and _REMOTE.match(sources[0][0])):
            raise Stop
        ignore = self.build.ignore if not self.build.sources.get(id(instruction)) else None
        for source, span in sources:
            if _REMOTE.match(source):
                if isinstance(instruction, Copy) or (checksum and source.startswith("http") and not _DIGEST.fullmatch(checksum)):
                    raise Stop
            elif ignore is not None and _is_ignored(ignore, source):
                self.say("copy-of-ignored-file", span)

    def reachable(self, instruction: Instruction) -> None:
        """Only stages above can be read from."""
        for source in self.build.sources.get(id(instruction), ()):
            if not isinstance(source, str) and source.index >= self.stage.index:
                raise Stop

    def mount(self, instruction: Run) -> None:
        for mount in mounts(instruction):
            place = mount.flag.value_span or mount.flag.span
            values = {"type": "bind"}
            for name, value in mount.options:
                values[name] = self.expand(Word(place, value))
                allowed = _MOUNT_OPTIONS.get(name)
                if allowed is None or not allowed.fullmatch(values[name]):
                    raise Stop
                if name == "required" and values["type"].lower() not in ("secret", "ssh"):
                    raise Stop
            kind, target = values["type"].lower(), values.get("target", "")
            if kind in ("bind", "cache", "tmpfs") and not posixpath.join(self.workdir, target).rstrip("/"):
                raise Stop
            if kind == "secret" and not (target or values.get("source") or values.get("id")):
                raise Stop
        self.reachable(instruction)

    def enter(self, instruction: Workdir) -> None:
        path = self.expand(instruction.value)
        inner = path[2:] if self.is_windows and path[1:2] == ":" else path
        if not self.has_workdir and not inner.startswith(("/", "\\") if self.is_windows else "/"):
            self.say("relative-workdir", instruction.value.span)
        self.has_workdir = True
        self.workdir = posixpath.normpath(posixpath.join(self.workdir, path))

    def only(self, instruction: Cmd | Entrypoint | Healthcheck) -> None:
        """Named is the earlier one, which has no effect."""
        before = self.once.get(instruction.name)
        if before is not None:
            # It has its own place: an earlier trigger is the FROM's, and so is what it is said of.
            self.said.append(Said(f"several-{instruction.name.lower()}", before))
        self.once[instruction.name] = self.place or instruction.keyword.span

    def expose(self, instruction: Expose) -> None:
        """Ports and what is wrong with them (convert_expose.go). Variables that nothing sets are not told of."""
        ports: list[tuple[str, Span]] = []
        for word in sorted(instruction.words, key=lambda word: word.text):
            try:
                text = expand(word.text, self.env.get, self.escape)
            except BadWord:
                raise Stop from None
            is_quoted = word.text[:1] in ("'", '"')
            ports += [(part, word.span) for part in ([text] if is_quoted and text else text.split())]
        for text, span in ports:
            *outer, port = text.split(":")
            number, _, protocol = port.partition("/")
            if not number or protocol.lower() not in ("", "tcp", "udp", "sctp"):
                raise Stop
            if protocol != protocol.lower():
                self.say("capital-protocol", span)
            if any(outer):
                self.say("published-port", span)
            inside = _range(number)
            if len(outer) > 1 and any(outer[:-1]) and not _is_address(":".join(outer[:-1])):
                raise Stop
            if inside is None:
                raise Stop
            if outer and outer[-1]:
                outside = _range(outer[-1])
                if outside is None or (inside[0] != inside[1] and inside[1] - inside[0] != outside[1] - outside[0]):
                    raise Stop


def _range(text: str) -> tuple[int, int] | None:
    """The first and last port of a range, or None if it is none."""
    start, dash, end = text.partition("-")
    parts = [start, end] if dash else [start, start]
    if not all(_NUMBER.fullmatch(part) and 0 <= int(part) <= _LAST_PORT for part in parts):
        return None
    first, last = int(parts[0]), int(parts[1])
    return (first, last) if first <= last else None


def _is_address(text: str) -> bool:
    import ipaddress

    if text.startswith("["):
        if not text.endswith("]"):
            return False
        text = text[1:-1]
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_ignored(ignore: IgnoreFile, source: str) -> bool:
    """Whether a pattern takes a source or a folder above it (moby/patternmatcher, MatchesOrParentMatches).

    With exceptions in the ignore file nothing is said: what they keep in a folder cannot be seen from the patterns alone.
    """
    if any(line.pattern.exception for line in ignore.lines):
        return False
    path = posixpath.normpath(source) if source else "."
    above = posixpath.dirname(path).split("/")
    folders = ["/".join(above[: count + 1]) for count in range(len(above))] if above != [""] else []
    return any(line.pattern.matches(each) for line in ignore.lines for each in (path, *folders))
