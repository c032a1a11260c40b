"""Where other tools fail: each text has a right answer, and `recommended` gives it."""

from __future__ import annotations

import pytest

from dfkit.catalog import Catalog, select
from dfkit.fix import fix
from dfkit.lint import lint
from dfkit.model import Model
from dfkit.syntax import parse
from dfkit.text.settings import Settings

CATALOG = Catalog.load()
SETTINGS = Settings(shellcheck=False)
RULES = select(CATALOG, SETTINGS)
END = "\nUSER 1\n"
BASE = "FROM debian:12\n"


def said(text):
    """Pairs of a code and the text that it marks, but for opinions."""
    found = lint(Model(parse(text)), RULES, SETTINGS)
    return [(each.code, text[each.span.start : each.span.end]) for each in found if each.severity in ("error", "warning")]


def fixed(text):
    return fix(text, lambda text: lint(Model(parse(text)), RULES, SETTINGS)).text


@pytest.mark.parametrize(
    "text",
    [
        BASE + "RUN <<EOF\necho hi\nEOF\nCOPY a /b" + END,
        BASE + 'RUN <<-EOF\n\techo hi\n\tEOF\nCMD ["sh"]' + END,
        BASE + 'RUN echo a && \\\n    cat <<EOF >> go.mod && \\\n    cat go.mod\nreplace\nEOF\nCMD ["sh"]' + END,
        BASE + "ADD <<EOF /x\nhello\nEOF" + END,
        BASE + "COPY file <<EOF /dir/\nhello\nEOF" + END,
        BASE + "COPY <<A <<B /dir/\none\nA\ntwo\nB" + END,
        BASE + "COPY <<-\\EOT /x\n\t$a\n\tEOT" + END,
        BASE + "HEALTHCHECK --interval=1m30s CMD true" + END,
        "# check=skip=all\n# escape=`\nFROM mcr.microsoft.com/windows/servercore:ltsc2022\nRUN dir `\n  c:\\" + END,
        "#ESCAPE=`\nFROM mcr.microsoft.com/windows/servercore:ltsc2022\nRUN dir `\n  c:\\" + END,
        "ARG S=our.hub.com\nFROM $S:8099/build/alpine:1.0.0" + END,
        BASE + 'ARG a=1 b=2\nRUN echo "$a $b"' + END,
        'FROM alpine:3 AS lower\nSHELL ["/bin/ash","-o","pipefail","-c"]\nFROM lower AS upper\nRUN true | cat' + END,
        "FROM alpine:3\nRUN set -o pipefail && curl -f https://example.com/a | tar -x" + END,
        BASE + "HEALTHCHECK CMD curl -f http://localhost/ || exit 1" + END,
        BASE + "ENV GOPRIVATE=x\nARG AUTH_TOKEN_FILE=/run/x" + END,
        "FROM scratch\nCOPY --from=golang:1.22 /etc/passwd /etc/passwd" + END,
        BASE + "ENV buildDeps=gcc\nRUN apt-get install -y --no-install-recommends $buildDeps" + END,
        BASE + "RUN --device=vendor.com/gpu=0 ls" + END,
        BASE + "RUN <<EOF bash\nset -o pipefail\ncurl https://example.com/a | tar x\nEOF" + END,
        BASE + "RUN make a\nRUN make b" + END,
        BASE + "RUN yum install -y a-1 && yum clean all && rm -rf /x" + END,
    ],
)
def test_nothing_is_wrong_here(text):
    assert parse(text).problems == ()
    assert said(text) == []


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ('FROM node:20\nCMD ["node"]\n', [("DF2000", "node:20")]),
        (BASE + "EXPOSE 127.0.0.1:80:80" + END, [("DF1900", "127.0.0.1:80:80")]),
        (BASE + "RUN curl https://example.com/i | sh" + END, [("DF2300", "sh"), ("DL4006", "|")]),
        (BASE + 'RUN bash -c "sudo ls"' + END, [("DL3004", "sudo")]),
        (
            "FROM debian\nFOO bar\nRUN cd /tmp && sudo ls\nMAINTAINER x" + END,
            [("DL3006", "debian"), ("DF1000", "FOO"), ("DL3004", "sudo"), ("DL4000", "MAINTAINER")],
        ),
        (BASE + "# hadolint ignore=DL3004\n\n# why\nRUN sudo ls" + END, []),
        (BASE + "ENV A=${x:=dev}" + END, [("DF1303", "${x:=dev}")]),
        (BASE + "RUN <<EOF\nsudo ls\nEOF" + END, [("DL3004", "sudo")]),
        (BASE + "ARG APP_DIR=/a\nCOPY x ${APP_DIRR}/" + END, [("DF1302", "${APP_DIRR}")]),
        ("# nothing\n", [("DF1000", "")]),
    ],
)
def test_this_is_found_at_its_place(text, right):
    assert sorted(said(text)) == sorted(right)


@pytest.mark.parametrize(
    ("text", "code", "severity"),
    [
        (BASE + "# hadolint ignore=DL3004,foo\nRUN sudo ls" + END, "DF1001", "info"),
        (BASE + "ENV a b" + END, "DF1300", "style"),
        (BASE + "ADD https://example.com/y /z" + END, "DF1703", "info"),
        (BASE + "EXPOSE 22" + END, "DF1901", "info"),
        (BASE + "RUN chmod -R 777 /srv" + END, "DF2001", "info"),
        ('ARG BASE\nFROM $BASE\nCMD ["a"]\n', "DF2000", "info"),
    ],
)
def test_this_is_said_and_stops_nothing(text, code, severity):
    found = lint(Model(parse(text)), RULES, SETTINGS)
    assert (code, severity) in [(each.code, each.severity) for each in found]


def test_a_comment_and_a_blank_line_in_a_continuation_hide_nothing():
    text = BASE + "RUN a && \\\n    # why\n\n    sudo b" + END
    assert ("DL3004", "sudo") in said(text)


@pytest.mark.parametrize(
    ("text", "fixed_text"),
    [
        # No fix is made in a string, a comment or a heredoc's text, and none that needs another shell.
        (BASE + 'RUN echo "run pip install flask"' + END, None),
        (BASE + "RUN curl -f https://example.com/a | tar x" + END, None),
        (
            BASE + "RUN apt-get update && apt-get install -y --no-install-recommends curl=1 # the client" + END,
            BASE
            + "RUN apt-get update && apt-get install -y --no-install-recommends curl=1 && rm -rf /var/lib/apt/lists/* # the client"
            + END,
        ),
        (
            BASE + "RUN <<EOF\napt-get install curl\nEOF" + END,
            BASE + "RUN <<EOF\napt-get install -y curl\nEOF" + END,
        ),
        (BASE + 'CMD ["a"]\nCMD ["b"]' + END, BASE + 'CMD ["b"]' + END),
    ],
)
def test_fixes_are_safe_and_made_in_one_run(text, fixed_text):
    once = fixed(text)
    assert once == (fixed_text or text)
    assert fixed(once) == once


def test_a_clean_file_of_three_lines_is_clean():
    assert (
        lint(Model(parse('FROM gcr.io/distroless/static:nonroot\nCOPY app /app\nENTRYPOINT ["/app"]\n')), RULES, SETTINGS) == []
    )
