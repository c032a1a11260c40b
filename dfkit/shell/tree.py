"""tree-sitter-bash, loaded when the first script is read."""

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
    from importlib.machinery import PathFinder

    from tree_sitter import Language, Parser

    # The package's __init__ imports importlib.resources for queries that are not used here: a third of the start-up of this room.
    package = PathFinder.find_spec("tree_sitter_bash")
    spec = PathFinder.find_spec("tree_sitter_bash._binding", package.submodule_search_locations) if package else None
    if spec is not None and spec.loader is not None:
        binding: Any = spec.loader.create_module(spec)
        spec.loader.exec_module(binding)
    else:
        import tree_sitter_bash as binding
    return Parser(Language(binding.language()))
