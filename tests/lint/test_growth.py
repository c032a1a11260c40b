"""The work grows with the size of a file, not with its square: calls of functions are counted, not seconds."""

from __future__ import annotations

import sys

import pytest

from dfkit.catalog import Catalog, select
from dfkit.lint import lint
from dfkit.model import Model
from dfkit.syntax import parse
from dfkit.text.settings import Settings

RULES = select(Catalog.load(), Settings())
INSTALL = "RUN apt-get update && apt-get install -y tool{0}=1 && rm -rf /var/lib/apt/lists/*\n"


def calls(text):
    count = 0

    def seen(_frame, event, _argument):
        nonlocal count
        count += event in ("call", "c_call")

    model = Model(parse(text))
    sys.setprofile(seen)
    try:
        lint(model, RULES)
    finally:
        sys.setprofile(None)
    return count


def made(head, line, size):
    return head + "".join(line.format(number, number + 1) for number in range(size))


@pytest.mark.parametrize(
    ("head", "line"),
    [
        ("FROM debian:12\n", INSTALL),
        ("FROM debian:12\n", "RUN curl -o /opt/{0}.tgz https://example.com/{0}.tgz\nRUN rm /opt/{1}.tgz\n"),
        ("", "FROM debian:12 AS stage{0}\nRUN make tool{0}\n"),
        ("FROM debian:12 AS stage0\n", "FROM stage{0} AS stage{1}\nRUN make tool{0}\n"),
        ("FROM debian:12 AS stage0\n", "COPY --from=stage0 /tool{0} /opt/tool{0}\n"),
    ],
)
def test_linting_a_file_of_four_times_the_size_takes_four_times_the_calls(head, line, monkeypatch):
    # Some results are kept for a thousand scripts; both files are to be larger than what is kept.
    monkeypatch.setattr("dfkit._memo.SIZE", 8)
    calls(made(head, line, 5))
    assert calls(made(head, line, 320)) < 5 * calls(made(head, line, 80))
