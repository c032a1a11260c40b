"""Going through a tree."""

from __future__ import annotations

from dfkit.syntax.nodes import Node, OnBuild

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from dfkit.syntax.nodes import Dockerfile, Instruction


def children(node: Node) -> Iterator[Node]:
    """The nodes directly below, in the order of their fields."""
    for name in node._fields:
        value = getattr(node, name)
        if isinstance(value, Node):
            yield value
        elif isinstance(value, tuple):
            for item in value:
                if isinstance(item, Node):
                    yield item


def walk(node: Node) -> Iterator[Node]:
    """The node and all nodes below it, each before its children."""
    yield node
    for child in children(node):
        yield from walk(child)


def instructions(dockerfile: Dockerfile) -> Iterator[Instruction]:
    """All instructions, those that ONBUILD holds after their ONBUILD."""
    for instruction in dockerfile.instructions:
        yield instruction
        if isinstance(instruction, OnBuild):
            yield instruction.instruction
