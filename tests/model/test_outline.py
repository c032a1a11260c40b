"""Targets and outlines as BuildKit finds them (frontend/dockerfile/dockerfile2llb/outline.go)."""

import pytest

from dfkit.model import Model
from dfkit.model.outline import description, outline, targets
from dfkit.syntax import parse


def take(text, target=None, **build_args):
    model = Model(parse(text), build_args=build_args)
    return outline(model, model.stage(target) if target else model.final)


def arguments(text, target=None, **build_args):
    return [(each.name, each.value) for each in take(text, target, **build_args).arguments]


def test_targets_with_their_bases_and_descriptions():
    text = "# build compiles\nFROM golang:1 AS Build\n\nFROM --platform=$P alpine\n\n# app ships\nFROM build AS app\n"
    found = targets(Model(parse(text)))
    assert [(each.name, each.description, each.base, each.platform, each.is_default) for each in found] == [
        ("build", "compiles", "golang:1", "", False),
        ("", "", "alpine", "$P", False),
        ("app", "ships", "build", "", True),
    ]


@pytest.mark.parametrize(
    ("comments", "said"),
    [
        ("# NAME what it is", "what it is"),
        ("#NAME what it is", "what it is"),
        ("# other\n# NAME first\n# NAME second", "first"),
        ("# NAME above\n\n# more", "above"),
        ("# NAME lost\n#\n# more", ""),
        ("  # NAME indented", ""),
        ("# NAMES more", ""),
        ("# name small", ""),
        ("# NAME", ""),
    ],
)
def test_a_description_is_a_comment_that_starts_with_the_name(comments, said):
    file = parse(f"FROM a\n{comments}\nARG NAME=1")
    assert description(file.instructions[1], "NAME", file.source) == said


def test_arguments_of_a_target_and_of_all_that_it_needs():
    text = (
        "ARG REG=r\nARG IMAGE=$REG/i\nARG UNUSED=u\n"
        "FROM $IMAGE AS lib\nARG L=lib\n"
        "FROM scratch AS tool\nARG T=tool\n"
        "FROM scratch AS other\nARG O=other\n"
        "FROM lib\nARG A=a\nCOPY --from=tool x y\n"
    )
    assert arguments(text) == [("REG", "r"), ("IMAGE", "r/i"), ("L", "lib"), ("T", "tool"), ("A", "a")]
    assert arguments(text, "other") == [("O", "other")]
    assert arguments(text, IMAGE="given") == [("IMAGE", "given"), ("L", "lib"), ("T", "tool"), ("A", "a")]


def test_a_global_argument_is_shown_at_its_own_place():
    text = "# V the release\nARG V=1\nFROM scratch\nARG V\n"
    assert [(each.value, each.description, each.span.start) for each in take(text).arguments] == [
        ("1", "the release", text.index("ARG"))
    ]
    assert arguments("ARG V=1\nFROM scratch\nARG V=2") == [("V", "2")]
    assert arguments("ARG V=1\nFROM scratch\nARG V", V="3") == [("V", "3")]


def test_platform_arguments_are_not_listed_unless_the_file_sets_them():
    assert arguments("FROM scratch\nARG TARGETARCH\nARG X=1") == [("X", "1")]
    assert arguments("FROM scratch\nARG TARGETARCH=arm") == [("TARGETARCH", "arm")]


def test_values_that_are_not_known_are_shown_as_written():
    assert arguments("FROM debian\nARG A\nARG B=$HOME/x\nARG C=${B:+1}") == [("A", ""), ("B", "$HOME/x"), ("C", "${B:+1}")]


def test_secrets_ssh_and_caches():
    text = (
        "FROM scratch AS first\n"
        "RUN --mount=type=secret,target=/etc/token,required=true --mount=type=ssh a\n"
        "FROM scratch AS unused\nRUN --mount=type=secret,id=no --mount=type=ssh,id=no b\n"
        "FROM scratch\nARG N=1\n"
        "RUN --mount=type=secret,id=k$N --mount=type=secret,id=k1,required --mount=type=cache,target=/c/ c\n"
        "RUN --mount=type=cache,id=deps,target=/d --mount=type=ssh,id=deploy,required d\n"
        "COPY --from=first x y\n"
    )
    found = take(text)
    assert [(each.name, each.required) for each in found.secrets] == [("token", True), ("k1", False)]
    assert [(each.name, each.required) for each in found.ssh] == [("default", False), ("deploy", True)]
    assert [each.id for each in found.caches] == ["/c", "deps"]


def test_triggers_count_where_they_run():
    text = "FROM scratch AS base\nONBUILD ARG T=1\nONBUILD RUN --mount=type=secret,id=s x\nFROM base"
    assert take(text, "base").arguments == ()
    found = take(text)
    assert [(each.name, each.value, each.span.start) for each in found.arguments] == [("T", "1", text.rindex("FROM"))]
    assert [each.name for each in found.secrets] == ["s"]
