"""The files that a build needs, and no others, give the same image; Docker's own client shows an engine what dfkit does."""

from __future__ import annotations

import os
import socket

import pytest

from dfkit.build import BuildRequest, Folders, build
from dfkit.context import plan
from dfkit.image import SavedImage, flatten
from dfkit.workflow.build import context_use, triggers_of
from dfkit.workflow.context import against_docker, inspect
from tests.engine.near import client

pytestmark = pytest.mark.engine


@pytest.fixture
def buildx(modern_engine, monkeypatch):
    """Docker's client and an engine for it, where `against_docker` looks."""
    monkeypatch.setenv("DFKIT_BUILDX", client(modern_engine)[0])
    monkeypatch.setenv("DFKIT_BUILDX_HOST", modern_engine.host)


@pytest.fixture
def root(tmp_path):
    for name in ("go.mod", "src/a.go", "src/in/b.go", "docs/x.md", "web/p.json", "web/ui/q.json", "empty/only/z", ".env"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "link").symlink_to("src/in")
    (tmp_path / "again").symlink_to("link")
    (tmp_path / "loop").symlink_to("loop")
    return tmp_path


@pytest.mark.parametrize(
    "text",
    [
        "FROM scratch\nCOPY go.mod src/ /x/\n",
        "FROM scratch\nCOPY */*.json /x/\nADD again /y/\n",
        "FROM scratch\nCOPY link/b.go /x/\n",
        "FROM scratch\nCOPY empty/*.none go.mod /x/\n",
        "FROM scratch AS one\nONBUILD COPY docs /docs\nFROM one\nARG P=we\nCOPY ${P}* /x/\n",
        "FROM busybox AS one\nRUN --mount=type=bind,source=web,target=/w cat /w/ui/q.json > /q\nFROM scratch\nCOPY --from=one /q /\n",
    ],
)
def test_the_needed_files_give_the_image_that_all_files_give(engine, root, text):
    use = context_use("Dockerfile", text, build_args={}, target=None, triggers=triggers_of(engine))
    chosen, whole = plan(root, reads=use.reads, reasons=use.reasons), plan(root)
    assert chosen.size < whole.size
    images = []
    for each in (chosen, whole):
        result = build(engine, BuildRequest(no_cache=True), Folders(each, text.encode()), lambda _event: None)
        with SavedImage.read(engine.save(result.image_id)) as saved:
            images.append(dict(flatten(saved).files))
        engine.remove(result.image_id)
    assert images[0] == images[1]


def test_dockers_client_sees_the_same_files(root, buildx):
    (root / ".dockerignore").write_text("docs\n*\n!src/in\n!**/*.json\n!link\n")
    os.link(root / "web" / "p.json", root / "web" / "r.json")
    os.chmod(root / "src" / "in" / "b.go", 0o4755)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(root / "src" / "in" / "socket"))
    found = against_docker(inspect(str(root), None, build_args={}))
    assert found.equal, found
    assert found.same == 10


def test_a_difference_from_dockers_client_is_told(root, buildx):
    inspected = inspect(str(root), None, build_args={})
    (root / "late").write_text("x")
    (root / "src" / "in" / "b.go").chmod(0o600)
    found = against_docker(inspected)
    assert (found.docker, found.dfkit, found.different) == (("late",), (), ("src/in/b.go",))
    assert not found.equal
