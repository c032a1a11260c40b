"""`dfkit._regex`: what is kept of an expression is what `re` makes of it."""

from __future__ import annotations

import marshal
import re
import subprocess
import sys
from pathlib import Path

import pytest

import dfkit
from dfkit import _data, _regex
from dfkit._regex import dump, regex, restore
from dfkit.text.settings import Settings

TEXTS = [
    "a",
    r"(?i)\s*(?:onbuild\s+)*(?:run|copy|add)\s",
    r"(?P<name>[^\s;&|<>()'\"\\$`*?\[{~]+)|(?P<rest>\d+)\Z",
    r"(?s)(?:<<[ \t\r]*+|[^\s'\"\\$<]++|\\.)++",
    r"(?a)[A-Za-z_]\w*",
    r"[-+]?(?:0|(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))",
    r"(?<![^\s;&|()`])(?:case|esac)(?![^\s;&|()`])",
    "[\U0001f600-\U0001f64f]|\ud800?",
]


@pytest.mark.parametrize("text", TEXTS)
def test_what_is_restored_equals_what_re_compiles(text):
    kept = dump(text)
    assert kept is not None
    # Patterns are equal if their texts, flags and codes are.
    assert restore(text, kept) == re.compile(text)
    assert restore(text, kept).groupindex == re.compile(text).groupindex


def test_so_does_every_expression_written_in_the_package():
    found = []
    for path in Path(_data.HERE).rglob("*.py"):
        found += re.findall(r"\bregex\(\s*(r?\"(?:[^\"\\\n]|\\.)*\")\)", path.read_text())
    assert len(found) > 50
    for text in map(eval, found):
        assert restore(text, dump(text)) == re.compile(text)


def test_one_text_is_one_object_whose_methods_are_those_of_the_pattern():
    assert regex("(?P<x>b)c") is regex("(?P<x>b)c")
    assert regex("(?P<x>b)c").search("abcd").span("x") == (1, 2)
    assert regex("(?P<x>b)c").groups == 1


PROGRAM = (
    "import sys; from dfkit._regex import keep, regex; print(regex('a+b').match('aab').end()); keep(); print('re' in sys.modules)"
)


def run(folder):
    environment = {"XDG_CACHE_HOME": str(folder / "cache"), "PYTHONPATH": str(folder)}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=folder, env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.split()


@pytest.fixture
def installed(tmp_path):
    """A copy of the modules outside the checkout, whose cache is the user's."""
    package = tmp_path / "dfkit"
    package.mkdir()
    for name in ("__init__.py", "_data.py", "_regex.py"):
        (package / name).write_bytes((Path(_data.HERE) / name).read_bytes())
    return tmp_path


def test_the_second_process_needs_no_re(installed):
    assert run(installed) == ["3", "True"]
    assert run(installed) == ["3", "False"]


@pytest.mark.parametrize(
    "content", [b"", b"rubbish", b"\xe9\x00\x00\x00\x00", marshal.dumps({"a+b": b""}), marshal.dumps({"a+b": 1})]
)
def test_a_damaged_file_is_made_again(installed, content):
    run(installed)
    (kept,) = (installed / "cache" / "dfkit").glob("expressions-*")
    kept.write_bytes(content)
    assert run(installed) == ["3", "True"]
    assert run(installed) == ["3", "False"]


def test_code_of_another_python_is_not_used(installed):
    run(installed)
    (kept,) = (installed / "cache" / "dfkit").glob("expressions-*")
    for wrong in ((0, b"\xff" * 16, 0, {}, (None,)), (0, b"odd", 0, {}, (None,)), ("x",), None):
        kept.write_bytes(marshal.dumps({"a+b": marshal.dumps(wrong)}))
        assert run(installed) == ["3", "True"]
        assert run(installed) == ["3", "False"]


@pytest.mark.parametrize("profile", ["all", "hadolint", "buildkit", "security"])
def test_nothing_of_a_dockerfile_stands_in_an_expression_that_is_kept(profile):
    text = """FROM marker:marker AS marker
ARG marker=marker
ENV marker=marker other=$marker/x a=${marker%marker*} b=${marker/mar?er/x}
LABEL marker=marker org.opencontainers.image.licenses=marker
WORKDIR /marker
COPY --from=marker marker* /marker/
RUN --mount=type=cache,target=/marker apt-get install -y marker=1 && rm -rf /marker/* && curl -o marker https://marker/marker
USER marker
HEALTHCHECK CMD ["marker"]
"""
    dfkit.lint(text, settings=Settings(profile=profile))
    assert not [made for made in _regex._made if "marker" in made]
