"""`dfkit outline`."""

from __future__ import annotations

import sys

from dfkit.cli.arguments import add_build_args, add_file, build_args
from dfkit.cli.parse import report
from dfkit.cli.parser import Parser
from dfkit.errors import UsageError
from dfkit.model import Model
from dfkit.model.outline import outline
from dfkit.output import outline as output
from dfkit.syntax import parse
from dfkit.workflow.read import read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dfkit.model import Stage


def run(arguments: list[str]) -> int:
    """List what a target takes; 1 if BuildKit would reject the file."""
    parser = Parser(
        "outline",
        "List the build arguments, secrets, ssh sockets and caches of a target, as `docker build --call=outline` does, "
        "without an engine.",
    )
    add_file(parser)
    parser.add_argument("--target", metavar="STAGE", help="the stage to build (default: the last)")
    parser.add_argument("-f", "--format", choices=("text", "json"), default="text", help="default: %(default)s")
    add_build_args(parser)
    options = parser.parse_args(arguments)
    model = Model(parse(read(options.file)), build_args=build_args(options.build_arg))
    stage = _target(model, options.target)
    if stage is None:
        return report(model.dockerfile)
    found = outline(model, stage)
    if options.format == "json":
        sys.stdout.write(output.render_json(found, model.dockerfile.source))
    else:
        for line in output.render(found):
            print(line)
    return report(model.dockerfile)


def _target(model: Model, name: str | None) -> Stage | None:
    stage = model.target(name)
    if stage is None and name is not None:
        from difflib import get_close_matches

        near = get_close_matches(name.lower(), [each.name for each in model.stages if each.name], 1)
        hint = f"; did you mean `{near[0]}`?" if near else " (`dfkit targets` lists them)"
        raise UsageError(f"{model.dockerfile.source.name} has no stage `{name}`{hint}")
    return stage
