"""What goes into the wheel besides the package: the grammars' tables, the compiled rules and facts, made by dfkit's own code."""

from __future__ import annotations

import marshal
import os
import sys
import tempfile
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CustomBuildHook(BuildHookInterface[Any]):
    """Adds `dfkit/_compiled/`; an editable install reads the checkout's own files and compiles them on first use."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable" or self.target_name != "wheel":
            return
        folder = self._made = tempfile.TemporaryDirectory(prefix="dfkit-wheel-")
        for name, data in _compiled(self.root).items():
            path = os.path.join(folder.name, name)
            with open(path, "wb") as file:
                file.write(data)
            build_data["force_include"][path] = f"dfkit/_compiled/{name}"
        for name in ("grammar", "rules"):
            build_data["force_include"][os.path.join(self.root, name)] = f"dfkit/_compiled/{name}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        if hasattr(self, "_made"):
            self._made.cleanup()


def _compiled(root: str) -> dict[str, bytes]:
    """The files of `dfkit/_compiled/` by name."""
    sys.path.insert(0, root)
    try:
        from dfkit.catalog.catalog import RULES, TEXTS
        from dfkit.catalog.compile import FORMAT, compile_folder
        from dfkit.model import facts
        from dfkit.syntax import generate, tables

        made = {}
        for name, starts in tables.STARTS.items():
            with open(os.path.join(root, "grammar", f"{name}.lark"), encoding="utf-8") as file:
                made[f"grammar-{name}"] = marshal.dumps(generate.make(file.read(), starts), FORMAT)  # type: ignore[arg-type]
        for name in facts.NAMES:
            with open(os.path.join(facts.HERE, f"{name}.yaml"), "rb") as file:
                made[f"facts-{name}"] = marshal.dumps(facts.compile_table(file.read()), FORMAT)
        made[RULES], made[TEXTS] = compile_folder(os.path.join(root, "rules"))
        return made
    finally:
        sys.path.remove(root)
