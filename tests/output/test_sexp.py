"""The dumps are what BuildKit's parser writes for the same text (Node.Dump)."""

import doctest

import pytest

from dfkit.output import parts, sexp
from dfkit.syntax import parse


@pytest.mark.parametrize(
    ("text", "dump"),
    [
        ("FROM --platform=x a as B", '(from ["--platform=x"] "a" "as" "B")'),
        ("run  echo  hi", '(run "echo  hi")'),
        ("RUN", "(run)"),
        ('CMD ["a", "b c"]', '(cmd "a" "b c")'),
        ("CMD []", "(cmd)"),
        ("RUN --mount=type=ssh --network=none x", '(run ["--mount=type=ssh" "--network=none"] "x")'),
        ('ENV a="x y" b=', '(env "a" "\\"x y\\"" "=" "b" "" "=")'),
        ("LABEL old the rest", '(label "old" "the rest" "")'),
        ("ARG a b=1", '(arg "a" "b=1")'),
        ("HEALTHCHECK --interval=1s CMD curl x", '(healthcheck ["--interval=1s"] "CMD" "curl x")'),
        ("HEALTHCHECK none", '(healthcheck "none")'),
        ("ONBUILD COPY --chown=a b c", '(onbuild (copy ["--chown=a"] "b" "c"))'),
        ("EXPOSE 80 81/udp", '(expose "80" "81/udp")'),
        ("USER a\tb", '(user "a\\tb")'),
        ("FOO bar", '(foo "")'),
        ("LABEL é=\x01", '(label "é" "\\x01" "=")'),
    ],
)
def test_an_instruction(text, dump):
    assert list(sexp.render(parse(text))) == [dump]


def test_bytes_that_are_not_text():
    assert list(sexp.render(parse(b"RUN \xff"))) == ['(run "\\xff")']


def test_the_examples_of_quoting():
    assert doctest.testmod(parts).attempted == 1
