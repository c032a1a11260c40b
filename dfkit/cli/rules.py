"""`dfkit rules`."""

from __future__ import annotations

import sys

from dfkit.cli.arguments import Parser
from dfkit.text import SEVERITIES
from dfkit.text.settings import PROFILES, Settings


def run(arguments: list[str]) -> int:
    """List the rules of a profile, with the codes and severities that they have there."""
    from dfkit.output import rules as output
    from dfkit.workflow.lint import selection

    parser = Parser("rules", "List the rules.")
    parser.add_argument("--profile", choices=PROFILES, default="all", help="the rules of this set (default: %(default)s)")
    parser.add_argument("--tag", action="append", default=[], metavar="TAG", help="only rules with one of these tags")
    parser.add_argument(
        "--severity", action="append", default=[], choices=SEVERITIES, help="only rules of one of these severities"
    )
    parser.add_argument("--rules", action="append", default=[], metavar="DIR", help="a folder with more rules")
    parser.add_argument("-f", "--format", choices=("text", "json"), default="text", help="default: %(default)s")
    options = parser.parse_args(arguments)
    found = [
        rule
        for rule in selection(Settings(profile=options.profile), options.rules)
        if (not options.tag or set(options.tag) & set(rule.tags)) and (not options.severity or rule.severity in options.severity)
    ]
    found.sort(key=lambda rule: rule.code)
    if options.format == "json":
        sys.stdout.write(output.render_json(found))
    else:
        for line in output.render(found):
            print(line)
    return 0
