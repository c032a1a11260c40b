"""The command line as a user meets it: what it prints and the exit code, in real processes."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest


def dfkit(*arguments, cwd=None, stdin=None, env=None):
    return subprocess.run(
        [sys.executable, "-m", "dfkit", *arguments],
        cwd=cwd,
        input=stdin,
        capture_output=True,
        text=True,
        env={**os.environ, **(env or {})},
        check=False,
    )


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "Dockerfile").write_text("FROM debian:12\nRUN apt-get install curl\nUSER app\n")
    return tmp_path


def test_no_command_prints_the_help_and_fails():
    assert dfkit().returncode == 2
    assert dfkit("--help").returncode == 0
    assert "lint" in dfkit("--help").stdout


def test_an_error_does_not_steer_the_terminal():
    said = dfkit("lint", "no\x1b]0;title\x07\nwhere").stderr
    assert said == "dfkit: no␛]0;title␇\nwhere: there is no such file\n"


def test_version():
    import dfkit as package

    assert dfkit("--version").stdout.strip() == f"dfkit {package.__version__}"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["lnt"], "did you mean `lint`?"),
        (["lint", "nowhere"], "nowhere: there is no such file"),
        (["lint", "--format", "xml", "x"], "invalid choice: 'xml'"),
        (["lint", "--select", "nonsense", "Dockerfile"], "there is no rule `nonsense`"),
        (["lint", "--profile", "strict", "x"], "invalid choice: 'strict'"),
        (["lint", "--profile", "hadolint", "--check", "", "x"], "--check is for the profile buildkit, not for hadolint"),
        (["lint", "--check", "skip:A", "Dockerfile"], "`skip:A` is no option for checks"),
        (["optimize", "nowhere"], "there is no such file"),
        (["optimize", "--write", "-"], "standard input cannot be written back"),
        (["optimize", "--context", "nowhere", "Dockerfile"], "nowhere is not a folder"),
        (["build", "nowhere"], "name the build context"),
        (["build"], "context"),
        (["build", "--call", "nonsense", "."], "is no question: it is check, outline or targets"),
        (["build", "--check", "--call", "outline", "."], "give one of them"),
        (["build", "--push", "."], "--push needs a name for the image"),
        (["build", "--push", "--load", "-t", "x", "."], "give one of them"),
        (["build", "--build-context", "x", "."], "write NAME=FOLDER"),
        (["build", "--cache-to", "mode=max", "."], "has no type"),
        (["build", "--builder", "somewhere", "."], "is no address of a BuildKit daemon"),
        (["explain", "DL30009"], "did you mean"),
    ],
)
def test_wrong_use_is_one_sentence_and_exit_2(folder, arguments, said):
    done = dfkit(*arguments, cwd=folder)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.startswith("dfkit: ")
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_findings_at_the_threshold_are_exit_1(folder):
    assert dfkit("lint", "Dockerfile", cwd=folder).returncode == 1
    assert dfkit("lint", "-t", "error", "Dockerfile", cwd=folder).returncode == 0
    assert dfkit("lint", "-t", "none", "Dockerfile", cwd=folder).returncode == 0


def test_standard_input_and_folders(folder):
    (folder / "sub").mkdir()
    (folder / "sub" / "app.dockerfile").write_text("FROM scratch\n")
    (folder / "sub" / "notes.txt").write_text("no Dockerfile\n")
    found = json.loads(dfkit("lint", "-f", "json", "-", stdin="FROM debian:12\nRUN apt-get install x\n").stdout)
    assert {each["file"] for each in found} == {"-"}
    both = dfkit("lint", ".", cwd=folder)
    assert "in 2 files" in both.stdout


def test_check_says_what_docker_build_check_says_with_its_options(folder):
    (folder / "Dockerfile").write_text("FROM scratch as Foo\n# a remark\nARG password\n")
    done = dfkit(
        "lint", "--check", "skip=StageNameCasing;error=true;experimental=all", "--format", "json", "Dockerfile", cwd=folder
    )
    assert done.returncode == 1
    found = {(each["code"], each["line"], each["level"]) for each in json.loads(done.stdout)}
    assert found == {
        ("FromAsCasing", 1, "error"),
        ("InvalidDefinitionDescription", 3, "error"),
        ("SecretsUsedInArgOrEnv", 3, "error"),
    }
    assert dfkit("lint", "--check", "skip=all", "Dockerfile", cwd=folder).returncode == 0


def test_json_has_hadolints_keys_and_more(folder):
    found = json.loads(dfkit("lint", "--format", "json", "Dockerfile", cwd=folder).stdout)
    yes = next(each for each in found if each["code"] == "DL3014")
    assert (yes["file"], yes["line"], yes["column"], yes["level"]) == ("Dockerfile", 2, 5, "warning")
    assert yes["rule"] == "apt-install-without-yes"
    assert yes["range"]["end"]["line"] == 2
    assert yes["fix"]["applicability"] == "safe"
    assert isinstance(yes["aliases"], list)


def test_a_folder_without_a_dockerfile(tmp_path):
    done = dfkit("lint", ".", cwd=tmp_path)
    assert done.returncode == 2
    assert "no Dockerfile in this folder" in done.stderr


@pytest.mark.parametrize(("data", "said"), [(b"FROM a\0b", "zero byte"), ("FROM a".encode("utf-16"), "UTF-16")])
def test_what_is_no_text(tmp_path, data, said):
    (tmp_path / "Dockerfile").write_bytes(data)
    done = dfkit("lint", "Dockerfile", cwd=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr


def test_optimize_prints_the_file(folder):
    done = dfkit("optimize", "Dockerfile", cwd=folder)
    assert done.returncode == 0
    assert done.stdout.startswith("FROM debian:12\n")
    assert (folder / "Dockerfile").read_text().startswith("FROM debian:12\n")


def test_optimize_writes_atomically_and_keeps_mode_and_link(tmp_path):
    real = tmp_path / "real"
    real.write_text("FROM debian:12\nRUN apt-get update && apt-get install -y curl\n")
    real.chmod(0o640)
    (tmp_path / "Dockerfile").symlink_to("real")
    assert dfkit("optimize", "--check", "Dockerfile", cwd=tmp_path).returncode == 1
    done = dfkit("optimize", "--write", "Dockerfile", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "")
    assert "rm -rf /var/lib/apt/lists/*" in real.read_text()
    assert (tmp_path / "Dockerfile").is_symlink()
    assert real.stat().st_mode & 0o777 == 0o640
    assert sorted(os.listdir(tmp_path)) == ["Dockerfile", "real"]
    assert dfkit("optimize", "--check", "Dockerfile", cwd=tmp_path).returncode == 0


def test_optimize_explains_what_it_does(tmp_path):
    (tmp_path / "Dockerfile").write_text("FROM debian:12\nRUN apt-get update && apt-get install -y curl\n")
    done = dfkit("optimize", "--explain", "Dockerfile", cwd=tmp_path)
    assert "apt-lists-left" in done.stdout


def test_a_bad_line_is_said_and_left_as_it_is():
    done = dfkit("optimize", "-", stdin="FROM debian:12\nFOO bar\n")
    assert done.stdout == "FROM debian:12\nFOO bar\n"
    assert "-:2:1: `FOO` is not an instruction" in done.stderr


def test_bytes_come_through_untouched(tmp_path):
    data = b"\xef\xbb\xbfFROM debian:12\r\nRUN echo \xff\r\nLABEL a=\xe4\xb8\xad"
    (tmp_path / "Dockerfile").write_bytes(data)
    done = subprocess.run(
        [sys.executable, "-m", "dfkit", "optimize", "Dockerfile"], cwd=tmp_path, capture_output=True, check=True
    )
    assert done.stdout == data


def test_explain_by_any_name():
    for name in ("DL3009", "apt-lists-left", "dl3009"):
        assert "apt-lists-left (DL3009" in dfkit("explain", name).stdout


def test_a_reader_that_goes_away_is_no_error(folder):
    for number in range(400):
        (folder / f"{number}.dockerfile").write_text("FROM debian\nRUN sudo cd /tmp\n")
    process = subprocess.Popen(
        [sys.executable, "-m", "dfkit", "lint", "."], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout
    assert process.stderr
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait() in (0, 1)


def test_control_c_is_exit_130(tmp_path):
    fifo = tmp_path / "Dockerfile"
    os.mkfifo(fifo)
    process = subprocess.Popen([sys.executable, "-m", "dfkit", "lint", str(fifo)], stderr=subprocess.PIPE, text=True)
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    assert process.stderr
    with process.stderr:
        assert process.stderr.read() == "dfkit: interrupted\n"
    assert process.wait() == 130


def test_the_end_of_the_process_waits_for_threads_and_calls_what_is_registered():
    code = """
import atexit, sys, threading, time
from dfkit.cli import main

atexit.register(print, "registered")
threading.Thread(target=lambda: (time.sleep(0.3), print("thread"))).start()
main()
"""
    done = subprocess.run([sys.executable, "-c", code, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-2:] == ["thread", "registered"]


def test_no_engine_is_exit_3(folder):
    done = dfkit("build", ".", cwd=folder, env={"DOCKER_HOST": "unix:///nowhere/docker.sock"})
    assert done.returncode == 3
    assert done.stderr.splitlines()[-1].startswith("dfkit: no Docker engine answers at unix:///nowhere/docker.sock")
    assert "Traceback" not in done.stderr


def test_a_dry_run_needs_no_engine(folder):
    (folder / "file").write_text("x")
    (folder / "Dockerfile").write_text("FROM scratch\nCOPY file /\n")
    done = dfkit("build", "--dry-run", ".", cwd=folder, env={"DOCKER_HOST": "unix:///nowhere/docker.sock"})
    assert done.returncode == 0
    assert done.stdout.startswith("FROM scratch\nCOPY file /\n")
    assert "# context: 1 file, 1 B" in done.stdout
    assert done.stdout.rstrip().endswith("1 B  file")


def test_linting_imports_nothing_heavy(tmp_path):
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY a /b\n")
    code = "import sys; from dfkit.cli import main; main(['lint', sys.argv[1]]); print(*sys.modules, file=sys.stderr)"
    # Without sitecustomize and .pth files, which may import anything.
    done = subprocess.run(
        [sys.executable, "-S", "-c", code, str(tmp_path / "Dockerfile")],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), *sys.path])},
        check=True,
    )
    heavy = {
        "lark",
        "docker",
        "requests",
        "h2",
        "jinja2",
        "ruamel",
        "tree_sitter",
        "dataclasses",
        "argparse",
        "logging",
        "asyncio",
    }
    assert heavy.isdisjoint(done.stderr.splitlines()[-1].split())
