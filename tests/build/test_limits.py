from __future__ import annotations

import pytest

from dfkit.build.limits import host, label, size, swap, ulimit
from dfkit.errors import UsageError


@pytest.mark.parametrize(
    ("text", "expected"), [("1024", 1024), ("64m", 64 << 20), ("1.5GiB", 3 << 29), ("2 KB", 2048), ("0", 0), ("1b", 1)]
)
def test_a_size_has_a_unit_of_1024(text, expected):
    assert size(text, "--memory") == expected


@pytest.mark.parametrize("text", ["", "m", "-1", "1x", "1,5m", "1 0"])
def test_what_is_no_size_is_said_with_its_flag(text):
    with pytest.raises(UsageError, match=f"^`--shm-size {text}` is no size"):
        size(text, "--shm-size")


def test_swap_may_be_without_limit():
    assert swap("-1", "--memory-swap") == -1
    assert swap("1k", "--memory-swap") == 1024


def test_a_limit_is_soft_and_hard():
    assert ulimit("nofile=10") == ("nofile", (10, 10))
    assert ulimit("nofile=10:20") == ("nofile", (10, 20))
    assert ulimit("core=-1") == ("core", (-1, -1))
    assert ulimit("core=5:-1") == ("core", (5, -1))


@pytest.mark.parametrize(
    "text", ["nofile", "nofile=", "nofile=a", "nofile=1:", "nofile=2:1", "nofile=-1:1", "files=1", "=1", "core=--1"]
)
def test_what_is_no_limit_is_said(text):
    with pytest.raises(UsageError, match=f"^`--ulimit {text}` "):
        ulimit(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("db:10.0.0.1", "db:10.0.0.1"),
        ("db=10.0.0.1", "db:10.0.0.1"),
        ("db:::1", "db:::1"),
        ("db=[fe80::1]", "db:fe80::1"),
        ("up:host-gateway", "up:host-gateway"),
    ],
)
def test_a_host_has_an_address_in_any_of_dockers_forms(text, expected):
    assert host(text) == expected


@pytest.mark.parametrize("text", ["db", "db:", ":10.0.0.1", "db:example.org", "=", ""])
def test_what_is_no_host_is_said(text):
    with pytest.raises(UsageError, match=f"^`--add-host {text}` is no host"):
        host(text)


def test_a_label_may_have_no_value_but_has_a_name():
    assert label("a=b=c") == ("a", "b=c")
    assert label("a") == ("a", "")
    with pytest.raises(UsageError, match="has no name"):
        label("=x")
