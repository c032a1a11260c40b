"""EXPOSE: ports and protocols."""

from __future__ import annotations

from dfkit._regex import regex
from dfkit.checks.binding import Finding, Words, check
from dfkit.syntax.nodes import Expose
from dfkit.text import Edit, Span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from dfkit.checks.binding import Place

_LAST = 65535


@check(Expose)
def out_of_range(node: Expose, at: Place) -> Iterator[Finding]:
    """A port, or an end of a range, that TCP and UDP do not have."""
    for word in node.words:
        port = (at.model.expand(word, node) or "").partition("/")[0]
        if at.stage is not None and any(int(number) > _LAST for number in regex(r"[0-9]+").findall(port.rpartition(":")[2])):
            yield Finding(word.span)


@check(Expose)
def published(node: Expose, at: Place) -> Iterator[Finding]:
    """A port of the host, or an address, stands before the container's port, as `docker run --publish` has it."""
    for word in node.words:
        if at.stage is not None and ":" in (at.model.expand(word, node) or ""):
            yield Finding(word.span)


@check(Expose)
def capital_protocol(node: Expose, at: Place) -> Iterator[Finding]:
    """A protocol has capitals."""
    for word in node.words:
        value = at.model.expand(word, node) if at.stage is not None else None
        protocol = (value or "").partition("/")[2]
        if protocol == protocol.lower():
            continue
        written = word.text.endswith(protocol) and not word.pieces
        span = Span(word.span.end - len(protocol), word.span.end) if written else word.span
        yield Finding(span, edits=(Edit(span, protocol.lower()),) if written else ())


@check(Expose)
def exposed(node: Expose, at: Place, *, ports: Words) -> Iterator[Finding]:
    """One of these ports, as it is written before the protocol."""
    for word in node.words:
        if at.stage is not None and (at.model.expand(word, node) or "").partition("/")[0].rpartition(":")[2] in ports:
            yield Finding(word.span)
