"""The small parts of BuildKit's way; the whole is in tests/checks/test_buildkit.py."""

from __future__ import annotations

import pytest

from dfkit.lint.buildkit.profile import CheckOptions
from dfkit.lint.buildkit.replay import parse_platform
from dfkit.lint.buildkit.stages import suggestion


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("linux/amd64", ("linux", "amd64")),
        ("linux/arm/v7", ("linux", "arm")),
        ("Linux/X86_64", ("linux", "amd64")),
        ("linux", ("linux", "amd64")),
        ("arm64", ("linux", "arm64")),
        ("aarch64", ("linux", "arm64")),
        ("windows(10.0.17763)/amd64", ("windows", "amd64")),
        ("macos/arm64", ("darwin", "arm64")),
        ("any/thing", ("any", "thing")),
        ("", None),
        ("foo", None),
        ("linux/", None),
        ("a/b/c/d", None),
        ("linux/$x", None),
    ],
)
def test_platforms_are_read_as_containerd_reads_them(text, parsed):
    assert parse_platform(text) == parsed


@pytest.mark.parametrize(
    ("name", "names", "said"),
    [
        ("FOOO", ["FOO", "BAR"], "; did you mean `FOO`?"),
        ("FO", ["FOO", "F"], "; did you mean `F`?"),
        ("abc", ["xyz", "abcdef"], ""),
        ("a", [], ""),
        ("x", ["y"], "; did you mean `y`?"),
        ("same", ["same", "sane"], ""),
    ],
)
def test_a_name_that_is_like_it_is_suggested(name, names, said):
    assert suggestion(name, names) == said


def test_options_are_read_as_buildkit_reads_them():
    options = CheckOptions.parse(" skip= A , B ;error=T;experimental=all")
    assert options == CheckOptions(frozenset(("A", "B")), frozenset(("all",)), True)
    assert CheckOptions.parse("") == CheckOptions()
    assert CheckOptions.parse("skip=all").skip == {"all"}
    assert CheckOptions.parse("skip=all,A").skip == {"A"}, "`all` in a list is no name of a check"
    assert CheckOptions.parse("skip=A;skip=B").skip == {"B"}
    assert CheckOptions.parse("skip=A;error=0;experimental=B;skip=C").experimental == {"B;skip=C"}


def test_a_check_is_made_or_not():
    assert CheckOptions.parse("").has("StageNameCasing")
    assert not CheckOptions.parse("").has("CopyIgnoredFile")
    assert CheckOptions.parse("skip=all;experimental=all").has("CopyIgnoredFile")
    assert not CheckOptions.parse("skip=all;experimental=StageNameCasing").has("StageNameCasing")
    assert not CheckOptions.parse("skip=StageNameCasing").has("StageNameCasing")
    assert CheckOptions.parse("skip=stagenamecasing").has("StageNameCasing")
