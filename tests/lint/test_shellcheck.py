"""ShellCheck on scripts: where its findings are, what it is told, and what happens if it is missing or broken.

All but the last group run the real program, which `make` installs.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dfkit.catalog import Catalog, Selection
from dfkit.errors import UsageError
from dfkit.lint import process, shellcheck
from dfkit.lint.shellcheck import ShellCheck
from dfkit.model import Model
from dfkit.syntax import parse
from dfkit.text.settings import Settings
from dfkit.workflow.lint import lint_models

NO_RULES = Selection(Catalog([]), ())


def reports(*texts: str, notify=pytest.fail, **settings):
    models = [Model(parse(text)) for text in texts]
    return list(lint_models(models, lambda: NO_RULES, Settings(**settings), notify=notify))


def found(text: str, **settings) -> list[tuple[str, str]]:
    """Each finding as its code and the characters that it marks."""
    (report,) = reports(text, **settings)
    return [(each.code, text[each.span.start : each.span.end]) for each in report.diagnostics if each.rule != "syntax-error"]


def codes(text: str, **settings) -> set[str]:
    return {code for code, _ in found(text, **settings)}


# --- processes


def test_long_scripts_are_shared_out_and_short_ones_are_not(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    long = [f"echo {str(number) * 300} $X" for number in range(5)]
    shares = shellcheck._shared(long)
    assert sorted(map(len, shares)) == [2, 3]
    assert sorted(text for share in shares for text in share) == sorted(long)
    assert shellcheck._shared(["echo $X", "echo $Y"]) == [["echo $X", "echo $Y"]]
    text = "FROM a\n" + "".join(f"RUN {script}\n" for script in long)
    assert found(text) == [("SC2086", "$X")] * 5


# --- places


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("RUN echo $X\n", "$X"),
        ("RUN --network=none echo hi; echo $X\n", "$X"),
        ("RUN echo a && \\\n    echo $X && \\\n    echo b\n", "$X"),
        ("RUN echo a && \\\n    # echo $X\n\n    echo $Y\n", "$Y"),
        ("RUN echo $LO\\\nNG\n", "$LO\\\nNG"),
        ("RUN echo a && \\\r\n    echo $X\r\n", "$X"),
        ("RUN\techo\t$X\n", "$X"),
        ("RUN echo '你好 😀 é' $X\n", "$X"),
        ("RUN <<EOF\necho a\necho '你' $X\nEOF\n", "$X"),
        ("RUN <<-EOF\n\techo a\n\t\techo $X\n\tEOF\n", "$X"),
        ("RUN cat <<EOF > /a && echo $X\nbody $Y\nEOF\n", "$X"),
        ("RUN sh -c 'echo $X'\n", "$X"),
        ("RUN a && \\\n  sh -ec 'echo a; \\\n   echo $X'\n", "$X"),
        ('RUN ["sh", "-c", "echo \\"a\\" $X"]\n', "$X"),
        ('RUN ["tini", "--", "sh", "-c", "echo $X"]\n', "$X"),
        ('RUN ["sh", "-c", "echo \\u0061 $X"]\n', r"echo \u0061 $X"),
        ("ONBUILD RUN echo $X\n", "$X"),
        ("CMD echo $X\n", "$X"),
        ("ENTRYPOINT echo $X\n", "$X"),
        ("HEALTHCHECK --retries=3 CMD echo $X\n", "$X"),
        ("# escape=`\nFROM a\nRUN echo a && `\n   echo $X\n", "$X"),
    ],
)
def test_a_finding_is_at_its_exact_place(text, at):
    text = text if "FROM" in text else "FROM a\n" + text
    assert [place for code, place in found(text) if code == "SC2086"] == [at]


def test_bytes_that_are_no_utf_8_do_not_move_the_place():
    text = b"FROM a\nRUN echo '\xff\xe9\xe9' $X\n".decode("utf-8", "surrogateescape")
    assert ("SC2086", "$X") in found(text)


def test_a_script_that_does_not_parse_is_marked_at_its_end():
    text = "FROM a\nRUN if true; then echo\n"
    (report,) = reports(text)
    (end,) = [each.span for each in report.diagnostics if each.code == "SC1072"]
    assert (end.start, end.end) == (len(text) - 1, len(text) - 1)


@pytest.mark.parametrize(
    ("script", "code", "severity"),
    [
        ("echo $X", "SC2086", "info"),
        ("cd /x; ls", "SC2164", "warning"),
        ("x `y`", "SC2006", "style"),
        ("if x", "SC1073", "error"),
    ],
)
def test_name_and_severity_are_those_of_shellcheck(script, code, severity):
    (report,) = reports(f"FROM a\nRUN {script}\n")
    assert (f"shellcheck-{code}", code, severity) in [(each.rule, each.code, each.severity) for each in report.diagnostics]


def test_the_message_is_shellchecks_and_the_reason_a_link():
    (report,) = reports("FROM a\nRUN echo $X\n")
    assert [each.message for each in report.diagnostics] == ["Double quote to prevent globbing and word splitting."]
    assert Catalog([]).documentation("shellcheck-SC2086").why == "https://www.shellcheck.net/wiki/SC2086"


@pytest.mark.parametrize("name", ["SC2086", "sc2086", "shellcheck-SC2086"])
def test_who_asks_for_a_rule_by_a_code_is_sent_to_shellchecks_page(name):
    with pytest.raises(UsageError, match=r"https://www\.shellcheck\.net/wiki/SC2086$"):
        Catalog([]).find(name)


# --- what ShellCheck is told


@pytest.mark.parametrize(
    "before",
    ["ENV lower=1", "ENV lower 1", "ARG lower", "ARG a=1 lower=2", "ENV a=1 \\\n  lower=2", "ENV lower='a b'"],
)
def test_names_of_arg_and_env_are_known(before):
    assert codes("FROM a\nRUN echo $lower\n") == {"SC2086", "SC2154"}
    assert codes(f"FROM a\n{before}\nRUN echo $lower\n") == set()
    assert codes(f"FROM a\n{before}\nRUN lower=2; true\n") == set()


def test_names_are_known_only_after_they_are_set_and_in_stages_built_on_theirs():
    assert "SC2154" in codes("FROM a\nRUN echo $lower\nENV lower=1\n")
    assert "SC2154" in codes("FROM a AS x\nENV lower=1\nFROM b\nRUN echo $lower\n")
    assert codes("FROM a AS x\nENV lower=1\nFROM x\nRUN echo $lower\n") == set()
    assert "SC2154" in codes("ARG lower=1\nFROM a\nRUN echo $lower\n")


BASHISM = "[[ -n $X ]]"


@pytest.mark.parametrize(
    ("text", "is_known"),
    [
        (f"RUN {BASHISM}", False),
        (f'SHELL ["/bin/bash", "-c"]\nRUN {BASHISM}', True),
        (f'SHELL ["/usr/bin/env", "bash", "-c"]\nRUN {BASHISM}', True),
        (f'SHELL ["/bin/bash", "-c"]\nENV A=1\nRUN {BASHISM}', True),
        (f'SHELL ["/bin/ksh", "-c"]\nRUN {BASHISM}', True),
        (f'SHELL ["/bin/dash", "-c"]\nRUN {BASHISM}', False),
        (f'RUN ["bash", "-c", "{BASHISM}"]', True),
        (f'RUN ["sh", "-c", "{BASHISM}"]', False),
        (f"RUN bash -c '{BASHISM}'", True),
        (f"RUN <<EOF\n#!/usr/bin/env bash\n{BASHISM}\nEOF", True),
        (f"RUN <<EOF\n#!/bin/sh -e\n{BASHISM}\nEOF", False),
        (f"RUN <<EOF\n# shellcheck shell=bash\n{BASHISM}\nEOF", True),
    ],
)
def test_the_dialect_is_that_of_shell_or_the_scripts_first_line(text, is_known):
    assert ("SC3010" not in codes(f"FROM a\n{text}\n")) == is_known


def test_shell_is_inherited_by_stages_built_on_a_stage():
    text = 'FROM a AS x\nSHELL ["/bin/bash", "-c"]\nFROM {}\nRUN set -o pipefail\n'
    assert codes(text.format("x")) == set()
    assert codes(text.format("b")) == {"SC3040"}


@pytest.mark.parametrize("base", ["alpine:3", "busybox", "python:3.12-alpine3.20", 'a\nSHELL ["/bin/ash", "-c"]'])
def test_the_shell_of_busybox_has_a_dialect_of_its_own(base):
    # busybox's sh has pipefail, `[[` and local; it has no arrays.
    assert codes(f'FROM {base}\nRUN set -o pipefail; [[ -n "$X" ]]\n') == set()
    assert "SC3030" in codes(f'FROM {base}\nRUN a=(1 2); echo "${{a[0]}}"\n')


def test_sh_is_bash_in_images_that_have_it_so():
    for base, wanted in (("fedora:40", set()), ("docker.io/library/amazonlinux:2", set()), ("debian:12", {"SC3010"})):
        assert codes(f"FROM {base}\nRUN {BASHISM}\n") - {"SC2086"} == wanted
    assert codes(f"FROM fedora:40\nRUN {BASHISM}\n", profile="hadolint") == {"SC3010"}


@pytest.mark.parametrize(
    "text",
    [
        'SHELL ["powershell", "-Command"]\nRUN echo $X',
        'SHELL ["/bin/zsh", "-c"]\nRUN echo $X',
        "RUN <<EOF\n#!/usr/bin/env python3\nprint($X)\nEOF",
        'CMD ["echo", "$X"]',
        "HEALTHCHECK NONE",
        "RUN <<EOF\nEOF",
    ],
)
def test_other_languages_are_not_checked(text):
    assert found(f"FROM a\n{text}\n") == []


def test_what_makes_no_sense_in_a_dockerfile_is_left_out():
    assert found('FROM a\nRUN . /etc/os-release; . "$HOME/x"\n') == []
    assert found("FROM a\nRUN <<EOF\n#!/bin/ash\ntrue\nEOF\n") == []
    assert found("FROM a\nRUN true\nRUN <<EOF\n\n#!/bin/bash\ntrue\nEOF\n") == []


def test_a_directive_in_a_script_counts():
    assert found("FROM a\nENV A=1\nRUN <<EOF\n# shellcheck disable=SC2086\necho $A\necho $X\nEOF\n") == []
    assert codes("FROM a\nRUN <<EOF\n# shellcheck disable=SC2086\necho $X\n$(ls)\nEOF\n") == {"SC2091"}


# --- what the user chooses


def test_codes_are_ignored_selected_and_graded():
    text = "FROM a\nRUN echo $lower\n"
    assert codes(text, ignore=("sc2086",)) == {"SC2154"}
    assert codes(text, ignore=("shellcheck-SC2086", "SC2154")) == set()
    assert codes(text, shellcheck=False) == set()
    assert codes(text, profile="buildkit") == set()
    assert codes(text, profile="buildkit", select=("SC2154",)) == {"SC2154"}
    (report,) = reports(text, severities=(("SC2086", "error"),))
    assert {each.code: each.severity for each in report.diagnostics} == {"SC2086": "error", "SC2154": "warning"}


@pytest.mark.parametrize("script", ["echo $X", "f() {", "[ a ] b ]"])  # what cannot be read is marked between two characters
def test_the_hadolint_profile_prints_the_line_where_the_instruction_begins(script):
    (report,) = reports(f"FROM a\nRUN \\\n  true; \\\n  {script}\n", profile="hadolint")
    found = [each for each in report.diagnostics if each.code.startswith("SC")]
    assert found
    assert {report.position(each).line for each in found} == {2}


@pytest.mark.parametrize("comment", ["# dfkit ignore=shellcheck-SC2086", "# hadolint ignore=SC2086", "# dfkit ignore=sc2086"])
def test_comments_silence_codes(comment):
    assert codes(f"FROM a\n{comment}\nRUN echo $X\n") == set()


def test_the_hadolint_profile_checks_what_hadolint_checks():
    assert codes("FROM a\nRUN echo $lower; read x\n", profile="hadolint") == {"SC2034"}  # just the last one
    for text in ("CMD echo $X", 'RUN ["sh", "-c", "echo $X"]', "RUN sh -c 'echo $X'"):
        assert codes(f"FROM a\n{text}\n", profile="hadolint") <= {"SC2016"}
    forgotten = 'FROM a\nSHELL ["/bin/bash", "-c"]\n{}RUN set -o pipefail\n'
    assert codes(forgotten.format(""), profile="hadolint") == set()
    assert codes(forgotten.format("ENV A=1\n"), profile="hadolint") == {"SC3040"}


# --- many files


@pytest.fixture
def started(monkeypatch):
    """The scripts that each process gets."""
    batches = []

    class Counted(process.Process):
        def __init__(self, program, texts, seconds):
            batches.append(list(texts))
            super().__init__(program, texts, seconds)

    monkeypatch.setattr(shellcheck, "Process", Counted)
    return batches


def test_one_process_checks_many_scripts_and_the_same_ones_once(started):
    made = reports(*["FROM a\nRUN echo $X\nRUN echo $Y\n"] * 20, "FROM b\nRUN echo $X\n", "FROM scratch\n")
    assert [len(batch) for batch in started] == [2]
    assert [len(report.diagnostics) for report in made] == [2] * 20 + [1, 0]


def test_more_scripts_than_fit_in_a_process_are_all_checked(started):
    number = 4 * shellcheck.BATCH + 7
    made = reports(*[f"FROM a\nRUN echo {each} $X\n" for each in range(number)])
    assert [len(report.diagnostics) for report in made] == [1] * number
    assert sum(map(len, started)) == number
    assert [len(scripts) for scripts in started[:4]] == [shellcheck.FIRST, *[shellcheck.BATCH] * 3]


def test_a_file_without_scripts_starts_nothing(started):
    assert reports("FROM a\nCOPY a /\n")[0].diagnostics == ()
    assert started == []


def test_scripts_are_also_checked_where_there_are_no_files_in_memory(monkeypatch, tmp_path):
    monkeypatch.delattr(os, "memfd_create", raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert codes("FROM a\nRUN echo $X\n") == {"SC2086"}
    assert list(tmp_path.iterdir()) == []


def test_the_users_own_settings_of_shellcheck_stay_out(monkeypatch, tmp_path):
    (tmp_path / ".shellcheckrc").write_text("disable=SC2086\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SHELLCHECK_OPTS", "--exclude=SC2086")
    monkeypatch.chdir(tmp_path)
    assert codes("FROM a\nRUN echo $X\n") == {"SC2086"}


@pytest.fixture
def none_is_left(monkeypatch):
    """Fails if a process that is started is not ended and waited for."""
    started = []
    spawn = os.posix_spawn
    monkeypatch.setattr(os, "posix_spawn", lambda *words, **options: started.append(spawn(*words, **options)) or started[-1])
    yield
    assert started
    for pid in started:
        with pytest.raises(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)


@pytest.mark.usefixtures("none_is_left")
def test_no_process_and_no_descriptor_is_left():
    before = set(os.listdir("/dev/fd"))
    reports(*[f"FROM a\nRUN echo {each} $X\n" for each in range(2 * shellcheck.BATCH)])
    assert set(os.listdir("/dev/fd")) <= before


# --- a missing or broken program


@pytest.fixture
def program(monkeypatch, tmp_path):
    """Puts a shell script in ShellCheck's place."""

    def put(text: str) -> str:
        path = tmp_path / "bin" / "shellcheck"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(path.parent / "python"))
        return str(path)

    return put


def test_a_missing_program_is_said_once_and_is_no_error(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    said = []
    made = reports("FROM a\nRUN echo $X\n", "FROM a\nRUN echo $Y\n", notify=said.append)
    assert [report.diagnostics for report in made] == [(), ()]
    (sentence,) = said
    assert "was not found" in sentence
    assert "dfkit[shellcheck]" in sentence


def test_a_missing_program_is_not_missed_where_there_is_no_script(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", "")
    reports("FROM a\nCOPY a /\n")
    reports("FROM a\nRUN echo $X\n", shellcheck=False)


@pytest.mark.parametrize("path", ["", ".", "bin"])
def test_a_program_in_the_linted_folder_is_not_run(program, monkeypatch, tmp_path, path):
    program("touch ran")
    (tmp_path / "shellcheck").write_bytes(Path(process.find()).read_bytes())
    (tmp_path / "shellcheck").chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", path)
    monkeypatch.setattr(sys, "executable", "")
    assert process.find() is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("echo 'unrecognized option' >&2; exit 3", "ended with exit code 3; version 0.7 or later is needed"),
        ("kill -9 $$", "was ended by signal 9"),
        ("echo nonsense", "gave an answer that cannot be read"),
        ("echo '[]'", "gave an answer that cannot be read"),
        ("""echo '{"comments": [{"file": "other", "line": 1}]}'""", "gave an answer that cannot be read"),
        ("head -c 3000000 /dev/zero", "gave an answer that cannot be read"),
        ("exec >&-", "gave an answer that cannot be read"),
    ],
)
def test_a_broken_program_is_said_once_and_is_no_error(program, text, why):
    path = program(text)
    said = []
    files = [f"FROM a\nRUN echo {each} $X\n" for each in range(2 * shellcheck.BATCH)]
    assert [report.diagnostics for report in reports(*files, notify=said.append)] == [()] * len(files)
    (sentence,) = said
    assert sentence.startswith(f"{path} {why}")


def test_a_program_that_is_no_program_is_said(program):
    path = program("")
    with open(path, "wb") as file:
        file.write(b"\x7fELF nonsense")
    said = []
    reports("FROM a\nRUN echo $X\n", notify=said.append)
    assert "cannot be started" in said[0] or "exit code 127" in said[0]


@pytest.mark.usefixtures("none_is_left")
@pytest.mark.parametrize("text", ["exec sleep 60", "exec >&-; exec sleep 60"])
def test_a_program_that_hangs_is_ended(program, text):
    program(text)
    said = []
    model = Model(parse("FROM a\nRUN echo $X\n"))
    checker = ShellCheck(Settings(), said.append, seconds=0.3)
    begin = time.monotonic()
    checker.submit(model)
    checker.start()
    assert checker.findings(model) == []
    assert time.monotonic() - begin < 30
    assert "took more than 0.3 seconds" in said[0]


@pytest.mark.usefixtures("none_is_left")
def test_a_run_that_is_given_up_leaves_no_process(program):
    program("exec sleep 60")
    checker = ShellCheck(Settings())
    checker.submit(Model(parse("FROM a\nRUN echo $X\n")))
    checker.start()
    checker.close()


# --- the command


def lint(folder, *arguments, before="pass"):
    """`dfkit lint` in a process of its own, which runs `before` first; prints the modules that it imported last."""
    (folder / "Dockerfile").write_text("FROM scratch\nRUN echo $X\n")
    code = f"import sys; {before}; from dfkit.cli import main; code = main(sys.argv[1:]); print(*sys.modules, file=sys.stderr)"
    # Without sitecustomize and .pth files, which may import anything.
    return subprocess.run(
        [sys.executable, "-S", "-c", f"{code}; sys.exit(code)", "lint", *arguments, str(folder / "Dockerfile")],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), *sys.path])},
    )


def test_the_command_runs_shellcheck_unless_told_not_to(tmp_path):
    assert "[SC2086 shellcheck-SC2086]" in lint(tmp_path).stdout
    assert "SC2086" not in lint(tmp_path, "--no-shellcheck").stdout
    assert "SC2086" not in lint(tmp_path, "--ignore", "SC2086").stdout


def test_the_command_says_on_standard_error_that_shellcheck_is_missing(tmp_path):
    missing = "import os; sys.executable = '/nowhere/python'; os.environ['PATH'] = '/nowhere'"
    done = lint(tmp_path, "-f", "json", "-t", "error", before=missing)
    assert done.returncode == 0
    assert isinstance(json.loads(done.stdout), list)
    assert done.stderr.splitlines()[0].startswith("dfkit: ShellCheck was not found")
    done = lint(tmp_path, "--no-shellcheck", "-t", "error", before=missing)
    assert "not found" not in done.stderr


def test_running_shellcheck_imports_nothing_heavy(tmp_path):
    done = lint(tmp_path)
    assert "SC2086" in done.stdout
    heavy = {"subprocess", "tempfile", "shutil", "signal", "typing", "dataclasses", "argparse", "logging", "asyncio"}
    assert heavy.isdisjoint(done.stderr.splitlines()[-1].split())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FROM a:1\n# hadolint shell=powershell\nRUN echo $x\n", set()),
        ("FROM a:1\n# hadolint shell=powershell\nENV y=1\nRUN echo $x\n", {"SC2086"}),
        ("FROM a:1\n# hadolint shell = bash\n# more\nRUN [[ $x == 1 ]]\n", {"SC2154"}),
        ("# hadolint shell=bash\nFROM a:1\nRUN [[ $x == 1 ]]\n", {"SC2154"}),
    ],
)
def test_hadolints_comment_on_the_shell_holds_as_in_hadolint(text, expected):
    assert codes(text, profile="hadolint") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('SHELL ["zsh", "-c"]\nRUN ls', {"SC2239"}),
        ('SHELL ["/bin/zsh", "-c"]\nRUN ls', {"SC1071"}),
        ('SHELL ["/usr/bin/env", "bash"]\nRUN ls', {"SC1008"}),
        ('SHELL ["/bin/bash", "-o", "pipefail", "-c"]\nRUN ls', set()),
        ('SHELL ["zsh", "-c"]\nONBUILD RUN ls', set()),
        ('SHELL ["pwsh", "-c"]\nRUN echo $x', set()),
        ("RUN <<EOF bash\n[[ x ]]\nEOF", {"SC2078"}),
        ("RUN <<EOF\n#!/bin/bash\nx=(a b)\nEOF", {"SC3030"}),
        ("RUN <<EOF\n#!/usr/bin/bash\necho $x\nEOF", set()),
        ("RUN cat <<EOF > x && echo $y\necho $x\nEOF", set()),
    ],
)
def test_hadolint_hands_over_shell_and_one_script(text, expected):
    assert codes(f"FROM a:1\n{text}\n", profile="hadolint") == expected
