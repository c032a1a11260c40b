from __future__ import annotations

import pytest

from dfkit.image.history import Step, commits, origin, steps


@pytest.mark.parametrize(
    ("created_by", "comment", "expected"),
    [
        ("RUN /bin/sh -c apt-get update # buildkit", "buildkit.dockerfile.v0", "buildkit"),
        ("COPY . /app # buildkit", "", "buildkit"),
        ("/bin/sh -c apt-get update", "", "classic"),
        ("|1 A=b c /bin/sh -c make", "", "classic"),
        ("/bin/bash -o pipefail -c make", "", "classic"),
        ("/bin/bash -euxo pipefail -c make", "", "classic"),
        ("/bin/sh -c #(nop) COPY file:1 in / ", "", "classic"),
        ("", "Imported from -", "import"),
        ("bash", "", "commit"),
        ("/bin/bash", "added my tools", "commit"),
        ("sh -i", "", "commit"),
        ("bash --login", "", "commit"),
        ("bazel build ...", "", "other"),
        ("", "", "other"),
    ],
)
def test_the_origin_of_a_step(created_by, comment, expected):
    assert origin(Step(created_by, comment)) == expected


def test_a_step_without_a_layer_is_never_a_commit():
    assert origin(Step("bash", "", empty=True)) == "other"


def test_a_commit_of_a_service_shows_in_its_command():
    history = [{"created_by": "/bin/sh -c #(nop) ADD file:1 in / "}, {"created_by": "nginx -g daemon off;", "comment": ""}]
    config = {"history": history, "config": {"Cmd": ["nginx", "-g", "daemon off;"]}}
    assert [step.created_by for step in commits(config)] == ["nginx -g daemon off;"]
    assert commits(config | {"config": {"Cmd": ["sh"]}}) == ()


def test_commits_below_other_steps_are_found():
    history = [{"created_by": "bash"}, {"created_by": "/bin/sh -c make"}, {"created_by": "bash", "empty_layer": True}]
    assert commits({"history": history}) == (Step("bash"),)


def test_an_image_without_history_has_no_steps():
    assert steps({"history": None}) == steps({}) == ()
