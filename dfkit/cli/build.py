"""`dfkit build`."""

from __future__ import annotations

import json
import os
import sys

from dfkit.cli.arguments import THRESHOLDS, Parser, add_build_args, add_ignorefile, build_args
from dfkit.errors import NoEngine
from dfkit.text import at_least
from dfkit.workflow.build import Prepared, build, dockerfile_of, prepare

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace

    from dfkit.build import Engine, SolveFailed


def run(arguments: list[str]) -> int:
    """Lint, optimize and build an image. The image's id is the last line, alone on standard output."""
    options = _parse(arguments)
    file = dockerfile_of(options.context, options.file)
    values = build_args(options.build_arg)
    engine = _engine(options)
    try:
        prepared = prepare(
            options.context,
            file,
            build_args=values,
            target=options.target,
            optimize=not options.no_optimize,
            engine=engine,
            ignore_file=options.ignorefile,
        )
        if not options.quiet:
            _say_findings(prepared)
        if options.fail_on != "none" and any(at_least(each.severity, options.fail_on) for each in prepared.findings.diagnostics):
            print(f"dfkit: not built, as there are findings at or above `{options.fail_on}`", file=sys.stderr)
            return 1
        if options.dry_run:
            _show(prepared)
            return 0
        if not options.quiet:
            _say_plan(prepared)
        assert engine is not None, "only a dry run goes on without an engine"
        return _build(prepared, options, values, engine)
    finally:
        if engine is not None:
            engine.close()


def _parse(arguments: list[str]) -> Namespace:
    parser = Parser("build", "Lint, optimize and build an image.")
    parser.add_argument("context", help="the folder with the files of the build")
    parser.add_argument("-f", "--file", metavar="FILE", help="the Dockerfile (default: CONTEXT/Dockerfile)")
    add_ignorefile(parser)
    parser.add_argument("-t", "--tag", action="append", default=[], metavar="NAME", help="a name for the image; may be repeated")
    parser.add_argument("--target", metavar="STAGE", help="the stage to build (default: the last)")
    parser.add_argument("--network", metavar="MODE", help="the network of RUN: default, host or none")
    parser.add_argument("--platform", metavar="OS/ARCH", help="what to build for")
    parser.add_argument("--pull", action="store_true", help="look for newer base images")
    parser.add_argument("--no-cache", action="store_true", help="run every step")
    parser.add_argument("--no-optimize", action="store_true", help="build the file as it is")
    parser.add_argument(
        "--dry-run", action="store_true", help="print the Dockerfile and the files that would be sent; build nothing"
    )
    parser.add_argument(
        "--fail-on", choices=THRESHOLDS, default="none", metavar="LEVEL",
        help="do not build if a finding has this level: error, warning, info, style, none (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--progress", choices=("auto", "plain", "tty", "quiet"), default="auto", help="default: %(default)s")
    parser.add_argument("-q", "--quiet", action="store_true", help="print the image's id and errors only")
    parser.add_argument("--iidfile", metavar="FILE", help="write the image's id to a file")
    parser.add_argument("--report", metavar="FILE", help="write a report of the build as JSON")
    add_build_args(parser)
    return parser.parse_args(arguments)


def _engine(options: Namespace) -> Engine | None:
    from dfkit.build import connect

    try:
        return connect()
    except NoEngine:
        if options.dry_run:
            return None
        raise


def _build(prepared: Prepared, options: Namespace, values: dict[str, str], engine: Engine) -> int:
    from dfkit.build import BuildRequest, SolveFailed
    from dfkit.output.progress import excerpt, progress
    from dfkit.workflow.read import put

    request = BuildRequest(
        tags=tuple(options.tag),
        build_args=values,
        target=options.target,
        network=options.network,
        platform=options.platform,
        no_cache=options.no_cache,
        pull=options.pull,
    )

    def on_fault(sentence: str, error: SolveFailed) -> None:
        print(f"\n{excerpt(error)}\ndfkit: THIS IS A FAULT OF DFKIT, please report it: {sentence}\n", file=sys.stderr)

    try:
        with progress("quiet" if options.quiet else options.progress, sys.stderr, os.environ) as show:
            report = build(prepared, request, engine, on_event=show, on_fault=on_fault)
    except SolveFailed as error:
        print(excerpt(error), file=sys.stderr)
        raise
    for fault in report.faults:
        print(f"dfkit: {fault}", file=sys.stderr)
    if options.report:
        put(options.report, json.dumps(report.to_dict(), indent=2) + "\n")
    if options.iidfile:
        put(options.iidfile, report.result.image_id)
    print(report.result.image_id)
    return 0


def _say_findings(prepared: Prepared) -> None:
    from dfkit.output import text

    if prepared.findings.diagnostics:
        for line in text.render([prepared.findings], prepared.rules.catalog, color=text.wants_color(sys.stderr)):
            print(line, file=sys.stderr)


def _say_plan(prepared: Prepared) -> None:
    """What was changed and what is sent, in a few lines on standard error."""
    from dfkit.output.size import human

    if prepared.optimized is not None and prepared.changed:
        print("Changed before the build (`--dry-run` prints the whole file, `--no-optimize` leaves it alone):", file=sys.stderr)
        for proposal in prepared.optimized.applied:
            print(f"  - {proposal.fix.title} [{proposal.pass_name}]", file=sys.stderr)
    plan = prepared.plan
    print(f"Sending {_files(plan.files)}, {human(plan.size)}{_why_all(prepared)}", file=sys.stderr)


def _why_all(prepared: Prepared) -> str:
    return f" (all of the context: {'; '.join(prepared.plan.reasons)})" if prepared.plan.reasons else ""


def _show(prepared: Prepared) -> None:
    from dfkit.output.size import human

    sys.stdout.write(prepared.text if prepared.text.endswith("\n") else prepared.text + "\n")
    plan = prepared.plan
    print(f"\n# context: {_files(plan.files)}, {human(plan.size)}{_why_all(prepared)}")
    for entry in plan.entries:
        if entry.kind != "dir":
            print(f"# {human(entry.size):>10}  {entry.path}")


def _files(count: int) -> str:
    return f"{count} file{'' if count == 1 else 's'}"
