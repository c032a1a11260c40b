"""The whole way on a real engine: lint, optimize, context, build, prove."""

import json
import os
import secrets
import subprocess
import sys

import pytest

import dfkit
from dfkit._record import replace
from dfkit.build import BuildRequest, SolveFailed
from dfkit.workflow.build import build, prepare
from dfkit.workflow.prove import prove

pytestmark = pytest.mark.engine

WASTEFUL = "FROM busybox\nRUN cp /bin/busybox /tmp/big && echo {nonce} > /kept\nRUN rm -rf /tmp/big\nCOPY app.py /app.py\n"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "app.py").write_text("print('hello')\n")
    (tmp_path / "unused.bin").write_bytes(bytes(100_000))
    (tmp_path / "Dockerfile").write_text(WASTEFUL.format(nonce=secrets.token_hex(8)))
    return tmp_path


def command(*arguments, cwd):
    return subprocess.run([sys.executable, "-m", "dfkit", *arguments], cwd=cwd, capture_output=True, text=True, check=False)


def prepared(folder, engine, **kwargs):
    return prepare(str(folder), str(folder / "Dockerfile"), build_args={}, engine=engine, **kwargs)


def test_the_command_builds_and_prints_the_id_last(folder, engine):
    done = command(
        "build", ".", "-t", "dfkit-test/command:1", "--progress", "plain", "--report", "r.json", "--iidfile", "id", cwd=folder
    )
    assert done.returncode == 0, done.stderr
    image = done.stdout.strip()
    try:
        assert image == (folder / "id").read_text() == engine.image("dfkit-test/command:1").id
        report = json.loads((folder / "r.json").read_text())
        assert (report["image"], report["text"], report["faults"]) == (image, "optimized", [])
        assert "pull-cleanup" in done.stderr, "what was changed is said"
        assert "Sending 1 file," in done.stderr, "only what a COPY reads is sent"
        assert "deleted-in-later-layer" in done.stderr, "findings are printed"
    finally:
        engine.remove("dfkit-test/command:1")


def test_without_optimizing_the_file_is_built_as_it_is(folder, engine):
    ready = prepared(folder, engine, optimize=False)
    assert ready.text == (folder / "Dockerfile").read_text()
    assert not ready.changed


def test_findings_stop_the_build_only_if_asked(folder):
    done = command("build", ".", "--fail-on", "warning", cwd=folder)
    assert done.returncode == 1
    assert "not built" in done.stderr
    assert done.stdout == ""


def test_findings_stop_a_quiet_build_too(folder):
    done = command("build", ".", "--quiet", "--fail-on", "warning", cwd=folder)
    assert (done.returncode, done.stdout) == (1, "")
    assert "not built" in done.stderr
    assert "deleted-in-later-layer" not in done.stderr


def test_what_nobody_looks_at_is_not_linted(folder, engine):
    ready = prepared(folder, engine, lint=False)
    assert ready.findings is None
    assert ready.changed


def test_an_optimized_text_that_does_not_build_is_a_fault_and_the_original_is_built(folder, engine):
    ready = replace(prepared(folder, engine), text="FROM busybox\nRUN exit 9\n")
    said = []
    report = build(
        ready, BuildRequest(), engine, on_event=lambda _: None, on_fault=lambda sentence, error: said.append((sentence, error))
    )
    try:
        ((sentence, error),) = said
        assert "original is built" in sentence
        assert error.step.exit_code == 9
        assert report.to_dict()["faults"] == [sentence]
        assert report.to_dict()["text"] == "original"
        assert engine.image(report.result.image_id)
    finally:
        engine.remove(report.result.image_id)


def test_a_file_that_is_broken_itself_is_no_fault_of_dfkit(folder, engine):
    (folder / "Dockerfile").write_text(WASTEFUL.format(nonce=secrets.token_hex(8)) + "RUN exit 4\n")
    with pytest.raises(SolveFailed) as failed:
        build(prepared(folder, engine), BuildRequest(), engine, on_event=lambda _: None)
    assert failed.value.step.exit_code == 4


def test_a_failed_build_is_exit_4_with_the_last_lines(folder):
    (folder / "Dockerfile").write_text(f"FROM busybox\nRUN echo {secrets.token_hex(8)}; echo so far; exit 3\n")
    done = command("build", ".", "--progress", "quiet", cwd=folder)
    assert done.returncode == 4
    assert "so far" in done.stderr
    assert "exit code 3" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_triggers_of_a_local_base_choose_the_context(folder, engine):
    (folder / "Dockerfile").write_text("FROM busybox\nONBUILD COPY unused.bin /x\n")
    base = build(prepared(folder, engine), BuildRequest(tags=("dfkit-test/onbuild:1",)), engine, on_event=lambda _: None)
    try:
        (folder / "Dockerfile").write_text("FROM dfkit-test/onbuild:1\nCOPY app.py /app.py\n")
        ready = prepared(folder, engine)
        assert {entry.path for entry in ready.plan.entries} == {"app.py", "unused.bin"}
        image = build(ready, BuildRequest(), engine, on_event=lambda _: None).result.image_id
        engine.remove(image)
    finally:
        engine.remove("dfkit-test/onbuild:1")
    assert base.result.image_id


def test_an_unknown_base_or_a_foreign_frontend_means_the_whole_context(folder, engine):
    for text in ("FROM nobody/has-this:1\nCOPY app.py /\n", "# syntax=corp/frontend:1\nFROM busybox\nCOPY app.py /\n"):
        (folder / "Dockerfile").write_text(text)
        plan = prepared(folder, engine).plan
        assert plan.everything
        assert plan.reasons
        assert "unused.bin" in {entry.path for entry in plan.entries}


def test_a_base_that_was_committed_is_found(folder, engine):
    container = engine.api.create_container("busybox", ["sh"])
    try:
        engine.api.commit(container["Id"], "dfkit-test/committed", "1")
    finally:
        engine.api.remove_container(container["Id"])
    try:
        (folder / "Dockerfile").write_text("FROM dfkit-test/committed:1\nUSER 1\n")
        assert "committed-base" in {each.rule for each in prepared(folder, engine).findings.diagnostics}
        (folder / "Dockerfile").write_text("FROM busybox:1\nUSER 1\n")
        assert "committed-base" not in {each.rule for each in prepared(folder, engine).findings.diagnostics}
    finally:
        engine.remove("dfkit-test/committed:1")


def test_a_base_of_another_platform_is_found(folder, engine):
    for platform, is_found in (("linux/arm64", engine.platform != "linux/arm64"), (engine.platform, False)):
        (folder / "Dockerfile").write_text(f"FROM --platform={platform} busybox:1\nUSER 1\n")
        rules = {each.rule for each in prepared(folder, engine).findings.diagnostics}
        assert ("other-platform-base" in rules) == is_found


def test_a_rewrite_is_proved_and_its_gain_measured(folder, engine):
    (folder / "Dockerfile").write_text(
        f"FROM busybox\nCOPY . /src/\nRUN cp /bin/busybox /big && echo {secrets.token_hex(8)} > /kept\nRUN rm /big\n"
    )
    proof = prove(prepared(folder, engine), BuildRequest(), engine)
    assert proof.comparison.equivalent, proof.comparison.differences
    assert proof.before.bytes - proof.after.bytes > 1_000_000
    assert proof.before.shadowed > 1_000_000 > proof.after.shadowed
    assert proof.after.layers < proof.before.layers
    assert proof.edited == "app.py"
    assert proof.before.rerun >= 1
    assert engine.image(proof.before.image) is None, "the images are removed"


def test_a_rewrite_that_changes_something_is_not_equivalent(folder, engine):
    ready = prepared(folder, engine)
    wrong = replace(ready, text=ready.text.replace("COPY app.py /app.py", "COPY --chown=7 app.py /app.py\nENV A=1"))
    proof = prove(wrong, BuildRequest(), engine)
    assert {(each.kind, each.path) for each in proof.comparison.differences} == {("owner", "/app.py"), ("config", "Env.A")}


def test_the_prove_command_ends_with_the_verdict(folder):
    done = command("prove", ".", "--progress", "quiet", cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "verdict: equivalent" in done.stdout
    done = command("prove", ".", "--edit", "nowhere.py", cwd=folder)
    assert done.returncode == 2
    assert "nowhere.py is not among the files" in done.stderr


def test_the_public_function_builds(folder, engine):
    seen = []
    report = dfkit.build(str(folder), tags=["dfkit-test/api:1"], on_event=seen.append)
    try:
        assert report.result.image_id == engine.image("dfkit-test/api:1").id
        assert seen
    finally:
        engine.remove("dfkit-test/api:1")


def test_two_contexts_with_equal_names_do_not_mix(tmp_path, engine):
    images = []
    for content in ("one", "two"):
        place = tmp_path / content / "ctx"
        place.mkdir(parents=True)
        (place / "f").write_text(content)
        (place / "Dockerfile").write_text("FROM busybox\nCOPY f /f\nRUN cp /f /g\n")
        images.append(dfkit.build(str(place), engine=engine).result.image_id)
    try:
        for image, content in zip(images, ("one", "two"), strict=True):
            container = engine.api.create_container(image, ["cat", "/g"])
            try:
                engine.api.start(container["Id"])
                engine.api.wait(container["Id"])
                assert engine.api.logs(container["Id"]).decode() == content
            finally:
                engine.api.remove_container(container["Id"])
    finally:
        for image in images:
            engine.remove(image)
    assert os.path.isdir(tmp_path)
