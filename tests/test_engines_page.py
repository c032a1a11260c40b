"""docs/engines.md says what the tables say."""

from __future__ import annotations

import re
from pathlib import Path

from dfkit.build.capabilities import NEVER, OPTIONS
from dfkit.model.facts import table
from dfkit.model.features import docker_with

PAGE = (Path(__file__).parents[1] / "docs" / "engines.md").read_text()


def version(text):
    major, minor = text.split(".")
    return int(major), int(minor)


def test_every_feature_since_docker_20_10_stands_in_the_page():
    rows = dict(re.findall(r"^\| (.+) \| (1\.\d+ \| .+) \|$", PAGE, re.MULTILINE))
    facts = table("features")
    known = {f"{name} --{flag}": since for name, flags in facts["flags"].items() for flag, since in flags.items()}
    known |= facts["syntax"]
    expected = {
        name: f"{since} | {docker_with(version(since)) or 'none yet'}" for name, since in known.items() if version(since) > (1, 2)
    }
    assert {name.replace("`", ""): row for name, row in rows.items()} == expected


def test_every_option_that_an_engine_ignores_stands_in_the_page():
    for option in OPTIONS:
        assert f"`{option.flag}`" in PAGE, f"{option.flag}, ignored {'always' if option.buildkit == NEVER else 'by old engines'}"
