"""`dfkit parse`."""

from __future__ import annotations

import sys

from dfkit.cli.arguments import add_file
from dfkit.cli.parser import Parser
from dfkit.syntax import parse
from dfkit.workflow.read import read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dfkit.syntax.nodes import Dockerfile


def run(arguments: list[str]) -> int:
    """Print the tree of a file; 1 if BuildKit would reject the file."""
    parser = Parser(
        "parse", "Print what a Dockerfile consists of. Exit code 1: BuildKit would reject the file; the rest is read."
    )
    add_file(parser)
    parser.add_argument("-f", "--format", choices=("tree", "json", "sexp"), default="tree", help="default: %(default)s")
    options = parser.parse_args(arguments)
    dockerfile = parse(read(options.file))
    if options.format == "json":
        from dfkit.output import parse_json

        sys.stdout.write(parse_json.render(dockerfile))
        return 1 if dockerfile.problems else 0
    from dfkit.output import sexp, tree

    for line in (tree if options.format == "tree" else sexp).render(dockerfile):
        print(line)
    return report(dockerfile)


def report(dockerfile: Dockerfile) -> int:
    """Say on standard error what BuildKit would reject a file for; the exit code that this means."""
    for problem in dockerfile.problems:
        place = dockerfile.source.position(problem.span.start)
        print(f"{dockerfile.source.name}:{place.line}:{place.column}: {problem.message}", file=sys.stderr)
    return 1 if dockerfile.problems else 0
