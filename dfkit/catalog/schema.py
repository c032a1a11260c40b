"""The JSON schema of a rule file, for editors.

python -m dfkit.catalog.schema > rules/rule.schema.json
"""

from __future__ import annotations

import json
import sys
from typing import Any

from dfkit.catalog.load import EXAMPLE_KEYS, FIXES, KEYS, REQUIRED
from dfkit.catalog.rule import OFF, ON
from dfkit.text import SEVERITIES
from dfkit.text.settings import PROFILES, Settings

_TEXT = {"type": "string"}
_TEXTS = {"anyOf": [_TEXT, {"type": "array", "items": _TEXT}]}
_SEVERITY = {"enum": list(SEVERITIES)}


def schema() -> dict[str, Any]:
    """The schema, draft 2020-12."""
    properties: dict[str, dict[str, Any]] = {
        "code": {
            "pattern": "^[A-Z]{2,}[0-9]{3,5}$",
            "description": "hadolint's code where it has the rule, else one of the folder's block",
        },
        "also": {
            "type": "object",
            "additionalProperties": _TEXTS,
            "description": "names in other tools; accepted in configuration and in their own ignore comments",
        },
        "summary": {**_TEXT, "description": "what is wrong; the message where the check gives none"},
        "severity": {**_SEVERITY, "description": "how grave it is"},
        "fix": {"enum": list(FIXES), "description": "how far the fix can be trusted"},
        "declares": {**_TEXTS, "description": "what of the image the fix changes on purpose: patterns of paths"},
        "gain": {**_TEXT, "description": "what the fix gains, in a sentence"},
        "tags": {**_TEXTS, "description": "words to select rules by"},
        "since": {**_TEXT, "description": "the first version that has the rule"},
        "why": {**_TEXT, "description": "why it matters; the first sentence is shown with a finding"},
        "uses": {"pattern": r"^[a-z_]+(\.[a-z_]+)+$", "description": "the check: a function in dfkit/checks, as module.function"},
        "with": {"type": "object", "description": "the keyword parameters of the check"},
        "profiles": {
            "type": "object",
            "properties": {profile: _in_profile() for profile in PROFILES},
            "additionalProperties": False,
            "description": "where a profile judges differently",
        },
        "examples": {"type": "array", "items": _example(), "minItems": 3},
    }
    assert tuple(properties) == KEYS, "every key that the reader knows is described"
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A rule of dfkit",
        "type": "object",
        "properties": properties,
        "required": list(REQUIRED),
        "additionalProperties": False,
    }


def _in_profile() -> dict[str, Any]:
    properties = {
        "severity": _SEVERITY,
        "uses": {"type": "string", "description": "another check, with parameters of its own"},
        "with": {"type": "object", "description": "parameters that are others in this profile"},
        "selected_only": {"type": "boolean", "description": "off unless the user selects the rule"},
    }
    return {"anyOf": [{"enum": [ON, OFF]}, {"type": "object", "properties": properties, "additionalProperties": False}]}


def _example() -> dict[str, Any]:
    properties: dict[str, dict[str, Any]] = {
        "bad": {
            **_TEXT,
            "description": "a Dockerfile in which the rule finds one thing; without FROM it stands under FROM debian:12",
        },
        "good": {**_TEXT, "description": "a Dockerfile in which it finds nothing"},
        "at": {**_TEXT, "description": "the exact source text that the finding marks"},
        "fixed": {**_TEXT, "description": "what the fix makes of it"},
        "files": {"type": "object", "additionalProperties": _TEXT, "description": "the build context: paths and contents"},
        "options": {
            "type": "object",
            "properties": {name: {} for name in Settings._fields},
            "additionalProperties": False,
            "description": "settings",
        },
    }
    assert tuple(properties) == EXAMPLE_KEYS, "every key that the reader knows is described"
    return {
        "type": "object",
        "properties": properties,
        "oneOf": [{"required": ["bad"]}, {"required": ["good"]}],
        "additionalProperties": False,
    }


def text() -> str:
    """The schema as the file holds it."""
    return json.dumps(schema(), indent=2) + "\n"


if __name__ == "__main__":
    sys.stdout.write(text())
