from __future__ import annotations

import posixpath

import pytest

from dfkit.model.facts import table


def texts(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.items():
            yield from texts(list(each))
    elif isinstance(value, list):
        for each in value:
            yield from texts(each)


@pytest.mark.parametrize("name", ["commands", "packages"])
def test_absolute_paths_in_the_tables_are_normal(name):
    paths = [text for text in texts(table(name)) if text.startswith("/")]
    assert paths
    assert [path for path in paths if path != posixpath.normpath(path)] == []
