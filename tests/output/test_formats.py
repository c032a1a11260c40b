"""The formats that services read."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET

import pytest

from dfkit.catalog import Catalog, select
from dfkit.cli.lint import FORMATS
from dfkit.lint import Linter, Report
from dfkit.model import Model
from dfkit.output import checkstyle, codacy, codeclimate, github, gitlab, gnu, junit, markdown, sarif, sonarqube, tty
from dfkit.syntax import parse
from dfkit.text import Diagnostic, Source, Span
from dfkit.text.settings import Settings

CATALOG = Catalog.load()
TEXT = 'FROM debian:12\nRUN echo "𝛼|" && apt-get install curl\nMAINTAINER a\nUSER 1\n'
MODULES = (checkstyle, codacy, codeclimate, github, gitlab, gnu, junit, markdown, sarif, sonarqube, tty)


@pytest.fixture(scope="module")
def reports():
    settings = Settings(ignore=("DL3015", "DL3008", "DL3009", "no-user"), shellcheck=False)
    linter = Linter(select(CATALOG, settings), settings)
    return [
        linter.report(Model(parse(Source(TEXT, "a b/Dockerfile")))),
        linter.report(Model(parse(Source("FROM scratch\n", "clean")))),
    ]


def test_sarif_has_exact_places_and_fixes(reports):
    log = json.loads(sarif.render(reports, CATALOG))
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    yes, maintainer = run["results"]
    assert (yes["ruleId"], yes["level"]) == ("DL3014", "warning")
    assert run["tool"]["driver"]["rules"][yes["ruleIndex"]]["name"] == "apt-install-without-yes"
    (location,) = yes["locations"]
    assert location["physicalLocation"]["artifactLocation"]["uri"] == "a%20b/Dockerfile"
    # The letter above takes two units of UTF-16.
    region = {"startLine": 2, "startColumn": 19, "endLine": 2, "endColumn": 34}
    assert location["physicalLocation"]["region"] == region
    (change,) = yes["fixes"][0]["artifactChanges"]
    assert change["replacements"] == [{"deletedRegion": {**region, "startColumn": 34}, "insertedContent": {"text": " -y"}}]
    assert maintainer["ruleId"] == "DL4000"


def test_github_escapes_what_has_a_meaning_there(reports):
    line, _ = github.render(reports, CATALOG).splitlines()
    assert line.startswith(
        "::warning file=a b/Dockerfile,line=2,endLine=2,col=18,endColumn=33,title=DL3014 apt-install-without-yes::"
    )
    report = Report(Source("FROM a\n", "x,y:z"), (Diagnostic("r", "R1", "info", "100%\nof it", Span(0, 4)),))
    assert (
        github.render([report], CATALOG)
        == "::notice file=x%2Cy%3Az,line=1,endLine=1,col=1,endColumn=5,title=R1 r::100%25%0Aof it\n"
    )


def test_code_climate_and_gitlab_have_the_same_issues(reports):
    issues = [json.loads(each) for each in codeclimate.render(reports, CATALOG).split("\0\n") if each]
    assert json.loads(gitlab.render(reports, CATALOG)) == issues
    assert [(each["check_name"], each["severity"], each["location"]) for each in issues] == [
        ("DL3014", "major", {"path": "a b/Dockerfile", "lines": {"begin": 2, "end": 2}}),
        ("DL4000", "major", {"path": "a b/Dockerfile", "lines": {"begin": 3, "end": 3}}),
    ]


def test_a_fingerprint_stays_when_lines_come_above_and_differs_for_a_second_finding():
    def marks(text):
        found = tuple([Diagnostic("r", "R1", "info", "m", Span(at, at + 1)) for at, char in enumerate(text) if char == "x"])
        return [each["fingerprint"] for each in json.loads(gitlab.render([Report(Source(text, "f"), found)], CATALOG))]

    first, second = marks("a\nx x\n")
    assert first != second
    assert marks("\n\na\nx x\n") == [first, second]
    assert marks("y x\n") != [first]


def test_sonarqube_counts_columns_from_0(reports):
    said = json.loads(sonarqube.render(reports, CATALOG))
    assert [rule["id"] for rule in said["rules"]] == ["DL3014", "DL4000"]
    place = said["issues"][0]["primaryLocation"]
    assert place["textRange"] == {"startLine": 2, "startColumn": 17, "endLine": 2, "endColumn": 32}
    empty = Report(Source("FROM a\n", "f"), (Diagnostic("r", "R1", "info", "m", Span(0, 0)),))
    (issue,) = json.loads(sonarqube.render([empty], CATALOG))["issues"]
    assert issue["primaryLocation"]["textRange"] == {"startLine": 1}


def test_xml_can_be_read(reports):
    root = ET.fromstring(checkstyle.render(reports, CATALOG))
    assert [(file.get("name"), len(file)) for file in root] == [("a b/Dockerfile", 2), ("clean", 0)]
    assert root[0][0].attrib["line"] == "2"
    suite = ET.fromstring(junit.render(reports, CATALOG))[0]
    assert (suite.get("tests"), suite.get("failures")) == ("3", "2")
    assert suite[0][0].get("type") == "warning"
    odd = Report(Source("x\n", 'a"<\x01\udcff'), (Diagnostic("r", "R1", "info", "<&\x0b\"'", Span(0, 1)),))
    assert ET.fromstring(checkstyle.render([odd], CATALOG))[0][0].get("message") == "<&\"'"
    assert ET.fromstring(junit.render([odd], CATALOG))[0][0].get("classname") == 'a"<'


def test_lines_for_editors_and_tables_for_people(reports):
    assert gnu.render(reports, CATALOG).splitlines()[0].startswith("dfkit:a b/Dockerfile:2.18: DL3014 warning: `apt-get install`")
    assert tty.render(reports, CATALOG).splitlines()[1].startswith("a b/Dockerfile:3 DL4000 ")
    assert json.loads(codacy.render(reports, CATALOG).splitlines()[0])["patternId"] == "DL3014"
    table = markdown.render(reports, CATALOG)
    assert "### a b/Dockerfile" in table
    assert "| 2 | warning | DL3014 apt-install-without-yes |" in table
    assert "clean" not in table
    assert table.splitlines()[-1].startswith("2 findings in 2 files")


@pytest.mark.parametrize("module", MODULES)
def test_nothing_found_is_well_formed_too(module):
    said = module.render([Report(Source("FROM scratch\n", "f"), ())], CATALOG)
    if module in (sarif, gitlab, sonarqube):
        json.loads(said)
    elif module in (checkstyle, junit):
        ET.fromstring(said)
    elif module is markdown:
        assert said == "Nothing found in 1 file.\n"
    else:
        assert said == ""


def test_each_format_is_a_module():
    assert {module.__name__.rpartition(".")[2] for module in MODULES} == set(FORMATS) - {"text", "json"}


def test_sarif_of_a_file_that_is_not_in_utf8_is_unicode():
    text = "FROM debian:12\nRUN apt-get install -y a\udcfe\n"
    linter = Linter(select(CATALOG, Settings()), Settings())
    report = linter.report(Model(parse(Source(text, "a\udcff"))))
    said = json.loads(sarif.render([report], CATALOG))
    json.dumps(said, ensure_ascii=False).encode()
    (result, *_) = said["runs"][0]["results"]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "a%FF"


SARIF = {
    "log": ("$schema version runs", "version runs"),
    "runs": ("tool columnKind results", "tool"),
    "tool": ("driver", "driver"),
    "driver": ("name version rules", "name"),
    "rules": ("id name shortDescription fullDescription defaultConfiguration", "id"),
    "defaultConfiguration": ("level", ""),
    "results": ("ruleId ruleIndex level message locations relatedLocations fixes", "message"),
    "locations": ("physicalLocation", ""),
    "relatedLocations": ("id message physicalLocation", ""),
    "physicalLocation": ("artifactLocation region", ""),
    "artifactLocation": ("uri", ""),
    "region": ("startLine startColumn endLine endColumn", ""),
    "fixes": ("description artifactChanges", "artifactChanges"),
    "artifactChanges": ("artifactLocation replacements", "artifactLocation replacements"),
    "replacements": ("deletedRegion insertedContent", "deletedRegion"),
    "deletedRegion": ("startLine startColumn endLine endColumn", ""),
    "insertedContent": ("text", ""),
    "message": ("text", "text"),
    "description": ("text", "text"),
    "shortDescription": ("text", "text"),
    "fullDescription": ("text", "text"),
}
"""The objects of SARIF 2.1.0 that are written, each with its properties that are used and those that the specification requires."""
LISTS = {"runs", "rules", "results", "locations", "relatedLocations", "fixes", "artifactChanges", "replacements"}


def objects(name, value):
    assert isinstance(value, list) == (name in LISTS), name
    for each in value if isinstance(value, list) else [value]:
        yield name, each
        for key, below in each.items():
            if isinstance(below, dict | list):
                yield from objects(key, below)


def test_sarif_has_the_objects_of_the_specification(reports):
    found = list(objects("log", json.loads(sarif.render(reports, CATALOG))))
    assert {name for name, _ in found} >= SARIF.keys() - {"relatedLocations"}
    for name, each in found:
        used, required = SARIF[name]
        assert set(required.split()) <= each.keys() <= set(used.split()), name
        if "level" in each:
            assert each["level"] in ("none", "note", "warning", "error")
        if "startLine" in each:
            start, end = (each["startLine"], each["startColumn"]), (each["endLine"], each["endColumn"])
            assert (1, 1) <= start <= end
            assert min(*start, *end) >= 1
    for name in ("fixes", "rules", "relatedLocations"):
        for _, each in found:
            values = [json.dumps(item, sort_keys=True) for item in each.get(name, ())]
            assert len(values) == len(set(values)), name
