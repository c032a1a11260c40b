"""tree-sitter-bash, loaded for the first script that needs it."""

from __future__ import annotations

from dfkit.shell.mask import Unreadable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Tree = Any
    """A tree-sitter node; tree_sitter is not imported for its types."""

_parser: Any = None


def syntax_tree(text: str) -> Tree:
    """tree-sitter's tree of a text that is all ASCII, so that its offsets are ours. Raises `Unreadable` where it has an error."""
    global _parser
    if _parser is None:
        _parser = _load()
    root = _parser.parse(text.encode("ascii")).root_node
    if root.has_error:
        raise Unreadable("tree-sitter reports an error")
    return root


def _load() -> Any:
    core, bash = _extension("tree_sitter"), _extension("tree_sitter_bash")
    return core.Parser(core.Language(bash.language()))


def _extension(package: str) -> Any:
    """The extension module of a package, without the package's `__init__`.

    The two import typing and importlib.resources, for what is not used here; loading takes some five times as long with them.
    """
    from importlib import import_module
    from importlib.machinery import PathFinder

    found = PathFinder.find_spec(package)
    spec = PathFinder.find_spec(f"{package}._binding", found.submodule_search_locations) if found else None
    if spec is None or spec.loader is None:
        return import_module(package)
    binding: Any = spec.loader.create_module(spec)
    spec.loader.exec_module(binding)
    return binding
