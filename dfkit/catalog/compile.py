"""Rules in the form that is read at run time: marshalled, what the engine needs apart from what people read.

The same step serves the wheel, a checkout and a user's folder of rules.
"""

from __future__ import annotations

import marshal

from dfkit.catalog.load import load
from dfkit.catalog.rule import Example


def compile_folder(folder: str) -> tuple[bytes, bytes]:
    """The two files of a folder of rules: a list of each rule's fields, and a table from name to its documentation's fields.

    Raises `dfkit.catalog.load.RuleError` if a rule file is wrong.
    """
    found = load(folder)
    rules = [rule._values() for rule, _ in found]  # type: ignore[attr-defined]
    texts = {}
    for rule, text in found:
        examples = tuple([example._values() for example in text.examples if isinstance(example, Example)])  # type: ignore[attr-defined]
        texts[rule.name] = (text.why, text.gain, text.since, text.path, examples)
    return marshal.dumps(rules), marshal.dumps(texts)
