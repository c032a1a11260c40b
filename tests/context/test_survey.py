from __future__ import annotations

import os

import pytest

from dfkit.context import plan
from dfkit.context.facts import Share
from dfkit.context.selection import select
from dfkit.context.survey import survey
from dfkit.model.uses import ContextRead
from dfkit.text import Span


@pytest.fixture
def project(tmp_path):
    files = {
        ".dockerignore": "node_modules\n*.log\n!keep.log\nnothing\n",
        ".env": "A=1",
        "src/a": "aaaa",
        "docs/b": "bb",
        "x.log": "xxx",
        "keep.log": "k",
        "node_modules/m/i": "m" * 50,
        "node_modules/n": "n" * 7,
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def looked(root, *sources, known=True):
    reads = [ContextRead(source, Span(0, 0)) for source in sources]
    return survey(plan(root, reads=reads), select(root, reads) if known else None)


def test_everything_is_counted_ignored_or_not(project):
    found = looked(project, "src")
    assert found.all == Share("", 8, sum(path.stat().st_size for path in project.rglob("*") if path.is_file()))
    assert [entry.path for entry in found.visible] == [".dockerignore", ".env", "docs", "docs/b", "keep.log", "src", "src/a"]


def test_what_is_ignored_is_weighed_and_has_its_line(project):
    ignored = looked(project, "src").ignored
    assert [(each.path, each.files, each.size, each.line.line) for each in ignored] == [
        ("node_modules/", 2, 57, 1),
        ("x.log", 1, 3, 2),
    ]


def test_what_no_instruction_reads_is_told_where_it_is_known(project):
    assert [entry.path for entry in looked(project, "src", "*.log").unused] == [".dockerignore", ".env", "docs/b"]
    assert looked(project, ".").unused == ()
    assert looked(project, "src", known=False).unused is None


def test_secrets_are_looked_for_in_what_is_visible(project):
    (project / "node_modules" / ".env").write_text("A=1")
    assert [each.path for each in looked(project, "src").secrets] == [".env"]


def test_lines_that_change_nothing_are_told(project):
    assert [each.line.line for each in looked(project, "src").idle] == [4]


def test_a_closed_folder_that_no_instruction_reads_does_not_end_it(project, run_as_nobody):
    (project / "shut").mkdir()
    (project / "shut" / "f").write_text("x")
    os.chmod(project / "shut", 0)
    script = "from dfkit.context import plan; from dfkit.context.survey import survey; "
    script += "print([entry.path for entry in survey(plan(sys.argv[1], reads=[]), None).visible if entry.kind == 'dir'])"
    assert run_as_nobody(script, project) == "['docs', 'shut', 'src']\n"
    os.chmod(project / "shut", 0o700)
