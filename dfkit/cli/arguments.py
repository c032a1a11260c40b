"""What the commands' arguments share."""

from __future__ import annotations

from dfkit.errors import UsageError
from dfkit.text import SEVERITIES
from dfkit.text.settings import PROFILES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dfkit.cli.parser import Parser
    from dfkit.workflow.configure import Plan

THRESHOLDS = (*SEVERITIES, "none")


def add_rules(parser: Parser) -> None:
    """The options that choose rules."""
    group = parser.add_argument_group("rules")
    group.add_argument("--profile", choices=PROFILES, help="the set of rules (default: recommended)")
    group.add_argument("--select", action="append", default=[], metavar="RULE", help="run this rule too")
    group.add_argument("--ignore", action="append", default=[], metavar="RULE", help="do not run this rule")
    group.add_argument("--rules", action="append", default=[], metavar="DIR", help="a folder with more rules")


def add_config(parser: Parser) -> None:
    """Which configuration counts."""
    group = parser.add_argument_group("configuration")
    group.add_argument(
        "-c",
        "--config",
        metavar="FILE",
        help="the configuration (default: the nearest .dfkit.yaml or pyproject.toml of each file)",
    )
    group.add_argument("--no-config", action="store_true", help="read no configuration")


def configured(rule_folders: list[str]) -> Plan:
    """What the configuration of the current folder says, with more rule folders."""
    from dfkit.project.config import Config
    from dfkit.workflow.configure import Planner

    return Planner(Config("", {"rule_folders": tuple(rule_folders)}, {})).plan("-")


def add_file(parser: Parser) -> None:
    """The Dockerfile of commands that take one."""
    parser.add_argument(
        "file", nargs="?", default="Dockerfile", help="a Dockerfile, or - for standard input (default: %(default)s)"
    )


def add_build_args(parser: Parser) -> None:
    """Values for ARG."""
    parser.add_argument(
        "--build-arg",
        action="append",
        default=[],
        metavar="NAME[=VALUE]",
        help="a value for an ARG; without `=` the environment's",
    )


def add_engine(parser: Parser) -> None:
    """Which engine is meant."""
    group = parser.add_argument_group("engine")
    group.add_argument("-H", "--host", metavar="URL", help="the engine (unix://, tcp:// or ssh://; default: DOCKER_HOST)")
    group.add_argument("--context-name", metavar="NAME", help="the docker context that names the engine")


def add_given(parser: Parser) -> None:
    """What the steps of a build are given besides files."""
    group = parser.add_argument_group("secrets and ssh")
    group.add_argument(
        "--secret",
        action="append",
        default=[],
        metavar="id=NAME[,src=FILE|,env=VARIABLE]",
        help="a secret that a step may ask for; an id alone is the variable or else the file of that name",
    )
    group.add_argument(
        "--ssh",
        action="append",
        default=[],
        metavar="ID[=SOCKET|KEY,…]",
        help="an ssh agent, or keys, that a step may use; `default` alone is the agent of SSH_AUTH_SOCK",
    )


def add_ignorefile(parser: Parser) -> None:
    """Another ignore file than the one that Docker looks for."""
    parser.add_argument(
        "--ignorefile",
        metavar="FILE",
        help="the ignore file (default: FILE.dockerignore beside the Dockerfile, else .dockerignore)",
    )


def build_args(pairs: list[str]) -> dict[str, str]:
    """The values of `--build-arg`; a name alone takes the environment's value, and is left out where there is none."""
    import os

    values = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not name:
            raise UsageError(f"`--build-arg {pair}` has no name: write NAME=VALUE")
        if equals:
            values[name] = value
        elif name in os.environ:
            values[name] = os.environ[name]
    return values
