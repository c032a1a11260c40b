"""`dfkit rule`: a rule of one's own from its first line to a finding."""

from __future__ import annotations

import pytest

from dfkit.cli import main


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def rule(folder, capsys):
    assert main(["rule", "new", "telnet-in-image"]) == 0
    assert capsys.readouterr().out == "telnet-in-image.yaml\n"
    return folder / "telnet-in-image.yaml"


def test_the_file_to_begin_with_passes(rule, capsys):
    assert main(["rule", "test", str(rule)]) == 0
    assert capsys.readouterr().out == "3 examples of 1 rule: all right\n"


def test_a_file_is_not_overwritten(rule, capsys):
    rule.write_text("mine")
    assert main(["rule", "new", "telnet-in-image"]) == 2
    assert capsys.readouterr().err == "dfkit: telnet-in-image.yaml exists already\n"
    assert rule.read_text() == "mine"


@pytest.mark.parametrize("name", ["Telnet", "a_b", "", "a--b", "../a"])
def test_a_name_that_is_none(name, capsys):
    assert main(["rule", "new", name]) == 2
    assert "cannot name a rule" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("old", "new", "expected", "actual"),
    [
        ("at: telnet  ", "at: telnet example", "a finding at `telnet example`", "`telnet` (line 2, column 5)"),
        ("RUN telnet example.com 25", "RUN ls", "one finding at `telnet`", "nothing is found"),
        ("good: RUN apt-get install -y telnet", "good: RUN telnet", "nothing is found", "`telnet` (line 2, column 5)"),
        ("at: telnet  ", "fixed: RUN ls\n    at: telnet  ", "a fix", "there is none"),
    ],
)
def test_an_example_that_fails_is_shown(rule, capsys, old, new, expected, actual):
    text = rule.read_text()
    assert old in text
    rule.write_text(text.replace(old, new))
    assert main(["rule", "test", "."]) == 1
    place, wanted, came, summary = capsys.readouterr().out.splitlines()
    assert place.startswith("./telnet-in-image.yaml:")
    assert place.endswith("an example of telnet-in-image fails")
    assert wanted == f"  expected: {expected}"
    assert came.startswith(f"  actual: {actual}")
    assert summary == "3 examples of 1 rule: 1 failed"


def test_a_fix_that_gives_something_else_is_shown(rule, capsys):
    text = rule.read_text().replace("fix: none", "fix: safe").replace("commands.forbidden", "packages.lacks_option")
    text = text.replace("programs: [telnet]", "manager: apt, any_of: [-y], insert: -y")
    head, _ = text.split("  - bad:")
    rule.write_text(f"{head}  - bad: RUN apt-get install a\n    at: apt-get install\n    fixed: RUN apt-get install a -y\n")
    assert main(["rule", "test", str(rule)]) == 1
    said = capsys.readouterr().out
    assert "expected: the fix gives\n    FROM debian:12\n    RUN apt-get install a -y\n" in said
    assert "actual: it gives\n    FROM debian:12\n    RUN apt-get install -y a\n" in said


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "commands.forbidden",
            "commands.forbiden",
            "telnet-in-image.yaml:10: there is no check called `forbiden` in `commands`; did you mean `forbidden`?",
        ),
        ("programs:", "program:", "telnet-in-image.yaml:11: `commands.forbidden` has no parameter `program`; it has: programs"),
        ("ACME001", "DF1001", "telnet-in-image.yaml:2: codes with `DF` are dfkit's own"),
        ("severity: warning", "severity: bad", "telnet-in-image.yaml:4: `severity` is error, warning, info or style, not `bad`"),
    ],
)
def test_a_mistake_is_one_sentence_with_its_line(rule, capsys, old, new, said):
    rule.write_text(rule.read_text().replace(old, new))
    assert main(["rule", "test", "telnet-in-image.yaml"]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert main(["lint", "--rules", ".", "-"]) == 2


def test_folders_and_files_that_are_not_there(folder, capsys):
    assert main(["rule", "test", "."]) == 2
    assert "there is no rule file in this folder" in capsys.readouterr().err
    assert main(["rule", "test", "nowhere.yaml"]) == 2
    assert "there is no such file" in capsys.readouterr().err
    assert main(["rule", "new", "a-rule", "--folder", "nowhere"]) == 2
    assert "the folder nowhere does not exist" in capsys.readouterr().err


def test_the_checks_are_listed_with_their_parameters(capsys):
    assert main(["rules", "--checks"]) == 0
    said = capsys.readouterr().out
    assert "commands.forbidden(programs: tuple[Words, ...])\n    A RUN runs one of these programs.\n" in said
    assert "hadolint" not in said.split("(")[0]


def test_dfkits_own_rules_can_be_tried(capsys):
    from dfkit import _data

    assert main(["rule", "test", f"{_data.folder('rules')}/packages/apt-key.yaml", f"{_data.folder('rules')}/syntax"]) == 0
    assert capsys.readouterr().out.endswith(" rules: all right\n")
