"""`dfkit build`."""

from __future__ import annotations

import json
import os
import sys

from dfkit.cli import buildkit
from dfkit.cli.arguments import THRESHOLDS, add_build_args, add_engine, add_given, add_ignorefile, build_args
from dfkit.cli.parser import Parser
from dfkit.errors import NoEngine, UsageError
from dfkit.text import at_least
from dfkit.workflow.build import Prepared, build, dockerfile_of, for_engine, prepare
from dfkit.workflow.configure import Planner, rewriting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dfkit.build import BuildRequest, Engine, Output, SolveFailed
    from dfkit.build.remote import Builder
    from dfkit.cli.parser import Options
    from dfkit.context import ContextPlan


def run(arguments: list[str]) -> int:
    """Lint, optimize and build. The image's id, or where the output is, is the last line, alone on standard output."""
    options = _parse(arguments)
    file = dockerfile_of(options.context, options.file)
    values = build_args(options.build_arg)
    request = buildkit.complete(_request(options, values), options)
    named = buildkit.contexts(options)
    question = buildkit.question(options)
    engine = None if buildkit.has_builder(options) and not options.load else _engine(options)
    try:
        peer: Engine | Builder | None = engine
        if buildkit.has_builder(options):
            peer = None if options.dry_run else buildkit.open_builder(options, engine)
        if question is not None and peer is not None:
            return buildkit.answer(*question, file, request, options, peer, named)
        lint = not options.quiet or options.fail_on != "none"
        prepared = prepare(
            options.context,
            file,
            build_args=values,
            target=options.target,
            lint=lint,
            optimize=not options.no_optimize,
            engine=engine if peer is engine else None,
            ignore_file=options.ignorefile,
            contexts=named,
            planned=Planner().plan(file) if lint else None,
            rewriting=None if options.no_optimize else rewriting().plan(file),
            notify=_notify,
        )
        if not options.quiet:
            _say_findings(prepared)
        if _found(prepared, options.fail_on):
            print(f"dfkit: not built, as there are findings at or above `{options.fail_on}`", file=sys.stderr)
            return 1
        if options.dry_run:
            _show(prepared)
            return 0
        assert peer is not None, "only a dry run goes on without one"
        prepared = for_engine(prepared, request, peer)
        if not options.quiet:
            _say_plan(prepared)
            print(f"Building on {peer.name} at {peer.host}", file=sys.stderr)
        return _build(prepared, options, request, peer)
    finally:
        if engine is not None:
            engine.close()


def _parse(arguments: list[str]) -> Options:
    parser = Parser("build", "Lint, optimize and build an image.")
    parser.add_argument("context", help="the folder with the files of the build")
    parser.add_argument("-f", "--file", metavar="FILE", help="the Dockerfile (default: CONTEXT/Dockerfile)")
    add_ignorefile(parser)
    parser.add_argument("-t", "--tag", action="append", default=[], metavar="NAME", help="a name for the image; may be repeated")
    parser.add_argument(
        "-o", "--output", action="append", default=[], metavar="FOLDER|type=TYPE,dest=PATH",
        help="where the result goes: local (a folder), tar (a file, or - for standard output), image (default)",
    )  # fmt: skip
    parser.add_argument("--target", metavar="STAGE", help="the stage to build (default: the last)")
    parser.add_argument("--label", action="append", default=[], metavar="NAME=VALUE", help="a label for the image")
    parser.add_argument("--platform", metavar="OS/ARCH", help="what to build for (default: DOCKER_DEFAULT_PLATFORM)")
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
    _add_steps(parser)
    add_given(parser)
    buildkit.add_buildkit(parser)
    add_engine(parser)
    return parser.parse_args(arguments)


def _add_steps(parser: Parser) -> None:
    """What the steps of a build may use and whom they know."""
    group = parser.add_argument_group("steps")
    group.add_argument("--network", metavar="MODE", help="the network of RUN: default, host or none")
    group.add_argument("--add-host", action="append", default=[], metavar="NAME:ADDRESS", help="a host that RUN knows")
    group.add_argument("--shm-size", metavar="SIZE", help="the size of /dev/shm, such as 64m")
    group.add_argument("--ulimit", action="append", default=[], metavar="NAME=SOFT[:HARD]", help="a limit, such as nofile=1024")
    group.add_argument("-m", "--memory", metavar="SIZE", help="a limit for memory")
    group.add_argument("--memory-swap", metavar="SIZE", help="a limit for memory and swap together; -1 for none")
    group.add_argument("-c", "--cpu-shares", type=int, default=0, metavar="NUMBER", help="the relative weight of the CPU time")
    group.add_argument("--cpu-period", type=int, default=0, metavar="MICROSECONDS", help="the period of the CPU quota")
    group.add_argument("--cpu-quota", type=int, default=0, metavar="MICROSECONDS", help="CPU time in a period")
    group.add_argument("--cpuset-cpus", default="", metavar="LIST", help="the CPUs to use, such as 0-2,4")
    group.add_argument("--cpuset-mems", default="", metavar="LIST", help="the memory nodes to use")
    group.add_argument("--cgroup-parent", default="", metavar="CGROUP", help="the control group above the steps'")
    group.add_argument("--security-opt", action="append", default=[], metavar="OPTION", help="a security option (Windows)")
    group.add_argument("--isolation", metavar="KIND", help="how steps are kept apart (Windows)")
    group.add_argument("--squash", action="store_true", help="make one layer of all (experimental engines)")


def _output(options: Options) -> Output:
    from dfkit.build.flags import output
    from dfkit.build.request import IMAGE

    if len(options.output) > 1:
        raise UsageError("a build has one output: give one --output")
    found = output(options.output[0]) if options.output else IMAGE
    if options.iidfile and not found.is_image:
        raise UsageError("an output that is no image has no id to write: leave out --iidfile")
    return found


def _request(options: Options, values: dict[str, str]) -> BuildRequest:
    """Raises `UsageError` for a value that docker would not take."""
    from dfkit.build import BuildRequest, Resources
    from dfkit.build.flags import secret, ssh, tag
    from dfkit.build.limits import host, label, size, swap, ulimit

    return BuildRequest(
        tags=tuple(map(tag, options.tag)),
        build_args=values,
        target=options.target,
        labels=dict(map(label, options.label)),
        network=options.network,
        platform=options.platform or os.environ.get("DOCKER_DEFAULT_PLATFORM") or None,
        no_cache=options.no_cache,
        pull=options.pull,
        extra_hosts=tuple(map(host, options.add_host)),
        shm_size=size(options.shm_size, "--shm-size") if options.shm_size else 0,
        ulimits=dict(map(ulimit, options.ulimit)),
        resources=Resources(
            memory=size(options.memory, "--memory") if options.memory else 0,
            memory_swap=swap(options.memory_swap, "--memory-swap") if options.memory_swap else 0,
            cpu_shares=options.cpu_shares,
            cpu_period=options.cpu_period,
            cpu_quota=options.cpu_quota,
            cpuset_cpus=options.cpuset_cpus,
            cpuset_mems=options.cpuset_mems,
            cgroup_parent=options.cgroup_parent,
        ),
        squash=options.squash,
        security_opt=tuple(options.security_opt),
        isolation=options.isolation,
        secrets=tuple(map(secret, options.secret)),
        ssh=tuple(map(ssh, options.ssh)),
        output=_output(options),
    )


def _engine(options: Options) -> Engine | None:
    from dfkit.build import connect

    try:
        return connect(options.host, context=options.context_name)
    except NoEngine:
        if options.dry_run:
            return None
        raise


def _build(prepared: Prepared, options: Options, request: BuildRequest, engine: Engine | Builder) -> int:
    from dfkit.build import SolveFailed
    from dfkit.output.progress import excerpt, progress
    from dfkit.workflow.write import put

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
    output = report.result.output
    if (made := report.result.image_id if output is None else output.dest) and made != "-":
        print(made)
    return 0


def _notify(sentence: str) -> None:
    print(f"dfkit: {sentence}", file=sys.stderr)


def _found(prepared: Prepared, level: str) -> bool:
    """Whether linting found something of at least this severity."""
    return prepared.findings is not None and any(at_least(each.severity, level) for each in prepared.findings.diagnostics)


def _say_findings(prepared: Prepared) -> None:
    from dfkit.output import text

    if prepared.rules is not None and prepared.findings is not None and prepared.findings.diagnostics:
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
    print(f"Sending {_files(plan.files)}, {human(plan.size)}{_why_all(plan)}", file=sys.stderr)
    for name, plan in prepared.named.items():
        print(f"Sending of the context `{name}` {_files(plan.files)}, {human(plan.size)}{_why_all(plan)}", file=sys.stderr)


def _why_all(plan: ContextPlan) -> str:
    return f" (all of the context: {'; '.join(plan.reasons)})" if plan.reasons else ""


def _show(prepared: Prepared) -> None:
    from dfkit.output.size import human

    sys.stdout.write(prepared.text if prepared.text.endswith("\n") else prepared.text + "\n")
    for name, plan in {"": prepared.plan, **prepared.named}.items():
        title = f"context `{name}`" if name else "context"
        print(f"\n# {title}: {_files(plan.files)}, {human(plan.size)}{_why_all(plan)}")
        for entry in plan.entries:
            if entry.kind != "dir":
                print(f"# {human(entry.size):>10}  {entry.path}")


def _files(count: int) -> str:
    return f"{count} file{'' if count == 1 else 's'}"
