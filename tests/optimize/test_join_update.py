"""T03 and T11: updates join the installs that use them."""

from __future__ import annotations

import pytest

from dfkit.optimize import Proposal
from dfkit.optimize.join_update import PASS
from tests.optimize.conftest import proposals, refusals, rewritten

CLEAN = "rm -rf /var/lib/apt/lists/*"


def test_an_update_joins_the_install_after_it_and_the_lists_go():
    text = "FROM debian:12\nRUN apt-get update\nRUN apt-get install -y curl\n"
    assert rewritten(PASS, text) == f"FROM debian:12\nRUN apt-get update \\\n    && apt-get install -y curl \\\n    && {CLEAN}\n"
    (found,) = proposals(PASS, text)
    assert isinstance(found, Proposal)
    assert found.declared == ("/var/lib/apt/lists/**",)


@pytest.mark.parametrize(
    ("image", "update", "install", "clean"),
    [
        ("alpine", "apk update", "apk add curl", "rm -rf /var/cache/apk/*"),
        ("fedora", "dnf makecache", "dnf install -y curl", "dnf clean all"),
        ("centos:7", "yum makecache", "yum install -y curl", "yum clean all"),
        ("opensuse/leap", "zypper refresh", "zypper install -y curl", "zypper clean -a"),
    ],
)
def test_other_managers_have_their_own_way(image, update, install, clean):
    text = f"FROM {image}\nRUN {update}\nRUN {install}\n"
    assert rewritten(PASS, text) == f"FROM {image}\nRUN {update} \\\n    && {install} \\\n    && {clean}\n"


def test_installs_that_follow_each_other_share_one_update():
    text = "FROM debian:12\nRUN apt-get update\nRUN apt-get install -y a\nRUN apt-get install -y b\n"
    assert rewritten(PASS, text) == (
        f"FROM debian:12\nRUN apt-get update \\\n    && apt-get install -y a \\\n    && apt-get install -y b \\\n    && {CLEAN}\n"
    )


def test_installs_apart_get_an_update_each():
    text = "FROM debian:12\n# lists\nRUN apt-get update\nENV A=1\nRUN apt-get install -y a\nCOPY x /x\nRUN apt-get install -y b\n"
    assert rewritten(PASS, text) == (
        "FROM debian:12\nENV A=1\n# lists\n"
        f"RUN apt-get update \\\n    && apt-get install -y a \\\n    && {CLEAN}\n"
        f"COPY x /x\nRUN apt-get update \\\n    && apt-get install -y b \\\n    && {CLEAN}\n"
    )


def test_installs_in_a_stage_built_on_it_get_an_update_too():
    text = "FROM debian:12 AS a\nRUN apt-get update && apt-get install -y a\nFROM a\nRUN apt-get install -y b\n"
    assert rewritten(PASS, text) == (
        f"FROM debian:12 AS a\nRUN apt-get update && apt-get install -y a \\\n    && {CLEAN}\n"
        f"FROM a\nRUN apt-get update \\\n    && apt-get install -y b \\\n    && {CLEAN}\n"
    )


def test_in_a_stage_that_is_only_copied_from_the_lists_may_stay():
    text = "FROM debian:12 AS a\nRUN apt-get update\nRUN apt-get install -y a\nFROM scratch\nCOPY --from=a /x /x\n"
    assert CLEAN not in rewritten(PASS, text)
    (found,) = proposals(PASS, text)
    assert isinstance(found, Proposal)
    assert found.declared == ()


def test_lists_stay_where_an_unknown_program_may_install():
    text = "FROM debian:12\nRUN apt-get update\nRUN apt-get install -y curl\nRUN ./setup.sh\n"
    assert rewritten(PASS, text) == "FROM debian:12\nRUN apt-get update \\\n    && apt-get install -y curl\nRUN ./setup.sh\n"


@pytest.mark.parametrize("step", ["make", "pip install x", "go build", 'rm -rf "$X"', "npm ci"])
def test_lists_go_before_programs_that_install_no_packages(step):
    text = f"FROM debian:12\nRUN apt-get update\nRUN apt-get install -y curl\nRUN {step}\n"
    assert CLEAN in rewritten(PASS, text)


@pytest.mark.parametrize(
    "between",
    [
        "RUN echo deb https://e.test stable main > /etc/apt/sources.list.d/e.list",
        "RUN curl https://e.test/setup | bash -",
        "RUN add-apt-repository ppa:x",
        "COPY e.list /etc/apt/sources.list.d/",
        "ADD $SOURCES $WHERE",
        "ENV http_proxy=http://e.test",
        "ARG HTTPS_PROXY",
        "USER 1000",
        'SHELL ["/bin/bash", "-c"]',
    ],
)
def test_an_update_does_not_move_past_what_it_depends_on(between):
    text = f"FROM debian:12\nRUN apt-get update\n{between}\nRUN apt-get install -y curl\n"
    assert rewritten(PASS, text) == text
    assert len(refusals(PASS, text)) == 1


@pytest.mark.parametrize(
    "update",
    [
        "apt-get update || true",  # the install may run with old lists
        "if [ -f x ]; then apt-get update; fi",
        f"apt-get update && apt-get install -y a && {CLEAN}",
    ],
)
def test_what_leaves_no_sure_lists_is_no_update(update):
    text = f"FROM debian:12\nRUN {update}\nRUN apt-get install -y curl\n"
    assert rewritten(PASS, text) == text


@pytest.mark.parametrize(
    "install",
    [
        '["apt-get", "install", "-y", "curl"]',
        "--mount=type=cache,target=/var/lib/apt/lists apt-get install -y curl",
        "<<EOF\napt-get install -y curl\nEOF",
        "apt-get install -y curl; service x start &",
    ],
)
def test_an_install_that_cannot_be_joined_is_refused(install):
    text = f"FROM debian:12\nRUN apt-get update\nRUN {install}\n"
    assert rewritten(PASS, text) == text
    assert len(refusals(PASS, text)) == 1


def test_an_update_that_a_later_one_replaces_goes():
    text = "FROM debian:12\nRUN apt-get update\n\nRUN apt-get update && apt-get install -y curl\n"
    assert rewritten(PASS, text) == "FROM debian:12\n\nRUN apt-get update && apt-get install -y curl\n"


def test_an_update_that_nothing_uses_is_only_named():
    text = "FROM debian:12\nRUN apt-get update\nCMD x\n"
    assert rewritten(PASS, text) == text
    assert len(refusals(PASS, text)) == 1


def test_an_install_with_or_is_grouped():
    text = "FROM debian:12\nRUN apt-get update\nRUN apt-get install -y a || apt-get install -y b\n"
    assert rewritten(PASS, text) == (
        f"FROM debian:12\nRUN apt-get update \\\n    && (apt-get install -y a || apt-get install -y b) \\\n    && {CLEAN}\n"
    )


def test_sudo_is_kept():
    text = "FROM x\nUSER me\nRUN sudo apt-get update\nRUN sudo apt-get install -y curl\n"
    assert rewritten(PASS, text).endswith(f"&& sudo {CLEAN}\n")


def test_a_pragma_above_a_moved_update_keeps_it_where_it_is():
    text = "FROM debian:12\n# hadolint ignore=DL3009\nRUN apt-get update\nENV A=1\nRUN apt-get install -y curl\n"
    assert rewritten(PASS, text) == text


def test_apk_without_a_cache_needs_no_update():
    text = "FROM alpine\nRUN apk update\nRUN apk add --no-cache curl\n"
    assert rewritten(PASS, text) == text


@pytest.mark.parametrize(
    "step", ["apt-get source --download-only tree=2.1.0-1", "apt-get build-dep -y tree", "apt-cache policy tree"]
)
def test_lists_stay_for_whatever_reads_them(step):
    text = f"FROM debian:12\nRUN apt-get update\nRUN apt-get install -y gcc\nRUN {step}\n"
    assert rewritten(PASS, text) == (
        f"FROM debian:12\nRUN apt-get update \\\n    && apt-get install -y gcc \\\n    && {step} \\\n    && {CLEAN}\n"
    )
