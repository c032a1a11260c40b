"""Which texts the engine takes for names of images."""

from __future__ import annotations

import pytest

from dfkit.syntax.image import is_reference


@pytest.mark.parametrize(
    "text",
    [
        "debian",
        "debian:12",
        "a/b/c:1.0_x-y",
        "localhost/a",
        "localhost:5000/a:1",
        "Registry/a",
        "example.com:5000/a__b/c.d-e:V1",
        "[::1]:5000/a",
        "a@sha256:" + "0" * 64,
        "a:1@sha512:" + "f" * 128,
        "a---b",
        "a" * 247,
    ],
)
def test_names_of_images(text):
    assert is_reference(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":",
        "debian:",
        ":12",
        "Debian",
        "a/B",
        "a//b",
        "/a",
        "a/",
        "a..b",
        "a___b",
        "-a",
        "a-",
        "a:-x",
        "a b",
        "é",
        "a:" + "x" * 129,
        "a@sha256:" + "0" * 63,
        "a@sha256:" + "G" * 64,
        "a@md5:" + "0" * 32,
        "0" * 64,
        "a" * 248,
        "exa_mple.com/a",
        "$a",
    ],
)
def test_what_is_none(text):
    assert not is_reference(text)
