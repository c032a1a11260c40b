"""What BuildKit's checks say of a file, found as BuildKit finds it: on the way to a build.

BuildKit has no pass that looks for mistakes. It reads the file, resolves each FROM, then carries out the instructions of all stages
with the values that variables have there; its checks are remarks on the way, and end where the build would fail. Who wants to
say the same has to go the same way. This is frontend/dockerfile of https://github.com/moby/buildkit (dockerfile2llb/convert.go and
validations.go), as far as a remark or a failure depends on it, without the build.

Assumed is what a Dockerfile does not say: a build on linux/amd64 for linux/amd64, all base images there and setting nothing but PATH,
and the frontend that is built into Docker 28.5, unless a `# syntax=` line asks for another.
"""

from __future__ import annotations

from dfkit._regex import regex
from dfkit.lint.buildkit.stages import Build, Said, Stop, run, suggestion
from dfkit.model.facts import table
from dfkit.syntax.image import is_reference
from dfkit.syntax.lines import BLANK, scan
from dfkit.syntax.mounts import mounts
from dfkit.syntax.nodes import Arg, Copy, From, Maintainer, OnBuild, Run, Unknown, Word
from dfkit.syntax.words import BadWord, expand, variables
from dfkit.text import Span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from dfkit.context.ignore import IgnoreFile
    from dfkit.model import Model, Stage
    from dfkit.syntax.nodes import Dockerfile, Heredoc, Instruction

FRONTEND = "28.5"
"""The release of Docker whose frontend is meant, as model/facts/features.yaml names it."""

JUDGED = frozenset(
    (
        "capital-stage-name", "as-casing", "empty-continuation-line", "mixed-keyword-casing", "duplicate-stage-name",
        "reserved-stage-name", "shell-form-command", "maintainer", "undeclared-base-argument", "relative-workdir", "undefined-variable",
        "several-cmd", "several-entrypoint", "several-healthcheck", "value-without-equals", "redundant-platform", "secret-in-variable",
        "invalid-default-base", "constant-platform", "copy-of-ignored-file", "misread-description", "capital-protocol", "published-port",
    )
)  # fmt: skip
"""The rules that `replay` decides about: all of BuildKit's but InvalidBaseImagePlatform, for which the images would be needed."""

_RESERVED = ("context", "scratch")
_PLATFORM = "linux/amd64"
_GIVEN = {"PLATFORM": _PLATFORM, "OS": "linux", "OSVERSION": "", "ARCH": "amd64", "VARIANT": ""}
_INDEX = regex(r"[-+]?[0-9]+")
_JSON_LIST = ("RUN", "CMD", "ENTRYPOINT", "SHELL", "COPY", "ADD", "VOLUME", "HEALTHCHECK")


def replay(model: Model, ignore: IgnoreFile | None = None) -> list[Said]:
    """All that BuildKit's checks say of a file, those that are off by default too; `ignore` is the context's ignore file."""
    return _Replay(model, ignore).run()


class _Replay:
    """One file on its way, step by step; any step may be the last."""

    def __init__(self, model: Model, ignore: IgnoreFile | None) -> None:
        self.model = model
        self.ignore = ignore
        self.file = model.dockerfile
        self.stages = model.stages
        self.said: list[Said] = []
        self.globals: dict[str, str] = {}
        self.bases: list[Stage | None] = []
        self.windows: list[bool] = []
        self.images: list[str] = []
        self.sources: dict[int, tuple[Stage | str, ...]] = {}

    def run(self) -> list[Said]:
        try:
            if self.file.problems and _is_unreadable(self.file):
                raise Stop
            self.continuations()
            self.read()
            self.names()
            self.casing()
            self.defaults()
            self.from_()
            self.graph()
            run(Build(self.model, self.globals, self.bases, self.windows, self.sources, self.triggers(), self.ignore), self.said)
        except Stop:
            pass
        return self.said

    def say(self, rule: str, span: Span, message: str | None = None) -> None:
        self.said.append(Said(rule, span, message))

    # --- reading

    def continuations(self) -> None:
        """Empty lines in instructions (parser/parser.go, Parse). Named is the last line that is read, heredocs apart."""
        source = self.file.source
        lines = [line.rstrip("\r") for line in source.text.split("\n")]
        if not lines[-1]:
            lines.pop()
        bodies = [
            range(source.position(heredoc.span.start).line, source.position(heredoc.end_marker.start).line + 1)
            for instruction in self.file.instructions
            for heredoc in instruction.heredocs
        ]
        number = 0
        while number < len(lines):
            number += 1
            bare = lines[number - 1].lstrip(BLANK)
            if not bare or bare[0] == "#" or any(number in body for body in bodies):
                continue
            empty = False
            goes_on = _goes_on(bare, self.file.escape)
            while goes_on and number < len(lines):
                number += 1
                bare = lines[number - 1].lstrip(BLANK)
                empty = empty or not bare
                goes_on = not bare or bare[0] == "#" or _goes_on(bare, self.file.escape)
            if empty:
                end = source.line(number).end
                self.say("empty-continuation-line", Span(end, end))

    def read(self) -> None:
        """Each instruction alone (instructions/parse.go)."""
        for instruction in self.file.instructions:
            if isinstance(instruction, Maintainer):
                self.say("maintainer", instruction.keyword.span)
            elif isinstance(instruction, From):
                self.letters(instruction)
            elif isinstance(instruction, Unknown) and instruction.keyword.text.upper() == "FROM":
                self.letters_of_words(instruction)
            if self.is_refused(instruction) or (self.model.stage_of(instruction) is None and not isinstance(instruction, Arg)):
                raise Stop
            if isinstance(instruction, From) and instruction.alias is not None:
                self.description(instruction, [instruction.alias.text.lower()])
            elif isinstance(instruction, Arg):
                self.description(instruction, [pair.key.text for pair in instruction.pairs])
        if not any(isinstance(each, From) for each in self.file.instructions):
            raise Stop

    def letters(self, instruction: From) -> None:
        alias, word, keyword = instruction.alias, instruction.as_keyword, instruction.keyword.text
        if alias is None or word is None:
            return
        if alias.text != alias.text.lower():
            self.say("capital-stage-name", alias.span)
        if (keyword.islower() and not word.text.islower()) or (keyword.isupper() and not word.text.isupper()):
            self.say("as-casing", word.span)

    def letters_of_words(self, instruction: Unknown) -> None:
        """FROM has too many words, or the second is not AS: it is taken for that all the same."""
        keyword, words = instruction.keyword.text, instruction.text.text.split()
        if len(words) == 3 and words[2] != words[2].lower():
            self.say("capital-stage-name", instruction.keyword.span)
        if len(words) > 2 and words[1] != (
            words[1].lower() if keyword.islower() else words[1].upper() if keyword.isupper() else words[1]
        ):
            self.say("as-casing", instruction.keyword.span)

    def description(self, instruction: From | Arg, names: list[str]) -> None:
        """The last comment line above; an empty one parts it from the instruction, an indented one begins with its `#`."""
        last = None
        for comment in instruction.comments:
            indented = self.file.source.position(comment.span.start).column > 1
            last = None if not comment.text else ("#" if indented else comment.text.split(" ")[0], comment)
        if last is not None and last[0] not in names:
            what = "an ARG" if isinstance(instruction, Arg) else "a stage"
            message = f"a comment above {what} describes it: begin with `{names[0]}`, or put an empty comment between"
            self.say("misread-description", instruction.keyword.span, message)

    def is_refused(self, instruction: Instruction) -> bool:
        if isinstance(instruction, OnBuild):
            # What it holds is looked at where it is run.
            return instruction.instruction.name in ("ONBUILD", "FROM", "MAINTAINER")
        if self.is_problem(instruction):
            return True
        return self.file.directive("syntax") is None and any(_is_newer(instruction.name, flag.name) for flag in instruction.flags)

    def is_problem(self, instruction: Instruction) -> bool:
        start, end = instruction.span.start, max(instruction.span.end, instruction.span.start + 1)
        return any(start <= problem.span.start < end for problem in self.file.problems)

    # --- the file as a whole

    def names(self) -> None:
        seen = set()
        for stage in self.stages:
            alias = stage.from_.alias
            if alias is None:
                continue
            if stage.name in _RESERVED:
                self.say("reserved-stage-name", alias.span)
            if stage.name in seen:
                self.say("duplicate-stage-name", alias.span, f"the stage name `{alias.text}` is taken")
            seen.add(stage.name)

    def casing(self) -> None:
        words = [each.keyword for stage in self.stages for each in (stage.from_, *stage.instructions)]
        small = sum(word.text.islower() for word in words) > sum(word.text.isupper() for word in words)
        for word in words:
            if word.text != (word.text.lower() if small else word.text.upper()):
                self.say("mixed-keyword-casing", word.span)

    # --- FROM

    def defaults(self) -> None:
        """Whether FROM names an image if the build gives no value."""
        try:
            values, _ = self.arguments({})
            for stage in self.stages:
                word = stage.from_.image
                text = expand(word.text, values.get, self.file.escape)
                if not is_reference(text):
                    message = f"without --build-arg this is `{text}`, which names no image"
                    self.say("invalid-default-base", word.span, message)
        except BadWord:
            return

    def arguments(self, given: Mapping[str, str]) -> tuple[dict[str, str], set[str]]:
        """The values of the ARGs above the first FROM, and all their names. Raises `BadWord`."""
        own = self.model.build_args
        values = {f"{side}{name}": value for side in ("BUILD", "TARGET") for name, value in _GIVEN.items()}
        values["TARGETSTAGE"] = (self.stages[-1].name if self.stages else None) or "default"
        values |= {name: own[name] for name in values.keys() & own.keys()}
        names = set(values)
        for instruction in self.file.instructions:
            if not isinstance(instruction, Arg):
                break
            for pair in instruction.pairs:
                name = pair.key.text
                names.add(name)
                if name in given:
                    values[name] = given[name]
                elif pair.value is not None:
                    values[name] = expand(pair.value.text, values.get, self.file.escape)
        return values, names

    def from_(self) -> None:
        try:
            self.globals, names = self.arguments(self.model.build_args)
        except BadWord:
            raise Stop from None
        known: dict[str, Stage] = {}
        for stage in self.stages:
            text, _ = self.from_word(stage.from_.image, names)
            if not text:
                raise Stop
            flag = stage.from_.flag("platform")
            platform = None
            if flag is not None and flag.value and flag.value_span is not None:
                platform = self.platform(stage, Word(flag.value_span, flag.value), names)
            base = known.get(text)
            self.bases.append(base)
            own = platform or ""
            self.windows.append(self.windows[base.index] if base is not None else own == "windows" and text != "scratch")
            if stage.name is not None:
                known[stage.name] = stage
            if base is None:
                self.images.append(text)

    def platform(self, stage: Stage, word: Word, names: set[str]) -> str:
        """The operating system of a `--platform`."""
        text, looked = self.from_word(word, names)
        flag = stage.from_.flag("platform")
        assert flag is not None
        target = self.globals["TARGETPLATFORM"]
        if looked == {"TARGETPLATFORM"} and text == target:
            self.say("redundant-platform", flag.span)
        parsed = parse_platform(text)
        if parsed is None:
            raise Stop
        if not looked and not any(part in (stage.name or "") for part in parsed):
            self.say("constant-platform", word.span)
        return parsed[0]

    def from_word(self, word: Word, names: set[str]) -> tuple[str, set[str]]:
        """A word of FROM expanded, and the variables it names."""
        looked: dict[str, None] = {}

        def value(name: str) -> str | None:
            looked[name] = None
            return self.globals.get(name)

        try:
            text: str | None = expand(word.text, value, self.file.escape)
        except BadWord:
            text = None
        spans = {each.name: each.span for each in variables(word, self.file.escape)}
        for name in looked:
            if name not in self.globals and name not in names:
                message = f"no ARG above the first FROM declares `{name}`, so it is empty here{suggestion(name, names)}"
                self.say("undeclared-base-argument", spans.get(name, word.span), message)
        if text is None:
            raise Stop
        return text, set(looked)

    # --- what needs what

    def graph(self) -> None:
        """What instructions copy and mount from (convert.go, toCommand; convert_runmount.go, detectRunMount), and whether it can be had."""
        last = {stage.name: stage for stage in self.stages if stage.name is not None}
        for stage in self.stages:
            for instruction in stage.instructions:
                self.find(instruction, last)
        if self.has_cycle():
            raise Stop
        if not all(name == "scratch" or is_reference(name) for name in self.images):
            raise Stop

    def find(self, instruction: Instruction, last: Mapping[str, Stage]) -> None:
        if isinstance(instruction, Copy):
            flag = instruction.flag("from")
            texts = [flag.value] if flag is not None and flag.value else []
        elif isinstance(instruction, Run):
            # A mount that is from nowhere is from `scratch`, also where a stage has that name.
            texts = [mount.get("from") or "scratch" for mount in mounts(instruction)]
        else:
            return
        found: list[Stage | str] = []
        for text in texts:
            if isinstance(instruction, Copy) and not self.is_literal(text):
                raise Stop
            if isinstance(instruction, Copy) and _INDEX.fullmatch(text):
                if not 0 <= int(text) < len(self.stages):
                    raise Stop
                found.append(self.stages[int(text)])
            elif (stage := last.get(text.lower())) is not None:
                found.append(stage)
            else:
                found.append(text)
                self.images.append(text)
        self.sources[id(instruction)] = tuple(found)

    def is_literal(self, text: str) -> bool:
        try:
            return expand(text, lambda _: None, self.file.escape) == text
        except BadWord:
            return False

    def needs(self, stage: Stage) -> list[Stage]:
        return [
            source
            for instruction in stage.instructions
            for source in self.sources.get(id(instruction), ())
            if not isinstance(source, str)
        ]

    def has_cycle(self) -> bool:
        done: set[int] = set()
        for first in self.stages:
            path = [(first, iter(self.needs(first)))]
            while path and first.index not in done:
                stage, rest = path[-1]
                below = next((each for each in rest if each.index not in done), None)
                if below is None:
                    done.add(stage.index)
                    path.pop()
                elif any(below.index == each.index for each, _ in path):
                    return True
                else:
                    path.append((below, iter(self.needs(below))))
        return False

    def triggers(self) -> dict[int, tuple[Instruction, ...]]:
        """What the stages run first that the last one needs: the instructions in ONBUILD of the stage each is built on."""
        last = {stage.name: stage for stage in self.stages if stage.name is not None}
        found: dict[int, tuple[Instruction, ...]] = {}
        todo, seen = [self.stages[-1]], set()
        while todo:
            stage = todo.pop()
            if stage.index in seen:
                continue
            seen.add(stage.index)
            todo += self.needs(stage)
            base = self.bases[stage.index]
            if base is None:
                continue
            todo.append(base)
            inner = tuple([each.instruction for each in base.instructions if isinstance(each, OnBuild)])
            for each in inner:
                if isinstance(each, Unknown) or self.is_problem(each):
                    raise Stop
                self.find(each, last)
                todo += [source for source in self.sources.get(id(each), ()) if not isinstance(source, str)]
            found[stage.index] = inner
        return found


def _is_unreadable(file: Dockerfile) -> bool:
    """Whether BuildKit's parser refuses a file, before any instruction is looked at (parser/parser.go, parser/line_parsers.go)."""
    lines = scan(file.source)
    return (
        not file.instructions
        or bool(lines.wrong_directives or lines.long_lines)
        or any(not _ends(heredoc) for each in file.instructions for heredoc in each.heredocs)
        or any(_is_malformed(each) for each in file.instructions)
    )


def _ends(heredoc: Heredoc) -> bool:
    return heredoc.end_marker.start < heredoc.end_marker.end


def _is_malformed(instruction: Instruction) -> bool:
    if isinstance(instruction, OnBuild):
        return _is_malformed(instruction.instruction)
    if not isinstance(instruction, Unknown):
        return False
    name, text = instruction.keyword.text.upper(), instruction.text.text.strip(BLANK)
    if name in ("ENV", "LABEL"):
        return bool(text) and not text.startswith("=")
    return name in _JSON_LIST and text.startswith("[") and text.endswith("]")


def _goes_on(line: str, escape: str) -> bool:
    bare = line.rstrip(" \t")
    return bare[-1:] == escape != bare[-2:-1]


def _is_newer(instruction: str, flag: str) -> bool:
    """Whether the frontend does not know a flag yet."""
    features = table("features")
    since = features["flags"].get(instruction, {}).get(flag)
    return since is not None and _version(since) > _version(features["docker"][FRONTEND])


def _version(text: str) -> tuple[int, ...]:
    return tuple([int(part) for part in text.split(".")])


_SYSTEMS = frozenset(
    (
        "aix", "android", "darwin", "dragonfly", "freebsd", "hurd", "illumos", "ios", "js", "linux", "nacl", "netbsd", "openbsd",
        "plan9", "solaris", "windows", "zos", "wasip1",
    )
)  # fmt: skip
_MACHINES = frozenset(
    (
        "386", "amd64", "amd64p32", "arm", "armbe", "arm64", "arm64be", "ppc64", "ppc64le", "loong64", "mips", "mipsle", "mips64",
        "mips64le", "mips64p32", "mips64p32le", "ppc", "riscv", "riscv64", "s390", "s390x", "sparc", "sparc64", "wasm",
    )
)  # fmt: skip
_OTHER_NAMES = {
    "macos": "darwin", "i386": "386", "x86_64": "amd64", "x86-64": "amd64", "aarch64": "arm64", "armhf": "arm", "armel": "arm",
}  # fmt: skip
_SYSTEM = regex(r"([A-Za-z0-9_-]+)(?:\(([A-Za-z0-9_.-]*)((?:\+[A-Za-z0-9_.-]+)*)\))?")
_PART = regex(r"[A-Za-z0-9_.-]+")


def parse_platform(text: str) -> tuple[str, str] | None:
    """Operating system and architecture of a platform, or None where it is none (containerd/platforms, Parse)."""
    system, *rest = text.split("/")
    match = _SYSTEM.fullmatch(system)
    if match is None or len(rest) > 2 or not all(_PART.fullmatch(part) for part in rest):
        return None
    name = match[1].lower()
    name = _OTHER_NAMES.get(name, name)
    if rest:
        machine = rest[0].lower()
        return name, _OTHER_NAMES.get(machine, machine)
    if name in _SYSTEMS:
        return name, "amd64"
    return ("linux", name) if name in _MACHINES else None
