"""`dfkit prove`."""

from __future__ import annotations

import os
import sys

from dfkit.cli.arguments import add_build_args, add_engine, add_given, build_args
from dfkit.cli.parser import Parser
from dfkit.workflow.build import dockerfile_of, prepare
from dfkit.workflow.prove import prove

NOT_EQUIVALENT = 5


def run(arguments: list[str]) -> int:
    """Build the original and the optimized image, measure both, compare them; 5 if they are not equivalent."""
    from dfkit.build import BuildRequest, SolveFailed, connect
    from dfkit.build.flags import secret, ssh
    from dfkit.output import proof
    from dfkit.output.progress import excerpt, progress

    parser = Parser("prove", "Build the original and the optimized image, measure what is gained and compare what they hold.")
    parser.add_argument("context", help="the folder with the files of the build")
    parser.add_argument("-f", "--file", metavar="FILE", help="the Dockerfile (default: CONTEXT/Dockerfile)")
    parser.add_argument("--target", metavar="STAGE", help="the stage to build (default: the last)")
    parser.add_argument("--network", metavar="MODE", help="the network of RUN: default, host or none")
    parser.add_argument(
        "--allow", action="append", default=[], metavar="NAME", help="also rewrites that change the image on purpose"
    )
    parser.add_argument("--edit", metavar="PATH", help="the file of the context whose edit is replayed (default: a source file)")
    parser.add_argument("--keep", action="store_true", help="keep the images")
    parser.add_argument("--progress", choices=("auto", "plain", "tty", "quiet"), default="auto", help="default: %(default)s")
    add_build_args(parser)
    add_given(parser)
    add_engine(parser)
    options = parser.parse_args(arguments)
    values = build_args(options.build_arg)
    file = dockerfile_of(options.context, options.file)
    with connect(options.host, context=options.context_name) as engine:
        prepared = prepare(
            options.context,
            file,
            build_args=values,
            target=options.target,
            lint=False,
            allow=tuple(options.allow),
            engine=engine,
        )
        request = BuildRequest(
            build_args=values,
            target=options.target,
            network=options.network,
            secrets=tuple(map(secret, options.secret)),
            ssh=tuple(map(ssh, options.ssh)),
        )
        try:
            with progress(options.progress, sys.stderr, os.environ) as show:
                proved = prove(
                    prepared, request, engine, edit=options.edit, keep=options.keep, on_event=show,
                    say=lambda sentence: print(f"dfkit: {sentence}", file=sys.stderr),
                )  # fmt: skip
        except SolveFailed as error:
            print(excerpt(error), file=sys.stderr)
            raise
    for line in proof.render(proved):
        print(line)
    if options.keep:
        print(f"images: {proved.before.image} {proved.after.image}")
    return 0 if proved.comparison.equivalent else NOT_EQUIVALENT
