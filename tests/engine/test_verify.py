"""Images that an engine built, saved, flattened, measured and compared."""

from __future__ import annotations

import io
import secrets
import tarfile
import tempfile

import pytest

from dfkit.build import BuildRequest, EngineError, build
from dfkit.image.entry import Entry, changes
from dfkit.image.flatten import Flat, flatten
from dfkit.image.history import commits
from dfkit.image.saved import SavedImage, base_layers
from dfkit.image.waste import waste
from dfkit.verify.compare import compare

pytestmark = pytest.mark.engine

AT_RUN_TIME = ("/.dockerenv", "/dev", "/proc", "/sys", "/etc/hosts", "/etc/hostname", "/etc/mtab", "/etc/resolv.conf")
"""What an engine puts into a container that is not in its image."""

ODD = r"""FROM busybox
RUN mkdir -p /a/b/c /gone/x && echo 1 > /a/b/c/one && ln /a/b/c/one /a/two && ln -s b/c /a/link && mkfifo /a/pipe
RUN echo x > /gone/x/y
RUN rm -r /gone /a/b && mkdir /a/b && echo 2 > /a/b/new && chown 7:8 /a/b/new && chmod 4755 /a/b/new && echo é > "/a/é b"
RUN rm /a/link && mkdir /a/link && echo 3 > /a/link/three && echo 4 > /a/two
COPY --chown=5 f /a/link/
"""


@pytest.fixture
def made(engine):
    """Build Dockerfiles, each without the cache; the images go with the test."""
    names = []

    def made(dockerfile, **files):
        raw = io.BytesIO()
        with tarfile.open(fileobj=raw, mode="w", format=tarfile.GNU_FORMAT) as tar:
            for name, text in {"Dockerfile": dockerfile, **files}.items():
                info = tarfile.TarInfo(name)
                info.size = len(text.encode())
                tar.addfile(info, io.BytesIO(text.encode()))
        names.append(f"dfkit-test/{secrets.token_hex(6)}:latest")
        build(engine, BuildRequest(tags=(names[-1],), no_cache=True), [raw.getvalue()])
        return names[-1]

    yield made
    for name in names:
        engine.remove(name)


@pytest.fixture
def flat(engine):
    def flat(name):
        with SavedImage.read(engine.save(name)) as image:
            return flatten(image)

    return flat


def exported(engine, name):
    """The files of an image as the engine itself flattens them: those of a container that never ran."""
    container = engine.api.create_container(name, command=["true"])["Id"]
    try:
        with tempfile.TemporaryFile() as file:
            for chunk in engine.api.export(container):
                file.write(chunk)
            file.seek(0)
            files: dict[str, Entry] = {}
            for change in changes(file):
                files[change.path] = change.entry or files[change.target]
    finally:
        engine.api.remove_container(container)
    return files


def test_an_image_flattens_as_the_engine_flattens_it(engine, made, flat):
    name = made(ODD, f="5")

    def image_files(files):
        return {path: entry for path, entry in files.items() if path != "/" and not path.startswith(AT_RUN_TIME)}

    ours, theirs = image_files(flat(name).files), image_files(exported(engine, name))
    assert compare(Flat(theirs, {}), Flat(ours, {})).differences == ()
    assert {"/a/b/new", "/a/two", "/a/link/three", "/a/é b"} < ours.keys()
    assert not {"/gone", "/a/b/c"} & ours.keys()


def test_two_builds_are_equivalent_and_a_chowned_one_is_not(made, flat):
    first, second = flat(made(ODD, f="5")), flat(made(ODD, f="5"))
    assert compare(first, first).explained == ()
    assert compare(first, second).equivalent
    other = flat(made(ODD + "RUN chown 9 /a/link/three\n", f="5"))
    found = compare(first, other, noise=second)
    assert [(one.kind, one.path, one.before, one.after) for one in found.differences] == [
        ("owner", "/a/link/three", (0, 0), (9, 0))
    ]


def test_what_differs_between_two_builds_is_noise_and_no_more(made, flat):
    dockerfile = "FROM busybox\nRUN head -c 16 /dev/urandom > /id\nRUN echo {} > /a\n"
    first, second, third = (flat(made(dockerfile.format(1))) for _ in range(3))
    assert not compare(first, third).equivalent
    assert compare(first, third, noise=second).equivalent
    changed = compare(first, flat(made(dockerfile.format(2))), noise=second)
    assert [one.path for one in changed.differences] == ["/a"]


def test_a_cleanup_pulled_into_its_layer_is_equivalent_and_wastes_nothing(engine, made):
    apart = made("FROM busybox\nRUN head -c 20971520 /dev/urandom > /big; echo 1 > /a\nRUN rm /big\n")
    together = made("FROM busybox\nRUN head -c 20971520 /dev/urandom > /big; echo 1 > /a; rm /big\n")
    base = engine.image("busybox").layers
    measured = []
    for name in (apart, together):
        with SavedImage.read(engine.save(name)) as image:
            flat = flatten(image)
            below = base_layers(image.config["rootfs"]["diff_ids"], base)
            measured.append((flat, waste(flat, image.layers, base_layers=below)))
    (one, wasted), (other, nothing) = measured
    assert compare(one, other).equivalent
    assert (wasted.shadowed, wasted.bytes) == (20 << 20, (20 << 20) + 2)
    assert "rand" in max(wasted.layers, key=lambda layer: layer.shadowed).created_by
    assert (nothing.wasted, nothing.bytes) == (0, 2)


def test_a_copy_made_by_chown_is_measured(engine, made):
    name = made("FROM busybox\nCOPY f /f\nRUN chown 7 /f\n", f="x" * 1000)
    with SavedImage.read(engine.save(name)) as image:
        found = waste(flatten(image), image.layers, base_layers=len(engine.image("busybox").layers))
    assert (found.shadowed, found.dup, found.wasted) == (1000, 1000, 1000)


def test_settings_are_read_as_the_engine_keeps_them(made, flat):
    dockerfile = "FROM busybox\nENV A=1\nLABEL l=1\n"
    found = compare(flat(made(dockerfile)), flat(made(dockerfile + "ENV B=2\nUSER 5\nEXPOSE 80\nWORKDIR /\nSTOPSIGNAL SIGINT\n")))
    assert [(one.kind, one.path) for one in found.differences] == [
        ("config", path) for path in ("Env.B", "ExposedPorts.80/tcp", "StopSignal", "User")
    ]


def test_a_committed_container_is_told_from_a_built_image(engine, made):
    built = made("FROM busybox\nRUN echo 1 > /a\n")
    container = engine.api.create_container(built, command=["sh"], tty=True, stdin_open=True)["Id"]
    try:
        engine.api.start(container)
        started = engine.api.exec_create(container, ["touch", "/typed"])["Id"]
        engine.api.exec_start(started)
        committed = engine.api.commit(container)["Id"]
    finally:
        engine.api.remove_container(container, force=True)
    try:
        with SavedImage.read(engine.save(committed)) as image:
            assert [step.created_by for step in commits(image.config)] == ["sh"]
            assert image.layers[-1].created_by == "sh"
            assert "/typed" in flatten(image).files
    finally:
        engine.api.remove_image(committed)
    with SavedImage.read(engine.save(built)) as image:
        assert commits(image.config) == ()


def test_an_image_that_is_not_there_is_said(engine):
    with pytest.raises(EngineError, match="could not save dfkit-test/nothing"):
        SavedImage.read(engine.save("dfkit-test/nothing"))
