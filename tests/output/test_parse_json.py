import json

from dfkit.output.parse_json import render
from dfkit.syntax import parse
from dfkit.text import Source


def tree(text):
    return json.loads(render(parse(text)))


def test_an_instruction_as_buildkit_sees_it():
    run = tree("FROM a\n# why\nrun --network=none cat <<E && \\\n  b\nx\nE\n")["instructions"][1]
    assert {key: run[key] for key in ("keyword", "flags", "value", "json", "start_line", "end_line", "sub", "comments")} == {
        "keyword": "RUN",
        "flags": ["--network=none"],
        "value": ["cat <<E &&   b"],
        "json": False,
        "start_line": 3,
        "end_line": 6,
        "sub": None,
        "comments": ["why"],
    }
    assert [(heredoc["name"], heredoc["content"]) for heredoc in run["heredocs"]] == [("E", "x\n")]


def test_ranges_cut_exactly_what_is_meant_out_of_the_text():
    text = 'FROM --platform=x a AS b\nENV K="v w"\nVOLUME ["/a", "/b"]\nCOPY --from=b c d /e\n'

    def cut(part):
        start, end = part["range"]["start"]["offset"], part["range"]["end"]["offset"]
        return text[start:end]

    found = [(part["part"], cut(part)) for each in tree(text)["instructions"] for part in each["parts"]]
    assert found == [
        ("keyword", "FROM"), ("flag", "--platform=x"), ("image", "a"), ("as", "AS"), ("alias", "b"),
        ("keyword", "ENV"), ("pair", 'K="v w"'),
        ("keyword", "VOLUME"), ("word", '"/a"'), ("word", '"/b"'),
        ("keyword", "COPY"), ("flag", "--from=b"), ("source", "c"), ("source", "d"), ("destination", "/e"),
    ]  # fmt: skip
    pair = tree(text)["instructions"][1]["parts"][1]
    assert [(part["part"], cut(part)) for part in pair["parts"]] == [("key", "K"), ("value", '"v w"')]


def test_lines_columns_and_offsets():
    source = tree("FROM a\n  COPY b \\\n  中 d")["instructions"][1]["parts"][2]
    assert source["text"] == "中"
    assert source["range"] == {"start": {"line": 3, "column": 3, "offset": 20}, "end": {"line": 3, "column": 4, "offset": 21}}


def test_a_flag_is_taken_apart():
    flag = tree('FROM a\nRUN --mount="type=ssh,id=x" y')["instructions"][1]["parts"][1]
    assert (flag["name"], flag["value"], flag["text"]) == ("mount", "type=ssh,id=x", "--mount=type=ssh,id=x")
    assert flag["value_range"]["start"]["column"] == 13


def test_onbuild_holds_an_instruction():
    onbuild = tree("FROM a\nONBUILD COPY --chown=x <<E b /c\nbody\nE\n")["instructions"][1]
    assert (onbuild["value"], onbuild["flags"], onbuild["heredocs"]) == ([], [], [])
    assert (onbuild["sub"]["keyword"], onbuild["sub"]["value"]) == ("COPY", ["<<E", "b", "/c"])
    assert onbuild["sub"]["heredocs"][0]["content"] == "body\n"


def test_what_buildkit_rejects_is_said_and_the_rest_is_there():
    said = tree("FROM a\nFOO x\nCOPY y\nUSER z\n")
    assert (said["error"]["line"], said["error"]["column"]) == (2, 1)
    assert [problem["line"] for problem in said["problems"]] == [2, 3]
    assert [each["keyword"] for each in said["instructions"]] == ["FROM", "FOO", "COPY", "USER"]
    assert tree("FROM a")["error"] is None


def test_directives_comments_and_the_files_name():
    said = json.loads(render(parse(Source("#escape=`\n# hello\nFROM a", "some/Dockerfile"))))
    assert (said["file"], said["escape"]) == ("some/Dockerfile", "`")
    assert [(directive["name"], directive["value"]) for directive in said["directives"]] == [("escape", "`")]
    assert [comment["text"] for comment in said["comments"]] == ["escape=`", "hello"]


def test_bytes_that_are_not_text_can_be_written():
    assert json.loads(render(parse(b"RUN \xff")))["instructions"][0]["value"] == ["\udcff"]
