"""Every node of a Dockerfile's tree, in reading order.

A node says where it stands (`span`) and what it is made of; it holds no opinions and is never changed. Text inside an instruction
is *logical*: continuations and the comments between them are gone, as BuildKit sees it. Whatever holds logical text can say where
each character came from (`Mapped`).
"""

from __future__ import annotations

from dfkit._record import Record
from dfkit.text import Diagnostic, Mapped, Source, Span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import ClassVar


class Node(Record):
    """Something with a place in the file."""

    span: Span


class Comment(Node):
    """A whole-line comment from its `#`; `text` is what follows, stripped."""

    text: str


class Directive(Node):
    """A parser directive at the top of the file: `# escape=``. `name` is lower case."""

    name: str
    value: str
    value_span: Span


# --- parts of instructions -------------------------------------------------------------------------------------------------


class Word(Node):
    """One word as written, quotes, escapes and variables included; `dfkit.syntax.words` takes it apart.

    `pieces` is empty where the word stands in one piece, else as in `Mapped`.
    """

    text: str
    pieces: tuple[tuple[int, int], ...] = ()

    @property
    def mapped(self) -> Mapped:
        """The text with the place of each character."""
        return Mapped(self.text, self.pieces or ((0, self.span.start),))


class KeyValue(Node):
    """`key=value`, the old `key value`, or in ARG a lone `key` (value None)."""

    key: Word
    value: Word | None = None


class Flag(Node):
    """`--name=value` between keyword and arguments. `value` is unquoted and None where there is no `=`."""

    name: str
    value: str | None
    value_span: Span | None


class Item(Node):
    """A string of an exec form; `value` is decoded, the span has the quotes."""

    value: str


class ExecForm(Node):
    """`["program", "argument"]`."""

    items: tuple[Item, ...]

    @property
    def values(self) -> tuple[str, ...]:
        """The decoded strings."""
        return tuple([item.value for item in self.items])


class ShellForm(Node):
    """A command line for the shell. `text` is the logical text: what the shell is given, heredoc bodies apart."""

    text: Mapped


class Heredoc(Node):
    """`<<NAME … NAME`. The span is the body's lines without the end marker; `marker` is the word that opens it.

    `content` is the body as it stands in the file; with `chomp` (`<<-`) leading tabs are taken off when it is used.
    """

    name: str
    content: str
    marker: Span
    expand: bool
    chomp: bool
    file_descriptor: int
    end_marker: Span


# --- instructions ----------------------------------------------------------------------------------------------------------


class Instruction(Node):
    """What all instructions have. The span runs from the keyword to the last character, heredoc bodies included."""

    keyword: Word
    flags: tuple[Flag, ...]
    comments: tuple[Comment, ...]
    """The comments directly above."""
    heredocs: tuple[Heredoc, ...]
    name: ClassVar[str] = ""

    def flag(self, name: str) -> Flag | None:
        """The last flag of a name, as BuildKit takes it."""
        for flag in reversed(self.flags):
            if flag.name == name:
                return flag
        return None


class From(Instruction):
    """`FROM image [AS alias]`."""

    image: Word
    alias: Word | None
    as_keyword: Word | None = None
    name: ClassVar[str] = "FROM"


class Command(Instruction):
    """Instructions that hold a command: RUN, CMD, ENTRYPOINT, SHELL."""

    form: ExecForm | ShellForm


class Run(Command):
    """`RUN command`."""

    name: ClassVar[str] = "RUN"


class Cmd(Command):
    """`CMD command`."""

    name: ClassVar[str] = "CMD"


class Entrypoint(Command):
    """`ENTRYPOINT command`."""

    name: ClassVar[str] = "ENTRYPOINT"


class Shell(Command):
    """`SHELL ["shell", "-c"]`."""

    name: ClassVar[str] = "SHELL"


class Transfer(Instruction):
    """COPY and ADD. Heredoc sources stand among `sources` as their markers (`<<EOF`)."""

    sources: tuple[Word, ...]
    destination: Word
    json: bool


class Copy(Transfer):
    """`COPY source… destination`."""

    name: ClassVar[str] = "COPY"


class Add(Transfer):
    """`ADD source… destination`."""

    name: ClassVar[str] = "ADD"


class Pairs(Instruction):
    """ENV, LABEL and ARG."""

    pairs: tuple[KeyValue, ...]
    legacy: bool
    """Whether it is the old form without `=`."""


class Env(Pairs):
    """`ENV key=value …`."""

    name: ClassVar[str] = "ENV"


class Label(Pairs):
    """`LABEL key=value …`."""

    name: ClassVar[str] = "LABEL"


class Arg(Pairs):
    """`ARG name[=default] …`."""

    name: ClassVar[str] = "ARG"


class Words(Instruction):
    """EXPOSE and VOLUME."""

    words: tuple[Word, ...]
    json: bool


class Expose(Words):
    """`EXPOSE port[/protocol] …`."""

    name: ClassVar[str] = "EXPOSE"


class Volume(Words):
    """`VOLUME path …`."""

    name: ClassVar[str] = "VOLUME"


class Value(Instruction):
    """Instructions with one value: all that follows the keyword."""

    value: Word


class User(Value):
    """`USER user[:group]`."""

    name: ClassVar[str] = "USER"


class Workdir(Value):
    """`WORKDIR path`."""

    name: ClassVar[str] = "WORKDIR"


class StopSignal(Value):
    """`STOPSIGNAL signal`."""

    name: ClassVar[str] = "STOPSIGNAL"


class Maintainer(Value):
    """`MAINTAINER name`, deprecated since 2017."""

    name: ClassVar[str] = "MAINTAINER"


class Healthcheck(Instruction):
    """`HEALTHCHECK CMD command` or `HEALTHCHECK NONE` (form None)."""

    kind: Word
    form: ExecForm | ShellForm | None
    name: ClassVar[str] = "HEALTHCHECK"


class OnBuild(Instruction):
    """`ONBUILD instruction`. What it holds is an ordinary instruction: a walk reaches it."""

    instruction: Instruction
    name: ClassVar[str] = "ONBUILD"


class Unknown(Instruction):
    """An instruction that cannot be read; a diagnostic in `Dockerfile.problems` says why."""

    text: Mapped
    """What follows the keyword."""


class Dockerfile(Node):
    """A whole file. `instructions` are in the file's order; `comments` has all of them, those inside continuations too."""

    source: Source
    directives: tuple[Directive, ...]
    comments: tuple[Comment, ...]
    instructions: tuple[Instruction, ...]
    problems: tuple[Diagnostic, ...]
    """What BuildKit would reject the file for."""
    escape: str

    def directive(self, name: str) -> Directive | None:
        """A parser directive by its lower-case name."""
        for directive in self.directives:
            if directive.name == name:
                return directive
        return None
