"""`dfkit rules`."""

from __future__ import annotations

import sys

from dfkit.cli.parser import Parser
from dfkit.text import SEVERITIES
from dfkit.text.settings import PROFILES, Settings


def run(arguments: list[str]) -> int:
    """List the rules of a profile, with the codes and severities that they have there, or the checks that rules can use."""
    from dfkit.catalog import select
    from dfkit.cli.arguments import configured
    from dfkit.output import rules as output

    parser = Parser("rules", "List the rules.")
    parser.add_argument("--profile", choices=PROFILES, default="all", help="the rules of this set (default: %(default)s)")
    parser.add_argument("--tag", action="append", default=[], metavar="TAG", help="only rules with one of these tags")
    parser.add_argument(
        "--severity", "--level", action="append", default=[], choices=SEVERITIES, help="only rules of one of these severities"
    )
    parser.add_argument("--fixable", action="store_true", help="only rules with a fix")
    parser.add_argument(
        "--checks", action="store_true", help="list the checks that a rule of your own can use, and their parameters"
    )
    parser.add_argument("--rules", action="append", default=[], metavar="DIR", help="a folder with more rules")
    parser.add_argument("-f", "--format", choices=("text", "json"), default="text", help="default: %(default)s")
    options = parser.parse_args(arguments)
    if options.checks:
        return _checks(options.format)
    found = [
        rule
        for rule in select(configured(options.rules).rules().catalog, Settings(profile=options.profile))
        if (not options.tag or set(options.tag) & set(rule.tags))
        and (not options.severity or rule.severity in options.severity)
        and (not options.fixable or rule.fix in ("safe", "unsafe"))
    ]
    found.sort(key=lambda rule: rule.code)
    if options.format == "json":
        sys.stdout.write(output.render_json(found))
    else:
        for line in output.render(found):
            print(line)
    return 0


def _checks(format_: str) -> int:
    from dfkit.catalog.signature import checks
    from dfkit.output import rules as output

    found = list(checks())
    if format_ == "json":
        sys.stdout.write(output.checks_json(found))
    else:
        for line in output.render_checks(found):
            print(line)
    return 0
