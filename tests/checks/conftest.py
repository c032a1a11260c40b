"""What one rule says about a Dockerfile."""

from __future__ import annotations

import pytest

from dfkit.catalog import Catalog, Selection
from dfkit.lint import lint
from dfkit.model import Model
from dfkit.syntax import parse
from dfkit.text import apply

CATALOG = Catalog.load()


class Said:
    """Findings, with their places as text."""

    def __init__(self, text, diagnostics):
        self.text = text
        self.diagnostics = diagnostics

    @property
    def marks(self):
        return [self.text[each.span.start : each.span.end] for each in self.diagnostics]

    @property
    def severities(self):
        return [each.severity for each in self.diagnostics]

    @property
    def fixes(self):
        return [each.fix.applicability if each.fix else None for each in self.diagnostics]

    @property
    def fixed(self):
        return apply(self.text, [edit for each in self.diagnostics if each.fix for edit in each.fix.edits])


@pytest.fixture(scope="session")
def say():
    def say(rule, text):
        if "FROM " not in text:
            text = f"FROM debian:12\n{text}\n"
        rules = Selection(CATALOG, CATALOG.find(rule))
        found = lint(Model(parse(text)), rules)
        assert [each for each in found if each.code == "DF0000"] == []
        return Said(text, found)

    return say
