from __future__ import annotations

import io
import os
import tarfile

import pytest

from dfkit.context import ContextError, IgnoreError, plan
from dfkit.model.uses import ContextRead
from dfkit.text import Span

REWRITTEN = b"FROM scratch\nCOPY src /src\n"


def read(source):
    return ContextRead(source, Span(0, 0))


@pytest.fixture
def project(tmp_path):
    files = {
        "Dockerfile": "FROM scratch\n",
        ".dockerignore": "*.log\nnode_modules\n",
        "src/a": "aaaa",
        "b": "bb",
        "x.log": "x",
        "node_modules/m/i": "m",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def content(made, text, name=None):
    with tarfile.open(fileobj=io.BytesIO(b"".join(made.archive(text, name)))) as archive:
        files = [(member.name, archive.extractfile(member)) for member in archive]
        return [(name, file.read() if file else None) for name, file in files]


def test_a_plan_counts_what_goes_and_what_does_not(project):
    made = plan(project, dockerfile_path=project / "Dockerfile", reads=[read("src"), read("x.log")])
    assert [entry.path for entry in made.entries] == ["src", "src/a"]
    assert (made.files, made.size, made.everything, made.reasons) == (1, 4, False, ())
    assert (made.ignored, made.ignored_count) == (("node_modules/", "x.log"), 2)


def test_the_whole_context_goes_less_what_is_ignored(project):
    made = plan(project, dockerfile_path=project / "Dockerfile", reasons=["the base's triggers are not known"])
    assert [entry.path for entry in made.entries] == [".dockerignore", "Dockerfile", "b", "src", "src/a"]
    assert made.reasons == ("the base's triggers are not known",)


def test_an_unchanged_dockerfile_that_goes_anyway_is_sent_first_and_once(project):
    made = plan(project, dockerfile_path=project / "Dockerfile")
    os.utime(project / "Dockerfile", (7, 7))
    assert (made.placement(b"FROM scratch\n").name, made.placement(b"FROM scratch\n").visible) == ("Dockerfile", False)
    names = [name for name, _ in content(made, b"FROM scratch\n")]
    assert names == ["Dockerfile", ".dockerignore", "b", "src", "src/a"]


def test_a_rewritten_dockerfile_leaves_the_original_as_it_is(project):
    made = plan(project, dockerfile_path=project / "Dockerfile", reads=[read("Dockerfile"), read("src")])
    placed = made.placement(REWRITTEN)
    assert placed.name.startswith(".dfkit-")
    assert not placed.visible
    assert content(made, REWRITTEN) == [
        (placed.name, REWRITTEN),
        ("Dockerfile", b"FROM scratch\n"),
        ("src", None),
        ("src/a", b"aaaa"),
    ]


def test_a_rewritten_dockerfile_is_visible_to_a_copy_of_everything(project):
    assert plan(project, dockerfile_path=project / "Dockerfile").placement(REWRITTEN).visible
    assert plan(project, dockerfile_path=project / "Dockerfile", reads=[read("*")]).placement(REWRITTEN).visible
    assert not plan(project, dockerfile_path=project / "Dockerfile", reads=[read("src")]).placement(REWRITTEN).visible


def test_a_dockerfile_that_is_ignored_or_elsewhere_is_not_sent_under_its_own_name(project, tmp_path_factory):
    (project / ".dockerignore").write_text("Dockerfile\n")
    made = plan(project, dockerfile_path=project / "Dockerfile")
    assert made.placement(b"FROM scratch\n").name.startswith(".dfkit-")
    assert made.placement(b"FROM scratch\n").visible
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "Dockerfile"
    elsewhere.write_text("FROM scratch\n")
    assert plan(project, dockerfile_path=elsewhere).placement(b"FROM scratch\n").name.startswith(".dfkit-")


def test_the_name_of_a_rewritten_dockerfile_is_always_a_new_one(project):
    name = plan(project).placement(REWRITTEN).name
    (project / name).write_text("in the way")
    other = plan(project).placement(REWRITTEN).name
    assert other != name
    assert not (project / other).exists()


def test_a_dockerfile_that_is_a_link_is_sent_as_what_it_points_to(project):
    (project / "docker").mkdir()
    os.rename(project / "Dockerfile", project / "docker" / "prod")
    os.symlink("docker/prod", project / "Dockerfile")
    made = plan(project, dockerfile_path=project / "Dockerfile")
    assert made.placement(b"FROM scratch\n").name == "docker/prod"
    names = [name for name, _ in content(made, b"FROM scratch\n")]
    assert (names[0], names.count("docker/prod"), "Dockerfile" in names) == ("docker/prod", 1, True)


def test_a_hard_link_to_the_dockerfile_points_at_it(project):
    os.link(project / "Dockerfile", project / "A")
    made = plan(project, dockerfile_path=project / "Dockerfile")
    with tarfile.open(fileobj=io.BytesIO(b"".join(made.archive(b"FROM scratch\n")))) as archive:
        assert archive.getmember("A").linkname == "Dockerfile"


def test_a_given_name_is_used(project):
    made = plan(project, dockerfile_path=project / "Dockerfile", reads=[])
    assert content(made, REWRITTEN, "D") == [("D", REWRITTEN)]


def test_an_ignore_file_can_be_named(project):
    (project / "other").write_text("src\n")
    made = plan(project, ignore_file=project / "other")
    assert "src/a" not in [entry.path for entry in made.entries]
    assert "x.log" in [entry.path for entry in made.entries]


def test_user_errors_are_sentences(project):
    (project / ".dockerignore").write_text("a\n[\n")
    with pytest.raises(IgnoreError, match=r"\.dockerignore:2: the pattern `\[` is not valid: a `\[` has no closing"):
        plan(project)
    with pytest.raises(ContextError, match="is not a folder"):
        plan(project / "none")


def test_memory_does_not_grow_with_the_context(tmp_path):
    import tracemalloc

    for number in range(60):
        (tmp_path / str(number)).write_bytes(b"x" * 2**20)
    made = plan(tmp_path)
    tracemalloc.start()
    sent = sum(map(len, made.archive(b"FROM scratch\n")))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert sent > 60 * 2**20
    assert peak < 4 * 2**20
