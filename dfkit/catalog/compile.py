"""Rules in the form that is read at run time: marshalled, what the engine needs apart from what people read.

The same step serves the wheel, a checkout and a user's folder of rules.
"""

from __future__ import annotations

import marshal
from typing import Any

from dfkit.catalog.load import load

FORMAT = 4
"""marshal's format since Python 3.4; 3.14 writes a newer one by default, which a wheel's other readers do not know."""


def compile_folder(folder: str) -> tuple[bytes, bytes]:
    """The two files of a folder of rules: a list of each rule's fields, and a table from name to its documentation's fields.

    These are marshalled once more, each by itself, as one run shows those of a few rules.

    Raises `dfkit.catalog.load.RuleError` if a rule file is wrong.
    """
    found = load(folder)
    texts = {}
    for rule, text in found:
        *words, examples = _fields(text)
        texts[rule.name] = marshal.dumps((*words, tuple(map(_fields, examples))), FORMAT)
    return marshal.dumps([_fields(rule) for rule, _ in found], FORMAT), marshal.dumps(texts, FORMAT)


def _fields(record: Any) -> tuple[Any, ...]:
    return tuple([getattr(record, name) for name in record._fields])
