from __future__ import annotations

import pytest

from dfkit.lint.title import title
from dfkit.text import Edit, Source, Span

SOURCE = Source("FROM a\nADD x /\nRUN y\n")


@pytest.mark.parametrize(
    ("edits", "expected"),
    [
        ([Edit(Span(7, 10), "COPY")], "replace `ADD` with `COPY`"),
        ([Edit(Span(6, 6), ":1")], "insert `:1`"),
        ([Edit(Span(7, 15), "")], "remove `ADD x /`"),
        ([Edit(Span(7, 21), "")], "remove lines 2 to 3"),
        ([Edit(Span(15, 15), "RUN " + "z" * 60)], "rewrite line 3"),
        ([Edit(Span(0, 4), "from"), Edit(Span(15, 18), "run")], "rewrite lines 1 to 3"),
    ],
)
def test_a_fix_is_named_by_what_it_does(edits, expected):
    assert title(SOURCE, edits) == expected
