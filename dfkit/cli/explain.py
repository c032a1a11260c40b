"""`dfkit explain`."""

from __future__ import annotations

from dfkit.cli.parser import Parser


def run(arguments: list[str]) -> int:
    """Say what rules are about, by their name, code, or name in another tool."""
    from dfkit.cli.arguments import configured
    from dfkit.output import rule

    parser = Parser("explain", "Say what a rule is about.")
    parser.add_argument("name", nargs="+", metavar="RULE", help="a rule's name, code, or its name in another tool (DL3009)")
    parser.add_argument("--rules", action="append", default=[], metavar="DIR", help="a folder with more rules")
    options = parser.parse_args(arguments)
    catalog = configured(options.rules).rules().catalog
    for name in options.name:
        for found in catalog.find(name):
            documentation = catalog.documentation(found.name)
            assert documentation is not None, "a rule of a catalog was read from a file"
            for line in rule.render(found, documentation):
                print(line)
    return 0
