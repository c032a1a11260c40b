"""Folders with images: what a daemon says of them, and what is in them already."""

from __future__ import annotations

import base64
import json

import pytest

from dfkit.build.layouts import Layouts
from dfkit.build.request import BuildRequest, Output
from dfkit.errors import BuildFailed, UsageError

IMAGE, TAG = "io.containerd.image.name", "org.opencontainers.image.ref.name"


@pytest.fixture
def finish(tmp_path):
    """Ends a build into a folder with this response; what the index has then."""

    def finish(**response):
        layouts = Layouts(BuildRequest(output=Output("oci", str(tmp_path / "out"), {"tar": "false"})), lambda _: None)
        layouts.finish({key.replace("_", "."): value for key, value in response.items()})
        return json.loads((tmp_path / "out" / "index.json").read_text())["manifests"]

    return finish


def descriptor(digest, **annotations):
    found = {"mediaType": "m", "digest": digest, "size": 1, **({"annotations": annotations} if annotations else {})}
    return base64.b64encode(json.dumps(found).encode()).decode()


def test_an_image_takes_the_place_of_the_one_with_its_names(finish):
    finish(containerimage_descriptor=descriptor("sha256:1"))
    finish(containerimage_descriptor=descriptor("sha256:1", a="b"), image_name="x/y:1,x/z:1")
    found = finish(containerimage_descriptor=descriptor("sha256:2"), image_name="x/z:1")
    assert [(each["digest"], each["annotations"]) for each in found] == [
        ("sha256:1", {TAG: "latest"}),
        ("sha256:1", {"a": "b", IMAGE: "x/y:1", TAG: "1"}),
        ("sha256:2", {IMAGE: "x/z:1", TAG: "1"}),
    ]


@pytest.mark.parametrize(
    "said", ["", "no base64", base64.b64encode(b"{").decode(), base64.b64encode(b"[" * 100_000).decode(), "NQ=="]
)
def test_an_image_that_is_told_wrong_is_one_sentence(finish, tmp_path, said):
    with pytest.raises(BuildFailed, match=r"without the image for|the index of .* cannot be written"):
        finish(containerimage_descriptor=said)
    assert not (tmp_path / "out" / "index.json").exists()


@pytest.mark.parametrize("text", ["{", "[]", '{"manifests": 5}', '{"manifests": [5]}'])
def test_an_index_that_is_none_is_left_as_it_is(finish, tmp_path, text):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "index.json").write_text(text)
    with pytest.raises(BuildFailed, match=r"the index of .* cannot be written"):
        finish(containerimage_descriptor=descriptor("sha256:1"))
    assert (tmp_path / "out" / "index.json").read_text() == text
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["index.json"]


def test_a_folder_that_cannot_be_made_is_said_before_anything_is_sent(tmp_path):
    (tmp_path / "file").touch()
    for dest in ("", "-", str(tmp_path / "file"), str(tmp_path / "file" / "below")):
        with pytest.raises(UsageError, match=r"tar=false,dest=FOLDER|cannot be made: "):
            Layouts(BuildRequest(output=Output("oci", dest, {"tar": "0"})), lambda _: None)
