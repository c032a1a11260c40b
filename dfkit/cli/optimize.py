"""`dfkit optimize`."""

from __future__ import annotations

import sys

from dfkit.cli.arguments import add_build_args, add_config, add_file, build_args
from dfkit.cli.parser import Parser
from dfkit.errors import UsageError
from dfkit.syntax import parse
from dfkit.workflow.configure import rewriting
from dfkit.workflow.optimize import optimize_source
from dfkit.workflow.read import STDIN, read
from dfkit.workflow.write import write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dfkit.cli.parser import Options


def run(arguments: list[str]) -> int:
    """Print, show or write the optimized file; with `--check` 1 if it would change."""
    options = _parse(arguments)
    if options.write and options.file == STDIN:
        raise UsageError("`--write` needs a file: standard input cannot be written back")
    given = rewriting(options.context, build_args(options.build_arg), config=options.config, discover=not options.no_config)
    plan = given.plan(options.file)
    source = read(options.file)
    optimized = optimize_source(
        source,
        build_args=plan.build_args,
        allow=tuple(options.allow),
        context=plan.settings.context,
        rules=plan.rules(),
        settings=plan.settings,
    )
    changed = optimized.text != source.text
    for problem in parse(source).problems:
        place = source.position(problem.span.start)
        print(f"{source.name}:{place.line}:{place.column}: {problem.message}; this part is left as it is", file=sys.stderr)
    if options.explain:
        from dfkit.output import explanation, text

        for line in explanation.render(optimized, source, color=text.wants_color(sys.stdout)):
            print(line)
    if options.diff:
        from dfkit.output import diff, text

        sys.stdout.write(diff.render(source.text, optimized.text, source.name, color=text.wants_color(sys.stdout)))
    if options.write:
        if changed:
            write(options.file, optimized.text)
        print(f"{source.name}: {'rewritten' if changed else 'nothing to change'}", file=sys.stderr)
    elif not (options.diff or options.check or options.explain):
        sys.stdout.flush()
        sys.stdout.buffer.write(optimized.text.encode("utf-8", "surrogateescape"))
    return 1 if options.check and changed else 0


def _parse(arguments: list[str]) -> Options:
    parser = Parser("optimize", "Rewrite a Dockerfile for a smaller image and faster rebuilds; the image stays equivalent.")
    add_file(parser)
    parser.add_argument("--diff", action="store_true", help="print what changes as a unified diff")
    parser.add_argument("--write", action="store_true", help="replace the file")
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if the file would change")
    parser.add_argument(
        "--explain", action="store_true", help="say of each change why and what it gains, and what was refused and why"
    )
    parser.add_argument(
        "--allow", action="append", default=[], metavar="NAME",
        help="also rewrites that change the image on purpose, such as build-deps; may be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--context", metavar="DIR", help="the build context (default: the Dockerfile's folder, if it has the files)"
    )
    add_build_args(parser)
    add_config(parser)
    return parser.parse_args(arguments)
