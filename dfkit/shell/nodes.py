"""Every node of a shell script, in reading order, named as POSIX (Shell Command Language) and the Bash manual name them.

All spans are places in the Dockerfile, also where a script goes through continuations, JSON strings or the quotes of an outer
script. A text that is put into a script must be written as its surroundings need it: a script in a JSON string or in quotes
takes no quote, backslash or `$` as it stands.
"""

from __future__ import annotations

from dfkit._record import Record
from dfkit.text import Mapped, Span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal as OneOf

    SubstitutionKind = OneOf["command", "input", "output"]
    PatternKind = OneOf["glob", "brace", "tilde", "quote"]
    CompoundKind = OneOf[
        "if", "for", "select", "while", "until", "case", "group", "subshell", "function", "arithmetic", "arithmetic-for"
    ]
    BodyRole = OneOf["test", "body"]
    Separator = OneOf["", ";", "&", "\n"]


class Node(Record):
    """Something with a place in the Dockerfile."""

    span: Span


# --- words -----------------------------------------------------------------------------------------------------------------


class Literal(Node):
    """Characters that stand for themselves; `value` is without quotes and escapes, the span has an escape's backslash."""

    value: str
    quoted: bool


class Parameter(Node):
    """`$name`, `${name}`, `${name:-word}`. `name` may be special (`@`, `?`, `1`); `operator` is empty, or such as `:-`, `##`.

    The length `${#name}` has the operator `length`, indirection `${!name}` the operator `!`.
    """

    name: str
    operator: str
    argument: tuple[Part, ...]
    quoted: bool
    subscript: str = ""


class Substitution(Node):
    """`$(…)` and backquotes (kind `command`), `<(…)` (`input`), `>(…)` (`output`)."""

    kind: SubstitutionKind
    script: Script
    quoted: bool


class Arithmetic(Node):
    """`$((…))`; `text` is what is between the parentheses."""

    text: str
    parts: tuple[Part, ...]
    quoted: bool


class Pattern(Node):
    """Unquoted characters that the shell expands: `*`, `?`, `[…]`, `{a,b}`, `~user`, or `$'…'` where the dialect decides."""

    text: str
    kind: PatternKind


if TYPE_CHECKING:
    Part = Literal | Parameter | Substitution | Arithmetic | Pattern


class Word(Node):
    """One word. `text` is as the shell sees it, quotes included."""

    text: str
    parts: tuple[Part, ...]
    value: str | None
    """What the word is after quote removal; None where it holds an expansion, a glob, a brace list or a tilde."""

    @property
    def pattern(self) -> str | None:
        """`value`, with globs, braces and tildes allowed in it: `/var/lib/apt/lists/*`.

        A quoted `*`, `?`, `[` or backslash has a backslash before it when the word holds a glob. None where a parameter, a
        substitution or arithmetic makes the text unknown.
        """
        if self.value is not None:
            return self.value
        found = []
        for part in self.parts:
            if isinstance(part, Literal):
                escaped = (
                    "".join([f"\\{char}" if char in "*?[\\" else char for char in part.value]) if part.quoted else part.value
                )
                found.append(escaped)
            elif isinstance(part, Pattern) and part.kind != "quote":
                found.append(part.text)
            else:
                return None
        return "".join(found)

    @property
    def prefix(self) -> str:
        """The literal text before the first expansion."""
        found = []
        for part in self.parts:
            if not isinstance(part, Literal):
                break
            found.append(part.value)
        return "".join(found)

    @property
    def quoted(self) -> bool:
        """Whether some quote or escape stands in it."""
        return any(char in self.text for char in "'\"\\")


# --- parts of commands -----------------------------------------------------------------------------------------------------


class Assignment(Node):
    """`name=value` before a command; `operator` is `=` or `+=`. An array `name=(a b)` has `items` and no value."""

    name: str
    operator: str
    value: Word | None
    items: tuple[Word, ...] = ()
    subscript: str = ""


class HereDocument(Node):
    """The body of `<<word`, up to its end marker. `value` is what is read from it; None where it expands something."""

    delimiter: str
    expand: bool
    chomp: bool
    """Whether leading tabs are taken off (`<<-`)."""
    text: str
    parts: tuple[Part, ...]
    value: str | None


class Redirect(Node):
    """`2>file`, `<<EOF`, `<<<word`. `descriptor` is as written, empty where it is the operator's own."""

    operator: str
    descriptor: str
    target: Word
    """The word after the operator: a file, a descriptor, or the delimiter of a here-document."""
    document: HereDocument | None = None


class Command(Node):
    """A simple command. `[`, `[[`, `export` and the like are commands too. Its span ends with its last redirect."""

    assignments: tuple[Assignment, ...]
    words: tuple[Word, ...]
    redirects: tuple[Redirect, ...]
    script: Script | None = None
    """What it runs by `sh -c '…'` or `bash <<EOF`; opaque where that is not literal."""

    @property
    def name(self) -> str | None:
        """The program's name without its folder; None where there is none or it is not literal."""
        value = self.words[0].value if self.words else None
        return None if value is None else value.rpartition("/")[2]

    @property
    def arguments(self) -> tuple[Word, ...]:
        """The words after the name."""
        return self.words[1:]


# --- how commands are put together -----------------------------------------------------------------------------------------


class Pipeline(Node):
    """Two or more elements joined by `|` or `|&`, or one that `!` negates."""

    elements: tuple[Command | Compound, ...]
    operators: tuple[str, ...]
    negated: bool


class AndOr(Node):
    """Two or more elements joined by `&&` and `||`, which bind alike, from the left. One operator fewer than elements."""

    elements: tuple[Command | Compound | Pipeline, ...]
    operators: tuple[str, ...]
    operator_spans: tuple[Span, ...]


class Body(Node):
    """Statements of a compound command: a `test` (of if, elif, while, until) or a `body`; `patterns` are those of a case."""

    role: BodyRole
    statements: tuple[Statement, ...]
    patterns: tuple[Word, ...] = ()


class Compound(Node):
    """Control flow, `{ …; }`, `( … )`, or a function definition.

    `name` is the variable of a for or the name of a function; `words` are what a for goes through, or a case's subject, or the
    expressions of `((…))`. The span ends with the last redirect.
    """

    kind: CompoundKind
    bodies: tuple[Body, ...]
    words: tuple[Word, ...] = ()
    name: str = ""
    redirects: tuple[Redirect, ...] = ()


if TYPE_CHECKING:
    Element = Command | Compound | Pipeline | AndOr


class Statement(Node):
    """One line of a list. `separator` is what follows: `;`, `&`, a line end, or nothing; the span is the element's."""

    element: Element
    separator: Separator
    separator_span: Span | None


class Comment(Node):
    """A comment from its `#` to the line's end."""

    text: str


class Script(Node):
    """A script.

    `dialect` is the language: `sh` (also dash and ash), `bash`, `zsh`, `ksh`; `exec` for an exec form without a shell, which is
    one command; or another interpreter's name, such as `powershell`, `cmd`, `python`. An opaque script is in another language
    or could not be read: it has text, and no statements.
    """

    text: Mapped
    statements: tuple[Statement, ...]
    comments: tuple[Comment, ...]
    dialect: str
    opaque: bool
    options: tuple[str, ...] = ()
    """Shell options that the invocation turns on (`errexit`, `pipefail`, …), sorted."""
