from __future__ import annotations

import subprocess
import sys


def modules(code: str) -> set[str]:
    code = f"import sys; {code}; print(*sys.modules)"
    return set(subprocess.run([sys.executable, "-S", "-c", code], check=True, capture_output=True, text=True).stdout.split())


def paths() -> str:
    return f"sys.path[:] = {sys.path!r}"


def test_the_room_is_imported_without_tree_sitter() -> None:
    found = modules(f"{paths()}; import dfkit.shell")
    assert "dfkit.shell.parse" in found
    assert not found & {"tree_sitter", "tree_sitter._binding", "typing", "dataclasses", "lark", "json"}


def test_reading_a_script_imports_the_extension_alone() -> None:
    code = "from dfkit.text import Mapped; from dfkit.shell import parse; assert not parse(Mapped('((a))', ((0, 0),))).opaque"
    found = modules(f"{paths()}; {code}")
    assert "tree_sitter._binding" in found
    assert not found & {"typing", "importlib.resources", "dataclasses"}


def test_a_script_without_nesting_needs_none() -> None:
    code = "from dfkit.text import Mapped; from dfkit.shell import parse; assert not parse(Mapped('a && b', ((0, 0),))).opaque"
    assert not modules(f"{paths()}; {code}") & {"tree_sitter", "tree_sitter._binding"}


def test_a_script_with_nesting_needs_none_either() -> None:
    text = "if (a); then for b in $((c)); do d; done; fi"
    code = f"from dfkit.text import Mapped; from dfkit.shell import parse; assert not parse(Mapped('{text}', ((0, 0),))).opaque"
    assert not modules(f"{paths()}; {code}") & {"tree_sitter", "tree_sitter._binding", "dfkit.shell.branches"}


def test_what_reads_nesting_is_imported_for_scripts_that_have_it() -> None:
    code = "from dfkit.text import Mapped; from dfkit.shell import parse; assert not parse(Mapped('a && b', ((0, 0),))).opaque"
    assert not modules(f"{paths()}; {code}") & {"dfkit.shell.nest", "dfkit.shell.compound", "dfkit.shell.branches"}
