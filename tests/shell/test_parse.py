from __future__ import annotations

import shlex

import pytest

from dfkit.shell import AndOr, Command, Compound, Parameter, Pipeline, Script, Statement, Word, commands, parse
from dfkit.text import Mapped


def read(text: str, dialect: str = "sh") -> Script:
    return parse(Mapped(text, ((0, 0),)), dialect)


def shape(node: object) -> object:
    """A script in brackets: what a reader would draw."""
    if isinstance(node, Script):
        return "opaque" if node.opaque else [shape(statement) for statement in node.statements]
    if isinstance(node, Statement):
        return (shape(node.element), node.separator) if node.separator else shape(node.element)
    if isinstance(node, AndOr):
        parts = [shape(node.elements[0])]
        for operator, element in zip(node.operators, node.elements[1:], strict=True):
            parts += [operator, shape(element)]
        return tuple(parts)
    if isinstance(node, Pipeline):
        return ("!" if node.negated else "|", *[shape(element) for element in node.elements])
    if isinstance(node, Compound):
        bodies = [[shape(statement) for statement in body.statements] for body in node.bodies]
        return {node.kind: bodies, **({">": len(node.redirects)} if node.redirects else {})}
    assert isinstance(node, Command)
    words = [f"{a.name}{a.operator}" for a in node.assignments] + [word.text for word in node.words]
    words += [redirect.operator + redirect.target.text for redirect in node.redirects]
    return " ".join(words)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a", ["a"]),
        ("", []),
        ("a; b", [("a", ";"), "b"]),
        ("a & b", [("a", "&"), "b"]),
        ("a\nb\n", [("a", "\n"), ("b", "\n")]),
        ("a && b || c && d", [("a", "&&", "b", "||", "c", "&&", "d")]),
        ("a && b | c > f", [("a", "&&", ("|", "b", "c >f"))]),
        ("! a | b && c", [(("!", "a", "b"), "&&", "c")]),
        ("! { a; }", [("!", {"group": [[("a", ";")]]})]),
        ("! if a; then b; fi", [("!", {"if": [[("a", ";")], [("b", ";")]]})]),
        ("if ! a; then ! b; fi", [{"if": [[(("!", "a"), ";")], [(("!", "b"), ";")]]}]),
        ("(case x in a) ! b;; esac; ! c)", [{"subshell": [[({"case": [[("!", "b")]]}, ";"), ("!", "c")]]}]),
        ("case x in a) ! b;; esac", [{"case": [[("!", "b")]]}]),
        ("find . ! -name x", ["find . ! -name x"]),
        ("[ ! -f x ] && [[ ! -f y && ! -d z ]]", [("[ ! -f x ]", "&&", "[[ ! -f y && ! -d z ]]")]),
        ("a |& b", [("|", "a", "b")]),
        ("(a; b) > f 2>&1", [{"subshell": [[("a", ";"), "b"]], ">": 2}]),
        ("{ a; } | (b)", [("|", {"group": [[("a", ";")]]}, {"subshell": [["b"]]})]),
        ("if a; then b; elif c; then d; else e; fi", [{"if": [[(name, ";")] for name in "abcde"]}]),
        ("for i in a b; do c $i; done", [{"for": [[("c $i", ";")]]}]),
        ("while a; do b; done", [{"while": [[("a", ";")], [("b", ";")]]}]),
        ("until a; do b; done", [{"until": [[("a", ";")], [("b", ";")]]}]),
        ("for ((i=0; i<3; i++)); do a; done", [{"arithmetic-for": [[("a", ";")]]}]),
        ("((x++)) && a", [({"arithmetic": []}, "&&", "a")]),
        ("f() { a; }; f", [({"function": [[{"group": [[("a", ";")]]}]]}, ";"), "f"]),
        ("case $x in a|b) c;; (d) e ;; *) esac", [{"case": [["c"], ["e"], []]}]),
        ("> f a < g b", ["a b >f <g"]),
        ("a 2> e arg", ["a arg >e"]),
        ("a > f <<< word", ["a >f <<<word"]),
        ("A=1 B=2 a", ["A= B= a"]),
        ("A=1", ["A="]),
        ("x=(a 'b c') y", ["x= y"]),
        ("export A=1 B", ["export A=1 B"]),
        ("[[ $a == b* && -n $c ]] > f", ["[[ $a == b* && -n $c ]] >f"]),
        ("[[ $a =~ ^(x|y)$ ]]", ["[[ $a =~ ^ ( x | y ) $ ]]"]),
        ("[ -f a -a ! -d b ]", ["[ -f a -a ! -d b ]"]),
        ("echo a \\ b c\\ d", ["echo a \\ b c\\ d"]),
        ("echo a\\\n b", ["echo a b"]),
        ("a # not && b\nc", [("a", "\n"), "c"]),
        ("echo a#b '#' \\# \"#\"", ["echo a#b '#' \\# \"#\""]),
        ("echo a\\ #b $(c)#d $((1))#e f\\\n#g", ["echo a\\ #b $(c)#d $((1))#e f\\\n#g"]),
        ("a \\\n#b\nc", [("a", "\n"), "c"]),
        ("cat <<EOF && a\nb; c\nEOF\nd", [(("cat <<EOF", "&&", "a"), "\n"), "d"]),
        ("cat <<A <<B | x\n1\nA\n2\nB\n", [(("|", "cat <<A <<B", "x"), "\n")]),
        ("cat <<'E F' > f\n$(not\nE F\n", [("cat <<'E F' >f", "\n")]),
        ("cat <<-X\n\ta\n\tX\n", [("cat <<-X", "\n")]),
        ("echo `a` `b c`", ["echo `a` `b c`"]),
        ('echo "$(a) $(b | c)" x', ['echo "$(a) $(b | c)" x']),
        ("tar --exclude={a,b} x[12].?", ["tar --exclude={a,b} x[12].?"]),
    ],
)
def test_a_script_has_the_structure_that_a_shell_gives_it(text: str, expected: object) -> None:
    assert shape(read(text)) == expected


@pytest.mark.parametrize(
    "text",
    ["a &&", "if a; then b", "echo 'a", 'echo "a', "a | | b", "a ) b", "cat <<EOF\nno end", "$(a", "fi", "! ", "a ! && (", "}"],
)
def test_what_cannot_be_read_is_opaque_and_has_no_commands(text: str) -> None:
    script = read(text)
    assert script.opaque
    assert script.statements == ()
    assert list(commands(script)) == []


@pytest.mark.parametrize("dialect", ["powershell", "cmd", "python", "fish"])
def test_another_language_is_opaque(dialect: str) -> None:
    script = read("print(1)", dialect)
    assert script.opaque
    assert script.dialect == dialect


def only(text: str, dialect: str = "sh") -> Command:
    element = read(text, dialect).statements[0].element
    assert isinstance(element, Command)
    return element


def word(text: str, dialect: str = "sh") -> Word:
    return only(f"echo {text}", dialect).words[1]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("abc", "abc"),
        ("'a b'", "a b"),
        ("'a'\\''b'", "a'b"),
        ('"a b"c', "a bc"),
        ('"a\\"b\\$c\\d"', 'a"b$c\\d'),
        ("a\\ b", "a b"),
        ("a\\\nb", "ab"),
        ('"a\\\nb"', "ab"),
        ("''", ""),
        ("'*'", "*"),
        ("$", "$"),
        ("a$", "a$"),
        ("[", "["),
        ("{}", "{}"),
        ("a=~", None),
        ("$x", None),
        ("${x}", None),
        ('"$x"', None),
        ("$(a)", None),
        ("`a`", None),
        ("$((1))", None),
        ("*.txt", None),
        ("a?", None),
        ("[ab]c", None),
        ("~/x", None),
        ("a~", "a~"),
        ("{a,b}", None),
        ("{1..3}", None),
        ("{'a',b}", None),
        ("é中", "é中"),
    ],
)
def test_a_words_value_is_what_the_shell_makes_of_it_if_that_is_certain(text: str, value: str | None) -> None:
    assert word(text).value == value


@pytest.mark.parametrize(
    ("text", "pattern"),
    [("/lists/*", "/lists/*"), ("'a*'*", "a\\**"), ("~/x", "~/x"), ("{a,b}", "{a,b}"), ("a$x*", None), ("'*'", "*")],
)
def test_a_pattern_keeps_its_globs(text: str, pattern: str | None) -> None:
    assert word(text).pattern == pattern


def test_ansi_quotes_are_literal_in_bash_and_uncertain_in_sh() -> None:
    assert word("$'a\\tb\\x41\\u00e9\\n'", "bash").value == "a\tbAé\n"
    assert word("$'a'", "sh").value is None


def test_parameters_say_name_operator_and_argument() -> None:
    found = [
        (part.name, part.operator, part.subscript)
        for part in word('"${a:-b}${#c}${!d}${e##*/}${f/x/y}${g[0]}$1$@${h^^}$?"', "bash").parts
        if isinstance(part, Parameter)
    ]
    assert found == [
        ("a", ":-", ""), ("c", "length", ""), ("d", "!", ""), ("e", "##", ""), ("f", "/", ""), ("g", "", "0"), ("1", "", ""),
        ("@", "", ""), ("h", "^^", ""), ("?", "", ""),
    ]  # fmt: skip


def test_a_prefix_ends_at_the_first_expansion() -> None:
    assert word('https://x/"v$y".tgz').prefix == "https://x/v"


def test_substitutions_hold_scripts() -> None:
    text = 'a "$(b | c "$(d)")" `e \\`f\\` "g"` <(h)'
    assert [command.name for command in commands(read(text, "bash"))] == ["a", "b", "c", "d", "e", "f", "h"]


def test_quotes_escaped_in_backquotes_are_read_as_the_inner_shell_sees_them() -> None:
    inner = list(commands(read('a "`echo \\"b c\\"`"')))[1]
    assert [item.value for item in inner.words] == ["echo", "b c"]


def test_here_documents_know_their_value() -> None:
    def document(text: str) -> tuple[str | None, bool, bool]:
        found = only(text).redirects[0].document
        assert found is not None
        return found.value, found.expand, found.chomp

    assert document("cat <<EOF\na 'b\nEOF\n") == ("a 'b\n", True, False)
    assert document("cat <<EOF\na $b\nEOF\n") == (None, True, False)
    assert document("cat <<'EOF'\na $b\nEOF\n") == ("a $b\n", False, False)
    assert document("cat <<-EOF\n\t\ta\n\tEOF\n") == ("a\n", True, True)
    assert document("cat <<EOF\na \\$b \\\nc\nEOF\n") == ("a $b c\n", True, False)
    assert document("cat <<EOF\nEOF\n") == ("", True, False)


def test_commands_in_a_here_document_are_found() -> None:
    text = 'cat <<EOF\n"quoted $(b "c")" `d`\nEOF\n'
    assert [command.name for command in commands(read(text))] == ["cat", "b", "d"]


def test_redirects_have_operator_descriptor_and_target() -> None:
    command = only("a >f 2>&1 {x}<g &>>h 10<&-", "bash")
    assert [(r.operator, r.descriptor, r.target.text) for r in command.redirects] == [
        (">", "", "f"), (">&", "2", "1"), ("<", "{x}", "g"), ("&>>", "", "h"), ("<&", "10", "-"),
    ]  # fmt: skip


def test_the_name_is_without_folder_and_none_when_unknown() -> None:
    assert only("/usr/bin/apt-get update").name == "apt-get"
    assert only("'apt'-get update").name == "apt-get"
    assert only("$x update").name is None
    assert only("A=1").name is None


def test_comments_are_kept() -> None:
    script = read("a # one\n# two\nb")
    assert [comment.text for comment in script.comments] == ["one", "two"]


def test_the_same_text_at_the_same_place_is_read_once() -> None:
    assert read("a b c d") is read("a b c d")


def test_a_long_chain_and_deep_nesting_do_not_fail() -> None:
    chain = " && ".join(["a b"] * 5_000)
    assert len(list(commands(read(chain)))) == 5_000
    assert read("(" * 3_000 + "a" + ")" * 3_000).opaque in (True, False)


def test_scripts_in_scripts_are_read_to_a_limit() -> None:
    text = "a"
    for _ in range(10):
        text = "sh -c " + shlex.quote(text)
    found = list(commands(read(text)))
    assert 5 < len(found) < 10
    assert found[-1].script is not None
    assert found[-1].script.opaque
