"""`dfkit rule`: rules of one's own."""

from __future__ import annotations

from argparse import ArgumentParser

from dfkit.errors import UsageError
from dfkit.workflow.rules import failures, load, new

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn


def run(arguments: list[str]) -> int:
    """Write a rule file to begin with, or try the examples of rule files: 1 if one is not found as it says."""
    parser = _Parser(prog="dfkit rule", description="Write and try rules of your own.", allow_abbrev=False)
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    make = actions.add_parser("new", help="write a rule file to begin with")
    make.add_argument("name", help="the rule's name: words in lower case joined by `-`")
    make.add_argument("--folder", default=".", metavar="DIR", help="where to (default: this folder)")
    test = actions.add_parser("test", help="try the examples of rule files")
    test.add_argument("paths", nargs="+", metavar="FILE|DIR", help="rule files, and folders of them")
    options = parser.parse_args(arguments)
    if options.action == "new":
        print(new(options.name, "" if options.folder == "." else options.folder))
        return 0
    return _test(options.paths)


class _Parser(ArgumentParser):
    """As `dfkit.cli.parser.Parser`, which knows no actions: errors are one sentence."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message} (`{self.prog} --help` says more)")


def _test(paths: list[str]) -> int:
    rules = examples = failed = 0
    for path in paths:
        for file, rule, tried in load(path):
            rules += 1
            examples += len(tried)
            for failure in failures(file, rule, tried):
                failed += 1
                print(f"{failure.path}:{failure.line}: an example of {failure.rule} fails")
                print(f"  expected: {failure.expected}\n  actual: {failure.actual}")
    print(f"{_count(examples, 'example')} of {_count(rules, 'rule')}: " + (f"{failed} failed" if failed else "all right"))
    return 1 if failed else 0


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
