from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dfkit.context.glob import Glob, clean, is_glob
from dfkit.context.selection import select
from dfkit.context.tree import walk
from dfkit.model.uses import ContextRead
from dfkit.text import Span


def read(source, exclude=(), parents=False):
    return ContextRead(source, Span(0, 0), exclude, parents)


def sent(root, *sources):
    reads = [source if isinstance(source, ContextRead) else read(source) for source in sources]
    return [entry.path for entry in walk(root, None, select(root, reads))]


def write(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)


@pytest.fixture
def project(tmp_path):
    write(
        tmp_path,
        "Dockerfile",
        "go.mod",
        "go.sum",
        "src/a.go",
        "src/a_test.go",
        "src/in/b.go",
        "docs/x.md",
        "web/p.json",
        "web/ui/p.json",
    )
    return tmp_path


def test_a_file_and_a_folder_go_with_their_parents(project):
    assert sent(project, "src/in", "go.mod") == ["go.mod", "src", "src/in", "src/in/b.go"]


def test_nothing_goes_when_nothing_is_read(project):
    assert sent(project) == []


def test_a_glob_takes_what_it_matches_with_all_below(project):
    assert sent(project, "go.*") == ["go.mod", "go.sum"]
    assert sent(project, "s*/*.go") == ["src", "src/a.go", "src/a_test.go"]
    assert sent(project, "*/i?") == ["src", "src/in", "src/in/b.go"]


def test_the_place_where_a_glob_without_a_match_looks_goes_alone(project):
    assert sent(project, "src/in/*.py") == ["src", "src/in"]
    assert sent(project, "go.mod/*") == ["go.mod"]
    assert sent(project, "none/*") == []


def test_a_class_that_may_match_a_slash_takes_the_folder(project):
    assert "src/a.go" in sent(project, "src[^x]a.go")


def test_a_name_that_looks_like_a_glob_is_found_as_it_stands(project):
    write(project, "a[1].txt")
    assert "a[1].txt" in sent(project, "a[1].txt")
    assert sent(project, r"go\.mod") == ["go.mod"]


def test_everything_goes_for_a_reason(project):
    for reads, reasons in ((None, []), ([read("go.mod")], ["`$X` is not known"]), ([read(".")], []), ([read("/")], [])):
        selection = select(project, reads, reasons)
        assert selection.everything
        assert selection.reasons
        assert selection.wants("any/thing")
    assert select(project, [], ["why"]).reasons == ("why",)


def test_a_link_brings_its_target(project):
    os.symlink("src/in", project / "link")
    os.symlink("../docs/../link", project / "web" / "again")
    os.symlink("/go.sum", project / "absolute")
    os.symlink("../../../../go.mod", project / "above")
    assert sent(project, "link") == ["link", "src", "src/in", "src/in/b.go"]
    assert sent(project, "link/b.go") == ["link", "src", "src/in", "src/in/b.go"]
    assert sent(project, "web/again/*.go") == ["link", "src", "src/in", "src/in/b.go", "web", "web/again"]
    assert sent(project, "absolute", "above") == ["above", "absolute", "go.mod", "go.sum"]
    assert sent(project, "a*") == ["above", "absolute", "go.mod", "go.sum"]


def test_a_step_up_in_a_target_undoes_the_step_before_it_whatever_that_is(project):
    os.symlink("none/../src/in", project / "by-nothing")
    os.symlink("web/ui", project / "ui")
    os.symlink("ui/../docs", project / "by-link")
    os.symlink("self/..", project / "self")
    assert sent(project, "by-nothing") == ["by-nothing", "src", "src/in", "src/in/b.go"]
    assert sent(project, "by-link") == ["by-link", "docs", "docs/x.md"]
    assert "go.mod" in sent(project, "self")


def test_a_link_below_a_source_is_only_a_link(project):
    os.symlink("../go.mod", project / "docs" / "mod")
    assert sent(project, "docs") == ["docs", "docs/mod", "docs/x.md"]


def test_a_loop_of_links_is_sent_and_nothing_else(project):
    os.symlink("b", project / "a")
    os.symlink("a", project / "b")
    assert sent(project, "a/x") == ["a", "b"]


def test_links_that_grow_the_path_or_go_in_circles_come_to_an_end(project):
    os.symlink("grow/x", project / "grow")
    os.symlink("docs/../round/a/b", project / "round")
    for number in range(300):
        os.symlink(f"chain{number + 1}", project / f"chain{number}")
    os.symlink("src", project / "chain300")
    for letter, others in (("p", "q/r"), ("q", "r/p"), ("r", "p/q")):
        os.symlink(others, project / letter)
    assert sent(project, "grow", "round/*") == ["grow", "round"]
    assert sent(project, "p/*/q") == ["p", "q", "r"]
    assert "src/a.go" in sent(project, "chain100")


def test_a_link_to_the_context_takes_everything(project):
    os.symlink(".", project / "self")
    assert "docs/x.md" in sent(project, "self")


def test_a_source_that_is_not_there_is_told(project):
    selection = select(project, [read("none"), read("go.mod"), read("no*"), read("go.mod/x"), read("a\0b")])
    assert selection.missing == ("none", "no*", "go.mod/x", "a\0b")


def test_exclude_leaves_out_what_is_below_a_folder_but_never_the_source(project):
    assert sent(project, read("src", ("*_test.go", "in"))) == ["src", "src/a.go"]
    assert sent(project, read("src", ("**", "!in/*.go"))) == ["src", "src/in", "src/in/b.go"]
    assert sent(project, read("go.*", ("*.sum",))) == ["go.mod", "go.sum"]
    assert "src/in/b.go" in sent(project, read("src", ("in",)), read("src/in"))
    without = sent(project, read(".", ("src", "web")))
    assert without == ["Dockerfile", "docs", "docs/x.md", "go.mod", "go.sum"]
    assert sent(project, read("src", ("[",))) == sent(project, "src")


def test_parents_reads_patterns_at_any_depth(project):
    assert sent(project, read("**/*.json", parents=True)) == ["web", "web/p.json", "web/ui", "web/ui/p.json"]
    assert sent(project, read("src/**/b.go", parents=True)) == ["src", "src/in", "src/in/b.go"]
    assert sent(project, read("web/*/p.json", parents=True)) == ["web", "web/ui", "web/ui/p.json"]


def test_a_new_file_at_the_top_would_be_read(project):
    name = ".dfkit-1.Dockerfile"
    assert select(project, None).wants_new(name)
    assert select(project, [read("*")]).wants_new(name)
    assert select(project, [read(".df*")]).wants_new(name)
    assert select(project, [read("**/*.Dockerfile", parents=True)]).wants_new(name)
    assert select(project, [read(".", ("src",))]).wants_new(name)
    assert not select(project, [read("*.json"), read("src"), read("src/*"), read("D*")]).wants_new(name)


def engine_reads(root: Path, source: str) -> set[str]:
    """What BuildKit's copier touches for one source, after fsutil's `copy.Copy`: the links on the way, and all below a match."""
    touched: set[str] = set()

    def resolve(path: str) -> str:
        """As containerd's `fs.RootPath`, which joins a link's target to its folder by the letters."""
        at, rest, hops = "", [part for part in path.split("/") if part], 0
        while rest:
            part = rest.pop(0)
            full = f"{at}/{part}".lstrip("/")
            if os.path.islink(root / full) and hops < 100:
                hops += 1
                touched.add(full)
                joined = clean(os.path.join("/", at, os.readlink(root / full)))
                at, rest = "", [piece for piece in joined.split("/") if piece] + rest
            else:
                at = full
        return at

    parts = [part for part in clean("/" + source).split("/") if part]
    first = next((number for number, part in enumerate(parts) if is_glob(part)), len(parts))
    base, pattern = resolve("/".join(parts[:first])), parts[first:]
    matches = [base]
    if pattern:
        globs = [Glob.parse(part) for part in pattern]
        names = [
            os.path.relpath(os.path.join(where, name), root / base)
            for where, dirs, files in os.walk(root / base)
            for name in dirs + files
        ]
        matches = [
            f"{base}/{name}".lstrip("/")
            for name in names
            if len(name.split("/")) == len(globs)
            and all(glob.match(part) for glob, part in zip(globs, name.split("/"), strict=True))
        ]
    for match in matches:
        found = resolve(match)
        if os.path.lexists(root / found):
            touched.add(found)
            touched.update(
                os.path.relpath(os.path.join(where, name), root)
                for where, dirs, files in os.walk(root / found)
                for name in dirs + files
            )
    return touched - {"", "."}


@pytest.fixture(scope="module")
def linked(tmp_path_factory):
    root = tmp_path_factory.mktemp("linked")
    write(root, "a/f", "a/b/f", "a/b/c/f", "b/f", "b/a/f", "c/c/c", "f", "ab/f")
    for link, target in (
        ("l", "a/b"),
        ("a/l", "../b"),
        ("b/l", "/c"),
        ("a/b/l", "../l/a"),
        ("c/l", "l2"),
        ("c/l2", "l"),
        ("m", "../../a"),
        ("b/m", "none"),
        ("c/m", "none/../../a/b"),
        ("a/m", "l/.."),
    ):
        os.symlink(target, root / link)
    return root


step = st.sampled_from(["a", "b", "c", "f", "l", "m", "ab", "*", "?", "a*", "[ab]", "[a-c]*", "l*", ".."])


@settings(max_examples=300, deadline=None)
@given(st.lists(step, min_size=1, max_size=4).map("/".join))
def test_never_fewer_files_than_the_engine_reads(linked, source):
    missing = engine_reads(linked, source) - set(sent(linked, source))
    assert not missing
