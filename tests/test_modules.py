"""`dfkit._modules`: byte code in one file is used as long as it is that of the source."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dfkit import _data

PROGRAM = (
    "import sys; from dfkit import _modules; finder = _modules.install('lint'); import dfkit.text.source as module; "
    "finder.keep(); print(type(module.__loader__).__name__, module.MARK)"
)


@pytest.fixture
def package(tmp_path):
    """A copy of some modules, so that one may be changed."""
    for name in ("__init__.py", "_data.py", "_modules.py", "_record.py"):
        (tmp_path / "dfkit").mkdir(exist_ok=True)
        shutil.copy(Path(_data.HERE) / name, tmp_path / "dfkit")
    (tmp_path / "dfkit" / "text").mkdir()
    (tmp_path / "dfkit" / "text" / "__init__.py").touch()
    (tmp_path / "dfkit" / "text" / "source.py").write_text("MARK = 1\n")
    return tmp_path


def run(folder, **variables):
    environment = {"PYTHONPATH": str(folder), **variables}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=folder, env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.split()


def test_the_second_process_has_the_modules_from_the_file(package):
    assert run(package) == ["SourceFileLoader", "1"]
    assert run(package) == ["_Loader", "1"]


def test_a_changed_source_is_read_again(package):
    run(package)
    source = package / "dfkit" / "text" / "source.py"
    before = source.stat()
    source.write_text("MARK = 2\n")
    os.utime(source, ns=(before.st_atime_ns, before.st_mtime_ns + 2_000_000_000))
    assert run(package) == ["SourceFileLoader", "2"]
    assert run(package) == ["_Loader", "2"]


@pytest.mark.parametrize("content", [b"", b"rubbish", b"\x01" + bytes(7) + b"N", b"\xff" * 40])
def test_a_damaged_file_is_made_again(package, content):
    run(package)
    (file,) = (package / "dfkit" / "__pycache__").glob("*.modules")
    file.write_bytes(content)
    assert run(package) == ["SourceFileLoader", "1"]
    assert run(package) == ["_Loader", "1"]


def test_nothing_is_written_where_python_may_not_write_byte_code(package):
    run(package, PYTHONDONTWRITEBYTECODE="1")
    assert not list(package.rglob("*.modules"))


def test_modules_are_what_they_are_without_the_file(package):
    program = PROGRAM.replace(
        "module.MARK", "module.__file__, module.__package__, module.__name__, sys.modules['dfkit.text'].__path__"
    )
    seen = []
    for _ in range(2):
        command = [sys.executable, "-c", program]
        done = subprocess.run(command, cwd=package, env={"PYTHONPATH": str(package)}, capture_output=True, text=True, check=True)
        seen.append(done.stdout.split()[1:])
    assert seen[0] == seen[1]
