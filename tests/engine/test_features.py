"""The table of the language's features, held against the frontends that are built into real engines."""

from __future__ import annotations

import pytest

from dfkit.build import BuildRequest, SolveFailed, build
from dfkit.model import Model
from dfkit.model.features import features, frontend_of_docker
from dfkit.syntax import parse
from dfkit.text import Source
from tests.engine.test_build import context

pytestmark = pytest.mark.engine

FILES = {"a/b": "hello", "c": "hello"}
USES = {
    "FROM --platform": "FROM --platform=linux/amd64 busybox\nCOPY c /",
    "RUN --mount": "FROM busybox\nRUN --mount=type=tmpfs,target=/mnt true",
    "RUN --network": "FROM busybox\nRUN --network=none true",
    "RUN --security": "FROM busybox\nRUN --security=sandbox true",
    "RUN --device": "FROM busybox\nRUN --device=nosuch.example/device=x,required=false true",
    "COPY --chown": "FROM busybox\nCOPY --chown=1:1 c /",
    "COPY --chmod": "FROM busybox\nCOPY --chmod=755 c /",
    "COPY --link": "FROM busybox\nCOPY --link c /",
    "COPY --exclude": "FROM busybox\nCOPY --exclude=b a /a",
    "COPY --parents": "FROM busybox\nCOPY --parents a/b /x",
    "ADD --chmod": "FROM busybox\nADD --chmod=755 c /",
    "ADD --link": "FROM busybox\nADD --link c /",
    "ADD --unpack": "FROM busybox\nADD --unpack=false c /",
    "ADD --exclude": "FROM busybox\nADD --exclude=b a /a",
    "HEALTHCHECK --start-interval": "FROM busybox\nHEALTHCHECK --start-interval=1s CMD true",
    "a heredoc": "FROM busybox\nRUN <<END\ntrue\nEND",
    "several names in one ARG": "FROM busybox\nARG a=1 b=2\nRUN true",
    "a variable in --chmod": "FROM busybox\nARG m=755\nCOPY --chmod=$m c /\nRUN test $(stat -c %a /c) = 755",
    "a --chmod that is not octal": "FROM busybox\nCOPY --chmod=u=rwx,go=r c /\nRUN test $(stat -c %a /c) = 744",
    "a variable in --mount": "FROM busybox\nARG t=/mnt\nRUN --mount=type=tmpfs,target=$t mount | grep -q ' /mnt '",
    "a secret in an environment variable": "FROM busybox\nRUN --mount=type=secret,id=nosuch,env=SECRET true",
    "--from in ONBUILD": "FROM busybox AS base\nONBUILD COPY --from=busybox /bin/sh /sh2\nFROM base",
    "${name-word} without a colon": "FROM busybox\nARG a\nENV b=${a-x}",
    "${name#pattern}, ${name%pattern} and ${name/pattern/word}": "FROM busybox\nARG a=1.2\nENV b=${a%.*}",
}


UNUSED = {
    "a flag of a trigger": "FROM busybox\nONBUILD COPY --link --parents c /",
    "a modifier in a trigger": "FROM busybox\nONBUILD ENV a=${b-c}",
    "a modifier in a stage that nothing needs": "FROM busybox AS one\nARG a\nENV b=${a%.*}\nFROM busybox\nCOPY c /",
    "an operator of the shell": "FROM busybox\nRUN a=1.2; test ${a%.*} = 1",
    "a word of the shell that looks like a heredoc": "FROM busybox\nRUN test $((1<<2)) = 4",
}


@pytest.mark.parametrize("name", UNUSED)
def test_what_only_looks_like_a_feature_is_built_by_all(any_engine, name):
    found = list(features(Model(parse(Source(UNUSED[name], "Dockerfile")))))
    frontend = frontend_of_docker(any_engine.version)
    assert frontend is None or [each for each in found if each.since > frontend] == []
    build(any_engine, BuildRequest(), context(UNUSED[name] + "\n", FILES))


@pytest.mark.parametrize("name", USES)
def test_a_feature_is_built_by_the_frontends_that_have_it_and_no_others(any_engine, name):
    found = {each.name: each.since for each in features(Model(parse(Source(USES[name], "Dockerfile"))))}
    frontend = frontend_of_docker(any_engine.version)
    assert name in found
    if frontend is None:
        pytest.skip(f"{any_engine.name} is newer than what is known")
    try:
        build(any_engine, BuildRequest(), context(USES[name] + "\n", FILES))
        built = True
    except SolveFailed:
        built = False
    assert built == (frontend >= max(found.values()))
