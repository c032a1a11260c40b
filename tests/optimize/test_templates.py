"""Scripts of several RUNs, joined by each template, do what they did apart: the shell-trace oracle says so."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dfkit.optimize.templates import choose, unfit
from dfkit.shell import Script, shell_script
from dfkit.text import Mapped
from dfkit.verify.shelltrace import NoOracle, agree, shells

pytestmark = pytest.mark.xdist_group("sandbox")

SH = ("/bin/sh", "-c")


def script(text: str, shell: tuple[str, ...] = SH) -> Script:
    return shell_script(Mapped(text, ((0, 0),)), shell)


def joined(texts: list[str], own: tuple[bool, ...] = (), shell: tuple[str, ...] = SH) -> tuple[str, str]:
    """The template's name and the script."""
    template = choose([script(text, shell) for text in texts], own)
    parts = [f"{opening}{text}{closing}" for text, (opening, closing) in zip(texts, template.around, strict=True)]
    glue = f" {template.joiner} " if template.joiner == "&&" else f"{template.joiner} "
    return template.name, (f"{template.head}; " if template.head else "") + glue.join(parts)


def same(original: list[str], merged: str, option: str = "-c") -> None:
    try:
        found = agree(original, [merged], shells=shells(option), limit=64)
    except NoOracle as error:
        pytest.skip(str(error))
    assert found is None, f"{original} became {merged}: {found}"


PAIRS = [
    ("M1", ["aa", "bb"]),
    ("M1", ["aa && ab", "ba && bb | bc"]),
    ("M1", ["aa || ab", "ba"]),
    ("M1", ["aa", "cd /tmp && ba"]),
    ("M1", ["aa", "(cd /tmp && ba)", "ca"]),
    ("M1", ["if aa; then ab; fi", "ba"]),
    ("M2", ["aa", "true || bb"]),
    ("M2", ["aa", "ba; bb"]),
    ("M2", ["aa", "! ba"]),
    ("M2", ["cd /tmp", "aa"]),
    ("M2", ["cd /tmp && aa", "ba", "ca"]),
    ("M2", ["exit 0", "aa"]),
    ("M2", ["exec aa", "ba"]),
    ("M2", ["export A=1", "aa"]),
    ("M2", ["A=1", "aa"]),
    ("M2", ["umask 077", "aa"]),
    ("M2", ["f() { aa; }; f", "ba"]),
    ("M2", ["aa; ab", "set -e; ba; bb"]),
    ("M2", ["(aa); ab", "ba"]),
    ("M3", ["set -e; aa; ab", "ba"]),
    ("M3", ["set -e; aa; ab", "ba; bb"]),
    ("M3", ["set -e; aa", "ba; bb", "ca"]),
    ("M3", ["aa", "set -ex; ba; bb", "ca"]),
]


@pytest.mark.parametrize(("template", "texts"), PAIRS)
def test_the_plainest_template_that_fits_is_taken_and_keeps_what_the_scripts_do(template, texts):
    name, merged = joined(texts)
    assert name == template
    same(texts, merged)


@pytest.mark.parametrize("texts", [["aa; ab", "ba"], ["aa && ab", "ba; bb"], ["cd /tmp; aa", "ba"], ["aa || ab; ac", "! ba"]])
def test_a_shell_with_errexit_takes_its_own_template(texts):
    name, merged = joined(texts, shell=("/bin/sh", "-ec"))
    assert name == "M3e"
    same(texts, merged, "-ec")


def test_plain_chains_stay_plain_under_errexit():
    texts = ["aa && ab", "ba && bb"]
    name, merged = joined(texts, shell=("/bin/sh", "-ec"))
    assert name == "M1"
    same(texts, merged, "-ec")


# What deletes literal absolute paths does so in any folder and with any variables: `echo` stands for it, as the oracle does not note
# where a builtin runs.
@pytest.mark.parametrize(
    "text",
    [
        "aa; ab",
        "cd /tmp; aa",
        "set -eux; aa; ab",
        "export A=1; aa || ab",
        "aa && cd /tmp",
        "set -e; cd /tmp; if aa; then ab; fi; ac",
    ],
)
def test_a_cleanup_follows_a_list_without_parentheses(text):
    name, merged = joined([text, "echo cleaned"], (False, True))
    assert (name, merged) == ("M1", f"{text} && echo cleaned")
    same([text, "echo cleaned"], merged)


@pytest.mark.parametrize(
    "text",
    [
        "aa; exit 0",
        "exec aa",
        "trap ab EXIT; aa",
        "set -f; aa",
        "PATH=/x; aa",
        "echo() { ab; }; aa",
        "set -e; aa; { ab; ac; }",
        "! aa",
    ],
)
def test_a_cleanup_after_what_ends_or_changes_the_shell_stands_apart(text):
    name, merged = joined([text, "echo cleaned"], (False, True))
    assert name != "M1"
    same([text, "echo cleaned"], merged)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("aa &", "background"),
        ("aa; ab & wait", "background"),
        ("echo $$", "process"),
        ("echo $SECONDS", "process"),
        ("aa > /dev/fd/3", "process"),
        ("cat <<X\na\nX", "here-document"),
        ("aa 'b", "cannot read"),
    ],
)
def test_some_scripts_are_never_joined(text, reason):
    assert reason in (unfit(script(text)) or "")


def test_scripts_of_other_shells_are_never_joined():
    assert unfit(script("Get-Item x", ("powershell", "-Command")))


COMMANDS = ["aa", "ab x", "cd /tmp", "export V=1", "umask 027", "W=2", "exit 0", "false", "true", "set -e", "set -x", "echo $V$W"]
simple = st.sampled_from(COMMANDS)
pipe = st.lists(st.sampled_from(["ac", "ad", "ae y"]), min_size=2, max_size=2, unique=True).map(" | ".join)
compound = st.one_of(
    simple.map(lambda a: f"({a})"),
    st.tuples(simple, simple).map(lambda two: f"{{ {two[0]}; {two[1]}; }}"),
    st.tuples(simple, simple).map(lambda two: f"if {two[0]}; then {two[1]}; fi"),
    simple.map(lambda a: f"! {a}"),
)
member = st.one_of(simple, simple, pipe, compound)
body = st.lists(st.tuples(member, st.sampled_from([" && ", " && ", " || ", "; "])), min_size=1, max_size=3).map(
    lambda parts: "".join(text + (glue if at + 1 < len(parts) else "") for at, (text, glue) in enumerate(parts))
)


@settings(max_examples=25)
@given(st.lists(body, min_size=2, max_size=3), st.booleans())
def test_random_scripts_do_the_same_joined_as_apart(texts, errexit):
    shell = ("/bin/sh", "-ec") if errexit else SH
    if any(unfit(script(text, shell)) for text in texts):
        return
    _, merged = joined(texts, shell=shell)
    same(texts, merged, shell[1])


@settings(max_examples=15)
@given(body)
def test_a_cleanup_after_a_random_script_runs_exactly_if_that_succeeds(text):
    if unfit(script(text)):
        return
    _, merged = joined([text, "echo cleaned"], (False, True))
    same([text, "echo cleaned"], merged)
