"""The byte code of a command's modules in one file, for a command may need eighty of them.

Python looks for each module in a folder, asks for its source's time, opens, checks and reads a file: a hundred microseconds for
each, more than most of them take to run. So the program keeps the byte code of the modules that a command imported in one file
beside Python's own, in `__pycache__`: a module and those that were imported for it in one group, in the order in which they were
done. When the module is imported again, that order is run through at once, without asking the import system for each. As with
Python's files, a module whose source has another size or time than its byte code was made from is imported the usual way; nothing is
written where Python would not write.
"""

from __future__ import annotations

import marshal
import os
import sys

import dfkit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from importlib.machinery import ModuleSpec, SourceFileLoader
    from types import CodeType, ModuleType
    from typing import Any

    Kept = tuple[int, int, str, str, int, int, int]
    """The source's size, its time in nanoseconds, its path, that of Python's byte code; the number of the module's group, and the
    places there of the first module that was imported for it, and of the module."""
    Group = tuple[int, int, tuple[str, ...]]
    """Where the byte code of a group begins and ends after the index, and its modules."""
else:
    # importlib.machinery and types would be imported for these three.
    ModuleSpec, SourceFileLoader, ModuleType = type(dfkit.__spec__), type(dfkit.__spec__.loader), type(sys)

PREFIX = "dfkit."
HEAD = 8
"""The file begins with the length of the index in so many bytes; the index follows, then the byte code of the groups."""


class Finder:
    """Finds the modules that were kept; stands before Python's own finders in `sys.meta_path`."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.kept: dict[str, Kept] = {}
        self.groups: list[Group] = []
        self._codes: dict[int, tuple[CodeType, ...]] = {}
        self._parents: dict[str, str | None] = {}
        """The modules that Python finds, and for which they were imported."""
        self._open: list[str] = []
        """Those that were being imported when the last was asked for, the outermost first."""
        self._handle = -1
        self._start = 0
        try:
            self._handle = os.open(file, os.O_RDONLY | getattr(os, "O_BINARY", 0))
            size = os.fstat(self._handle).st_size
            self._start = HEAD + int.from_bytes(self._read(0, HEAD), "little")
            kept, groups = marshal.loads(self._read(HEAD, min(self._start, size)))
            if all([self._start + end <= size for _, end, _ in groups]):
                self.kept, self.groups = kept, groups
        except (OSError, ValueError, EOFError, TypeError, AttributeError, OverflowError):
            pass  # it is not there, or damaged: it is made again

    def find_spec(self, name: str, _path: object = None, _target: object = None) -> ModuleSpec | None:
        """The spec of a module that has been run already; None if it was not kept, or the source of one that it needs has changed."""
        if not name.startswith(PREFIX) or name in sys.modules:
            return None  # it is not ours, or imported anew
        threading = sys.modules.get("threading")
        if threading is not None and threading.active_count() > 1:
            return None  # another thread may ask for what is half done
        if name in self.kept:
            try:
                if self._load(name):
                    return sys.modules[name].__spec__
            except Exception:
                # Nothing is hidden: Python imports the module next, and raises what is wrong with it or finds that the file was.
                self.kept = {}
        while self._open and not _is_initializing(self._open[-1]):
            self._open.pop()
        self._parents[name] = self._open[-1] if self._open else None
        self._open.append(name)
        return None

    def keep(self) -> None:
        """Keep the modules that were imported the usual way."""
        if sys.dont_write_bytecode:
            return
        made: dict[str, tuple[int, int, str, str]] = {}
        codes: dict[str, CodeType] = {}
        for name in self._parents:
            module = sys.modules.get(name)
            loader = getattr(module, "__loader__", None)
            if module is not None and type(loader) is SourceFileLoader and loader.name == name:
                state, code = _state(loader.path), loader.get_code(name)
                if state is not None and code is not None:
                    made[name] = (*state, loader.path, module.__cached__)
                    codes[name] = code
        if not made:
            return
        from dfkit import _data

        kept: dict[str, Kept] = {}
        groups: list[Group] = []
        parts: list[bytes] = []

        def add(names: tuple[str, ...], part: bytes) -> None:
            at = groups[-1][1] if groups else 0
            groups.append((at, at + len(part), names))
            parts.append(part)

        for number in sorted({each[4] for each in self.kept.values()}):
            start, end, names = self.groups[number]
            for name in names:
                size, time, path, cached, _, first, place = self.kept[name]
                kept[name] = (size, time, path, cached, len(groups), first, place)
            add(names, self._read(self._start + start, self._start + end))
        for group in _groups(made, self._parents):
            for place, (name, count) in enumerate(group):
                kept[name] = (*made[name], len(groups), place + 1 - count, place)
            names = tuple([name for name, _ in group])
            add(names, marshal.dumps(tuple([codes[name] for name in names])))
        head = marshal.dumps((kept, groups))
        _data.write(self.file, b"".join([len(head).to_bytes(HEAD, "little"), head, *parts]))

    def _read(self, start: int, end: int) -> bytes:
        # Not the whole file at once: its megabyte would be new memory, and not all of it is needed.
        os.lseek(self._handle, start, os.SEEK_SET)
        return os.read(self._handle, end - start)

    def _load(self, wanted: str) -> bool:
        """Run a module, and first what was imported for it; False if one of these has changed."""
        _, _, _, _, group, first, place = self.kept[wanted]
        start, end, names = self.groups[group]
        todo = [at for at in range(first, place + 1) if names[at] not in sys.modules]
        for at in todo:
            kept = self.kept[names[at]]
            if _state(kept[2]) != kept[:2]:
                self.kept = {name: kept for name, kept in self.kept.items() if kept[4] != group}
                return False
        if group not in self._codes:
            self._codes[group] = marshal.loads(self._read(self._start + start, self._start + end))
        # A package's modules may import it, so it is there before them, though it is run after them.
        packages = {at: self._module(names[at]) for at in todo if self.kept[names[at]][2].endswith("__init__.py")}
        sys.modules.update({module.__name__: module for module in packages.values()})
        try:
            for at in todo:
                if at in packages or names[at] not in sys.modules:  # one of those before it may have imported it
                    self._run(packages.pop(at, None) or self._module(names[at]), self._codes[group][at])
        finally:
            for module in packages.values():
                sys.modules.pop(module.__name__, None)
        return True

    def _module(self, name: str) -> Any:
        """A module that has not been run, as the import system makes them."""
        _, _, path, cached, *_ = self.kept[name]
        module: Any = ModuleType(name)
        spec = ModuleSpec(name, _Loader(name, path), origin=path, is_package=path.endswith("__init__.py"))
        spec.has_location = True
        spec.cached = cached  # else it is computed, which takes as long as to find the module
        module.__spec__, module.__loader__, module.__package__ = spec, spec.loader, spec.parent
        module.__file__, module.__cached__ = path, cached
        if spec.submodule_search_locations is not None:
            spec.submodule_search_locations.append(os.path.dirname(path))
            module.__path__ = spec.submodule_search_locations
        return module

    def _run(self, module: ModuleType, code: CodeType) -> None:
        name = module.__name__
        sys.modules[name] = module
        try:
            exec(code, module.__dict__)  # noqa: S102 - what the import system does
        except BaseException:
            del sys.modules[name]
            raise
        parent, _, tail = name.rpartition(".")
        if parent in sys.modules:
            setattr(sys.modules[parent], tail, module)


class _Loader(SourceFileLoader):
    """Python's loader of a source file, but that its module has been run."""

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """The module."""
        return sys.modules[spec.name]

    def exec_module(self, module: ModuleType) -> None:
        """Nothing is left to do."""


def install(command: str) -> Finder | None:
    """Find modules in the command's file from now on; None where Python keeps no byte code for this package."""
    cached = getattr(dfkit, "__cached__", None)
    if not cached or type(dfkit.__loader__) is not SourceFileLoader:
        return None
    file = f"{cached.removesuffix('.pyc')}.{command}.modules"
    finder = Finder(file)
    sys.meta_path.insert(0, finder)
    return finder


def _groups(names: Iterable[str], parents: dict[str, str | None]) -> Iterator[list[tuple[str, int]]]:
    """Modules in the order in which they were done, a list for each that was not imported for another one.

    With each is the number of those that were imported for it and for these, itself among them: they stand right before it.
    """
    children: dict[str | None, list[str]] = {None: []}
    for name in names:
        children[name] = []
        parent = parents[name]
        children[parent if parent in children else None].append(name)

    def done(name: str) -> list[tuple[str, int]]:
        before = [each for child in children[name] for each in done(child)]
        return [*before, (name, len(before) + 1)]

    return map(done, children[None])


def _is_initializing(name: str) -> bool:
    """Whether a module is being imported, by the import system's own mark."""
    return bool(getattr(getattr(sys.modules.get(name), "__spec__", None), "_initializing", False))


def _state(path: str) -> tuple[int, int] | None:
    try:
        state = os.stat(path)
    except OSError:
        return None
    return state.st_size, state.st_mtime_ns
