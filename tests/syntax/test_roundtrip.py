"""Nothing is lost and every part knows its place, for any text and for real files."""

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dfkit.syntax import nodes, parse
from dfkit.syntax.walk import children, walk
from dfkit.text import Source

CORPUS = Path(__file__).parents[2] / ".." / "shared" / "corpus" / "dockerfiles"

lines = st.one_of(
    st.text(alphabet=" \t\r\\`#<E=\"'$[],-abRUN", max_size=30),
    st.sampled_from(
        ["FROM a AS b", "RUN <<E", "RUN cat <<  E | x", "E", "COPY <<E <<'F' /x", "F", 'VOLUME ["a", "b"]', "ONBUILD RUN --mount=type=ssh <<E", "RUN a \\", "# c", "# escape=`", "COPY --from=b a b", 'CMD ["a", "b"]', "ENV a=b c", "ONBUILD RUN x",
         "\ufeff", "HEALTHCHECK CMD x", "ARG a=1 b", "LABEL a b \\", "  && b `", "\x85", "é \\"]
    ),
)  # fmt: skip
files = st.lists(lines, max_size=12).map("\n".join)


def check(text):
    file = parse(text)
    end = 0
    for instruction in file.instructions:
        assert instruction.span.start >= end, "instructions stand in order and apart"
        end = instruction.span.end
        for node in walk(instruction):
            parts = [below for below in children(node) if not isinstance(below, nodes.Comment)]
            if isinstance(node, nodes.OnBuild):
                parts = [below for below in parts if not isinstance(below, nodes.Heredoc)]  # its instruction has them
            at = node.span.start
            for below in sorted(parts, key=lambda part: (part.span.start, part.span.end)):
                assert node.span.covers(below.span), (node, below)
                assert below.span.start >= at, f"{below} overlaps the part before it in {node}"
                at = below.span.end
            check_text(node, text)
    covered = [node.span for node in (*file.instructions, *file.comments)]
    outside = list(text)
    for span in covered:
        outside[span.start : span.end] = [""] * (span.end - span.start)
    # What no instruction and no comment has is white space, a byte order mark or an escape that continues nothing.
    assert re.fullmatch(r"[\s\ufeff\\`\x85]*", "".join(outside)), "".join(outside)
    for problem in file.problems:
        assert 0 <= problem.span.start <= problem.span.end <= len(text)


def check_text(node, text):
    """A part stands where the file has its characters; strings of a JSON list are decoded and stand in their quotes."""
    match node:
        case nodes.Word() if not text[node.span.start : node.span.end].startswith('"'):
            mapped = node.mapped
        case nodes.ShellForm() | nodes.Unknown():
            mapped = node.text
        case nodes.Flag(value_span=span) if span is not None:
            assert node.span.covers(span)
            return
        case nodes.Heredoc():
            assert node.content == text[node.span.start : node.span.end]
            assert text[node.end_marker.start : node.end_marker.end] in (node.name, "")
            assert "<<" in text[node.marker.start : node.marker.end]
            return
        case _:
            return
    for at, char in enumerate(mapped.text):
        assert text[mapped.offset(at)] == char, node
    if mapped.text:
        assert node.span.covers(mapped.span(0, len(mapped.text)))


@given(files)
@settings(max_examples=400, deadline=None)
def test_any_text(text):
    check(text)


@given(files)
@settings(max_examples=100, deadline=None)
def test_mapped_scripts_have_the_characters_of_the_file(text):
    for instruction in parse(text).instructions:
        form = getattr(instruction, "form", None)
        if isinstance(form, nodes.ShellForm):
            for at, char in enumerate(form.text.text):
                assert text[form.text.offset(at)] == char


def test_the_corpus():
    if not CORPUS.is_dir():
        pytest.skip("the corpus of real Dockerfiles is not beside this checkout")
    for path in sorted(CORPUS.rglob("*.Dockerfile")):
        data = path.read_bytes()
        source = Source.decode(data)
        assert source.encode() == data
        check(source.text)
