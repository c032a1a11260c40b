"""Rules as objects: read, compiled, named, selected. What a rule looks for is in `dfkit.checks`."""

from __future__ import annotations

from dfkit.catalog.catalog import Catalog
from dfkit.catalog.rule import Documentation, Example, Rule
from dfkit.catalog.select import Selection, select

__all__ = ["Catalog", "Documentation", "Example", "Rule", "Selection", "select"]
