"""Some of the builds that `scripts/prove parity` makes with Docker's clients and with dfkit; the rest takes minutes."""

from __future__ import annotations

import pytest

from tests.engine.near import client, script

parity = script("parity.py")

pytestmark = pytest.mark.engine

SOME = (
    "hard links",
    "symbolic links",
    "modes",
    "an ignore file with exceptions",
    "a Dockerfile outside of the context",
    "owners and modes of a copy",
    "several stages, one by number",
    "build arguments",
    "settings",
    "triggers of a base",
    "a secret",
    "heredocs",
    "copies with parents and without some",
    "a source that is not there",
)


@pytest.mark.parametrize("name", SOME)
def test_dfkit_makes_what_buildx_makes(modern_engine, name):
    assert parity.beside(parity.CASES[name], modern_engine, client(modern_engine)) == parity.Compared()


@pytest.mark.parametrize("name", ["extended attributes", "odd names", "a bind mount", "labels"])
def test_dfkit_makes_what_the_other_engines_own_client_makes(default_engine, name):
    assert parity.beside(parity.CASES[name], default_engine, client(default_engine)) == parity.Compared()


@pytest.fixture
def builds(modern_engine, tmp_path):
    """Builds a Dockerfile of three lines with Docker's client; each time /now is another."""
    (tmp_path / "Dockerfile").write_text("FROM busybox\nARG X\nRUN echo $X > /x; cat /proc/sys/kernel/random/uuid > /now\n")
    made = []

    def build(text):
        command = [*client(modern_engine), "--no-cache", "--build-arg", f"X={text}", "."]
        made.append(parity.run(command, tmp_path, modern_engine))
        return made[-1]

    yield build
    for built in made:
        modern_engine.remove(built.image)


def test_a_difference_is_told(modern_engine, builds):
    found = parity.unequal(modern_engine, builds("one").image, builds("two").image, lambda: builds("one"))
    assert [line.split(": ")[0] for line in found.differences] == ["history", "content /x"]
    assert found.left_out == ((parity.TWICE, 1),)


def test_what_dockers_client_makes_twice_must_be_the_same(modern_engine, builds):
    found = parity.unequal(modern_engine, builds("one").image, builds("one").image, lambda: builds("one"))
    assert found == parity.Compared((), ((parity.TWICE, 1),))
