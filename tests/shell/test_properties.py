from __future__ import annotations

import pytest

from dfkit.shell import Command, Script, commands, parse
from dfkit.shell.properties import (
    assigns,
    changes_state,
    ends_with_comment,
    has_opaque_part,
    is_plain_chain,
    leaks_state,
    leaves_background,
    reads,
    sets_errexit,
    sets_option,
    uses,
    uses_process_state,
)
from dfkit.text import Mapped


def read(text: str, dialect: str = "sh", options: tuple[str, ...] = ()) -> Script:
    return parse(Mapped(text, ((0, 0),)), dialect, options)


def first(text: str) -> Command:
    return next(commands(read(text)))


@pytest.mark.parametrize("text", ["a", "a && b", "a | b && c 2>&1 > f", "A=1 a && [ -f x ] && cd y", "a $(b; c)", "a && b\n"])
def test_plain_chains(text: str) -> None:
    assert is_plain_chain(read(text))


@pytest.mark.parametrize(
    "text",
    [
        "", "a; b", "a\nb", "a;", "a || b", "a && b || c",
        "a &", "! a", "a && ! b", "! a | b", "(a)", "{ a; }", "if a; then b; fi",
        "a && (b)", "a | { b; }", "cat <<E\nE\n", "a # note", "a &> f", "f() { a; }", "a '", "a $(b &)",
    ],
)  # fmt: skip
def test_what_is_not_a_plain_chain(text: str) -> None:
    assert not is_plain_chain(read(text))


@pytest.mark.parametrize(
    "text",
    [
        "cd x", "export A=1", "A=1", "set -e", "umask 022", "trap a EXIT", "exec a", "exec 3> f", "exit 0", ". ./x", "source x",
        "eval a", "alias a=b", "ulimit -n 5", "unset x", "pushd x", "read x", "shift", "getopts a b", "local x", "declare x",
        "hash -r",
        "command cd x", "builtin cd x", "$x y", "\"$@\"", "a ${x:=1}", "a $((x=1))", "a $((x++))", "printf -v a b", "time cd x",
        "A=$((b+=1)) c",
    ],
)  # fmt: skip
def test_commands_that_change_the_shell(text: str) -> None:
    assert changes_state(first(text))


@pytest.mark.parametrize(
    "text",
    ["apt-get update", "A=1 make", "env A=1 make", "sudo cd x", "a > f", "command -v cd", "a $(cd x)", "a $((x == 1))", "[ a ]"],
)
def test_commands_that_do_not(text: str) -> None:
    assert not changes_state(first(text))


def test_state_leaks_from_groups_and_not_from_subshells() -> None:
    assert leaks_state(read("{ cd x; }"))
    assert leaks_state(read("if a; then B=1; fi"))
    assert leaks_state(read("f() { a; }"))
    assert leaks_state(read("for i in a; do b; done"))
    assert leaks_state(read("a '"))
    assert not leaks_state(read("(cd x && a) && b $(cd y; c) && sh -c 'cd z'"))


@pytest.mark.parametrize("text", ["a &", "(a & b)", "if x; then a & fi", "sh -c 'a &'", "a $(b & c)", "a &> f", "a & wait"])
def test_background_jobs_are_seen(text: str) -> None:
    assert leaves_background(read(text))


def test_other_uses_of_an_ampersand_are_no_background_jobs() -> None:
    assert not leaves_background(read("a && b 2>&1 '&' \\& |& c"))
    assert not leaves_background(read("a &> f", "bash"))


@pytest.mark.parametrize(
    "text", ["set -e", "set -ex; a", "set -o errexit", "a && set -euo pipefail", "(set -e; a)", "set $x", "a '"]
)
def test_errexit_that_is_turned_on(text: str) -> None:
    assert sets_errexit(read(text))


def test_errexit_that_is_not() -> None:
    for text in ("set +e", "set -x", "set -- -e", "a -e", "sh -ec 'a'", "echo set -e", "set -o pipefail"):
        assert not sets_errexit(read(text)), text
    assert sets_errexit(read("a", options=("errexit",)))
    assert sets_option(read("set -eo pipefail"), "pipefail")
    assert not sets_option(read("set -e"), "pipefail")


def test_variables_that_are_read() -> None:
    text = "a $b \"${c:-$d}\" '$e' \\$f $((g + 1)) $(h $i) && cat <<X\n$j\nX\nsh -c 'k $l'; m+=1"
    assert reads(read(text, "bash")) == {"b", "c", "d", "g", "i", "j", "l", "m"}
    assert uses(read("a $b"), "b")
    assert not uses(read("b=1 a b"), "b")
    assert uses(read("a $b '"), "b")


def test_variables_that_are_assigned() -> None:
    text = "A=1; B=2 c; export D=3 E; read -r F; for G in x; do :; done; a ${H:=1} $((I++)) $(J=1); ((K=2))"
    text += "; printf -v L x; getopts o M"
    assert assigns(read(text, "bash")) == set("ABDEFGHIJKLM") | {"OPTARG", "OPTIND"}
    assert assigns(read("a $b c=1")) == frozenset()


def test_a_comment_at_the_end() -> None:
    assert ends_with_comment(read("a # b"))
    assert ends_with_comment(read("a\n# b  "))
    assert not ends_with_comment(read("a # b\n"))
    assert not ends_with_comment(read("# b\na"))
    assert not ends_with_comment(read("a b#c"))


@pytest.mark.parametrize("text", ["echo $$", "kill $!", "$PPID", 'a "${RANDOM}"', "a /dev/fd/3", "cat <<E\n$$\nE\n", "a '"])
def test_process_state(text: str) -> None:
    assert uses_process_state(read(text))


def test_no_process_state() -> None:
    assert not uses_process_state(read("a '$$' $x $? $#"))


def test_opaque_parts_are_found_at_any_depth() -> None:
    assert has_opaque_part(read('a && (b $(sh -c "$c"))'))
    assert has_opaque_part(read("python3 <<E\nE\n"))
    assert not has_opaque_part(read("sh -c 'a'"))
