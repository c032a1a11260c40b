"""`dfkit context` as a user meets it."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

NO_ENGINE = {"DOCKER_HOST": "unix:///nowhere/docker.sock"}


def dfkit(*arguments, cwd, env=NO_ENGINE):
    return subprocess.run(
        [sys.executable, "-m", "dfkit", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        env={**os.environ, **env},
        check=False,
    )


@pytest.fixture
def folder(tmp_path):
    files = {
        "Dockerfile": "FROM scratch AS one\nCOPY src /src\nFROM scratch\nCOPY lib /lib\nCOPY --from=one /src /src\n",
        "src/app.py": "x" * 300,
        "src/deep/data.bin": "y" * 2000,
        "lib/a.c": "z" * 100,
        "docs/guide.md": "d" * 50,
        "node_modules/m/index.js": "m" * 5000,
        ".env": "A=1",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_it_says_what_is_sent_and_what_is_not_and_why(folder):
    (folder / ".dockerignore").write_text("node_modules\n*.none\n")
    done = dfkit("context", ".", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].startswith(".: 8 files, ")
    assert lines[1] == "  sent: 3 files, 2.4 kB"
    assert lines[2] == "  not needed: 4 files, 160 B"
    assert lines[3] == "  ignored: 1 file, 5.0 kB (.dockerignore)"
    assert "    2.3 kB  ███████████████████▏  ├─ src (2 files)" in lines
    assert "    2.0 kB  ████████████████▋     │  └─ deep (1 file)" in lines
    assert "    2.0 kB  ████████████████▋     .bin (1 file)" in lines
    assert "    2.0 kB  src/deep/data.bin" in lines
    assert "    5.0 kB  node_modules/ (1 file)  .dockerignore:1 `node_modules`" in lines
    assert "      50 B  docs (1 file)" in lines
    assert "  .env: settings that often hold passwords" in lines
    assert "  .dockerignore:2 `*.none` matches nothing" in lines


def test_what_a_pattern_leaves_out_is_one_line(folder):
    (folder / ".dockerignore").write_text("**/*.c\n**/*.md\n**/*.py\nsrc/*\n")
    (folder / "docs" / "more.md").write_text("more")
    lines = dfkit("context", ".", cwd=folder).stdout.splitlines()
    at = lines.index("Left out by patterns")
    assert lines[at + 1 : at + 5] == [
        "    2.0 kB  src/deep/ (1 file)  .dockerignore:4 `src/*`",
        "     300 B  src/app.py  .dockerignore:3 `**/*.py`",
        "     100 B  lib/a.c  .dockerignore:1 `**/*.c`",
        "      54 B  docs/guide.md and 1 more (2 files)  .dockerignore:2 `**/*.md`",
    ]


def test_json_has_all_of_it(folder):
    (folder / ".dockerignore").write_text("node_modules\n!docs\n")
    found = json.loads(dfkit("context", "--format", "json", cwd=folder).stdout)
    assert found["sent"]["files"] == 3
    assert [entry["path"] for entry in found["sent"]["entries"]] == [
        "lib",
        "lib/a.c",
        "src",
        "src/app.py",
        "src/deep",
        "src/deep/data.bin",
    ]
    assert found["ignored"] == [
        {"path": "node_modules/", "files": 1, "bytes": 5000, "pattern": {"line": 1, "text": "node_modules"}}
    ]
    assert [each["path"] for each in found["unused"]] == [".dockerignore", ".env", "Dockerfile", "docs/guide.md"]
    assert found["secrets"] == [{"path": ".env", "what": "settings that often hold passwords", "line": None}]
    assert found["idle_patterns"] == [{"pattern": {"line": 2, "text": "!docs"}, "reason": "needless", "by": None}]


def test_a_target_needs_its_own_files_only(folder):
    found = json.loads(dfkit("context", "--target", "one", "--format", "json", cwd=folder).stdout)
    assert found["sent"]["files"] == 2
    done = dfkit("context", "--target", "none", cwd=folder)
    assert done.returncode == 2
    assert "has no stage `none`; its stages are " in done.stderr
    assert dfkit("context", "--target", "0", cwd=folder).returncode == 2


def test_an_unknown_base_sends_everything_and_says_what_is_unused_if_it_has_no_triggers(folder):
    (folder / "Dockerfile").write_text("FROM example.invalid/unknown\nCOPY src /src\n")
    found = json.loads(dfkit("context", "--format", "json", cwd=folder).stdout)
    assert found["sent"]["files"] == 7
    assert "triggers" in found["sent"]["everything_because"][0]
    assert found["unused_if_bases_have_no_triggers"]
    assert "docs/guide.md" in [each["path"] for each in found["unused"]]
    (folder / "Dockerfile").write_text("FROM example.invalid/unknown\nCOPY $WHAT /src\n")
    assert json.loads(dfkit("context", "--format", "json", cwd=folder).stdout)["unused"] is None


def test_a_folder_without_a_dockerfile_can_be_looked_at(folder):
    (folder / "Dockerfile").unlink()
    found = json.loads(dfkit("context", "--format", "json", cwd=folder).stdout)
    assert found["sent"]["everything_because"] == ["there is no Dockerfile"]
    assert (found["dockerfile"], found["sent"]["files"], found["unused"]) == (None, 6, None)


def test_another_ignore_file_can_be_named(folder):
    (folder / "other").write_text("src/deep\n")
    for command in (("context", "--format", "json"), ("build", "--dry-run")):
        done = dfkit(*command, "--ignorefile", "other", ".", cwd=folder)
        assert done.returncode == 0, done.stderr
        assert "src/app.py" in done.stdout
    assert "data.bin" not in dfkit("build", "--dry-run", "--ignorefile", "other", ".", cwd=folder).stdout
    done = dfkit("context", "--ignorefile", "none", cwd=folder)
    assert done.returncode == 2
    assert done.stderr.startswith("dfkit: The ignore file none cannot be read")


def test_a_suggestion_is_written_once_and_the_build_sends_the_same(folder):
    before = json.loads(dfkit("context", "--format", "json", cwd=folder).stdout)["sent"]["entries"]
    done = dfkit("context", "--suggest", cwd=folder)
    assert done.returncode == 0
    assert done.stderr == "written: ./.dockerignore\n"
    assert "    5.0 kB  **/node_modules (1 file): installed anew in the image" in done.stdout.splitlines()
    assert "Docker sees 7 files" in done.stdout
    text = (folder / ".dockerignore").read_text()
    assert text.endswith("\n# no instruction reads these\ndocs\n")
    assert json.loads(dfkit("context", "--format", "json", cwd=folder).stdout)["sent"]["entries"] == before

    (folder / "more").mkdir()
    (folder / "more" / "x").write_text("x")
    done = dfkit("context", "--suggest", cwd=folder)
    assert done.returncode == 2
    assert "--force" in done.stderr
    assert (folder / ".dockerignore").read_text() == text
    assert dfkit("context", "--suggest", "--force", cwd=folder).returncode == 0
    assert (folder / ".dockerignore").read_text().startswith(text)
    assert (folder / ".dockerignore").read_text().endswith("\nmore\n")


def test_a_second_suggestion_has_nothing_to_add(folder):
    (folder / "Dockerfile").write_text("FROM scratch\nCOPY . /\n")
    assert dfkit("context", ".", "--suggest", cwd=folder).returncode == 0
    assert "\n.dockerignore\n" in (folder / ".dockerignore").read_text()
    done = dfkit("context", ".", "--suggest", cwd=folder)
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, "There is nothing to add.")


def test_nothing_is_written_where_nothing_is_to_be_added(tmp_path):
    (tmp_path / "a").write_text("a")
    done = dfkit("context", "--suggest", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert not (tmp_path / ".dockerignore").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "nowhere is not a folder"),
        (["-f", "none"], "none: there is no such file"),
        (["--force"], "`--force` goes with `--suggest`"),
        (["--against", "podman"], "invalid choice"),
        (["--format", "xml"], "invalid choice"),
    ],
)
def test_wrong_use_is_one_sentence(folder, arguments, said):
    done = dfkit("context", *arguments, cwd=folder)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_bad_pattern_is_named_with_its_line(folder):
    (folder / ".dockerignore").write_text("ok\n[\n")
    done = dfkit("context", cwd=folder)
    assert done.returncode == 2
    assert done.stderr.startswith("dfkit: .dockerignore:2: the pattern `[` is not valid")


def test_without_a_client_there_is_nothing_to_compare_with(folder):
    done = dfkit("context", "--against", "docker", cwd=folder, env={**NO_ENGINE, "PATH": "", "DFKIT_BUILDX": ""})
    assert done.returncode == 3
    assert "there is no program `docker`" in done.stderr
