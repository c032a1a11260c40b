from __future__ import annotations

import os
import time
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dfkit.verify.shelltrace import Call, NoOracle, agree, shells, trace


def _missing() -> str:
    """Why nothing can be traced here; as root in CI that is a failure."""
    try:
        trace([":"], shells()[0])
    except (NoOracle, IndexError) as error:
        if os.environ.get("CI") and os.geteuid() == 0:
            raise
        return str(error)
    return ""


WHY_NOT = _missing()


pytestmark = [
    pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT),
    # Sandboxes share one user, and with it the limit for processes, which some of these scripts reach.
    pytest.mark.xdist_group("sandbox"),
]

SHELLS = pytest.mark.parametrize("shell", shells() or [("sh", "-c")], ids=lambda shell: shell[0])


def naive(*scripts: str) -> list[str]:
    return [" && ".join(scripts)]


def grouped(*scripts: str) -> list[str]:
    """Template M2."""
    return [" && ".join(f"( {script}\n)" for script in scripts)]


def errexit(*scripts: str) -> list[str]:
    """Template M3."""
    return ["\n".join(["set -e", *(f"( set +e; {script}\n)" for script in scripts)])]


def errexit_shell(*scripts: str) -> list[str]:
    """Template M3e, for a SHELL with -e."""
    return ["\n".join(f"( {script}\n)" for script in scripts)]


ROWS = {
    "1 a failure before a rescue": ("false", "true || echo C"),
    "1 the same with commands": ("one", "two || three"),
    "2 a failure before a list": ("false", "echo a; echo b"),
    "3 a comment at the end": ("echo a # note", "false"),
    "4 a change of directory": ("cd /tmp", "pwd"),
    "5 an early exit": ("exit 0", "false"),
    "6 an exec": ("exec one", "false"),
    "7 errexit off on the left of &&": ("set -e; false; echo x", "echo B"),
    "8 a failure under errexit": ("set -e; echo x; false", "echo B; echo C"),
    "9 errexit that leaks": ("set -e; true", "false; echo ok"),
    "11 a semicolon at the end": ("one;", "two"),
    "14 a mask that leaks": ("umask 077", "one"),
    "14 an export that leaks": ("export A=1", "one"),
    "15 a variable that leaks": ("A=1", 'one "$A"'),
    "15 arguments that leak": ("set -- x", 'one "$@"'),
    "16 a function that leaks": ("two() { three; }", "two"),
    "16 a trap that leaks": ("trap 'echo bye' EXIT", "one"),
    "16 a separator that leaks": ("IFS=:", "x=a:b; one $x"),
}
NAIVE_IS_RIGHT = {
    "left-associative operators": ("one || two", "three"),
    "17 a pipeline": ("one | two", "three"),
    "plain chains": ("one && two", "three && four"),
}
NAIVE_FAILS_RIGHTLY = M2_IS_WRONG = {"7 errexit off on the left of &&"}


@SHELLS
@pytest.mark.parametrize("row", ROWS)
def test_joining_with_and_is_caught_where_it_is_wrong(row, shell):
    assert bool(agree(ROWS[row], naive(*ROWS[row]), shells=[shell])) is (row not in NAIVE_FAILS_RIGHTLY)


@SHELLS
@pytest.mark.parametrize("row", NAIVE_IS_RIGHT)
def test_joining_with_and_passes_where_it_is_right(row, shell):
    pair = NAIVE_IS_RIGHT[row]
    for template in (naive, grouped, errexit):
        assert agree(pair, template(*pair), shells=[shell]) is None


@SHELLS
@pytest.mark.parametrize("row", ROWS)
def test_grouping_is_caught_only_under_errexit(row, shell):
    assert bool(agree(ROWS[row], grouped(*ROWS[row]), shells=[shell])) is (row in M2_IS_WRONG)


@SHELLS
@pytest.mark.parametrize("row", ROWS)
def test_the_errexit_template_is_always_right(row, shell):
    assert agree(ROWS[row], errexit(*ROWS[row]), shells=[shell]) is None
    strict = (shell[0], "-e", "-c")
    assert agree(ROWS[row], errexit_shell(*ROWS[row]), shells=[strict]) is None


def test_grouping_under_a_shell_with_errexit_is_caught():
    pair = ("one; two", "three")
    assert agree(pair, grouped(*pair), shells=shells("-e", "-c"))


@SHELLS
def test_a_syntax_error_is_a_failure(shell):
    pair = ("one &", "two")
    assert agree(pair, naive(*pair), shells=[shell])


@SHELLS
def test_chains_and_heredocs(shell):
    chain = ["one && two && three"]
    assert agree(chain, ["one\ntwo\nthree"], shells=[shell])
    assert agree(chain, ["set -e\none\ntwo\nthree"], shells=[shell]) is None
    assert agree(["one && two && three && four"], ["set -e\none && two\nthree\nfour"], shells=[shell])
    assert agree(["! one && two"], ["set -e\n! one\ntwo"], shells=[shell])
    assert agree(["! one && two"], ["set -e\n! one || exit 1\ntwo"], shells=[shell]) is None


@SHELLS
def test_pipefail_is_never_the_same_as_none(shell):
    if trace(["set -o pipefail"], shell).status == "ok":
        assert agree(["one | two"], ["set -o pipefail; one | two"], shells=[shell])


@SHELLS
def test_files_that_builtins_write_are_compared(shell):
    assert agree(["echo a > /etc/x/y"], ["echo b > /etc/x/y"], shells=[shell])
    assert agree(["echo a > /etc/x/y"], ["echo a > /etc/x/z"], shells=[shell])
    assert agree(["umask 077; echo a > f", "echo b >> f"], ["(umask 077; echo a > f) && echo b >> f"], shells=[shell]) is None


def test_a_trace_says_how_commands_were_called():
    found = trace(
        ["cd /srv/app && A=1 tool --flag 'two words' ''", "export B=2; umask 027; ./configure | tee log"], ("dash", "-c")
    )
    first, *pipeline = found.calls
    assert first == Call(("tool", "--flag", "two words", ""), "/srv/app", "0022", (("A", "1"), ("OLDPWD", "/work")), False)
    assert [(call.argv, call.umask, call.env, call.piped) for call in pipeline] == [
        (("configure",), "0027", (("B", "2"),), True),
        (("tee", "log"), "0027", (("B", "2"),), True),
    ]
    assert (found.status, found.output) == ("ok", "tool\ntee\n")


def test_exit_codes_are_chosen_by_words_and_occurrence():
    scripts = ["get a; echo $?; get b; echo $?; get a; echo $?; get 'a'' '; echo $?", "get a && unreached", "unreached"]
    found = trace(scripts, ("dash", "-c"), {(("get", "a"), 1): 7, (("get", "b"), 0): 3, (("get", "a"), 2): 1})
    assert [word for word in found.output.split() if word.isdigit()] == ["0", "3", "7", "0"]
    assert (found.status, len(found.calls)) == ("failed", 5)


@SHELLS
def test_words_with_every_character_reach_the_choice(shell):
    odd = "it's $HOME `x` * \\ \" ? [a] é \n;"
    call = ("tool", odd, "")
    assert (
        trace(['tool "$ODD" ""'.replace('"$ODD"', "'" + odd.replace("'", "'\\''") + "'")], shell, {(call, 0): 1}).status
        == "failed"
    )


def test_a_variable_of_any_name_is_seen_as_it_is():
    found = trace(["export n=1 mask=2 PATH=/bin; export -n nothing; tool"], ("bash", "-c"))
    assert found.calls[0].env == (("PATH", "/bin"), ("mask", "2"), ("n", "1"))


def test_an_unset_variable_is_seen():
    assert trace(["unset HOME; tool"], ("dash", "-c")).calls[0].env == (("HOME", None),)


@SHELLS
def test_traces_leave_nothing_behind(shell):
    trace(["echo a > /etc/left; echo b > here; umask 777; echo c > /tmp/locked"], shell)
    assert trace(["cat < /etc/left; cat < here; : < /tmp/locked"], shell).calls == ()


def test_nothing_real_can_be_reached(tmp_path):
    marker = tmp_path / "marker"
    marker.write_text("safe")
    scripts = [
        f"echo gone > {marker}; rm -rf {tmp_path}; /bin/rm -rf {tmp_path}; command -p rm -rf {tmp_path}; /usr/bin/env rm -rf /",
        "echo b > /proc/sysrq-trigger; kill -9 -1",
    ]
    for shell in shells():
        trace(scripts, shell)
    assert marker.read_text() == "safe"
    called = trace([scripts[0]], ("dash", "-c")).calls
    assert {call.argv[0] for call in called} == {"rm", "env"}
    assert trace(["exec 3<>/dev/tcp/127.0.0.1/22 && echo open"], ("bash", "-c")).status == "failed"


@SHELLS
def test_a_script_cannot_spoil_the_stubs(shell):
    spoil = "echo > /bin/tool; echo > /.oracle/stub; echo > /.oracle/sh; echo > /bin/sh; echo > /usr/local/bin/tool"
    trace([spoil, "tool"], shell)
    trace([f"{spoil}; :"], shell)
    assert [call.argv for call in trace(["tool a"], shell).calls] == [("tool", "a")]


def test_scripts_that_do_not_end_are_stopped():
    assert trace(["while tool; do :; done"], ("dash", "-c")).status == "limit"
    start = time.monotonic()
    assert trace(["while :; do :; done"], ("dash", "-c")).status == "limit"
    assert trace([":(){ :|:& :; }; :"], ("bash", "-c")).status in ("limit", "failed")
    assert time.monotonic() - start < 30
    assert trace(["tool"], ("dash", "-c")).status == "ok"


def test_what_a_script_leaves_running_ends_with_it():
    found = trace(["(while :; do :; done) & tool", "other"], ("dash", "-c"))
    assert [call.argv[0] for call in found.calls] == ["tool", "other"]


def test_a_difference_that_only_one_combination_shows_is_found():
    ladder = ["; ".join(f"c{n} && ok=${{ok}}{n}" for n in range(5)) + '; [ "$ok" != 0123 ] && last $ok']
    assert agree(ladder, ladder, shells=[("dash", "-c")]) is None
    other = [ladder[0].replace("; [", '; [ "$ok" = 013 ] && ok=x; [')]
    found = agree(ladder, other, shells=[("dash", "-c")])
    assert found
    assert {argv for (argv, _), code in found.exits.items() if code} == {("c2",), ("c4",)}
    assert "c2" in str(found)


def test_more_combinations_than_the_limit_are_sampled_the_same_way_each_time():
    many = ["; ".join(f"c{n}" for n in range(14))]
    assert agree(many, many, shells=[("dash", "-c")], limit=10) is None
    worse = [many[0] + "; [ $? = 0 ] || exit 0"]
    first, second = (agree(many, worse, shells=[("dash", "-c")], limit=12, seed=3) for _ in range(2))
    assert first
    assert first.exits == second.exits  # type: ignore[union-attr]


def test_the_order_in_a_pipeline_does_not_matter():
    for _ in range(10):
        assert agree(["one | two | three"], ["one | two | three"], limit=4) is None


commands = st.sampled_from(
    ["c1", "c2", "c3 x", "cd /tmp", "cd sub", "export A=1", "umask 027", "true", "false", "echo hi", "set -e"]
)
simple = st.one_of(commands, commands.map("! {}".format), commands.map("A=2 {}".format))
lists = st.recursive(
    simple,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from([" && ", " || ", "; ", " | ", "\n"]), inner).map("".join),
        inner.map("( {} )".format),
        inner.map("{{ {}; }}".format),
        st.tuples(inner, inner).map(lambda pair: f"if {pair[0]}; then {pair[1]}; fi"),
        inner.map("{} # note".format).map(lambda text: text + "\n:"),
    ),
    max_leaves=4,
)
endings = st.sampled_from(["", "; exit 0", "; exec c4", " # note", "; exit 3"])
# `! ` is no part of a pipeline: a syntax error, and scripts with one are never merged.
scripts = st.tuples(lists, endings).map("".join).filter(lambda script: "| !" not in script)
few = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@few
@given(st.lists(scripts, min_size=2, max_size=3))
def test_random_scripts_in_the_errexit_template_agree(pair: Sequence[str]):
    assert agree(pair, errexit(*pair), shells=shells()[:2], limit=12) is None
    assert agree(pair, errexit_shell(*pair), shells=shells("-e", "-c")[:1], limit=12) is None


@few
@given(st.lists(scripts.filter(lambda script: "set -e" not in script), min_size=2, max_size=3))
def test_random_scripts_without_errexit_agree_grouped(pair: Sequence[str]):
    assert agree(pair, grouped(*pair), shells=shells()[:2], limit=12) is None


def test_a_shell_may_be_named_as_in_a_dockerfile():
    assert trace(["set -o pipefail; tool"], ("/bin/bash", "-o", "errexit", "-c")).status == "ok"
    assert trace(["tool"], ("/bin/sh", "-c")).status == "ok"
    with pytest.raises(NoOracle, match="/bin/fish"):
        trace(["tool"], ("/bin/fish", "-c"))


def test_no_verdict_is_given_where_nothing_was_run():
    with pytest.raises(NoOracle):
        agree(["tool"], ["tool"], shells=[])
