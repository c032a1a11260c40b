import base64
import json

from dfkit.model import Model
from dfkit.model.outline import outline, targets
from dfkit.output import outline as outline_output
from dfkit.output import targets as targets_output
from dfkit.syntax import parse

TEXT = """\
# VERSION is the release
ARG VERSION=12
FROM debian:$VERSION AS base
ARG MODE
# app runs it
FROM base AS app
RUN --mount=type=secret,id=token,required --mount=type=ssh \\
    --mount=type=cache,target=/cache x
"""
MODEL = Model(parse(TEXT))


def test_targets_as_a_table():
    assert list(targets_output.render(targets(MODEL))) == [
        "TARGET          DESCRIPTION",
        "base",
        "app (default)   runs it",
    ]
    assert list(targets_output.render(targets(Model(parse("FROM a")))))[1] == "(default)"


def test_targets_as_json():
    found = json.loads(targets_output.render_json(targets(MODEL), MODEL.dockerfile.source))
    assert found["targets"] == [
        {"name": "base", "base": "debian:$VERSION", "location": {"ranges": [{"start": {"line": 3}, "end": {"line": 3}}]}},
        {
            "name": "app",
            "default": True,
            "description": "runs it",
            "base": "base",
            "location": {"ranges": [{"start": {"line": 6}, "end": {"line": 6}}]},
        },
    ]
    assert [base64.b64decode(source) for source in found["sources"]] == [TEXT.encode()]


def test_an_outline_as_tables():
    assert list(outline_output.render(outline(MODEL, MODEL.final))) == [
        "TARGET:      app",
        "DESCRIPTION: runs it",
        "",
        "BUILD ARG   VALUE   DESCRIPTION",
        "VERSION     12      is the release",
        "MODE",
        "",
        "SECRET   REQUIRED",
        "token    true",
        "",
        "SSH       REQUIRED",
        "default",
        "",
        "CACHE",
        "/cache",
        "",
    ]
    plain = Model(parse("FROM a"))
    assert list(outline_output.render(outline(plain, plain.final))) == []


def test_an_outline_as_json():
    found = json.loads(outline_output.render_json(outline(MODEL, MODEL.final), MODEL.dockerfile.source))
    lines = {"ranges": [{"start": {"line": line}, "end": {"line": line}} for line in (7, 8)]}
    assert (found["name"], found["description"]) == ("app", "runs it")
    assert [(each["name"], each.get("value"), each.get("description")) for each in found["args"]] == [
        ("VERSION", "12", "is the release"),
        ("MODE", None, None),
    ]
    assert found["secrets"] == [{"name": "token", "required": True, "location": lines}]
    assert found["ssh"] == [{"name": "default", "location": lines}]
    assert found["cache"] == [{"ID": "/cache", "location": lines}]
