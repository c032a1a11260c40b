"""`dfkit context`."""

from __future__ import annotations

import sys

from dfkit.cli.arguments import add_build_args, add_ignorefile, build_args
from dfkit.cli.parser import Parser
from dfkit.errors import NoEngine, UsageError
from dfkit.output import context as output
from dfkit.workflow.build import dockerfile_of
from dfkit.workflow.context import against_docker, inspect, suggestion, write_ignore_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dfkit.cli.parser import Options
    from dfkit.workflow.context import Inspection


def run(arguments: list[str]) -> int:
    """Say what a build sends of a folder; with `--against docker` 1 if Docker's client would show an engine other files."""
    options = _parse(arguments)
    if options.force and not options.suggest:
        raise UsageError("`--force` goes with `--suggest`")
    inspected = _inspect(options)
    suggested = suggestion(inspected) if options.suggest else None
    against = against_docker(inspected) if options.against else None
    if options.format == "json":
        sys.stdout.write(output.as_json(inspected, suggested, against))
    elif suggested is not None:
        sys.stdout.writelines(f"{line}\n" for line in output.suggested(suggested))
    else:
        sys.stdout.writelines(f"{line}\n" for line in output.render(inspected))
    if against is not None and options.format == "text":
        sys.stdout.writelines(f"{line}\n" for line in ("", *output.compared(against)))
    sys.stdout.flush()
    if suggested is not None and suggested.patterns:
        print(f"written: {write_ignore_file(inspected, suggested, force=options.force)}", file=sys.stderr)
    return 0 if against is None or against.equal else 1


def _inspect(options: Options) -> Inspection:
    from dfkit.build import connect

    try:
        file = dockerfile_of(options.path, options.file)
    except UsageError:
        import os

        if options.file is not None or not os.path.isdir(options.path):
            raise
        file = None
    values = build_args(options.build_arg)
    try:
        engine = connect()
    except NoEngine:
        engine = None
    try:
        return inspect(
            options.path, file, build_args=values, target=options.target, ignore_file=options.ignorefile, engine=engine
        )
    finally:
        if engine is not None:
            engine.close()


def _parse(arguments: list[str]) -> Options:
    parser = Parser(
        "context", "Say which files a build sends, which it does not and by which pattern, and what should not be there."
    )
    parser.add_argument("path", nargs="?", default=".", help="the folder with the files of the build (default: %(default)s)")
    parser.add_argument("-f", "--file", metavar="FILE", help="the Dockerfile (default: PATH/Dockerfile)")
    add_ignorefile(parser)
    parser.add_argument("--target", metavar="STAGE", help="the stage to build (default: the last)")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="default: %(default)s")
    parser.add_argument(
        "--suggest",
        action="store_true",
        help="write a .dockerignore for these files and say what it saves; never over one that exists",
    )
    parser.add_argument("--force", action="store_true", help="with --suggest: add the patterns to a file that exists")
    parser.add_argument(
        "--against", choices=("docker",), help="compare with the files that Docker's own client shows an engine; 1 if they differ"
    )
    add_build_args(parser)
    return parser.parse_args(arguments)
