from __future__ import annotations

import random

from dfkit.model.effects import overlaps
from dfkit.model.paths import Paths

PARTS = ("a", "b", "a*", "*", "?", "[ab]", "ab", ".c", r"\*", r"a\b")


def test_paths_are_found_as_if_each_was_compared():
    dice = random.Random(7)
    for _ in range(300):
        paths = ["/" + "/".join(dice.choices(PARTS, k=dice.randrange(4))) for _ in range(12)]
        paths[:10] = dict.fromkeys(paths[:10])
        made = Paths()
        for number, path in enumerate(paths[:-2]):
            made.add(path, number)
        for wanted in paths[-2:]:
            expected = {number for number, path in enumerate(paths[:-2]) if overlaps(wanted, path)}
            assert set(made.overlapping(wanted)) == expected
        made.remove(paths[-2])
        assert set(made.overlapping("/")) == {n for n, path in enumerate(paths[:-2]) if not overlaps(paths[-2], path)}
