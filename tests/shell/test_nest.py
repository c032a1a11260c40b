"""Scripts with nesting: read without tree-sitter, they are what they are with it."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dfkit.shell import commands, walk
from dfkit.shell.mask import mask
from dfkit.shell.nest import DEPTH, nest
from dfkit.shell.nodes import Arithmetic
from tests.shell.both import PARSE, assert_same, read, reader
from tests.shell.test_spans import CORPUS, corpus_scripts

READ = [
    "if a; then b; fi",
    "if a && ! b\nthen\n c; d\nelif e; then f & else g # h\nfi > i 2>&1",
    "for i in a \"$b\" 'c d' $(e) *.f; do g; done",
    "for i in a\ndo b; done && for i; do c; done; for i\ndo d; done",
    "while a; b; do c; done < d",
    "until a\ndo\n  b\ndone | c",
    "case $a in b|c) d;; (e) f ;; *) esac",
    'case "$(a)" in\n  # b\n  "c d"*) e; f;;\n [0-9]|\'g\')\n    h\n    ;;\nesac',
    "case a in esac; case b in (c) d & esac",
    "{ a; b; } > c && { { d; }; e; }",
    "(a; b) | (c) || (\n d\n)",
    "f() { a; }; g_1 () (b)\nh()\n{ c\n}",
    "! a | b && ! (c) || ! { d; }",
    "a $((1 + 2)) \"$((b * (c - 1) % $d))\" $(($(e) << 2)) $((${f} > 0 ? 1 : 0))",
    'a ${b:-"c d"} ${e:+$f} "${g:-$(h "i")}" ${j//k/l} ${#m} ${n[@]} "${o:1:2}" ${p#"${q%/*}"} ${r:-${s}}',
    "a <(b | c) > >(d)",
    "a ${b:-$$} ${c:-$#$d} $(($# + $$))",
    'a=(b "c d" $e $(f)) && g+=(h\n i) j=() k',
    "declare -A a; a=([3.7]=\"b\" [c]=d)",
    '[[ -n "$a" ]] && [[ $b == c* || ! -f d ]] > e; [[ a ]]',
    "if [[ $a =~ ^b+$ ]]; then c; fi",
    "time a | b",
    "if a; then cat <<E\n$b $(c)\nE\nfi",
    "cat <<E\n$(if a; then b; fi) $((1)) ${c:-$(d)} \"e\nE",
    "if a; then sh -c 'for i in b; do c; done'; fi",
    "a `if b; then c; fi` \"`for i in d; do e; done`\"",
    "echo if then { } done; a if",
    "A=1 for; b=if c",
]  # fmt: skip


@pytest.mark.parametrize("text", READ)
def test_what_posix_nests_needs_no_tree(text):
    assert nest(mask(text)) is not None
    found = read(text, way="nest")
    assert found == read(text, way="tree")
    assert not found.opaque or text.startswith("A=1 for")


def names(text):
    return [command.name for command in commands(read(text, way="nest"))]


def test_a_comment_ends_where_its_line_ends():
    """tree-sitter-bash takes the line end after `\\`, a line end and a comment for a blank."""
    assert names("a \\\n # b \\\n2>c") == ["a", None]
    assert names("a \\\n # b\nc") == ["a", "c"]


def test_arithmetic_in_the_argument_of_a_parameter_is_no_subshell():
    """tree-sitter-bash reads a substitution with a subshell; POSIX 2.6.4 does not."""
    parts = list(walk(read("a ${b:-1}${c-$((d))}", way="nest")))
    assert [part.text for part in parts if isinstance(part, Arithmetic)] == ["d"]


def test_esac_ends_a_case_also_if_a_pipe_follows():
    """tree-sitter-bash goes on with a pattern."""
    assert names("case a in b);; esac|c") == ["c"]


@pytest.mark.parametrize(
    "text",
    [
        "for i do a; done",
        "for i in\ndo a; done",
        "for i in; do a; done",
        "while a; do if b; then c; fi done",
        "if a; then (b) fi",
        "{ (a) }",
        "f() case a in b) c;; esac",
        "a <> b",
        "[ a",
        "if a; then $b; fi; {c",
        "(a $)",
        "while <>a; do b; done",
    ],
)
def test_what_a_shell_reads_is_read_also_if_tree_sitter_does_not(text):
    """Each is accepted by `bash -n` and `dash -n`."""
    assert read(text, way="tree").opaque
    assert not read(text).opaque


@pytest.mark.parametrize(
    "text",
    [
        "if a; then b",
        "if a; then fi",
        "if a b; fi",
        "if a; then; b; fi",
        "for i in a; b; done",
        "for 1 in a; do b; done",
        "for \\a in b; do c; done",
        "for i in a & b; do c; done",
        "while a; do b; done c",
        "case a in b) c",
        "case a b) c;; esac",
        "case a in b c) d;; esac",
        "{ a; } b",
        "{ a }",
        "(a",
        "(a) b",
        "()",
        "a (b)",
        "a | ! b",
        "! ! a",
        "a && }",
        "a ;; b",
        "then a",
        "f() a",
        "f-g() { a; }",
        "f() { a; } > b",
        "> a { b; }",
        "function f { a; }",
        "select i in a; do b; done",
        "coproc a",
        "((a++))",
        "for ((;;)); do a; done",
        "[[ a b ]]",
        "[[ -f ]]",
        "[[ (a) ]]",
        "[[ $a =~ ^(b|c)$ ]]",
        "time { a; }",
        "i\\\nf a; then b; fi",
        "{<a b; }",
        "a $()",
        "a $[1]",
        "a $((b) ; (c))",
        "a \"${b:-'c'}\"",
        'a "${b:-"c"}"',
        "a=(b # c\n)",
        "a=(b)c",
        "echo a=(b)",
        "a\r\nb",
        "a \\",
    ],
)
def test_what_is_not_certain_is_left_to_tree_sitter(text):
    assert nest(mask(text)) is None


def test_negated_words_need_a_blank_before_the_mark():
    assert names("if a; then ! b; fi") == ["a", "b"]
    assert names("a && b! c") == ["a", "b!"]
    assert read("if a; then! b; fi").opaque


WORDS = st.sampled_from(
    ["a", "-x", "'q u'", '"d $x"', "$x", "${x:-y}", '"${x%%.*}"', "${a[@]}", "$(b)", '"$(b "c")"', "`b c`", "$((1 + x))", "<(b)",
     "{a,b}", "{}", "*.c", "~/x", "é", "\\;", "a\\\nb", "if", "in", "}", "!", "done", "%", "[", "]", "x=1", "a#b"]
)  # fmt: skip
REDIRECTS = st.sampled_from(["> f", "2>&1", '< "$f"', ">>f", "&>f", "<<<w"])
HEADS = st.sampled_from(["a", "echo", "$x", '"a"', "A=1 b", "C=", "D=(a b)", "[ -f x ]", "export A=1", "x", "[[ $a == b* ]]"])
SEPARATORS = st.sampled_from(["; ", ";", "\n", " ;\n", " # c\n", " & "])
GAPS = st.sampled_from([" ", "\n", " \n\n ", " # c\n"])
SIMPLE = st.tuples(HEADS, st.lists(WORDS, max_size=3), st.lists(REDIRECTS, max_size=1)).map(
    lambda made: made[0] if made[0].startswith("[[") else " ".join([made[0], *made[1], *made[2]])
)


def chains(element):
    return st.lists(element, min_size=1, max_size=2).flatmap(
        lambda made: st.sampled_from([" && ", " || ", " | ", "&&\n", " |\\\n"]).map(lambda joint: joint.join(made))
    )


def compounds(inner):
    clause = st.tuples(GAPS, inner, SEPARATORS).map("".join)
    tail = st.lists(REDIRECTS, max_size=1).map(lambda made: "".join([f" {each}" for each in made]))
    words = st.lists(WORDS, max_size=2).map(" ".join)
    made = st.one_of(
        st.tuples(clause, clause).map(lambda made: f"if{made[0]}then{made[1]}fi"),
        st.tuples(clause, clause, clause).map(lambda made: f"if{made[0]}then{made[1]}else{made[2]}fi"),
        st.tuples(clause, clause, clause, clause).map(lambda made: f"if{made[0]}then{made[1]}elif{made[2]}then{made[3]}fi"),
        st.tuples(words, GAPS, clause).map(lambda made: f"for i in {made[0]};{made[1]}do{made[2]}done"),
        st.tuples(clause, clause).map(lambda made: f"while{made[0]}do{made[1]}done"),
        st.tuples(WORDS, GAPS, inner, clause).map(lambda made: f"case {made[0]} in{made[1]}a|'b') {made[2]};; (*){made[3]}esac"),
        clause.map(lambda made: f"{{{made}}}"),
        inner.map(lambda made: f"({made})"),
        clause.map(lambda made: f"f() {{{made}}}"),
        inner.map(lambda made: f"! {made}"),
        inner.map(lambda made: f'a "$({made})"'),
    )
    return chains(st.tuples(made, tail).map("".join))


SCRIPTS = st.recursive(chains(SIMPLE), compounds, max_leaves=6)


@settings(deadline=None)
@given(SCRIPTS)
def test_any_script_gives_the_same_nodes_both_ways(text):
    assert_same(text)


BREAKS = [
    "",
    " ",
    "\n",
    ";",
    "&",
    "|",
    "(",
    ")",
    "{",
    "}",
    '"',
    "$",
    "<",
    ">",
    "!",
    "do",
    "done",
    "fi",
    "then",
    "esac",
    "$(",
    "${",
]


@settings(deadline=None)
@given(SCRIPTS, st.data())
def test_any_broken_script_gives_the_same_nodes_both_ways(text, data):
    at = data.draw(st.integers(0, len(text)))
    text = text[:at] + data.draw(st.sampled_from(BREAKS)) + text[at + data.draw(st.integers(0, 3)) :]
    assert_same(text)


def test_constructs_are_read_to_a_depth_and_then_by_tree_sitter():
    def nested(depth):
        return "( " * depth + "a" + " )" * depth

    assert nest(mask(nested(DEPTH - 1))) is not None
    assert nest(mask(nested(DEPTH))) is None
    assert not read(nested(DEPTH)).opaque
    assert isinstance(read("( " * 3_000 + "a" + ")" * 3_000).opaque, bool)


def calls(text):
    count = 0

    def seen(_frame, event, _argument):
        nonlocal count
        count += event in ("call", "c_call")

    masked = mask(text)
    sys.setprofile(seen)
    try:
        assert nest(masked) is not None
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize(
    "repeated",
    ["if a; then b; fi; ", "! a && (b) | { c; }\n", "a=(b $(c))\n", 'a "$(b "${c:-$(d)}")" $((1))\n'],
)
def test_a_script_of_four_times_the_size_takes_four_times_the_calls(repeated):
    assert calls(repeated * 400) < 4.2 * calls(repeated * 100)


def test_a_case_of_four_times_the_size_takes_four_times_the_calls():
    def items(size):
        return "case a in\n" + "b|c) d;;\n" * size + "esac"

    assert calls(items(400)) < 4.2 * calls(items(100))


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus of Dockerfiles is not beside the repository")
def test_the_corpus_is_read_the_same_both_ways_and_hardly_needs_trees():
    found = {(script.text.text, script.dialect) for _, script in corpus_scripts() if script.dialect in PARSE.READABLE}
    for text, dialect in found:
        assert_same(text, dialect)
    readers = [reader(text) for text, _ in found]
    assert readers.count("nest") > 100
    assert readers.count("tree") < 0.005 * len(readers)
