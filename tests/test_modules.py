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


@pytest.fixture
def rooms(tmp_path):
    """A package whose modules import each other as dfkit's do: a room that imports its own module, and modules that import the room."""
    files = {
        "errors.py": "DONE = []\n",
        "room/__init__.py": "from dfkit.room.high import HIGH\nfrom dfkit.errors import DONE\nDONE.append('room')\n",
        "room/low.py": "from dfkit.errors import DONE\nDONE.append('low')\nLOW = 1\n",
        "room/high.py": "from dfkit.room import low\nfrom dfkit.errors import DONE\nDONE.append('high')\nHIGH = low.LOW + 1\n",
        "room/late.py": "from dfkit.room import low\nfrom dfkit.errors import DONE\nDONE.append('late')\n",
    }
    for name in ("__init__.py", "_data.py", "_modules.py", "_record.py"):
        files[name] = (Path(_data.HERE) / name).read_text()
    for name, text in files.items():
        path = tmp_path / "dfkit" / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(text)
    return tmp_path


def told(folder, program):
    """What a program prints, run with the modules of the file found and then kept."""
    program = f"from dfkit import _modules; import sys; finder = _modules.install('lint'); {program}; finder.keep()"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=folder, env={"PYTHONPATH": str(folder)}, capture_output=True, text=True
    )
    return done.stdout.splitlines() or done.stderr.splitlines()[-1:]


EACH = "print(*sorted(f'{name}:{type(module.__loader__).__name__}' for name, module in sys.modules.items() if name.startswith('dfkit.r')))"


def test_modules_of_a_group_are_run_once_and_in_the_same_order(rooms):
    program = f"import dfkit.room; print(dfkit.errors.DONE, dfkit.room.low.LOW, dfkit.room.HIGH); {EACH}"
    first, loaders = told(rooms, program)
    assert first == "['low', 'high', 'room'] 1 2"
    again, loaders_again = told(rooms, program)
    assert again == first
    assert loaders_again == loaders.replace("SourceFileLoader", "_Loader")


def test_a_module_of_a_group_brings_only_what_was_imported_for_it(rooms):
    told(rooms, "import dfkit.room.late")
    assert told(rooms, f"import dfkit.errors; {EACH}")[0] == ""
    assert told(rooms, "import dfkit.room; print(dfkit.errors.DONE)") == ["['low', 'high', 'room']"]
    assert told(rooms, "import dfkit.room.late; print(dfkit.errors.DONE)") == ["['low', 'high', 'room', 'late']"]


def test_a_changed_module_takes_its_group_with_it_until_it_is_kept_again(rooms):
    program = f"import dfkit.room; print(dfkit.room.HIGH); {EACH}"
    told(rooms, program)
    low = rooms / "dfkit" / "room" / "low.py"
    low.write_text(low.read_text().replace("LOW = 1", "LOW = 20"))
    value, loaders = told(rooms, program)
    assert value == "21"
    assert {word.partition(":")[2] for word in loaders.split()} == {"SourceFileLoader"}
    value, loaders = told(rooms, program)
    assert value == "21"
    assert {word.partition(":")[2] for word in loaders.split()} == {"_Loader"}
    file = next((rooms / "dfkit" / "__pycache__").glob("*.modules"))
    size = file.stat().st_size
    low.write_text(low.read_text().replace("LOW = 20", "LOW = 3"))
    told(rooms, program)
    assert file.stat().st_size < size * 1.2, "what is no longer used is left out"


def test_a_module_that_fails_is_pythons_to_report(rooms):
    program = "import dfkit.room.late"
    told(rooms, program)
    late = rooms / "dfkit" / "room" / "late.py"
    late.write_text(late.read_text() + "import os\nif 'BREAK' in os.environ: raise ValueError('broken here')\n")
    told(rooms, program)
    assert told(rooms, f"import os; os.environ['BREAK'] = '1'; {program}") == ["ValueError: broken here"]
    assert told(rooms, f"{program}; print(dfkit.errors.DONE)") == ["['low', 'high', 'room', 'late']"]


def test_a_module_can_be_imported_anew(rooms):
    program = "import importlib, dfkit.room.low as low; low.LOW = 5; importlib.reload(low); print(low.LOW)"
    assert told(rooms, program) == told(rooms, program) == ["1"]


def test_where_threads_run_python_imports(rooms):
    told(rooms, "import dfkit.room")
    program = f"import threading; threading.Thread(target=threading.Event().wait, daemon=True).start(); import dfkit.room; {EACH}"
    assert {word.partition(":")[2] for word in told(rooms, program)[0].split()} == {"SourceFileLoader"}
