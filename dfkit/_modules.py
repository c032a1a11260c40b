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

    Kept = tuple[int, int, str, str, int, int]
    """The source's size, its time in nanoseconds, its path, that of Python's byte code, and where the byte code is after the index."""
else:
    # importlib.machinery would be imported for these two.
    ModuleSpec, SourceFileLoader = type(dfkit.__spec__), type(dfkit.__spec__.loader)

PREFIX = "dfkit."
HEAD = 8
"""The file begins with the length of the index in so many bytes; the index follows, then the byte code of all modules."""


class Finder:
    """Finds the modules that were kept; stands before Python's own finders in `sys.meta_path`."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.kept: dict[str, Kept] = {}
        self._handle = -1
        self._start = 0
        try:
            self._handle = os.open(file, os.O_RDONLY | getattr(os, "O_BINARY", 0))
            size = os.fstat(self._handle).st_size
            self._start = HEAD + int.from_bytes(self._read(0, HEAD), "little")
            kept = marshal.loads(self._read(HEAD, min(self._start, size)))
            if all([self._start + end <= size for _, _, _, _, _, end in kept.values()]):
                self.kept = kept
        except (OSError, ValueError, EOFError, TypeError, AttributeError, OverflowError):
            pass  # it is not there, or damaged: it is made again

    def _read(self, start: int, end: int) -> bytes:
        # Not the whole file at once: its megabyte would be new memory, and not all of it is needed.
        os.lseek(self._handle, start, os.SEEK_SET)
        return os.read(self._handle, end - start)

    def _code(self, kept: Kept) -> bytes:
        """A module's byte code."""
        return self._read(self._start + kept[4], self._start + kept[5])

    def find_spec(self, name: str, _path: object = None, _target: object = None) -> ModuleSpec | None:
        """The module's spec, or None if it was not kept or its source is another one now."""
        kept = self.kept.get(name)
        if kept is None or _state(kept[2]) != kept[:2]:
            return None
        _, _, path, cached, _, _ = kept
        loader = _Loader(name, path, self._code(kept))
        spec = ModuleSpec(name, loader, origin=path, is_package=path.endswith("__init__.py"))
        spec.has_location = True
        spec.cached = cached  # else it is computed, which takes as long as to find the module
        if spec.submodule_search_locations is not None:
            spec.submodule_search_locations.append(os.path.dirname(path))
        return spec

    def keep(self) -> None:
        """Keep the modules that were imported the usual way."""
        if sys.dont_write_bytecode:
            return
        made: dict[str, tuple[int, int, str, str, bytes]] = {}
        for name, module in list(sys.modules.items()):
            loader = getattr(module, "__loader__", None)
            if name.startswith(PREFIX) and type(loader) is SourceFileLoader and loader.name == name:
                state = _state(loader.path)
                code = loader.get_code(name)
                if state is not None and code is not None:
                    made[name] = (*state, loader.path, module.__cached__, marshal.dumps(code))
        if not made:
            return
        from dfkit import _data

        codes = {name: (*kept[:4], self._code(kept)) for name, kept in self.kept.items()} | made
        index: dict[str, Kept] = {}
        at = 0
        for name, (size, time, path, cached, data) in codes.items():
            index[name] = (size, time, path, cached, at, at + len(data))
            at += len(data)
        head = marshal.dumps(index)
        _data.write(self.file, b"".join([len(head).to_bytes(HEAD, "little"), head, *[data for *_, data in codes.values()]]))


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
    finder = Finder(file)
    sys.meta_path.insert(0, finder)
    return finder


def _state(path: str) -> tuple[int, int] | None:
    try:
        state = os.stat(path)
    except OSError:
        return None
    return state.st_size, state.st_mtime_ns
