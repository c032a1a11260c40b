"""Configuration and hadolint's options, as a user of `dfkit lint` meets them."""

from __future__ import annotations

import json

import pytest

from dfkit.cli import main

TEXT = "FROM debian\nRUN sudo ls\n"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setattr("dfkit._data.cache", lambda name, real=tmp_path: str(real / "cache" / name))
    (tmp_path / "Dockerfile").write_text(TEXT)
    return tmp_path


@pytest.fixture
def lint(capsys):
    """Lints, and gives the exit code and pairs of code and level, in the order of the text."""

    def lint(*arguments):
        code = main(["lint", "--no-shellcheck", "-f", "json", *arguments])
        return code, [(each["code"], each["level"]) for each in json.loads(capsys.readouterr().out)]

    return lint


def test_the_nearest_file_configures(folder, lint):
    (folder / ".dfkit.yaml").write_text("ignore: [no-user, DL3006]\nseverity: {sudo: style}\n")
    assert lint("Dockerfile") == (0, [("DL3004", "style")])
    assert lint("--no-config", "Dockerfile")[0] == 1
    (folder / "other.yaml").write_text("ignore: [sudo, no-user]\nfailure_threshold: error\n")
    assert lint("-c", "other.yaml", "Dockerfile") == (0, [("DL3006", "warning")])


def test_each_file_has_its_own_configuration(folder, lint):
    for name, ignored in (("a", "sudo"), ("b", "DL3006")):
        (folder / name).mkdir()
        (folder / name / "Dockerfile").write_text(TEXT)
        (folder / name / ".dfkit.yaml").write_text(f"ignore: [no-user, {ignored}]\n")
    assert lint("a", "b")[1] == [("DL3006", "warning"), ("DL3004", "warning")]


def test_the_command_line_goes_before_the_file(folder, lint):
    (folder / ".dfkit.yaml").write_text("profile: hadolint\nseverity: {sudo: style}\nignore: [DL3006]\n")
    assert lint("--error", "DL3004", "Dockerfile") == (1, [("DL3004", "error")])
    assert lint("--profile", "recommended", "--ignore", "no-user", "Dockerfile") == (0, [("DL3004", "style")])


def test_patterns_take_rules_from_some_files(folder, lint):
    (folder / "test").mkdir()
    (folder / "test" / "Dockerfile").write_text(TEXT)
    (folder / ".dfkit.yaml").write_text('ignore: [no-user]\nper_path_ignores:\n  "test": [sudo, untagged-base]\n')
    assert lint("test/Dockerfile") == (0, [])
    assert len(lint("Dockerfile")[1]) == 2


def test_what_rules_are_told(folder, lint):
    arguments = ("--select", "DL3026", "--select", "DL3049", "--select", "DL3050", "--ignore", "no-user", "--ignore", "DL3004")
    (folder / "Dockerfile").write_text("FROM debian:12\nLABEL b=c\n")
    assert lint(*arguments, "Dockerfile")[1] == []
    given = lint("--trusted-registry", "ghcr.io", "--require-label", "a:text", "--strict-labels", *arguments, "Dockerfile")[1]
    (folder / ".dfkit.yaml").write_text("allowed_registries: [ghcr.io]\nlabels: {a: text}\nstrict_labels: true\n")
    assert lint(*arguments, "Dockerfile")[1] == given == [("DL3026", "error"), ("DL3049", "info"), ("DL3050", "info")]


def test_build_args_reach_the_rules(folder, lint):
    (folder / "Dockerfile").write_text("ARG TAG\nFROM debian:${TAG}\nUSER 1\n")
    (folder / ".dfkit.yaml").write_text("build_args: {TAG: latest}\n")
    assert ("DL3007", "warning") in lint("Dockerfile")[1]
    assert ("DL3007", "warning") not in lint("--build-arg", "TAG=12", "Dockerfile")[1]


def test_rule_folders_add_rules(folder, lint, capsys):
    (folder / "own").mkdir()
    assert main(["rule", "new", "telnet-in-image", "--folder", "own"]) == 0
    (folder / "sub").mkdir()
    (folder / "sub" / "Dockerfile").write_text("FROM debian:12\nRUN telnet x\nUSER 1\n")
    (folder / ".dfkit.yaml").write_text("rule_folders: [own]\n")
    capsys.readouterr()
    assert lint("sub/Dockerfile") == (1, [("ACME001", "warning")])
    assert main(["explain", "acme001"]) == 0
    assert capsys.readouterr().out.startswith("telnet-in-image (ACME001, warning)")
    assert main(["rules", "-f", "json"]) == 0
    assert "ACME001" in [each["code"] for each in json.loads(capsys.readouterr().out)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ignore:\n  - DL30066\n", ".dfkit.yaml:2: there is no rule `DL30066`; did you mean `DL3066`?"),
        ("rule_folders: [nowhere]\n", ".dfkit.yaml:1: the rule folder nowhere does not exist"),
        ("per_path_ignores:\n  '[': [sudo]\n", ".dfkit.yaml:2: `[` is no pattern"),
        ("format: xml\n", "there is no format `xml`"),
    ],
)
def test_a_mistake_is_one_sentence(folder, capsys, text, said):
    (folder / ".dfkit.yaml").write_text(text)
    assert main(["lint", "--no-shellcheck", "Dockerfile"]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_hadolints_file_counts_in_its_profile_only(folder, lint):
    (folder / ".hadolint.yaml").write_text("ignored: [DL3006]\noverride: {info: [DL3004, DL3057]}\n")
    assert lint("--profile", "hadolint", "Dockerfile") == (1, [("DL3057", "info"), ("DL3004", "info")])
    assert ("DL3006", "warning") in lint("Dockerfile")[1]
    assert ("DL3006", "warning") in lint("--profile", "hadolint", "--no-config", "Dockerfile")[1]


def test_ignore_replaces_hadolints_list(folder, lint, monkeypatch):
    (folder / "h.yaml").write_text("ignored: [DL3006]\n")
    hadolint = ("--profile", "hadolint", "--config", "h.yaml")
    assert lint(*hadolint, "Dockerfile")[1] == [("DL3004", "error")]
    assert lint(*hadolint, "--ignore", "DL3004", "Dockerfile")[1] == [("DL3006", "warning")]
    monkeypatch.setenv("HADOLINT_IGNORE", "DL3004")
    assert lint(*hadolint, "Dockerfile")[1] == [("DL3006", "warning")]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [((), 1), (("-t", "error"), 1), (("--ignore", "DL3004", "-t", "error"), 0), (("-t", "none"), 0), (("--no-fail",), 0),
     (("--ignore", "DL3004", "-t", "ignore"), 1)],
)  # fmt: skip
def test_thresholds_of_hadolint(lint, arguments, code):
    assert lint("--profile", "hadolint", *arguments, "Dockerfile")[0] == code


def test_comments_can_be_disabled(folder, lint):
    (folder / "Dockerfile").write_text("# hadolint ignore=DL3006\nFROM debian\n")
    assert lint("--profile", "hadolint", "Dockerfile")[1] == []
    assert lint("--profile", "hadolint", "--disable-ignore-pragma", "Dockerfile")[1] == [("DL3006", "warning")]


def test_several_formats_go_to_several_places(folder, capsys):
    arguments = ["-f", "checkstyle", "-o", "out.xml", "-f", "tty", "--file-path-in-report", "x/y", "--ignore", "no-user"]
    main(["lint", "--no-shellcheck", *arguments, "Dockerfile"])
    assert '<file name="x/y">' in (folder / "out.xml").read_text()
    assert [line.split()[:3] for line in capsys.readouterr().out.splitlines()] == [
        ["Dockerfile:1", "DL3006", "warning:"],
        ["Dockerfile:2", "DL3004", "warning:"],
    ]
    assert main(["lint", "-o", "out", "Dockerfile"]) == 2
    assert "each --output needs a --format" in capsys.readouterr().err


def test_a_missing_shellcheck_is_said_once_for_all_files(folder, capsys, monkeypatch):
    monkeypatch.setattr("dfkit.lint.shellcheck.find", lambda: None)
    for name in "ab":
        (folder / name).mkdir()
        (folder / name / "Dockerfile").write_text("FROM debian:12\nRUN ls\nUSER 1\n")
        (folder / name / ".dfkit.yaml").write_text("ignore: [no-user]\n")
    assert main(["lint", "a", "b"]) == 0
    assert capsys.readouterr().err.count("ShellCheck was not found") == 1


def test_a_build_lints_as_configured_and_says_once_that_shellcheck_is_missing(folder, capsys, monkeypatch):
    monkeypatch.setattr("dfkit.lint.shellcheck.find", lambda: None)
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    (folder / ".dfkit.yaml").write_text("ignore: [sudo, no-user]\n")
    assert main(["build", "--dry-run", "."]) == 0
    said = capsys.readouterr().err
    assert said.count("ShellCheck was not found") == 1
    assert "DL3006" in said
    assert "DL3004" not in said
    assert main(["build", "--dry-run", "--fail-on", "error", "."]) == 0


ADD = "FROM debian:12\nRUN pip install flask==3\n"


@pytest.fixture
def optimize(folder, capsysbinary):
    """Optimizes a Dockerfile, and gives its text."""

    def optimize(*arguments):
        (folder / "Dockerfile").write_text(ADD)
        assert main(["optimize", *arguments]) == 0
        return capsysbinary.readouterr().out.decode()

    return optimize


@pytest.mark.parametrize(
    ("text", "rewritten"),
    [
        ("ignore: [pip-cache-left]\n", False),
        ("ignore: [DL3042]\n", False),
        ("per_path_ignores: {Dockerfile: [DL3042]}\n", False),
        ("per_path_ignores: {other: [DL3042]}\n", True),
        ("profile: hadolint\n", True),
        ("severity: {DL3042: style}\n", True),
    ],
)
def test_a_rule_that_is_not_to_run_rewrites_nothing(folder, optimize, text, rewritten):
    (folder / ".dfkit.yaml").write_text(text)
    assert ("--no-cache-dir" in optimize()) == rewritten
    assert "--no-cache-dir" in optimize("--no-config")
    (folder / ".dfkit.yaml").rename(folder / "other.yaml")
    assert "--no-cache-dir" in optimize()
    assert ("--no-cache-dir" in optimize("--config", "other.yaml")) == rewritten


@pytest.mark.parametrize("quiet", [(), ("--quiet",)])
def test_it_does_not_rewrite_what_is_built_either(folder, capsysbinary, quiet):
    (folder / "Dockerfile").write_text(ADD)
    for text, rewritten in (("profile: hadolint\n", True), ("ignore: [DL3042]\n", False)):
        (folder / ".dfkit.yaml").write_text(text)
        assert main(["build", "--dry-run", *quiet, "."]) == 0
        assert (b"--no-cache-dir" in capsysbinary.readouterr().out) == rewritten


def test_a_mistake_in_the_configuration_stops_the_optimizer(folder, capsys):
    (folder / ".dfkit.yaml").write_text("ignore: [no-such-rule]\n")
    assert main(["optimize"]) == 2
    assert ".dfkit.yaml:1: " in capsys.readouterr().err


def test_the_optimizer_takes_the_context_of_the_configuration(folder, capsysbinary):
    (folder / ".dfkit.yaml").write_text("context: missing\n")
    assert main(["optimize"]) == 2
    assert b"missing is not a folder" in capsysbinary.readouterr().err
    assert main(["optimize", "--context", "."]) == 0
