from __future__ import annotations

import sys
from types import ModuleType
from typing import Literal

import pytest

from dfkit.catalog import Catalog
from dfkit.catalog.load import RuleError, load, read
from dfkit.checks.binding import Words, check
from dfkit.errors import UsageError
from dfkit.syntax.nodes import Run, User

RULE = """\
code: ACME001
summary: a summary
severity: warning
fix: none
tags: [one]
since: 0.1.0
why: A reason.
uses: sample.words
with: {command: [apt-get, install], any_of: -y, limit: 3}
also: {trivy: DS-0021, semgrep: [a, b]}
profiles:
  hadolint: {severity: error}
  security: off
examples:
  - bad: |
      FROM a
      RUN x
    at: x
    fixed: |
      FROM a
      RUN y
  - good: RUN z
    files: {app.py: "print()"}
    options: {allowed_registries: [example.com]}
"""


@pytest.fixture(autouse=True)
def sample(monkeypatch):
    """The checks of a module `dfkit.checks.sample`."""
    module = ModuleType("dfkit.checks.sample")

    @check(Run, User, program="command")
    def words(node, at, *, command: Words, any_of: Words | None = None, limit: int = 1, way: Literal["up", "down"] = "up"):
        yield from ()

    @check(Run, program="command")
    def programs(node, at, *, command: tuple[Words, ...]):
        yield from ()

    @check(Run)
    def plain(node, at):
        yield from ()

    @check(Run, program="manager")
    def managed(node, at, *, manager: str):
        yield from ()

    module.__dict__.update(words=words, programs=programs, plain=plain, managed=managed, helper=lambda: None)
    monkeypatch.setitem(sys.modules, "dfkit.checks.sample", module)


@pytest.fixture
def written(tmp_path):
    """Writes a rule file and gives its path."""

    def write(text: str, name: str = "some-rule.yaml") -> str:
        (tmp_path / name).write_text(text, encoding="utf-8")
        return str(tmp_path / name)

    return write


def test_a_rule_is_read_whole(written):
    rule, documentation = read(written(RULE))
    assert (rule.name, rule.code, rule.severity, rule.fix) == ("some-rule", "ACME001", "warning", "none")
    assert dict(rule.parameters) == {"command": ("apt-get", "install"), "any_of": ("-y",), "limit": 3}
    assert rule.nodes == ("dfkit.syntax.nodes.Run", "dfkit.syntax.nodes.User")
    assert rule.programs == ("apt-get",)
    assert rule.aliases == ("DS-0021", "a", "b")
    assert rule.profiles == (("hadolint", "error"), ("security", "off"))
    assert (documentation.why, documentation.since, documentation.path) == ("A reason.", "0.1.0", "some-rule.yaml")
    bad, good = documentation.examples
    assert (bad.text, bad.at, bad.fixed, bad.line) == ("FROM a\nRUN x\n", "x", "FROM a\nRUN y\n", 15)
    assert good.text == "FROM debian:12\nRUN z\n"
    assert good.files == (("app.py", "print()"),)
    assert good.options == (("allowed_registries", ("example.com",)),)


def test_a_fix_says_what_it_gains_and_changes_on_purpose(written):
    rule, documentation = read(
        written(RULE.replace("fix: none", "fix: safe\ngain: Megabytes.\ndeclares: [/var/lib/apt/lists/**]"))
    )
    assert rule.declares == ("/var/lib/apt/lists/**",)
    assert documentation.gain == "Megabytes."


def test_the_programs_of_several_commands_are_known(written):
    text = RULE.replace("sample.words", "sample.programs")
    text = text.replace("[apt-get, install], any_of: -y, limit: 3", "[[pip, install], [pip3, install], [pip, download]]")
    assert read(written(text))[0].programs == ("pip", "pip3")
    text = RULE.replace("sample.words", "sample.managed").replace(
        "{command: [apt-get, install], any_of: -y, limit: 3}", "{manager: apk}"
    )
    assert read(written(text))[0].programs == ("apk",)


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("any_of: -y", "anyof: -y", 9, "`sample.words` has no parameter `anyof`; it has: command, any_of, limit, way"),
        ("limit: 3", "limit: three", 9, "`limit` of `sample.words` is int, which 'three' is not"),
        ("limit: 3", "limit: true", 9, "which True is not"),
        ("limit: 3", "way: left", 9, "which 'left' is not"),
        ("command: [apt-get, install], ", "", 9, "`sample.words` needs `command` in `with`"),
        ("sample.words", "sample.nothing", 8, "there is no check called `nothing` in `sample`"),
        ("sample.words", "sample.helper", 8, "there is no check called `helper` in `sample`"),
        ("sample.words", "nowhere.words", 8, "there are no checks called `nowhere`"),
        ("sample.words", "os", 8, "`os` names no check"),
        ("sample.words", "..text.words", 8, "`..text.words` names no check"),
        ("tags: [one]", "tag: [one]", 5, "a rule has no `tag`"),
        ("tags: [one]", "tags: [1]", 5, "`tags` is a list of texts"),
        ("severity: warning", "severity: bad", 3, "`severity` is error, warning, info or style, not `bad`"),
        ("fix: none", "fix: maybe", 4, "`fix` is safe, unsafe, display or none"),
        ("since: 0.1.0", "since: 1.0", 6, "`since` is a text"),
        ("fix: none", "fix: none\ngain: bytes", 5, "a rule without a fix has no `gain`"),
        ("fix: none", "fix: none\ndeclares: /tmp", 5, "a rule without a fix has no `declares`"),
        ("ACME001", "acme", 1, "`acme` is no code"),
        ("ACME001", "DF1001", 1, "codes with `DF` are dfkit's own"),
        ("  security: off", "  secure: off", 13, "`secure` is no profile"),
        ("  security: off", "  security: maybe", 13, "a profile is `on`, `off` or `severity: …`"),
        ("{severity: error}", "{level: error}", 12, "a profile has no `level`"),
        ("  - good:", "  - well:", 22, "an example has no `well`"),
        ("    at: x", "    good: x", 15, "an example has a `bad` or a `good` Dockerfile"),
        ("options: {allowed_registries", "options: {allowed", 24, "`options` has no `allowed`"),
        ("summary: a summary\n", "", 1, "a rule needs `summary`"),
        ("uses: sample.words\n", "", 1, "a rule needs `uses`"),
        ("tags: [one]", "tags: [one", 6, "not YAML"),
        ("summary: a summary", "code: ACME002", 2, "not YAML"),
    ],
)
def test_a_wrong_rule_file_is_refused_with_its_line(written, old, new, line, message):
    assert old in RULE
    path = written(RULE.replace(old, new))
    with pytest.raises(RuleError) as error:
        read(path)
    assert str(error.value).startswith(f"{path}:{line}: ")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_code_of_dfkit_stands_in_its_folders_block(written, tmp_path):
    path = written(RULE.replace("ACME001", "DF1099"))
    assert read(path, "syntax/some-rule.yaml")[0].code == "DF1099"
    with pytest.raises(RuleError, match=r"the codes of base/ are DF1100 to DF1199"):
        read(path, "base/some-rule.yaml")


def test_a_rule_is_named_by_its_file_in_lower_case(written):
    with pytest.raises(RuleError, match="`Some_Rule` cannot name a rule"):
        read(written(RULE, "Some_Rule.yaml"))


def test_a_rule_without_parameters_takes_none(written):
    text = RULE.replace("sample.words", "sample.plain")
    with pytest.raises(RuleError, match="it has: none"):
        read(written(text))


def test_two_rules_cannot_share_a_code(written, tmp_path):
    written(RULE, "first.yaml")
    written(RULE, "second.yaml")
    with pytest.raises(RuleError, match=r"`ACME001` is the name or code of first.yaml already"):
        load(str(tmp_path))


def test_a_users_folder_adds_rules(written, tmp_path, monkeypatch):
    monkeypatch.setattr("dfkit._data.cache", lambda name: str(tmp_path / "cache" / name))
    written(RULE)
    catalog = Catalog.load([str(tmp_path)])
    assert catalog.find("acme001")[0].name == "some-rule"
    assert catalog.find("syntax-error")
    documentation = catalog.documentation("some-rule")
    assert documentation is not None
    assert documentation.why == "A reason."
    assert len(list((tmp_path / "cache").iterdir())) == 4
    again = Catalog.load([str(tmp_path)])
    assert again.rules == catalog.rules


def test_a_changed_rule_is_compiled_again(written, tmp_path, monkeypatch):
    monkeypatch.setattr("dfkit._data.cache", lambda name: str(tmp_path / "cache" / name))
    written(RULE)
    assert Catalog.load([str(tmp_path)]).find("some-rule")[0].severity == "warning"
    written(RULE.replace("warning", "error"))
    assert Catalog.load([str(tmp_path)]).find("some-rule")[0].severity == "error"


def test_rules_are_found_where_no_cache_can_be_written(written, tmp_path, monkeypatch):
    (tmp_path / "cache").write_text("a file where the folder should be")
    monkeypatch.setattr("dfkit._data.cache", lambda name: str(tmp_path / "cache" / name))
    written(RULE)
    catalog = Catalog.load([str(tmp_path)])
    assert catalog.find("acme001")[0].summary == "a summary"
    documentation = catalog.documentation("some-rule")
    assert documentation is not None
    assert documentation.since == "0.1.0"


def test_a_users_rule_cannot_take_a_name_of_dfkits(written, tmp_path):
    written(RULE.replace("ACME001", "ACME002"), "syntax-error.yaml")
    with pytest.raises(UsageError, match="two rules are called `syntax-error`"):
        Catalog.load([str(tmp_path)])


def test_a_missing_folder_is_said(tmp_path):
    with pytest.raises(UsageError, match="does not exist"):
        Catalog.load([str(tmp_path / "none")])
