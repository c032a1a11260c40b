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
    assert parity.differences(parity.CASES[name], modern_engine, client(modern_engine)) == []


@pytest.mark.parametrize("name", ["extended attributes", "odd names", "a bind mount", "labels"])
def test_dfkit_makes_what_the_other_engines_own_client_makes(default_engine, name):
    assert parity.differences(parity.CASES[name], default_engine, client(default_engine)) == []


def test_a_difference_is_told(modern_engine, tmp_path):
    (tmp_path / "Dockerfile").write_text("FROM busybox\nARG X\nRUN echo $X > /x\n")
    builds = [
        parity.run([*client(modern_engine), "--build-arg", f"X={text}", "."], tmp_path, modern_engine) for text in ("one", "two")
    ]
    try:
        found = parity.unequal(modern_engine, *(built.image for built in builds))
    finally:
        for built in builds:
            modern_engine.remove(built.image)
    assert any(line.startswith("content /x: ") for line in found)
    assert any(line.startswith("history: ") for line in found)
