"""`dfkit targets`."""

from __future__ import annotations

import sys

from dfkit.cli.arguments import add_file
from dfkit.cli.parse import report
from dfkit.cli.parser import Parser
from dfkit.model import Model
from dfkit.model.outline import targets
from dfkit.output import targets as output
from dfkit.syntax import parse
from dfkit.workflow.read import read


def run(arguments: list[str]) -> int:
    """List the stages of a file; 1 if BuildKit would reject the file."""
    parser = Parser("targets", "List the stages that can be built, as `docker build --call=targets` does, without an engine.")
    add_file(parser)
    parser.add_argument("-f", "--format", choices=("text", "json"), default="text", help="default: %(default)s")
    options = parser.parse_args(arguments)
    model = Model(parse(read(options.file)))
    listed = targets(model)
    if options.format == "json":
        sys.stdout.write(output.render_json(listed, model.dockerfile.source))
    else:
        for line in output.render(listed):
            print(line)
    return report(model.dockerfile)
