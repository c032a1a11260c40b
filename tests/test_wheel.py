"""A wheel built from this checkout works in an empty environment: grammars, rules and tables are inside, compiled."""

import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT], check=True, capture_output=True
    )
    (made,) = folder.glob("*.whl")
    return made


def test_it_holds_the_package_and_what_was_compiled(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {
        "dfkit/_compiled/grammar-dockerfile",
        "dfkit/_compiled/facts-packages",
        "dfkit/_compiled/rules.marshal",
        "dfkit/_compiled/grammar/dockerfile.lark",
        "dfkit/_compiled/rules/packages/apt-install-without-yes.yaml",
        "dfkit/py.typed",
    } <= names
    assert not [name for name in names if name.startswith(("tests/", "examples/", "scripts/", "dfkit/_compiled/_"))]


def test_it_lints_and_optimizes_in_an_empty_environment(wheel, tmp_path):
    environment = tmp_path / "venv"
    venv.create(environment, with_pip=True)
    binaries = environment / ("Scripts" if os.name == "nt" else "bin")
    subprocess.run([binaries / "python", "-m", "pip", "install", "--quiet", wheel], check=True, capture_output=True)
    file = tmp_path / "Dockerfile"
    file.write_text("FROM debian:12\nRUN apt-get update && apt-get install -y curl\n")

    def dfkit(*arguments):
        env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        env["XDG_CACHE_HOME"] = str(tmp_path / "cache")
        return subprocess.run(
            [binaries / "dfkit", *arguments], cwd=tmp_path, capture_output=True, text=True, env=env, check=False
        )

    found = dfkit("lint", "Dockerfile")
    assert "DL3009 apt-lists-left" in found.stdout, found.stderr
    assert "rm -rf /var/lib/apt/lists/*" in dfkit("optimize", "Dockerfile").stdout
    assert dfkit("explain", "DL3009").returncode == 0
    made = [path.name for path in (tmp_path / "cache" / "dfkit").iterdir()]
    assert all(name.startswith("expressions-") for name in made), "rules, facts and grammars had to be compiled on first use"
