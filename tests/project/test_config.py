"""What configuration files say, and how mistakes in them are told."""

from __future__ import annotations

import pytest

from dfkit.project import hadolint
from dfkit.project.config import ConfigError, nearest
from dfkit.project.reader import read

ALL = """\
profile: security
select: [DL3057]
ignore: sudo
severity: {DL3008: error, sudo: info}
per_path_ignores:
  "test/**": [DL3006, DL3007]
failure_threshold: none
format: json
allowed_registries: [ghcr.io]
labels: {org.example.version: semver}
strict_labels: true
ignore_comments: false
shellcheck: false
build_args: {VERSION: "1.20", MAJOR: 1}
context: ..
rule_folders: [rules]
"""

VALUES = {
    "profile": "security",
    "select": ("DL3057",),
    "ignore": ("sudo",),
    "severity": (("DL3008", "error"), ("sudo", "info")),
    "per_path_ignores": (("test/**", ("DL3006", "DL3007")),),
    "failure_threshold": "none",
    "format": "json",
    "allowed_registries": ("ghcr.io",),
    "labels": (("org.example.version", "semver"),),
    "strict_labels": True,
    "ignore_comments": False,
    "shellcheck": False,
    "build_args": (("VERSION", "1.20"), ("MAJOR", "1")),
    "context": "..",
    "rule_folders": ("rules",),
}


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setattr("dfkit._data.cache", lambda name: str(tmp_path / "cache" / name))


@pytest.fixture
def written(tmp_path):
    def write(text, name=".dfkit.yaml"):
        path = tmp_path / name
        path.write_text(text)
        return str(path)

    return write


def test_all_settings_are_read(written):
    path = written(ALL)
    config = read(path)
    assert dict(config.values) == VALUES
    assert config.lines["DL3007"] == 6
    assert read(path) == config, "the second time it is read from the cache"


def test_pyproject_has_the_same_settings(written):
    toml = """\
[tool.other]
ignore = 1
[tool.dfkit]
ignore = ["sudo"]
strict_labels = true
[tool.dfkit.severity]
DL3008 = "error"
"""
    config = read(written(toml, "pyproject.toml"))
    assert dict(config.values) == {"ignore": ("sudo",), "strict_labels": True, "severity": (("DL3008", "error"),)}
    assert config.lines["sudo"] == 4


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("shellcheck: true\nignor: [a]\n", 2, "there is no setting `ignor`; did you mean `ignore`?"),
        ("failure-threshold: none\n", 1, "did you mean `failure_threshold`?"),
        ("profile: strict\n", 1, "`profile` is one of recommended, hadolint"),
        ("\nstrict_labels: maybe\n", 2, "`strict_labels` is true or false, not `maybe`"),
        ("ignore: {a: b}\n", 1, "`ignore` is a list of texts"),
        ("severity:\n  sudo: bad\n", 2, "`sudo` is one of error, warning, info, style, not `bad`"),
        ("severity: [sudo]\n", 1, "`severity` is a mapping of names to values"),
        ("labels:\n  a: number\n", 2, "`a` is one of text, rfc3339"),
        ("build_args:\n  A: true\n", 2, "the value of `A` is a text; put it in quotes"),
        ("- a\n", 1, "a configuration is a mapping"),
        ("a: [\n", 2, "not YAML"),
        ("ignore: [a]\nignore: [b]\n", 2, "not YAML"),
    ],
)
def test_a_mistake_is_told_with_its_line(written, text, line, said):
    path = written(text)
    with pytest.raises(ConfigError) as error:
        read(path)
    assert str(error.value).startswith(f"{path}:{line}: ")
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_the_nearest_file_counts_up_to_the_top_of_the_work_tree(tmp_path):
    (tmp_path / ".dfkit.yaml").write_text("")
    (tmp_path / "repository" / ".git").mkdir(parents=True)
    inner = tmp_path / "repository" / "a" / "b"
    inner.mkdir(parents=True)
    assert nearest(str(inner), {}) is None
    (tmp_path / "repository" / "pyproject.toml").write_text("[project]\n")
    assert nearest(str(inner), {}) is None
    (tmp_path / "repository" / "pyproject.toml").write_text("[tool.dfkit]\n")
    assert nearest(str(inner), {}) == str(tmp_path / "repository" / "pyproject.toml")
    (inner.parent / ".dfkit.yaml").write_text("")
    assert nearest(str(inner), {}) == str(inner.parent / ".dfkit.yaml")


def test_hadolints_file_is_read_as_settings(written):
    text = """\
failure-threshold: ignore
ignored: [DL3008]
label-schema: {author: text}
no-color: true
no-fail: true
override:
  error: [DL3006]
  style: [SC2086]
strict-labels: true
disable-ignore-pragma: true
trustedRegistries: [ghcr.io]
"""
    assert dict(hadolint.read(written(text, ".hadolint.yaml")).values) == {
        "failure_threshold": "style",
        "ignore": ("DL3008",),
        "labels": (("author", "text"),),
        "no_fail": True,
        "severity": (("DL3006", "error"), ("SC2086", "style")),
        "strict_labels": True,
        "ignore_comments": False,
        "allowed_registries": ("ghcr.io",),
    }


def test_a_misspelt_key_of_hadolints_is_told(written):
    path = written("ignored: []\nignorred: [DL3006]\n", ".hadolint.yaml")
    with pytest.raises(ConfigError, match=r":2: there is no setting `ignorred`; did you mean `ignored`\?"):
        hadolint.read(path)


def test_hadolints_variables_are_settings():
    values = hadolint.from_environment(
        {
            "HADOLINT_IGNORE": "DL3006, DL3008",
            "HADOLINT_OVERRIDE_INFO": "DL3004",
            "HADOLINT_TRUSTED_REGISTRIES": "ghcr.io",
            "HADOLINT_REQUIRE_LABELS": "author:text,a:b:url",
            "HADOLINT_STRICT_LABELS": "1",
            "HADOLINT_DISABLE_IGNORE_PRAGMA": "false",
            "HADOLINT_NOFAIL": "yes",
            "HADOLINT_FAILURE_THRESHOLD": "error",
            "HADOLINT_FORMAT": "json",
            "HADOLINT": "",
        }
    ).values
    assert dict(values) == {
        "ignore": ("DL3006", "DL3008"),
        "severity": (("DL3004", "info"),),
        "allowed_registries": ("ghcr.io",),
        "labels": (("author", "text"), ("a:b", "url")),
        "strict_labels": True,
        "ignore_comments": True,
        "no_fail": True,
        "failure_threshold": "error",
        "format": "json",
    }


def test_hadolints_file_is_looked_for_where_hadolint_looks(tmp_path, monkeypatch):
    home = tmp_path / "home"
    (home / ".config").mkdir(parents=True)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    environment = {"HOME": str(home)}
    assert hadolint.find(environment) is None
    (home / ".hadolint.yaml").write_text("")
    assert hadolint.find(environment) == str(home / ".hadolint.yaml")
    (home / ".config" / "hadolint.yaml").write_text("")
    assert hadolint.find(environment) == str(home / ".config" / "hadolint.yaml")
    (tmp_path / "work" / ".hadolint.yml").write_text("")
    assert hadolint.find(environment) == ".hadolint.yml"
