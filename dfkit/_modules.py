"""The byte code of a command's modules in one file, for a command may need eighty of them.

Python looks for each module in a folder, asks for its source's time, opens, checks and reads a file: a hundred microseconds for
each, more than most of them take to run. So the program keeps the byte code of the modules that a command imported in one file
beside Python's own, in `__pycache__`, and hands them to the import system from there. As with Python's files, a module whose source has
another size or time than its byte code was made from is imported the usual way; nothing is written where Python would not write.
"""

from __future__ import annotations

import marshal
import os
import sys

import dfkit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec, SourceFileLoader
    from typing import Any

    Kept = tuple[int, int, str, bytes]
    """The source's size, its time in nanoseconds, its path, and the byte code."""
else:
    # importlib.machinery would be imported for these two.
    ModuleSpec, SourceFileLoader = type(dfkit.__spec__), type(dfkit.__spec__.loader)

PREFIX = "dfkit."


class Finder:
    """Finds the modules that were kept; stands before Python's own finders in `sys.meta_path`."""

    def __init__(self, file: str, kept: dict[str, Kept]) -> None:
        self.file = file
        self.kept = kept

    def find_spec(self, name: str, _path: object = None, _target: object = None) -> ModuleSpec | None:
        """The module's spec, or None if it was not kept or its source is another one now."""
        kept = self.kept.get(name)
        if kept is None or _state(kept[2]) != kept[:2]:
            return None
        path = kept[2]
        spec = ModuleSpec(name, _Loader(name, path, kept[3]), origin=path, is_package=path.endswith("__init__.py"))
        spec.has_location = True
        if spec.submodule_search_locations is not None:
            spec.submodule_search_locations.append(os.path.dirname(path))
        return spec

    def keep(self) -> None:
        """Keep the modules that were imported the usual way."""
        if sys.dont_write_bytecode:
            return
        made: dict[str, Kept] = {}
        for name, module in list(sys.modules.items()):
            loader = getattr(module, "__loader__", None)
            if name.startswith(PREFIX) and type(loader) is SourceFileLoader and loader.name == name:
                state = _state(loader.path)
                code = loader.get_code(name)
                if state is not None and code is not None:
                    made[name] = (*state, loader.path, marshal.dumps(code))
        if made:
            from dfkit import _data

            _data.write(self.file, marshal.dumps({**self.kept, **made}))


class _Loader(SourceFileLoader):
    """Python's loader of a source file, but that its byte code is at hand."""

    def __init__(self, name: str, path: str, code: bytes) -> None:
        super().__init__(name, path)
        self._code = code

    def get_code(self, _name: str) -> Any:
        """The module's code object."""
        return marshal.loads(self._code)


def install(command: str) -> Finder | None:
    """Find modules in the command's file from now on; None where Python keeps no byte code for this package."""
    cached = getattr(dfkit, "__cached__", None)
    if not cached or type(dfkit.__loader__) is not SourceFileLoader:
        return None
    file = f"{cached.removesuffix('.pyc')}.{command}.modules"
    try:
        with open(file, "rb") as opened:
            kept = marshal.loads(opened.read())
    except (OSError, ValueError, EOFError, TypeError):
        kept = {}
    finder = Finder(file, kept if isinstance(kept, dict) else {})
    sys.meta_path.insert(0, finder)
    return finder


def _state(path: str) -> tuple[int, int] | None:
    try:
        state = os.stat(path)
    except OSError:
        return None
    return state.st_size, state.st_mtime_ns
