"""The nodes of compound commands, from the blocks that `dfkit.shell.nest` finds."""

from __future__ import annotations

from dfkit.shell.mask import Unreadable
from dfkit.shell.nodes import Body, Compound, Statement
from dfkit.text import Span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dfkit.shell.nest import Block
    from dfkit.shell.nodes import BodyRole, Redirect, Word
    from dfkit.shell.parse import Reader


def compound(reader: Reader, block: Block) -> Compound:
    """The node of a block. Raises `Unreadable` where a word or redirect is none."""
    words: tuple[Word, ...] = ()
    bodies = []
    if block.words is not None:
        words = plain_words(reader, *block.words)
    for branch in block.branches:
        found = patterns(reader, *branch.patterns) if branch.patterns is not None else ()
        bodies.append(body(reader, branch.role, reader.chains(branch.chains), branch.start, found))
    if block.inner is not None:
        inner = compound(reader, block.inner)
        bodies.append(Body(inner.span, "body", (Statement(inner.span, inner, "", None),)))
    redirects, last = redirects_after(reader, block.stop, block.end)
    return Compound(reader.mapped.span(block.start, last), block.kind, tuple(bodies), words, block.name, redirects)


def redirects_after(reader: Reader, stop: int, end: int) -> tuple[tuple[Redirect, ...], int]:
    """The redirects of a compound command that ends at `stop`, up to `end`, and where the last of them ends."""
    redirects = []
    at = reader.words.space(stop, end)
    last = stop
    while at < end:
        begin, after, word = reader.words.token(at, end)
        if word is not None:
            raise Unreadable(f"a word after a compound command at {at}")
        redirect, last = reader.redirect(begin, after, end)
        redirects.append(redirect)
        at = reader.words.space(last, end)
    return tuple(redirects), last


def body(reader: Reader, role: BodyRole, statements: tuple[Statement, ...], start: int, patterns: tuple[Word, ...] = ()) -> Body:
    """A body that starts at an offset; the span of one with nothing in it is empty and there."""
    inside = [*patterns, *statements]
    span = Span(inside[0].span.start, inside[-1].span.end) if inside else reader.mapped.span(start, start)
    return Body(span, role, statements, patterns)


def plain_words(reader: Reader, start: int, end: int) -> tuple[Word, ...]:
    """The words of a range, which has no operators."""
    words = []
    for at, _, word in reader.words.tokens(start, end):
        if word is None:
            raise Unreadable(f"an operator at {at}")
        words.append(word)
    return tuple(words)


def patterns(reader: Reader, start: int, end: int) -> tuple[Word, ...]:
    """The patterns of a case's item, up to its `)`."""
    words = []
    for at, stop, word in reader.words.tokens(start, end):
        if word is not None:
            words.append(word)
        elif reader.text[at:stop] not in ("|", "("):
            raise Unreadable(f"an operator at {at}")
    return tuple(words)
