from __future__ import annotations

from pathlib import Path

import pytest

from dfkit.lint import Linter
from dfkit.model import Model
from dfkit.syntax import parse
from dfkit.text import Source
from tests.checks.conftest import CATALOG

CORPUS = Path(__file__).parents[2] / "../shared/corpus/dockerfiles"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("FROM debian", ["debian"]),
        ("FROM --platform=$BUILDPLATFORM debian AS x", ["debian"]),
        ("FROM localhost:5000/a", ["localhost:5000/a"]),
        ("ARG R\nFROM ${R}/debian", ["${R}/debian"]),
        ("ARG V\nFROM debian:$V", []),
        ("ARG X\nFROM base-$X", []),
        ("FROM scratch", []),
        ("FROM debian:12 AS base\nFROM BASE", []),
        ("FROM 0123456789ab", []),
    ],
)
def test_which_bases_have_no_tag(say, text, found):
    assert say("DL3006", f"{text}\n").marks == found


@pytest.mark.parametrize(
    ("text", "severities"),
    [
        ("FROM debian:12\nUSER root", ["warning"]),
        ("FROM debian:12\nUSER app\nUSER 0:app", ["warning"]),
        ("ARG U=root\nFROM debian:12\nARG U\nUSER $U", ["warning"]),
        ("FROM debian:12 AS a\nUSER root\nFROM debian:12", ["style"]),
        ("FROM debian:12 AS a\nUSER root\nFROM a\nRUN x", ["warning"]),
        ("FROM debian:12\nUSER root:root\nUSER app", []),
    ],
)
def test_root_as_the_last_user(say, text, severities):
    assert say("DL3002", f"{text}\n").severities == severities


@pytest.mark.parametrize(
    ("text", "severities"),
    [
        ('FROM node:20\nCMD ["a"]', ["warning"]),
        ("FROM node:20", ["info"]),
        ('FROM example.com/a:1\nCMD ["a"]', ["info"]),
        ('FROM debian:12\nRUN apt-get install -y gosu\nENTRYPOINT ["/e"]', ["info"]),
        ("FROM mcr.microsoft.com/windows/nanoserver:1809", []),
        ("FROM example.com/a:1-rootless", []),
    ],
)
def test_an_image_without_a_user(say, text, severities):
    assert say("no-user", f"{text}\n").severities == severities


@pytest.mark.parametrize(
    ("text", "severities"),
    [
        ("RUN a\nRUN b", ["info"]),
        ("RUN a && b\nRUN c", []),
        ("RUN a\nENV B=1\nRUN c", []),
        ("RUN --network=none a\nRUN b", []),
        ("RUN curl -o /tmp/a https://example.com/a\nRUN rm /tmp/a && make", ["warning"]),
        ("RUN apt-get update\nRUN apt-get install -y a && make", ["warning"]),
        ("RUN apt-get update\nRUN yum install -y a && make", []),
        ("RUN <<EOF\na\nEOF\nRUN b", []),
        ('SHELL ["powershell", "-Command"]\nRUN a\nRUN b', []),
    ],
)
def test_runs_in_a_row(say, text, severities):
    assert say("DL3059", text).severities == severities


def test_a_join_that_saves_bytes_in_a_stage_that_is_not_shipped_is_softer(say):
    text = "FROM debian:12 AS a\nRUN curl -o /tmp/a https://example.com/a\nRUN rm /tmp/a && make\nFROM scratch\n"
    assert say("DL3059", text).severities == ["info"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("COPY a.tgz /tmp/\nRUN rm /tmp/a.tgz", ["/tmp/a.tgz"]),
        ("WORKDIR /x\nCOPY a.tgz .\nRUN tar xf a.tgz && rm a.tgz", ["a.tgz"]),
        ("RUN apt-get update && apt-get install -y a\nRUN rm -rf /var/lib/apt/lists/*", ["/var/lib/apt/lists/*"]),
        ("RUN apt-get update\nRUN apt-get update && apt-get install -y a && rm -rf /var/lib/apt/lists/*", []),
        ("RUN apt-get update && rm -rf /var/lib/apt/lists/*\nRUN ./setup && rm -rf /var/lib/apt/lists/*", []),
        ("COPY a.tgz /tmp/\nRUN rm /tmp/a.tgz\nRUN rm -f /tmp/a.tgz", ["/tmp/a.tgz"]),
        ("COPY a.tgz /tmp/\nRUN mv /tmp/a.tgz /srv/", []),
        ("RUN rm -rf /usr/share/doc", []),
        ("COPY a.tgz /tmp/\nRUN rm /tmp/b.tgz", []),
        ("FROM debian:12 AS a\nCOPY a.tgz /tmp/\nFROM debian:12\nRUN rm /tmp/a.tgz", []),
    ],
)
def test_what_is_deleted_too_late(say, text, found):
    assert say("deleted-in-later-layer", text).marks == found


def test_a_small_file_that_is_deleted_too_late_is_judged_softly(say):
    assert say("deleted-in-later-layer", "COPY a.txt /tmp/\nRUN rm /tmp/a.txt").severities == ["info"]


@pytest.mark.parametrize(
    ("text", "severities"),
    [
        ("COPY a /a\nRUN chown -R x /a", ["warning"]),
        ("COPY a /a\nRUN chown -R x /", ["warning"]),
        ("COPY a b /srv/\nRUN chown x /srv/a", ["style"]),
        ("COPY a /a\nRUN chown x /a/b", []),
        ("COPY --chown=x a /a\nRUN chown -R x /a", []),
        ("RUN chown -R x /a\nCOPY a /a", []),
        ("COPY a $A\nRUN chown -R x /a", []),
        ("COPY a /ab\nRUN chown -R x /a", []),
    ],
)
def test_owners_that_change_after_a_copy(say, text, severities):
    assert say("copy-then-chown", text).severities == severities


@pytest.mark.parametrize(
    ("add", "fix"),
    [
        ("ADD . /a", "safe"), ("ADD a/ /a", "safe"), ("ADD a.py /a", "safe"), ("ADD *.json /a/", "safe"), ("ADD a /a", "unsafe"),
        ("ADD a* /a/", "unsafe"), ("ADD --chown=x a.py /a", "safe"), ("ADD x$V /a", "unsafe"),
    ],
)  # fmt: skip
def test_add_becomes_copy_safely_only_where_nothing_is_unpacked(say, add, fix):
    assert say("DL3020", add).fixes == [fix]


@pytest.mark.parametrize(
    "add",
    ["ADD a.tar.zst /", "ADD a.tar.$X /", "ADD git@example.com:a/b /c", "ADD --unpack=true a /", "ADD $A /", "ADD a b.tgz /c/"],
)
def test_add_stays_where_something_may_be_unpacked_or_fetched(say, add):
    assert say("DL3020", add).marks == []


@pytest.mark.parametrize(
    ("run", "severities"),
    [
        ("curl a | tar x", ["warning"]),
        ("a | b", ["info"]),
        ("echo a | b", ["style"]),
        ("echo a | b; curl c | d", ["warning"]),
        ("set -euo pipefail; curl a | tar x", []),
        ("bash -o pipefail -c 'curl a | tar x'", []),
        ("echo '|'", []),
    ],
)
def test_pipes_are_judged_by_what_may_fail(say, run, severities):
    assert say("DL4006", f"RUN {run}").severities == severities


@pytest.mark.parametrize(
    ("run", "found"),
    [
        ("curl a | sh", ["sh"]),
        ("curl a | tee b | sudo -E bash -", ["bash"]),
        ("bash <(curl a)", ["bash"]),
        ('eval "$(wget -qO- a)"', ["eval"]),
        ("curl a | python3 -", ["python3"]),
        ("curl a | python3 -c 'import json'", []),
        ("curl a | tar x && sh b", []),
        ("sh install.sh | curl -T - a", []),
    ],
)
def test_which_downloads_are_run_unseen(say, run, found):
    assert say("download-run-unseen", f"RUN {run}").marks == found


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus is not beside the checkout")
def test_no_rule_fails_on_real_files():
    from dfkit.catalog import select
    from dfkit.text.settings import Settings

    settings = Settings(profile="all")
    linter = Linter(select(CATALOG, settings), settings)
    failed = []
    for path in sorted(CORPUS.glob("*/*"))[::15]:
        source = Source.decode(path.read_bytes(), path.name)
        failed += [each.message for each in linter.lint(Model(parse(source))) if each.code == "DF0000"]
    assert failed == []
