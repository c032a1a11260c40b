"""From the outline of a script to its nodes.

Where commands begin and end, and what is nested in what, is said by `dfkit.shell.flat`, by `dfkit.shell.nest` if commands are nested,
or by tree-sitter (`dfkit.shell.branches`) if the script has what these two do not read. The words are read by `dfkit.shell.words`.
"""

from __future__ import annotations

from dfkit.shell.flat import flat
from dfkit.shell.invoke import DIALECTS, READABLE, effective_index, invocation, literals
from dfkit.shell.mapping import Decoded, compose
from dfkit.shell.mask import Masked, Raw, Unreadable, mask, mask_document
from dfkit.shell.nodes import (
    AndOr,
    Assignment,
    Command,
    Comment,
    HereDocument,
    Literal,
    Pipeline,
    Redirect,
    Script,
    Statement,
    Word,
)
from dfkit.shell.words import ASSIGNMENT, Expansions, Words
from dfkit.text import Mapped, Span

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re
    from collections.abc import Iterable
    from typing import Any

    from dfkit.shell.flat import Chain, Member, Outline
    from dfkit.shell.nodes import Compound, Element, Part

DEPTH = 8
"""How deep scripts in scripts (`sh -c 'sh -c …'`) are read."""

_MEMO: dict[tuple[Mapped, str, tuple[str, ...]], Script] = {}
_MEMO_SIZE = 512
_RESERVED = frozenset(
    ("!", "{", "}", "case", "do", "done", "elif", "else", "esac", "fi", "for", "function", "if", "in", "then", "until", "while")
)


def parse(text: Mapped, dialect: str = "sh", options: tuple[str, ...] = ()) -> Script:
    """Read a script. Never fails: a script in another language, or one that cannot be read for sure, is opaque.

    `dialect` is as in `Script`, or a shell's name such as `dash`; `options` are passed on to `Script.options`.

    >>> parse(Mapped("apt-get update && apt-get install -y curl", ((0, 0),))).statements[0].element.elements[1].name
    'apt-get'
    """
    dialect = DIALECTS.get(dialect, dialect)
    key = (text, dialect, options)
    found = _MEMO.get(key)
    if found is None:
        if len(_MEMO) >= _MEMO_SIZE:
            _MEMO.clear()
        found = _MEMO[key] = _parse(text, dialect, options, 0)
    return found


def _parse(text: Mapped, dialect: str, options: tuple[str, ...], depth: int) -> Script:
    if dialect in READABLE and depth <= DEPTH:
        try:
            masked = mask(text.text)
            outline = flat(masked)
            if outline is None:
                from dfkit.shell.nest import nest

                outline = nest(masked)
            if outline is not None:
                statements = Reader(text, dialect, masked, depth, outline).chains(outline.chains)
            else:
                from dfkit.shell.branches import TreeReader

                statements = TreeReader(text, dialect, masked, depth).tree_statements()
            comments = tuple([Comment(text.span(*place), text.text[slice(*place)][1:].strip()) for place in masked.comments])
            return Script(text.span(0, len(text)), text, statements, comments, dialect, False, options)
        except (Unreadable, RecursionError):
            pass
    return opaque(text, dialect, options)


def opaque(text: Mapped, dialect: str, options: tuple[str, ...] = ()) -> Script:
    """A script that is not looked into."""
    return Script(text.span(0, len(text)), text, (), (), dialect, True, options)


class Reader(Expansions):
    """Turns the outline of one text into nodes."""

    def __init__(self, text: Mapped, dialect: str, masked: Masked, depth: int, outline: Outline | None = None) -> None:
        self.mapped = text
        self.text = text.text
        self.masked = masked
        self.dialect = dialect
        self.depth = depth
        self.words = Words(text, dialect, self)
        self.ends = outline.ends if outline is not None else {}
        self.substitutions = outline.substitutions if outline is not None else {}

    def chains(self, chains: Iterable[Chain]) -> tuple[Statement, ...]:
        """The statements of a list."""
        statements = []
        for chain in chains:
            element = self.assemble([self.member(part) for part in chain.parts])
            place = self.mapped.span(chain.at, chain.at + 1) if chain.separator else None
            statements.append(Statement(element.span, element, chain.separator, place))  # type: ignore[arg-type]
        return tuple(statements)

    def member(self, part: Member) -> tuple[str, int] | Command | Compound:
        """A part of a chain, as `assemble` takes it."""
        if part[0]:
            return part[0], part[1]
        if len(part) == 3:
            return self.command(part[1], part[2])
        from dfkit.shell.compound import compound

        return compound(self, part[3])

    # --- what Words asks for

    def end(self, at: int) -> int | None:
        """As `Expansions.end`."""
        if at in self.masked.backquotes:
            return self.masked.backquotes[at]
        return self.ends.get(at)

    def script(self, at: int, quoted: bool) -> tuple[str, Script] | None:
        """As `Expansions.script`; None for arithmetic."""
        if at in self.masked.backquotes:
            start, end = at + 1, self.masked.backquotes[at] - 1
            text = self.unescape(start, end, quoted) if "\\" in self.text[start:end] else self.mapped.slice(start, end)
            return "command", _parse(text, self.dialect, (), self.depth + 1)
        found = self.substitutions.get(at)
        if found is None:
            return None
        start, end = at + 2, self.ends[at] - 1
        kind = {"<": "input", ">": "output"}.get(self.text[at], "command")
        text = self.mapped.slice(start, end)
        return kind, Script(self.mapped.span(start, end), text, self.chains(found), (), self.dialect, False)

    def unescape(self, start: int, end: int, quoted: bool) -> Decoded:
        """What is between backquotes, as the inner shell sees it (POSIX 2.6.3)."""
        runs = []
        at = start
        special = '$`\\"' if quoted else "$`\\"
        while at < end:
            width = 2 if self.text[at] == "\\" and at + 1 < end and self.text[at + 1] in special else 1
            runs.append((self.text[at + width - 1], at, at + width))
            at += width
        return compose(self.mapped, runs, end)

    # --- chains

    def assemble(self, flat: list[Any]) -> Element:
        """Put elements and operators together: `!` binds a pipeline, `|` before `&&` and `||`, these from the left."""
        chain: list[Command | Compound | Pipeline] = []
        joints: list[tuple[str, int]] = []
        members: list[Any] = []
        pipes: list[str] = []
        bang: int | None = None
        for item in [*flat, ("", 0)]:
            if not isinstance(item, tuple):
                members.append(item)
            elif item[0] == "!":
                if members or bang is not None:
                    raise Unreadable("a `!` inside a pipeline")
                bang = item[1]
            elif item[0] in ("|", "|&"):
                pipes.append(item[0])
            else:
                if len(members) != len(pipes) + 1:
                    raise Unreadable("an operator without a command")
                if bang is None and len(members) == 1:
                    chain.append(members[0])
                else:
                    start = members[0].span.start if bang is None else self.mapped.offset(bang)
                    span = Span(start, members[-1].span.end)
                    chain.append(Pipeline(span, tuple(members), tuple(pipes), bang is not None))
                if item[0]:
                    joints.append(item)
                members, pipes, bang = [], [], None
        if len(chain) == 1:
            return chain[0]
        operators = tuple([text for text, _ in joints])
        spans = tuple([self.mapped.span(at, at + len(text)) for text, at in joints])
        return AndOr(Span(chain[0].span.start, chain[-1].span.end), tuple(chain), operators, spans)

    # --- simple commands

    def command(self, start: int, end: int) -> Command:
        """The simple command of a range."""
        words = self.words
        assignments: list[Assignment] = []
        found: list[tuple[int, int, Word]] = []
        redirects: list[Redirect] = []
        at = words.blank(start, end)
        test = self.text.startswith(("[[ ", "[[\t", "[[\n", "[[\\\n"), at)
        last = at
        while at < end:
            match = None if found else ASSIGNMENT.match(self.text, at, end)
            if match is not None:
                assignment, at = self.assignment(match, end)
                assignments.append(assignment)
            else:
                begin, at, word = words.token(at, end)
                if word is not None:
                    found.append((begin, at, word))
                    test = test and word.text != "]]"
                elif test:
                    found.append((begin, at, self.operator_word(begin, at)))
                else:
                    redirect, at = self.redirect(begin, at, end)
                    redirects.append(redirect)
            last = at
            at = words.blank(at, end) if test else words.space(at, end)
        if found and found[0][2].text in _RESERVED:
            raise Unreadable(f"a keyword for a command at {start}")
        plain = tuple([word for _, _, word in found])
        script = self.nested(found, redirects) if found else None
        return Command(self.mapped.span(start, last), tuple(assignments), plain, tuple(redirects), script)

    def operator_word(self, start: int, end: int) -> Word:
        """An operator inside `[[ ]]` as a word."""
        span, text = self.mapped.span(start, end), self.text[start:end]
        return Word(span, text, (Literal(span, text, False),), text)

    def assignment(self, match: re.Match[str], end: int) -> tuple[Assignment, int]:
        """The assignment that starts with a match of `ASSIGNMENT`, and where it ends."""
        start, at = match.start(), match.end()
        name, subscript, operator = match.groups()
        subscript = (subscript or "")[1:-1]
        if self.text.startswith("(", at):
            stop = self.end(at)
            if stop is None:
                raise Unreadable(f"an array at {at}")
            items = tuple([word for _, _, word in self.words.tokens(at + 1, stop - 1) if word is not None])
            return Assignment(self.mapped.span(start, stop), name, operator, None, items, subscript), stop
        parts, _, stop = self.words.parts(at, end, "word")
        word = self.words.make(at, stop, parts)
        return Assignment(self.mapped.span(start, stop), name, operator, word, (), subscript), stop

    def redirect(self, start: int, at: int, end: int) -> tuple[Redirect, int]:
        """The redirect whose operator, with its descriptor, is `text[start:at]`, and where it ends."""
        operator = self.text[start:at].lstrip("0123456789")
        descriptor = self.text[start : at - len(operator)]
        if operator.startswith("{"):
            name, _, operator = operator.partition("}")
            descriptor = name + "}"
        if operator[:1] not in ("<", ">") and operator not in ("&>", "&>>"):
            raise Unreadable(f"`{operator}` inside a command")
        raw = self.masked.documents.get(at - len(operator))
        target, stop = self.words.word(self.words.space(at, end), end)
        if self.text[stop : stop + 1] in ("<", ">") and operator not in ("<&", ">&") and target.text.isdigit():
            raise Unreadable(f"the descriptor of another redirect at {start}")
        if (raw is None) == (operator in ("<<", "<<-")):
            raise Unreadable(f"a here-document at {start}")
        document = self.document(raw) if raw is not None else None
        return Redirect(self.mapped.span(start, stop), operator, descriptor, target, document), stop

    # --- here-documents

    def document(self, raw: Raw) -> HereDocument:
        """The node of a here-document."""
        span, text = self.mapped.span(*raw.body), self.text[slice(*raw.body)]
        body = self.body(raw)
        parts: tuple[Part, ...]
        if raw.expand and any(char in body.text for char in "$`\\"):
            parts = _document_parts(body, self.dialect, self.depth + 1)
        else:
            parts = (Literal(span, body.text, True),) if body.text else ()
        value = None
        if all(isinstance(part, Literal) for part in parts):
            value = "".join([part.value for part in parts if isinstance(part, Literal)])
        return HereDocument(span, raw.delimiter, raw.expand, raw.chomp, text, parts, value)

    def body(self, raw: Raw) -> Mapped:
        """What is read from a here-document, expansions apart: with `<<-`, without leading tabs."""
        start, end = raw.body
        if not raw.chomp or "\t" not in self.text[start:end]:
            return self.mapped.slice(start, end)
        runs = []
        at = start
        for line in self.text[start:end].splitlines(keepends=True):
            kept = line.lstrip("\t")
            runs.append((kept, at + len(line) - len(kept), at + len(line)))
            at += len(line)
        return compose(self.mapped, runs, end)

    # --- scripts in scripts

    def nested(self, found: list[tuple[int, int, Word]], redirects: list[Redirect]) -> Script | None:
        """The script that a command hands to an interpreter."""
        values = literals([word for _, _, word in found])
        index = effective_index(values)
        call = invocation(values[index:])
        if call is None:
            return None
        if call.script is None:
            return self.standard_input(call.dialect, call.options, redirects)
        start, end, word = found[index + call.script]
        text = self.words.literal(start, end) if word.value is not None else None
        if text is None:
            return opaque(self.mapped.slice(start, end), call.dialect, call.options)
        return _parse(text, call.dialect, call.options, self.depth + 1)

    def standard_input(self, dialect: str, options: tuple[str, ...], redirects: list[Redirect]) -> Script | None:
        """The script that an interpreter reads from a here-document."""
        for redirect in reversed(redirects):
            document = redirect.document
            if document is None or redirect.descriptor not in ("", "0"):
                continue
            for raw in self.masked.documents.values():
                if self.mapped.span(*raw.body) == document.span:
                    body = self.body(raw)
                    if raw.expand and any(char in body.text for char in "$`\\"):
                        return opaque(body, dialect, options)
                    return _parse(body, dialect, options, self.depth + 1)
        return None


def _document_parts(body: Mapped, dialect: str, depth: int) -> tuple[Part, ...]:
    """The parts of a here-document that is expanded: read as if it stood in double quotes."""
    if depth > DEPTH:
        raise Unreadable("scripts are nested too deep")
    size = len(body)
    start, end = body.offset(0), body.span(size, size).start
    places = [(span.start, span.end) for span in (body.span(at, at + 1) for at in range(size))]
    quoted = Decoded(f': "{body.text}"', (*[(start, start)] * 3, *places, (end, end), (end, end)))
    masked = mask_document(quoted.text, 3)
    outline = flat(masked)
    if outline is None:
        from dfkit.shell.nest import nest_document

        outline = nest_document(masked, 3)
    if outline is not None:
        reader = Reader(quoted, dialect, masked, depth, outline)
    else:
        from dfkit.shell.branches import TreeReader

        reader = TreeReader(quoted, dialect, masked, depth)
        reader.tree()
    parts, _, _ = reader.words.parts(3, size + 3, "document")
    return parts
