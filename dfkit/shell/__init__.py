"""What a RUN, CMD, ENTRYPOINT or HEALTHCHECK hands to a shell: scripts as typed nodes with their places in the Dockerfile.

tree-sitter is imported for the first script that `flat` and `nest` do not read, not before.
"""

from __future__ import annotations

from dfkit.shell.commands import commands, effective, walk
from dfkit.shell.nodes import (
    AndOr,
    Arithmetic,
    Assignment,
    Body,
    Command,
    Comment,
    Compound,
    HereDocument,
    Literal,
    Node,
    Parameter,
    Pattern,
    Pipeline,
    Redirect,
    Script,
    Statement,
    Substitution,
    Word,
)
from dfkit.shell.parse import parse
from dfkit.shell.scripts import DEFAULT_SHELL, WINDOWS_SHELL, script_of_heredoc, scripts, shell_script

__all__ = [
    "DEFAULT_SHELL",
    "WINDOWS_SHELL",
    "AndOr",
    "Arithmetic",
    "Assignment",
    "Body",
    "Command",
    "Comment",
    "Compound",
    "HereDocument",
    "Literal",
    "Node",
    "Parameter",
    "Pattern",
    "Pipeline",
    "Redirect",
    "Script",
    "Statement",
    "Substitution",
    "Word",
    "commands",
    "effective",
    "parse",
    "script_of_heredoc",
    "scripts",
    "shell_script",
    "walk",
]
