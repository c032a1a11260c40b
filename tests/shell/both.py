"""Scripts read as they are read, and read by tree-sitter's tree alone."""

from __future__ import annotations

from importlib import import_module

import pytest

from dfkit.shell import Script
from dfkit.shell.flat import flat
from dfkit.shell.mask import Unreadable, mask
from dfkit.shell.nest import nest
from dfkit.text import Mapped

PARSE, NEST = import_module("dfkit.shell.parse"), import_module("dfkit.shell.nest")


def read(text: str, dialect: str = "bash", way: str = "") -> Script:
    """A script's nodes; the way `nest` does not ask `flat`, the way `tree` neither. What is kept of other calls is not asked."""
    with pytest.MonkeyPatch.context() as patch:
        if way:
            patch.setattr(PARSE, "flat", lambda _masked: None)
        if way == "tree":
            patch.setattr(NEST, "nest", lambda _masked: None)
            patch.setattr(NEST, "nest_document", lambda _masked, _start: None)
        script: Script = PARSE._parse(Mapped(text, ((0, 0),)), dialect, (), 0)
        return script


def reader(text: str) -> str:
    """Which of the readers a script needs; empty where a quote or here-document has no end."""
    try:
        masked = mask(text)
    except Unreadable:
        return ""
    return "flat" if flat(masked) is not None else "nest" if nest(masked) is not None else "tree"


def assert_same(text: str, dialect: str = "bash") -> None:
    """All ways give the same nodes, if tree-sitter-bash reads the script: it does not read all that a shell does."""
    by_tree = read(text, dialect, "tree")
    if by_tree.opaque and reader(text) in ("flat", "nest"):
        return
    assert read(text, dialect) == by_tree
    if reader(text) == "flat" and nest(mask(text)) is not None:
        assert read(text, dialect, "nest") == by_tree
