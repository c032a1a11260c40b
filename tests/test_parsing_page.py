"""The examples of docs/parsing.md say what happens."""

import doctest
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "parsing.md"


def test_the_examples_of_the_parsing_page():
    result = doctest.testfile(str(PAGE), module_relative=False)
    assert result.attempted > 40
    assert result.failed == 0
