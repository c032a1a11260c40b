import pytest

from dfkit.syntax import parse
from dfkit.syntax.image import ImageName
from dfkit.syntax.mounts import mounts
from dfkit.syntax.words import BadWord, expand, variables

VALUES = {"a": "x y", "f": "foo.tar.gz", "e": "", "n": "a"}


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("plain", "plain"), ('"$a"/${b:-c}', "x y/c"), ("'$a'", "$a"), ("$a$", "x y$"), ("\\$a", "$a"), ('"\\$a\\b"', "$a\\b"), ("x\\", "x"),
        ("${f%.*}", "foo.tar"), ("${f%%.*}", "foo"), ("${f#*.}", "tar.gz"), ("${f##*.}", "gz"), ("${f/o/0}", "f0o.tar.gz"),
        ("${f//o/0}", "f00.tar.gz"), ("${e:-d}", "d"), ("${e-d}", ""), ("${u-d}", "d"), ("${a:+y}", "y"), ("${e:+y}", ""), ("${e+y}", "y"),
        ('${u:-"q w"$a}', "q wx y"), ("${u:-${v:-w}}", "w"), ("$u", ""), ("a${n}b", "aab"), ("$1", ""),
    ],
)  # fmt: skip
def test_expansion(word, value):
    assert expand(word, VALUES.get) == value


@pytest.mark.parametrize(
    ("word", "name", "rest"),
    [("$$a", "$", "a"), ("$-b", "-", "b"), ("$?", "?", ""), ("$!x", "!", "x"), ("$12a", "12", "a"), ("$é.", "é", "."), ("${@}", "@", ""),
     ("$#", "#", ""), ("$_1-", "_1", "-")],
)  # fmt: skip
def test_odd_names_are_those_that_buildkit_has(word, name, rest):
    assert expand(word, {name: "<>"}.get) == f"<>{rest}"


def test_a_backtick_escapes_where_the_file_says_so():
    assert expand("`$a\\", VALUES.get, "`") == "$a\\"


@pytest.mark.parametrize("word", ["'a", '"a', "${a", "${a:=b}", "${}", "${e:?no}"])
def test_bad_words(word):
    with pytest.raises(BadWord):
        expand(word, VALUES.get)


def test_variables_with_their_places():
    text = 'FROM x\nENV k=${a:-$b}"$c" \\\n  d=$e\\\nf'
    env = parse(text).instructions[1]
    found = [(v.name, v.operator, text[v.span.start : v.span.end]) for pair in env.pairs for v in variables(pair.value)]
    assert found == [("a", ":-", "${a:-$b}"), ("b", "", "$b"), ("c", "", "$c"), ("ef", "", "$e\\\nf")]


@pytest.mark.parametrize(
    ("text", "canonical", "familiar"),
    [
        ("debian", "docker.io/library/debian:latest", "debian"),
        ("a/b:1", "docker.io/a/b:1", "a/b"),
        ("localhost/x", "localhost/x:latest", "localhost/x"),
        ("host:5000/x", "host:5000/x:latest", "host:5000/x"),
        ("gcr.io/a/b@sha256:ab", "gcr.io/a/b@sha256:ab", "gcr.io/a/b"),
        ("index.docker.io/x", "docker.io/library/x:latest", "x"),
        ("${R}:8099/x:$T", "${R}:8099/x:$T", "${R}:8099/x"),
    ],
)
def test_image_names(text, canonical, familiar):
    image = ImageName.parse(text)
    assert str(image) == text
    assert image.canonical == canonical
    assert image.familiar == familiar


def test_mounts_with_their_other_names():
    run = parse(
        'FROM a\nRUN --mount=type=cache,dst=/x,ro --mount=src=a,target=/y --mount=type=secret,\\"id=a,b\\" x'
    ).instructions[1]
    cache, bind, secret = mounts(run)
    assert (cache.type, cache.target, cache.get("readonly")) == ("cache", "/x", "true")
    assert (bind.type, bind.get("source")) == ("bind", "a")
    assert secret.get("id") == "a,b"


def test_replacements_do_not_multiply_without_end():
    values = {"a": "x" * 1000, "b": "y" * 2000, "c": "y" * 1000}
    with pytest.raises(BadWord, match="longer than"):
        expand("${a//x/$b}", values.get)
    with pytest.raises(BadWord, match="longer than"):
        expand("${a//x/$c}${a//x/$c}", values.get)
    assert len(expand("${a//x/$c}", values.get)) == 1_000_000
