from __future__ import annotations

import pytest

from dfkit.shell import Command, Script, commands, effective, scripts
from dfkit.syntax.parser import parse
from dfkit.text import Source


def read(text: str, shell: tuple[str, ...] = ("/bin/sh", "-c")) -> tuple[str, tuple[Script, ...]]:
    source = Source(text)
    return text, scripts(parse(source).instructions[-1], shell)


def one(text: str, shell: tuple[str, ...] = ("/bin/sh", "-c")) -> Script:
    found = read(text, shell)[1]
    assert len(found) == 1
    return found[0]


def sources(text: str, shell: tuple[str, ...] = ("/bin/sh", "-c")) -> list[str]:
    """What stands in the file where the script's words are."""
    return [text[word.span.start : word.span.end] for command in commands(one(text, shell)) for word in command.words]


def test_shell_form_is_the_text_under_SHELL() -> None:
    script = one("RUN a b && c")
    assert (script.dialect, script.options, script.opaque, script.text.text) == ("sh", (), False, "a b && c")
    script = one("CMD a", ("/bin/bash", "-eo", "pipefail", "-c"))
    assert (script.dialect, script.options) == ("bash", ("errexit", "pipefail"))
    script = one("RUN a", ("conda", "run", "-n", "x", "/bin/bash", "-xc"))
    assert (script.dialect, script.options) == ("bash", ("xtrace",))


@pytest.mark.parametrize(
    ("shell", "dialect"),
    [
        (("powershell", "-Command", "$ErrorActionPreference = 'Stop';"), "powershell"),
        (("pwsh", "-NoProfile", "-c"), "powershell"),
        (("C:\\Windows\\System32\\cmd.exe", "/S", "/C"), "cmd"),
        (("/usr/bin/python3", "-c"), "python"),
        (("/opt/tool", "-c"), "tool"),
        (("/bin/bash",), "bash"),
    ],
)
def test_other_shells_are_recognised_and_left_alone(shell: tuple[str, ...], dialect: str) -> None:
    script = one("RUN a; b", shell)
    assert script.opaque
    assert script.dialect == dialect


def test_windows_programs_in_a_linux_shell_are_not_read_as_sh() -> None:
    assert one("RUN powershell -Command $a = 'b'; [X]::y = (1)").dialect == "powershell"


@pytest.mark.parametrize(
    ("form", "dialect", "options", "text"),
    [
        ('["sh", "-c", "a b"]', "sh", (), "a b"),
        ('["/bin/bash", "-exc", "a"]', "bash", ("errexit", "xtrace"), "a"),
        ('["bash", "-e", "-o", "pipefail", "-c", "a"]', "bash", ("errexit", "pipefail"), "a"),
        ('["bash", "-c", "-e", "a"]', "bash", ("errexit",), "a"),
        ('["ash", "-lc", "a"]', "sh", (), "a"),
        ('["zsh", "-c", "--", "a"]', "zsh", (), "a"),
        ('["python3", "-c", "a"]', "python", (), "a"),
    ],
)
def test_an_exec_form_with_a_shell_gives_its_script(form: str, dialect: str, options: tuple[str, ...], text: str) -> None:
    script = one(f"CMD {form}")
    assert (script.dialect, script.options, script.text.text) == (dialect, options, text)


def test_an_exec_form_without_shell_is_one_command() -> None:
    text = 'ENTRYPOINT ["/usr/bin/nginx", "-g", "daemon off;"]'
    script = one(text)
    assert script.dialect == "exec"
    (command,) = commands(script)
    assert command.name == "nginx"
    assert [word.value for word in command.arguments] == ["-g", "daemon off;"]
    assert sources(text) == ['"/usr/bin/nginx"', '"-g"', '"daemon off;"']


def test_a_script_behind_tini_is_nested() -> None:
    assert [c.name for c in commands(one('ENTRYPOINT ["tini", "--", "sh", "-c", "a && b"]'))] == ["tini", "a", "b"]


def test_json_escapes_are_mapped_exactly() -> None:
    text = r'RUN ["sh", "-c", "echo \"é b\" \\$x\n c\td 😀 e"]'
    assert sources(text) == ["echo", r"\"é b\"", r"\\$x", "c", "d", "😀", "e"]


def test_unusual_json_escapes_point_at_the_whole_string() -> None:
    text = r'RUN ["sh", "-c", "\u0061 b"]'
    assert sources(text) == [r"\u0061 b", r"\u0061 b"]


def test_continuations_and_comments_between_them_do_not_shift_places() -> None:
    text = "FROM x\nRUN é=1 ab\\\ncd \\\n# a comment 'x\n  && 中文 'q \\\ns' > f"
    command = list(commands(one(text)))
    assert [word.value for c in command for word in c.words] == ["é=1", "abcd", "中文", "q s"]
    assert sources(text) == ["é=1", "ab\\\ncd", "中文", "'q \\\ns'"]
    assert text[command[0].span.start : command[0].span.end] == "é=1 ab\\\ncd"
    assert text[command[1].redirects[0].span.start : command[1].redirects[0].span.end] == "> f"


def test_bytes_that_are_not_utf8_do_not_shift_places() -> None:
    source = Source.decode(b"RUN \xff\xfe a 'b\xff' && c")
    (script,) = scripts(parse(source).instructions[0])
    words = [source.slice(word.span) for command in commands(script) for word in command.words]
    assert words == ["\udcff\udcfe", "a", "'b\udcff'", "c"]


def test_a_lone_heredoc_is_the_script() -> None:
    text = "RUN <<EOF\na 'b\nc'\nd\nEOF\n"
    assert sources(text) == ["a", "'b\nc'", "d"]
    assert one(text, ("/bin/bash", "-e", "-c")).options == ("errexit",)
    text = "RUN <<-EOF\n\ta b\n\t\tc\n\tEOF\n"
    assert one(text).text.text == "a b\nc\n"
    assert sources(text) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("line", "dialect", "opaque", "options"),
    [
        ("#!/bin/bash -eu", "bash", False, ("errexit", "nounset")),
        ("#!/usr/bin/env bash", "bash", False, ()),
        ("#!/usr/bin/env -S python3 -u", "python", True, ()),
        ("#!/usr/bin/python3.11", "python", True, ()),
        ("#!/opt/x/lua", "lua", True, ()),
    ],
)
def test_the_first_line_of_a_heredoc_is_its_interpreter(line: str, dialect: str, opaque: bool, options: tuple[str, ...]) -> None:
    script = one(f"RUN <<EOF\n{line}\na b\nEOF\n")
    assert (script.dialect, script.opaque, script.options) == (dialect, opaque, options)


@pytest.mark.parametrize("line", ["bash <<'EOF'", "<<'EOF' bash", "bash -s <<'EOF'", "exec bash - <<'EOF'"])
def test_a_heredoc_for_a_shell_is_a_nested_script(line: str) -> None:
    text = f"RUN {line}\na $b\nEOF\n"
    found = list(commands(one(text)))
    assert found[0].script is not None
    assert found[0].script.dialect == "bash"
    assert [word.text for word in found[1].words] == ["a", "$b"]
    assert sources(text)[-2:] == ["a", "$b"]


def test_a_heredoc_that_the_outer_shell_expands_is_opaque_inside() -> None:
    (command,) = commands(one("RUN bash <<EOF\na $b\nEOF\n"))
    assert command.script is not None
    assert command.script.opaque


def test_a_heredoc_for_python_is_recognised() -> None:
    (command,) = commands(one("RUN python3 <<EOF\nprint(1)\nEOF\n"))
    assert command.script is not None
    assert (command.script.dialect, command.script.opaque, command.script.text.text) == ("python", True, "print(1)\n")


def test_several_heredocs_go_to_their_commands() -> None:
    text = "RUN cat <<A > x && sh <<B\none\nA\ntwo 3\nB\n"
    assert sources(text) == ["cat", "sh", "two", "3"]


def test_a_heredoc_is_data_for_other_commands() -> None:
    (command,) = commands(one("RUN cat <<EOF > /f\na; b\nEOF\n"))
    assert command.script is None
    assert command.redirects[0].document is not None
    assert command.redirects[0].document.value == "a; b\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("sh -c 'a b'", ["a", "b"]),
        ('bash -ec "a \\"b c\\" \\$x"', ["a", '"b c"', "$x"]),
        ("su -c 'a b' user", ["a", "b"]),
        ("su - user -c 'a b'", ["a", "b"]),
        ("su user -lc 'a b'", ["a", "b"]),
        ("sudo -u x -H env A=1 bash -c 'a b'", ["a", "b"]),
        ("gosu user sh -c 'a b'", ["a", "b"]),
        ("busybox sh -c 'a b'", ["a", "b"]),
        ("timeout -s KILL 5 sh -c 'a b'", ["a", "b"]),
    ],
)
def test_a_script_in_an_argument_is_nested(text: str, words: list[str]) -> None:
    outer, inner = commands(one(f"RUN {text}"))
    assert outer.script is not None
    assert [word.text for word in inner.words] == words
    for word in inner.words:
        if "\\" not in text:
            assert f"RUN {text}"[word.span.start : word.span.end] == word.text


def test_escapes_in_nested_quotes_are_inside_the_span() -> None:
    text = r'RUN bash -ec "a \"b c\" \$x"'
    assert sources(text)[-3:] == ["a", r"\"b c\"", r"\$x"]
    text = r"""RUN ["sh", "-c", "bash -c \"a 'b c'\" d"]"""
    assert sources(text)[-2:] == ["a", "'b c'"]


@pytest.mark.parametrize("text", ['sh -c "a $b"', "sh -c $x", 'bash -c "$(cat x)"'])
def test_a_script_that_is_not_literal_is_opaque(text: str) -> None:
    outer = next(commands(one(f"RUN {text}")))
    assert outer.script is not None
    assert outer.script.opaque


@pytest.mark.parametrize("text", ["sh x.sh", "bash -x ./x -c y", "bash", "su user", "python3 x.py", "cat x | sh", "sh < x"])
def test_a_shell_that_reads_elsewhere_has_no_script_here(text: str) -> None:
    assert all(command.script is None for command in commands(one(f"RUN {text}")))


def test_healthchecks_and_onbuild_have_scripts_and_others_none() -> None:
    assert sources("HEALTHCHECK --interval=3s CMD curl x || exit 1") == ["curl", "x", "exit", "1"]
    assert sources("ONBUILD RUN a b") == ["a", "b"]
    for text in ("HEALTHCHECK NONE", "ENV a=b", "RUN", "CMD []"):
        assert read(text)[1] == ()


@pytest.mark.parametrize(
    ("text", "expected", "assigned"),
    [
        ("sudo -u root -E apt-get update", "apt-get update", []),
        ("sudo -u root A=1 apt-get update", "apt-get update", ["A"]),
        ('env -i A=1 B="$x y" apt-get update', "apt-get update", ["A", "B"]),
        ("time nice -n 5 nohup apt-get update", "apt-get update", []),
        ("exec -a x apt-get update", "apt-get update", []),
        ("command -p apt-get update", "apt-get update", []),
        ("busybox wget x", "wget x", []),
        ("/usr/bin/eatmydata -- apt-get update", "apt-get update", []),
        ("timeout 5 gosu user:group apt-get update", "apt-get update", []),
        ("C=1 sudo apt-get update", "apt-get update", ["C"]),
        ("command -v apt-get", "command -v apt-get", []),
        ("env", "env", []),
        ("env A=1", "env A=1", []),
        ("sudo -l", "sudo -l", []),
        ("exec > f", "exec", []),
        ("apt-get update", "apt-get update", []),
        ("sudo $x", "$x", []),
    ],
)
def test_prefixes_are_stripped_with_their_options(text: str, expected: str, assigned: list[str]) -> None:
    command = next(commands(one(f"RUN {text}")))
    found = effective(command)
    assert " ".join(word.text for word in found.words) == expected
    assert [assignment.name for assignment in found.assignments] == assigned
    assert f"RUN {text}"[found.span.start : found.span.end].startswith(found.words[0].text)


def test_an_assignment_of_env_has_its_place_and_value() -> None:
    text = 'RUN env A=b BC="x $y" c'
    found = effective(next(commands(one(text))))
    places = [(a.name, text[a.value.span.start : a.value.span.end], a.value.value) for a in found.assignments if a.value]
    assert places == [("A", "b", "b"), ("BC", '"x $y"', None)]


def test_what_follows_a_case_of_all_kinds_keeps_its_order() -> None:
    text = "RUN a && (b; if c; then d; fi) | e $(f) && sh -c 'g; h' && i() { j; }"
    found: list[Command] = list(commands(one(text)))
    assert [command.name for command in found] == list("abcdefgh".replace("gh", "")) + ["sh", "g", "h", "j"]
