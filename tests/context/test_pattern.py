from __future__ import annotations

import pytest

from dfkit.context.glob import BadPatternError, Glob, clean, is_glob
from dfkit.context.pattern import Matcher, Pattern

# Each row: the patterns, the paths that they take, the paths that they do not take.
TABLE = {
    "a plain path": ("src/a.c", ["src/a.c"], ["a.c", "src", "lib/src/a.c", "src/a.ccc"]),
    "a folder with what is in it": (
        "node_modules",
        ["node_modules", "node_modules/x/y.js"],
        ["web/node_modules", "node_modules2"],
    ),
    "a star stays in its folder": ("*.log", ["a.log", ".log"], ["logs/a.log", "a.log.gz"]),
    "a star matches a leading dot": ("*", [".env", "a", "a/b"], []),
    "a star in the middle": ("src/*/out", ["src/x/out", "src/x/out/f"], ["src/out", "src/x/y/out"]),
    "a question mark is one character": ("f?o", ["foo", "f.o", "féo"], ["fo", "f/o", "fooo"]),
    "two stars at the start": ("**/tmp", ["tmp", "a/tmp", "a/b/tmp", "a/tmp/x"], ["atmp", "tmpa"]),
    "two stars before a glob": ("**/*.pyc", ["a.pyc", "x/y/a.pyc"], ["a.py"]),
    "two stars glued to a name": ("**tmp", ["tmp", "atmp", "a/btmp"], ["tmpa"]),
    "two stars at the end": ("a/**", ["a/b", "a/b/c"], ["a", "b/a/c"]),
    "a prefix with two stars": ("a**", ["a", "ab", "ab/c"], ["b"]),
    "two stars in the middle": ("a/**/z", ["a/z", "a/b/z", "a/b/c/z"], ["a", "b/a/z", "z"]),
    "two stars alone": ("**", ["a", ".a", "a/b"], []),
    "several double stars": ("**/a/**/b", ["a/b", "x/a/y/z/b"], ["a", "b/a"]),
    "case matters": ("*.TXT", ["A.TXT"], ["a.txt"]),
    "an escaped star is a star": (r"a\*b", ["a*b"], ["axb", r"a\*b"]),
    "an escaped letter is read as in a regular expression": (r"v\d", ["v1"], ["vd"]),
    "a character class": ("[ab].c", ["a.c", "b.c"], ["c.c", "ab.c"]),
    "a range": ("f[0-9]", ["f0", "f9"], ["fa", "f10"]),
    "a negated class": ("[^b]", ["a", "c/b"], ["b"]),
    "a negated class matches a slash": ("a[^b]c", ["a/c", "axc"], ["abc"]),
    "an exclamation mark does not negate a class": ("[!b]", ["!", "b"], ["a"]),
    "a class by name": ("f[[:digit:]]", ["f1"], ["fa"]),
    "a class by name that is negated": ("f[[:^digit:]x]", ["fa", "fx", "fé", "f-"], ["f1"]),
    "a class behind a star may begin with a closing bracket": ("a*[]b]", ["a]", "ab"], ["a"]),
    "a class behind a star may begin or end with a minus": ("a*[-x-]", ["a-", "ax"], ["a"]),
    "a backslash at the end behind a star is a dollar that ends nothing": ("a*\\", ["a$", "ab$c"], ["a", "a\\"]),
    "a star in a class is not a star": ("[*]", ["[]", "//]"], ["*"]),
    "a caret is itself": ("^a", ["^a"], ["a"]),
    "a caret before a glob is an anchor": ("^a*", ["ab"], ["^ab"]),
    "braces are no alternatives": ("*.{js,ts}", ["a.{js,ts}"], ["a.js"]),
    "braces with a number repeat": ("a{2}*", ["aa", "aab"], ["a{2}b", "ab"]),
    "a bar parts a glob": ("x*|y", ["xa", "by", "a/b/y"], ["a"]),
    "a bar in a plain path is itself": ("a|b", ["a|b"], ["a", "b"]),
    "dots and pluses are themselves": ("a.+(b)$*", ["a.+(b)$c"], ["aab", "axb"]),
    "what is above the context": ("../a", [], ["a"]),
    "the context itself": (".", [], ["a"]),
    "a slash alone": ("/", [], ["a"]),
    "an absolute path is not cut": ("/a", [], ["a"]),
    "needless parts are cleaned away": ("./a//b/../c/", ["a/c", "a/c/d"], ["a/b"]),
    "a name that is not UTF-8": ("\udcff*", ["\udcffx", "\udcfe"], ["x"]),
}


@pytest.mark.parametrize(("pattern", "taken", "left"), TABLE.values(), ids=TABLE.keys())
def test_a_pattern_takes_the_paths_that_moby_says(pattern, taken, left):
    matcher = Matcher.parse([pattern])
    assert [path for path in [*taken, *left] if matcher.matches(path)] == taken
    assert [path for path in [*taken, *left] if [*matcher.walk(path)][-1][1]] == taken


EXCEPTIONS = {
    "an exception brings a file back": (["*.md", "!README.md"], ["a.md"], ["README.md"]),
    "the last pattern decides": (["!a", "a"], ["a"], []),
    "an exception after both": (["a", "!a", "a/b"], ["a/b"], ["a", "a/c"]),
    "below a folder that is taken": (["dir", "!dir/sub/keep"], ["dir", "dir/sub", "dir/x"], ["dir/sub/keep"]),
    "by a wildcard at any depth": (["*", "!**/keep.txt"], ["a", "a/b.txt"], ["keep.txt", "a/keep.txt", "a/b/keep.txt"]),
    "an exception with an exclamation mark": (["*", "!!a"], ["a"], ["!a"]),
    "an exception alone": (["!a"], [], ["a", "b"]),
}


@pytest.mark.parametrize(("patterns", "taken", "left"), EXCEPTIONS.values(), ids=EXCEPTIONS.keys())
def test_exceptions_take_back(patterns, taken, left):
    matcher = Matcher.parse(patterns)
    assert [path for path in [*taken, *left] if matcher.matches(path)] == taken
    assert [path for path in [*taken, *left] if [*matcher.walk(path)][-1][1]] == taken


def test_a_walk_forgets_an_exception_for_a_folder_that_was_not_taken_when_it_was_tested():
    matcher = Matcher.parse(["**/f", "!a"])
    assert not matcher.matches("a/f")
    assert [*matcher.walk("a/f")] == [("a", False), ("a/f", True)]


@pytest.mark.parametrize(
    ("patterns", "folder", "pruned"),
    [
        (["a"], "a", True),
        (["a", "!a/b"], "a", False),
        (["a", "!a/b/c"], "a/b", False),
        (["a", "!a/b/c"], "a/x", True),
        (["a", "!ab"], "a", True),
        (["a", "!a/*"], "a", False),
        (["a", "!a/*/**"], "a/b", True),  # as BuildKit's walk does, although the exception matches what is below
        (["a", "!**/k"], "a/b/c", False),
        (["a", "!a/*/k", "!x/*.c"], "a/b", False),
        (["a", "!a/*/k", "!x/*.c"], "a/b/c", True),
        (["x", "!y/*.c"], "x", True),
        (["x", "!?/[ab]"], "x/y", False),
    ],
)
def test_a_folder_is_pruned_only_when_nothing_below_can_come_back(patterns, folder, pruned):
    assert Matcher.parse(patterns).prunes(folder) is pruned


@pytest.mark.parametrize(
    "bad", ["!", "[", "a[", "a[b", "[]a]", "[-x]", "[x-]", "[a-b-c]", "a\\", "[^]a]", "*[", "**[", "?*[", "a?["]
)
def test_what_docker_refuses_at_once_is_refused(bad):
    with pytest.raises(BadPatternError):
        Pattern.parse(bad)


@pytest.mark.parametrize("bad", [r"\q", "[z-a]", "[[:no:]]", r"\p*", "a*[", "a*b[c", "a*[]", "a*[^]"])
def test_what_docker_refuses_when_a_path_comes_to_it_is_refused_then(bad):
    matcher = Matcher.parse([bad])
    with pytest.raises(BadPatternError):
        matcher.matches("x")
    with pytest.raises(BadPatternError):
        matcher.step("x", "x")
    with pytest.raises(BadPatternError):
        matcher.check()
    assert Matcher.parse(["*", bad]).matches("x")
    assert not Matcher.parse(["!" + bad]).matches("x")
    with pytest.raises(BadPatternError):
        Matcher.parse(["*", "!" + bad]).matches("x")
    with pytest.raises(BadPatternError):
        Matcher.parse(["y", bad, "*"]).matches("x")
    assert Matcher.parse(["x", bad, "*"]).matches("x")


@pytest.mark.parametrize("good", ["]", "[\\]]", "[\\-]", "a]", "[a]", "{", "(", "[[]"])
def test_odd_but_valid_patterns_are_kept(good):
    assert Pattern.parse(good) is not None


def test_white_space_alone_is_no_pattern():
    assert Pattern.parse(" \t\u00a0") is None


@pytest.mark.parametrize(("path", "short"), [("", "."), ("//a", "/a"), ("a/../..", ".."), ("/../a", "/a"), ("a/./b/", "a/b")])
def test_paths_are_cleaned_as_go_does(path, short):
    assert clean(path) == short


def test_a_glob_of_a_source_escapes_plainly_and_tells_a_class_with_a_slash():
    assert Glob.parse(r"\d*").match("dx")
    assert not Glob.parse(r"\d*").match("1x")
    assert Glob.parse("[^a]").crosses
    assert Glob.parse("[.-0]").crosses
    assert not Glob.parse("[^/]").crosses
    assert not Glob.parse("[a-z]").crosses
    assert not Glob.parse("[z-a]").match("m")
    assert is_glob("a*")
    assert not is_glob(r"a\*")
