"""The flags of `dfkit build` that only BuildKit itself can serve: named contexts, caches, daemons, questions to its frontend."""

from __future__ import annotations

import os
import sys

from dfkit._record import replace
from dfkit.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dfkit.build import BuildRequest, Engine
    from dfkit.build.frontend import Question
    from dfkit.build.remote import Builder
    from dfkit.cli.parser import Options, Parser

_QUESTIONS: dict[str, Question] = {"check": "lint", "lint": "lint", "outline": "outline", "targets": "targets"}
_FORMATS = ("text", "json")


def add_buildkit(parser: Parser) -> None:
    """The flags, with buildx's and buildctl's names."""
    group = parser.add_argument_group("BuildKit")
    group.add_argument(
        "--build-context", action="append", default=[], metavar="NAME=FOLDER|URL|docker-image://IMAGE",
        help="a named context, for FROM, COPY --from and mounts; may be repeated",
    )  # fmt: skip
    group.add_argument(
        "--cache-from", action="append", default=[], metavar="IMAGE|type=TYPE,…", help="a cache to read; may be repeated"
    )
    group.add_argument(
        "--cache-to", action="append", default=[], metavar="type=TYPE,…", help="where to put a cache, such as type=inline"
    )
    group.add_argument(
        "--call",
        metavar="check|outline|targets[,format=json]",
        help="build nothing; have BuildKit's frontend say this of the file",
    )
    group.add_argument("--check", action="store_true", help="short for --call=check")
    group.add_argument("--push", action="store_true", help="push the image to its registry (with --builder)")
    group.add_argument("--load", action="store_true", help="give the image to the Docker engine (the default without --builder)")
    group.add_argument(
        "--builder", metavar="URL", help="build on this BuildKit daemon: tcp://HOST:PORT or unix:///PATH (default: BUILDKIT_HOST)"
    )
    group.add_argument("--tlscacert", default="", metavar="FILE", help="the CA of the daemon's certificate")
    group.add_argument("--tlscert", default="", metavar="FILE", help="this client's certificate")
    group.add_argument("--tlskey", default="", metavar="FILE", help="this client's key")
    group.add_argument("--tlsservername", default="", metavar="NAME", help="the name in the daemon's certificate")
    group.add_argument("--tlsdir", default="", metavar="FOLDER", help="a folder with ca.pem, cert.pem and key.pem")


def contexts(options: Options) -> dict[str, str]:
    """The named contexts. Raises `UsageError`."""
    if not options.build_context:
        return {}
    from dfkit.build.caches import named_context

    return dict(map(named_context, options.build_context))


def complete(request: BuildRequest, options: Options) -> BuildRequest:
    """The request with caches and the place of the image. Raises `UsageError`."""
    from dfkit.build.caches import cache_from, cache_to
    from dfkit.build.request import IMAGE, Output

    sources = [cache_from(text) for text in options.cache_from]
    images = [cache for cache in sources if cache.type == "registry" and set(cache.attributes) == {"ref"}]
    request = replace(
        request,
        cache_from=tuple(cache.attributes["ref"] for cache in images),
        cache_imports=tuple(cache for cache in sources if cache not in images),
        cache_to=tuple(map(cache_to, options.cache_to)),
    )
    if options.push or options.load:
        if request.output != IMAGE or (options.push and options.load):
            raise UsageError("--push, --load and --output each say where the image goes: give one of them")
        if options.push and not request.tags:
            raise UsageError("--push needs a name for the image: add --tag REGISTRY/NAME")
        request = replace(request, output=Output("docker") if options.load else Output("image", attributes={"push": "true"}))
    return request


def has_builder(options: Options) -> bool:
    """Whether a BuildKit daemon is to build; one in the environment gives way to an engine that is named."""
    return bool(options.builder or (os.environ.get("BUILDKIT_HOST") and not options.host and not options.context_name))


def open_builder(options: Options, engine: Engine | None) -> Builder:
    """The daemon; `engine` gets the images of `--load`. Raises `UsageError`, `NoEngine`."""
    from dfkit.build.remote import Tls, connect_builder

    given = Tls(options.tlscacert, options.tlscert, options.tlskey, options.tlsservername)
    tls = None if given == Tls() else given
    if options.tlsdir:
        found = Tls.of_folder(options.tlsdir)
        tls = Tls(given.cacert or found.cacert, given.cert or found.cert, given.key or found.key, given.servername)
    return connect_builder(options.builder, tls, engine)


def question(options: Options) -> tuple[Question, str] | None:
    """What the frontend is to be asked, and the format of its answer; None for a build. Raises `UsageError`."""
    if options.check and options.call:
        raise UsageError("--check is --call=check: give one of them")
    text = "check" if options.check else options.call
    if not text or text == "build":
        return None
    name, _, rest = text.partition(",")
    key, _, value = rest.partition("=")
    if name not in _QUESTIONS or (rest and (key != "format" or value not in _FORMATS)):
        raise UsageError(
            f"`--call {text}` is no question: it is check, outline or targets, and `,format=json` where a program reads it"
        )
    return _QUESTIONS[name], value or "text"


def answer(
    asked: Question,
    form: str,
    file: str,
    request: BuildRequest,
    options: Options,
    peer: Engine | Builder,
    named: dict[str, str],
) -> int:
    """Print what the frontend says, as buildx does; dfkit's own answer where the engine's frontend has none."""
    from dfkit.build.frontend import NoAnswer, answers
    from dfkit.output import call as output
    from dfkit.output.progress import progress
    from dfkit.workflow.build import call

    try:
        if not answers(peer, asked):
            raise NoAnswer
        with progress("quiet" if options.quiet else options.progress, sys.stderr, os.environ) as show:
            said = call(options.context, file, asked, request, peer, named, ignore_file=options.ignorefile, on_event=show)
    except NoAnswer:
        return _own(asked, form, file, options, peer)
    sys.stdout.write(said.json.rstrip("\n") + "\n" if form == "json" else output.render(asked, said, file))
    if trouble := output.trouble(asked, said, file):
        print(trouble, file=sys.stderr)
    return 1 if said.status or trouble else 0


def _own(asked: Question, form: str, file: str, options: Options, peer: Engine | Builder) -> int:
    """The answer of the command that needs no engine."""
    arguments = [file, "--format", form, *[f"--build-arg={pair}" for pair in options.build_arg]]
    if asked == "lint":
        from dfkit.cli.lint import run

        arguments += ["--profile", "buildkit"]
    elif asked == "outline":
        from dfkit.cli.outline import run

        arguments += [f"--target={options.target}"] if options.target else []
    else:
        from dfkit.cli.targets import run

        arguments = arguments[:3]
    flag, command = ("check", "lint --profile buildkit") if asked == "lint" else (asked, asked)
    print(f"dfkit: {peer.name} at {peer.host} has no --call={flag}; this is what `dfkit {command}` says", file=sys.stderr)
    return run(arguments)
