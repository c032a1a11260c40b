from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfkit.fix import OscillationError, Proposal, fix, rewrite
from dfkit.text import Diagnostic, Edit, Fix, Span

if TYPE_CHECKING:
    from dfkit.text.edit import Applicability


def replacing(label: str, old: str, new: str, trust: Applicability = "safe"):
    """Proposes to replace each match of a pattern."""

    def propose(text: str) -> list[Proposal]:
        return [
            Proposal(label, Fix(f"{old} to {new}", (Edit(Span(*match.span()), match.expand(new)),), trust))
            for match in re.finditer(old, text)
        ]

    return propose


def both(*proposers):
    return lambda text: [each for propose in proposers for each in propose(text)]


def labels(proposals) -> list[str]:
    return [each.label for each in proposals]


def test_all_fixes_are_made_until_none_is_left():
    done = rewrite("FROM a\nADD x y\nADD z y\n", replacing("add", "ADD", "COPY"))
    assert done.text == "FROM a\nCOPY x y\nCOPY z y\n"
    assert labels(done.applied) == ["add", "add"]
    assert done.refused == ()


def test_a_fix_that_another_makes_possible_follows():
    done = rewrite("FROM a\nRUN one\n", both(replacing("two", "two", "three"), replacing("one", "one", "two")))
    assert done.text == "FROM a\nRUN three\n"
    assert labels(done.applied) == ["one", "two"]


def test_overlapping_fixes_wait_for_the_next_round():
    done = rewrite("FROM a\nRUN a b\n", both(replacing("short", "b$", "d"), replacing("long", "RUN a b", "RUN c b")))
    assert done.text == "FROM a\nRUN c d\n"
    assert labels(done.applied) == ["long", "short"]


def test_a_fix_of_several_edits_is_made_whole_or_not_at_all():
    text = "FROM a\nRUN a\nRUN b\n"

    def propose(text: str) -> list[Proposal]:
        found = []
        if "RUN a\nRUN b" in text:
            at = text.index("RUN a")
            found.append(Proposal("swap", Fix("swap", (Edit(Span(at + 4, at + 5), "b"), Edit(Span(at + 10, at + 11), "a")))))
            found.append(Proposal("first", Fix("first", (Edit(Span(at, at + 5), "RUN c"),))))
        return found

    done = rewrite(text, propose)
    assert done.text == "FROM a\nRUN c\nRUN b\n"
    assert labels(done.applied) == ["first"]


def test_insertions_at_one_place_do_not_meet_in_one_round():
    def propose(text: str) -> list[Proposal]:
        at = text.index("x") + 1
        return [Proposal(word, Fix(word, (Edit(Span(at, at), f" {word}"),))) for word in ("one", "two") if word not in text]

    done = rewrite("FROM a\nRUN x\n", propose)
    assert done.text == "FROM a\nRUN x two one\n"
    assert labels(done.applied) == ["one", "two"]


def test_unsafe_fixes_are_made_by_name_only_and_those_for_display_never():
    unsafe = replacing("unsafe", "one", "two", "unsafe")
    assert rewrite("FROM one\n", unsafe).text == "FROM one\n"
    assert rewrite("FROM one\n", unsafe, allowed=["unsafe"]).text == "FROM two\n"
    assert rewrite("FROM one\n", replacing("shown", "one", "two", "display"), allowed=["shown"]).text == "FROM one\n"


def test_a_fix_that_breaks_the_file_is_refused_and_the_others_are_made():
    broken = replacing("broken", "COPY a b", "COPY a")
    done = rewrite("FROM x\nCOPY a b\nRUN one\n", both(broken, replacing("good", "one", "two")))
    assert done.text == "FROM x\nCOPY a b\nRUN two\n"
    assert labels(done.applied) == ["good"]
    (refusal,) = done.refused
    assert refusal.proposal.label == "broken"
    assert refusal.why == "the file could not be read after it: COPY needs at least one source and a destination"


def test_a_second_problem_of_a_known_kind_is_a_new_problem():
    done = rewrite("FROM x\nCOPY z\nCOPY a b\n", replacing("broken", "COPY a b", "COPY a"))
    assert done.applied == ()
    assert labels(each.proposal for each in done.refused) == ["broken"]


def test_the_same_fix_is_refused_in_one_line_and_made_in_another():
    done = rewrite("FROM x\nCOPY b a\nCOPY b c a\n", replacing("last", r"(?m) a$", ""))
    assert done.text == "FROM x\nCOPY b a\nCOPY b c\n"
    assert len(done.refused) == 1


def test_a_file_with_problems_is_still_fixed():
    done = rewrite("FROM x\nRUM y\nADD a b\n", replacing("add", "ADD", "COPY"))
    assert done.text == "FROM x\nRUM y\nCOPY a b\n"


def test_a_fix_that_changes_nothing_is_refused():
    done = rewrite("FROM x\nRUN y\n", both(replacing("idle", "RUN", "RUN"), replacing("real", "y", "z")))
    assert done.text == "FROM x\nRUN z\n"
    assert {(each.proposal.label, each.why) for each in done.refused} == {("idle", "it changes nothing")}


def test_a_fix_whose_edits_overlap_is_refused():
    wrong = Proposal("wrong", Fix("wrong", (Edit(Span(0, 4), "x"), Edit(Span(2, 6), "y"))))
    done = rewrite("FROM a\n", lambda text: [wrong])
    assert [each.why for each in done.refused] == ["its own edits overlap"]
    assert done.text == "FROM a\n"


def test_fixes_that_undo_each_other_are_named():
    with pytest.raises(OscillationError, match=r"fixes of `back` and `forth` undo each other"):
        rewrite("FROM a\nRUN one\n", both(replacing("forth", "one", "two"), replacing("back", "two", "one")))


def test_a_fix_that_feeds_itself_ends():
    done = rewrite("FROM a\nRUN x\n", replacing("grow", r"(?m)x$", "yx"))
    assert done.text == f"FROM a\nRUN {'y' * 10}x\n"
    assert [each.why for each in done.refused] == ["it was still proposed after 10 rounds"]


def test_fixes_of_diagnostics_are_applied():
    def lint(text: str) -> list[Diagnostic]:
        at = text.find("ADD")
        if at < 0:
            return []
        change = Fix("copy", (Edit(Span(at, at + 3), "COPY"),))
        return [
            Diagnostic("add", "DL3020", "error", "x", Span(at, at + 3), (), change),
            Diagnostic("other", "DL0001", "info", "no fix", Span(0, 1)),
        ]

    done = fix("FROM a\nADD x y\n", lint)
    assert (done.text, labels(done.applied)) == ("FROM a\nCOPY x y\n", ["add"])


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 6), st.text("xyz", max_size=3)), max_size=12))
def test_any_fixes_end_without_an_error_of_overlap(places):
    text = "FROM a\n" + "RUN abcdefghijklmnopqrstuvwxyz\n"

    def propose(now: str) -> list[Proposal]:
        if now != text:
            return []
        return [
            Proposal(str(number), Fix(str(number), (Edit(Span(start, min(start + size, len(text))), new),)))
            for number, (start, size, new) in enumerate(places)
        ]

    done = rewrite(text, propose)
    assert len(done.applied) + len(done.refused) <= len(places)
