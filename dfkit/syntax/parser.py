"""From logical lines to instructions.

A line that cannot be read becomes `Unknown` with a diagnostic in `Dockerfile.problems`; the lines around it are read as if it were
not there. What counts as an error is what BuildKit rejects: frontend/dockerfile/parser and frontend/dockerfile/instructions.
"""

from __future__ import annotations

import gc

from dfkit._regex import regex
from dfkit.syntax import lalr
from dfkit.syntax.lines import BLANK, LINE_LIMIT, Line, scan
from dfkit.syntax.mounts import mount
from dfkit.syntax.nodes import (
    Add,
    Arg,
    Cmd,
    Comment,
    Copy,
    Dockerfile,
    Entrypoint,
    Env,
    ExecForm,
    Expose,
    Flag,
    From,
    Healthcheck,
    Heredoc,
    Instruction,
    Item,
    KeyValue,
    Label,
    Maintainer,
    OnBuild,
    Run,
    Shell,
    ShellForm,
    StopSignal,
    Unknown,
    User,
    Volume,
    Word,
    Workdir,
)
from dfkit.text import ERROR, Diagnostic, Mapped, Source, Span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Head = tuple[Span, Word, tuple[Flag, ...], tuple[Comment, ...], tuple[Heredoc, ...]]

RULE, CODE = "syntax-error", "DF1000"

INSTRUCTIONS: dict[str, type[Instruction]] = {
    kind.name: kind
    for kind in (
        From, Run, Cmd, Entrypoint, Shell, Copy, Add, Env, Label, Arg, Expose, Volume, User, Workdir, StopSignal, Maintainer,
        Healthcheck, OnBuild,
    )
}  # fmt: skip

FLAGS: dict[str, tuple[str, ...]] = {
    "FROM": ("platform",),
    "RUN": ("mount", "network", "security", "device"),
    "COPY": ("from", "chown", "chmod", "link", "parents", "exclude"),
    "ADD": ("chown", "chmod", "link", "keep-git-dir", "checksum", "exclude", "unpack"),
    "HEALTHCHECK": ("interval", "timeout", "start-period", "start-interval", "retries"),
}
BOOLEAN_FLAGS = ("link", "parents", "keep-git-dir", "unpack")
REPEATABLE_FLAGS = ("mount", "exclude", "device")
_CHOICES = {"network": ("default", "none", "host"), "security": ("sandbox", "insecure")}

_HEAD = regex(rf"[{BLANK}]*+([^\t\v\f\r ]*+)[{BLANK}]*+")
_STAGE_NAME = regex(r"[a-z][a-z0-9\-_.]*")
_DURATION = regex(r"[-+]?(?:0|(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h)(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))*)")


class SyntaxProblem(Exception):
    """Why an instruction cannot be read; `start` and `end` are offsets into the logical line."""

    def __init__(self, message: str, start: int, end: int) -> None:
        super().__init__(message)
        self.start = start
        self.end = end


def parse(text: str | bytes | Source, name: str = "Dockerfile") -> Dockerfile:
    """Read a Dockerfile. Never fails: what is wrong with it is in `problems`.

    >>> parse("FROM debian:12").instructions[0].image.text
    'debian:12'
    """
    if isinstance(text, bytes):
        text = Source.decode(text, name)
    source = text if isinstance(text, Source) else Source(text, name)
    # A tree has no cycles, and to look for some in one of a million nodes while it grows takes longer than to make it.
    collects = gc.isenabled()
    gc.disable()
    try:
        return _parse(source)
    finally:
        if collects:
            gc.enable()


def _parse(source: Source) -> Dockerfile:
    lines = scan(source)
    reader = _Reader(lines.escape)
    for span, message in lines.wrong_directives:
        reader.problem(span, message)
    for span in lines.long_lines:
        reader.problem(span, f"a line may have at most {LINE_LIMIT:,} bytes: break it with a continuation")
    instructions = tuple([reader.instruction(line) for line in lines.lines])
    reader.whole_file(instructions, source)
    problems = tuple(sorted(reader.problems, key=lambda problem: problem.span.start))
    return Dockerfile(Span(0, len(source.text)), source, lines.directives, lines.comments, instructions, problems, lines.escape)


class _Reader:
    """Reads the instructions of one file, which share an escape character."""

    def __init__(self, escape: str) -> None:
        self.grammar = lalr.parser("dockerfile", escape)
        self.escape = escape
        self.problems: list[Diagnostic] = []
        self.unknown: dict[str, str] = {}
        self.nested = 0

    def problem(self, span: Span, message: str) -> None:
        self.problems.append(Diagnostic(RULE, CODE, ERROR, message, span))

    def instruction(self, line: Line) -> Instruction:
        text = line.text
        end = len(text.text.rstrip(BLANK))
        for heredoc in line.heredocs:
            if heredoc.end_marker.start == heredoc.end_marker.end:
                name = heredoc.name
                self.problem(text.span(0, end), f"the heredoc `{name}` has no end: no line below is `{name}` alone")
        if not end:
            # A line that holds nothing but an escape character.
            at = Span(line.start, line.start)
            self.problem(Span(line.start, line.end), "there is no instruction in this line")
            return Unknown(Span(line.start, line.end), Word(at, ""), (), line.comments, (), Mapped("", ((0, line.end),)))
        return self._read(line, 0, end, line.end, line.comments)

    def _read(self, line: Line, at: int, end: int, span_end: int, comments: tuple[Comment, ...]) -> Instruction:
        text = line.text
        match = _HEAD.match(text.text, at, end)
        assert match is not None, "each part of the pattern may be empty"
        start, stop = match.span(1)
        at = match.end()
        keyword = _word(text, start, stop)
        span = Span(keyword.span.start, span_end)
        flags: tuple[Flag, ...] = ()
        try:
            kind, read = _READERS.get(keyword.text) or self._by_name(keyword.text, start, stop)
            if text.text.startswith("--", at):
                flags, at = self._flags(text, at, end)
            node = read(self, kind, (span, keyword, flags, comments, line.heredocs), line, at, end)
            if flags:
                self._check_flags(kind.name, flags)
        except SyntaxProblem as problem:
            self.problem(text.span(problem.start, max(problem.end, problem.start)), str(problem))
            rest = text.slice(at, end) if at < end else Mapped("", ((0, span.end),))
            return Unknown(span, keyword, (), comments, line.heredocs, rest)
        return node

    def _by_name(self, keyword: str, start: int, stop: int) -> tuple[Any, Callable[..., Instruction]]:
        found = _READERS.get(keyword.upper())
        if found is None:
            if keyword not in self.unknown:
                self.unknown[keyword] = f"`{keyword}` is not an instruction{_nearest(keyword.upper(), list(INSTRUCTIONS))}"
            raise SyntaxProblem(self.unknown[keyword], start, stop)
        return found

    # --- flags

    def _flags(self, text: Mapped, at: int, end: int) -> tuple[tuple[Flag, ...], int]:
        flags = []
        flag_token = self.grammar.token("FLAG")
        while match := flag_token.match(text.text, at, end):
            stop = match.end()
            if stop == at + 2:
                at = _skip(text.text, stop, end)
                break
            name, equals, _ = match[0][2:].partition("=")
            value_at = at + 2 + len(name) + 1
            value = self._unquoted(text.text[value_at:stop]) if equals else None
            flags.append(Flag(text.span(at, stop), self._unquoted(name), value, text.span(value_at, stop) if equals else None))
            at = _skip(text.text, stop, end)
        return tuple(flags), at

    @staticmethod
    def _unquoted(text: str) -> str:
        # BuildKit takes a backslash here whatever the escape directive says (parser/split_command.go).
        if "\\" not in text and "'" not in text and '"' not in text:
            return text
        out, quote, skip = [], "", False
        for char in text:
            if skip:
                out.append(char)
                skip = False
            elif char == "\\":
                skip = True
            elif char == quote:
                quote = ""
            elif not quote and char in "'\"":
                quote = char
            else:
                out.append(char)
        return "".join(out)

    def _check_flags(self, name: str, flags: tuple[Flag, ...]) -> None:
        allowed = FLAGS.get(name, ())
        seen = set()
        for flag in flags:
            if flag.name not in allowed:
                self.problem(
                    flag.span, f"{name} has no flag `--{flag.name}`{_nearest('--' + flag.name, ['--' + a for a in allowed])}"
                )
            elif flag.name in seen and flag.name not in REPEATABLE_FLAGS:
                self.problem(flag.span, f"`--{flag.name}` stands twice: give it once")
            elif flag.name in BOOLEAN_FLAGS:
                if (flag.value or "true").lower() not in ("true", "false"):
                    self.problem(flag.span, f"`--{flag.name}` is `true` or `false`, not `{flag.value}`")
            elif flag.value is None:
                self.problem(flag.span, f"`--{flag.name}` needs a value: write `--{flag.name}=…`")
            elif flag.name == "mount":
                self._check_mount(flag)
            elif name == "RUN" and flag.name in _CHOICES and flag.value not in _CHOICES[flag.name]:
                self.problem(flag.span, f"`--{flag.name}` is {' or '.join(_CHOICES[flag.name])}, not `{flag.value}`")
            seen.add(flag.name)

    def _check_mount(self, flag: Flag) -> None:
        options = mount(flag)
        if not options.options:
            self.problem(
                flag.span, "`--mount` is a list such as `type=cache,target=/path`; only a whole field may stand in quotes"
            )
        elif regex(r"\$.").search(options.get("from") or ""):
            self.problem(flag.span, "a mount's `from` takes no variable: name a stage with `FROM image AS name` and use its name")

    # --- argument shapes

    def _tokens(self, shape: str, text: Mapped, at: int, end: int) -> list[lalr.Node]:
        return self.grammar.parse(shape, text.text, at, end)[:-1]

    def _exec(self, text: Mapped, at: int, end: int) -> ExecForm | None:
        """The exec form, or None where the text is for the shell."""
        try:
            tokens = self._tokens("exec", text, at, end)
        except lalr.Mismatch:
            if _is_json_list(text.text[at:end]):
                raise SyntaxProblem("an exec form may hold nothing but strings in double quotes", at, end) from None
            return None
        items = [Item(text.span(start, stop), _json_string(text.text[start:stop])) for _, start, stop, _ in tokens]
        return ExecForm(text.span(at, end), tuple(items))

    def _form(self, text: Mapped, at: int, end: int) -> ExecForm | ShellForm:
        form = self._exec(text, at, end) if text.text.startswith("[", at) else None
        return form or ShellForm(text.span(at, end), text.slice(at, end))

    def _list(self, text: Mapped, at: int, end: int) -> tuple[tuple[Word, ...], bool]:
        form = self._exec(text, at, end) if text.text.startswith("[", at) else None
        if form is not None:
            return tuple([Word(item.span, item.value) for item in form.items]), True
        if at >= end:
            return (), False
        return _words(text, self._tokens("words", text, at, end)), False

    # --- instructions

    def _from(self, kind: type[From], head: Head, line: Line, at: int, end: int) -> Instruction:
        text = line.text
        try:
            words = _words(text, self._tokens("base", text, at, end))
        except lalr.Mismatch:
            raise SyntaxProblem("FROM takes an image, and `AS name` if the stage has one", min(at, end), end) from None
        as_keyword, alias = (words[1], words[2]) if len(words) == 3 else (None, None)
        if alias is not None and not _STAGE_NAME.fullmatch(alias.text.lower()):
            self.problem(alias.span, f"`{alias.text}` cannot name a stage: use a letter, then letters, digits, `-`, `_` or `.`")
        return kind(*head, words[0], alias, as_keyword)

    def _command(self, kind: type[Run], head: Head, line: Line, at: int, end: int) -> Instruction:
        if at >= end:
            # BuildKit takes one without a command for one that runs nothing.
            return kind(*head, ShellForm(line.text.span(at, end), Mapped("", ((0, head[0].end),))))
        return kind(*head, self._form(line.text, at, end))

    _run = _cmd = _entrypoint = _command

    def _shell(self, kind: type[Shell], head: Head, line: Line, at: int, end: int) -> Instruction:
        form = self._form(line.text, at, end)
        if not isinstance(form, ExecForm) or not form.items:
            raise SyntaxProblem('SHELL takes a list such as ["/bin/bash", "-c"]', at, end)
        return kind(*head, form)

    def _transfer(self, kind: type[Copy], head: Head, line: Line, at: int, end: int) -> Instruction:
        words, json = self._list(line.text, at, end)
        if len(words) < 2:
            raise SyntaxProblem(f"{kind.name} needs at least one source and a destination", at, end)
        if line.heredocs and any(heredoc.marker == words[-1].span for heredoc in line.heredocs):
            self.problem(words[-1].span, f"a heredoc cannot be the destination of {kind.name}: add a path after it")
        return kind(*head, words[:-1], words[-1], json)

    _copy = _add = _transfer

    def _pairs(self, kind: type[Env], head: Head, line: Line, at: int, end: int) -> Instruction:
        text = line.text
        if at >= end:
            raise SyntaxProblem(f"{kind.name} needs at least one `key=value`", at, end)
        try:
            *tokens, (form, _, _, _) = self.grammar.parse("pairs", text.text, at, end)
        except lalr.Mismatch as mismatch:
            stop = mismatch.offset
            while stop < end and text.text[stop] not in BLANK:
                stop += 1
            word = text.text[mismatch.offset : stop]
            raise SyntaxProblem(f"`{word}` has no `=`: {kind.name} takes `key=value` pairs", mismatch.offset, stop) from None
        if form == "legacy_pair":
            if len(tokens) < 2:
                raise SyntaxProblem(f"`{text.text[at:end]}` has no value: write `{kind.name} {text.text[at:end]}=…`", at, end)
            (_, start, stop, _), (_, rest, rest_end, _) = tokens
            pair = KeyValue(text.span(start, rest_end), _word(text, start, stop), _word(text, rest, rest_end))
            return kind(*head, (pair,), True)
        pairs = tuple([self._key_value(text, start, stop) for _, start, stop, _ in tokens])
        for pair in pairs:
            if not pair.key.text:
                raise SyntaxProblem(f"a name is missing before `=` in {kind.name}", at, end)
        return kind(*head, pairs, False)

    _env = _label = _pairs

    def _key_value(self, text: Mapped, start: int, stop: int) -> KeyValue:
        if stop == len(text.text) and (stop - len(text.text.rstrip(self.escape))) % 2:
            stop -= 1  # an escape that has nothing to escape, at the end of the line, is dropped
        equals = text.text.find("=", start, stop)
        if equals < 0:
            key = _word(text, start, stop)
            return KeyValue(key.span, key)
        key, value = _word(text, start, equals), _word(text, equals + 1, stop)
        span = Span(key.span.start, value.span.end) if value.text else text.span(start, stop)
        return KeyValue(span, key, value)

    def _arg(self, kind: type[Arg], head: Head, line: Line, at: int, end: int) -> Instruction:
        if at >= end:
            raise SyntaxProblem("ARG needs a name", at, end)
        tokens = self._tokens("names", line.text, at, end)
        pairs = tuple([self._key_value(line.text, start, stop) for _, start, stop, _ in tokens])
        for pair in pairs:
            if not pair.key.text:
                raise SyntaxProblem("a name is missing before `=` in ARG", at, end)
        return kind(*head, pairs, False)

    def _volume(self, kind: type[Volume], head: Head, line: Line, at: int, end: int) -> Instruction:
        words, json = self._list(line.text, at, end)
        if not words:
            raise SyntaxProblem("VOLUME needs at least one path", at, end)
        for word in words:
            if not word.text.strip(BLANK):
                self.problem(word.span, "a path of VOLUME is empty")
        return kind(*head, words, json)

    def _expose(self, kind: type[Expose], head: Head, line: Line, at: int, end: int) -> Instruction:
        if at >= end:
            raise SyntaxProblem("EXPOSE needs at least one port", at, end)
        return kind(*head, _words(line.text, self._tokens("words", line.text, at, end)), False)

    def _value(self, kind: type[User], head: Head, line: Line, at: int, end: int) -> Instruction:
        if at >= end:
            raise SyntaxProblem(f"{kind.name} needs a value", at, end)
        return kind(*head, _word(line.text, at, end))

    _user = _workdir = _stopsignal = _maintainer = _value

    def _healthcheck(self, kind: type[Healthcheck], head: Head, line: Line, at: int, end: int) -> Instruction:
        text = line.text
        if at >= end:
            raise SyntaxProblem("HEALTHCHECK needs `CMD command` or `NONE`", at, end)
        tokens = self._tokens("health", text, at, end)
        _, start, stop, _ = tokens[0]
        word = _word(text, start, stop)
        form = self._form(text, tokens[1][1], end) if len(tokens) > 1 else None
        verb = word.text.upper()
        if verb == "NONE":
            if form is not None:
                raise SyntaxProblem("HEALTHCHECK NONE takes no arguments", at, end)
        elif verb != "CMD":
            raise SyntaxProblem(f"HEALTHCHECK is followed by `CMD` or `NONE`, not by `{word.text}`", at, stop)
        elif form is None or (isinstance(form, ExecForm) and not form.items):
            raise SyntaxProblem("HEALTHCHECK CMD needs a command", at, end)
        for flag in head[2]:
            if flag.name == "retries":
                if flag.value and not regex(r"\+?\d+").fullmatch(flag.value):
                    self.problem(flag.span, f"`--retries` is a whole number, not `{flag.value}`")
            elif flag.value and flag.name in FLAGS["HEALTHCHECK"] and not _DURATION.fullmatch(flag.value):
                self.problem(flag.span, f"`--{flag.name}` is a duration such as `30s` or `1m30s`, not `{flag.value}`")
        return kind(*head, word, form)

    def _onbuild(self, kind: type[OnBuild], head: Head, line: Line, at: int, end: int) -> Instruction:
        if at >= end:
            raise SyntaxProblem("ONBUILD needs an instruction", at, end)
        if self.nested > 1:
            raise SyntaxProblem("ONBUILD cannot hold ONBUILD", at, end)
        self.nested += 1
        inner = self._read(line, at, end, head[0].end, ())
        self.nested -= 1
        if inner.name in ("ONBUILD", "FROM", "MAINTAINER"):
            self.problem(inner.keyword.span, f"ONBUILD cannot hold {inner.name}")
        return kind(*head, inner)

    # --- the file as a whole

    def whole_file(self, instructions: tuple[Instruction, ...], source: Source) -> None:
        """What is wrong with the order of instructions."""
        if not instructions:
            self.problem(Span(0, 0), "the file has no instructions")
            return
        for instruction in instructions:
            if isinstance(instruction, From):
                return
            if not isinstance(instruction, Arg | Unknown):
                self.problem(instruction.keyword.span, f"{instruction.name} stands before the first FROM; only ARG may")
                return
        if all(isinstance(instruction, Arg) for instruction in instructions):
            self.problem(instructions[0].keyword.span, "the file has no FROM, so there is no stage to build")


_READERS: dict[str, tuple[Any, Callable[..., Instruction]]] = {
    name: (kind, getattr(_Reader, f"_{name.lower()}")) for name, kind in INSTRUCTIONS.items()
}


def _skip(text: str, at: int, end: int) -> int:
    while at < end and text[at] in BLANK:
        at += 1
    return at


def _words(text: Mapped, tokens: list[lalr.Node]) -> tuple[Word, ...]:
    if len(text.pieces) > 1:
        return tuple([_word(text, start, stop) for _, start, stop, _ in tokens])
    shift = text.pieces[0][1]
    return tuple([Word(Span(start + shift, stop + shift), text.text[start:stop]) for _, start, stop, _ in tokens])


def _word(text: Mapped, start: int, stop: int) -> Word:
    if len(text.pieces) == 1:
        shift = text.pieces[0][1]
        return Word(Span(start + shift, stop + shift), text.text[start:stop])
    span = text.span(start, stop)
    if span.end - span.start == stop - start:
        return Word(span, text.text[start:stop])
    return Word(span, text.text[start:stop], text.slice(start, stop).pieces)


def _nearest(name: str, names: list[str]) -> str:
    from difflib import get_close_matches

    close = get_close_matches(name, names, 1)
    return f"; did you mean `{close[0]}`?" if close else ""


def _is_json_list(text: str) -> bool:
    import json

    def refuse(constant: str) -> None:
        raise ValueError(constant)

    try:
        return isinstance(json.loads(text, parse_constant=refuse), list)
    except (ValueError, RecursionError):
        return False


def _json_string(text: str) -> str:
    if "\\" not in text:
        return text[1:-1]
    import json

    return str(json.loads(text))
