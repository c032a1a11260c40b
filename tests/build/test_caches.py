from __future__ import annotations

import pytest

from dfkit.build.caches import authorized, cache_from, cache_to, is_fetched, named_context
from dfkit.build.request import Cache
from dfkit.errors import UsageError


def test_a_reference_alone_is_a_registry():
    assert cache_from("example.org/a/b:c") == Cache("registry", {"ref": "example.org/a/b:c"})


def test_the_fields_of_a_cache_are_its_attributes():
    assert cache_to("type=registry,ref=a/b,mode=max") == Cache("registry", {"ref": "a/b", "mode": "max"})
    assert cache_to('type=local,"dest=/a,b"') == Cache("local", {"dest": "/a,b"})
    assert cache_to("type=inline") == Cache("inline")


@pytest.mark.parametrize(
    ("read", "text", "sentence"),
    [
        (cache_to, "mode=max", "has no type"),
        (cache_to, "type=registry", "has no reference"),
        (cache_to, "type=local", "type=local,dest=FOLDER"),
        (cache_from, "type=local", "type=local,src=FOLDER"),
        (cache_to, "type=registry,ref", "no KEY=VALUE"),
        (cache_to, '"type=local', "cannot be read"),
    ],
)
def test_a_cache_that_is_none_is_refused_with_what_to_write(read, text, sentence):
    with pytest.raises(UsageError, match=sentence):
        read(text)


def test_a_caches_values_are_not_shown():
    assert "hunter2" not in repr(Cache("s3", {"secret_access_key": "hunter2"}))


def test_the_cache_of_github_gets_its_address_and_token_from_the_environment():
    gha = Cache("gha", {"scope": "x"})
    assert authorized(gha, {}) is None
    old = {"ACTIONS_CACHE_URL": "u", "ACTIONS_RUNTIME_TOKEN": "t"}
    assert authorized(gha, old) == {"url": "u", "token": "t", "scope": "x"}
    new = {"ACTIONS_CACHE_SERVICE_V2": "1", "ACTIONS_RESULTS_URL": "r", "ACTIONS_RUNTIME_TOKEN": "t"}
    assert authorized(gha, new) == {"url_v2": "r", "token": "t", "scope": "x"}
    assert authorized(Cache("inline"), {}) == {}


def test_a_named_context_is_an_image_a_url_or_a_folder(tmp_path):
    assert named_context("a=docker-image://debian:12@sha256:" + "0" * 64)[0] == "a"
    assert named_context("a=https://example.org/x.git#main") == ("a", "https://example.org/x.git#main")
    assert named_context(f"a={tmp_path}") == ("a", str(tmp_path))
    assert [is_fetched(text) for text in ("git@github.com:a/b", "ssh://git@h/x", "docker-image://a", "./x", "/x")] == [
        True,
        True,
        True,
        False,
        False,
    ]


def test_a_name_that_is_an_image_is_the_one_that_buildkit_looks_for(tmp_path):
    for name, looked_for in (
        ("docker.io/library/alpine:latest", "alpine"),
        ("debian:12", "debian:12"),
        ("ghcr.io/a/b", "ghcr.io/a/b"),
    ):
        assert named_context(f"{name}={tmp_path}")[0] == looked_for


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a", "write NAME=FOLDER"),
        ("=x", "write NAME=FOLDER"),
        ("A b=.", "is no name for a context"),
        ("a=/missing/folder", "/missing/folder is not a folder"),
        ("a=docker-image://UP PER", "names no image"),
        ("a=target:b", "only a bake file"),
        ("a=oci-layout:///missing:v1", "/missing is no OCI layout"),
    ],
)
def test_a_named_context_that_is_none_is_refused_with_what_to_write(text, sentence):
    with pytest.raises(UsageError, match=sentence):
        named_context(text)
