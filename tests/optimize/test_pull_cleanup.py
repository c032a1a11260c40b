"""T02: what is pulled where, and the traps."""

from __future__ import annotations

import pytest

from dfkit.optimize.pull_cleanup import PASS
from tests.optimize.conftest import refusals, rewritten

INSTALL = "RUN apt-get update && apt-get install -y curl"
LISTS = "rm -rf /var/lib/apt/lists/*"
GET = "RUN curl -fsSLo /tmp/x.tgz https://e.test/x"


def test_lists_are_removed_where_they_were_made():
    text = f"FROM debian:12\n{INSTALL}\nENV A=1\nRUN mkdir /a\n# clean up\nRUN {LISTS}\nCMD x\n"
    assert rewritten(PASS, text) == (
        f"FROM debian:12\n{INSTALL} \\\n    # clean up\n    && {LISTS}\nENV A=1\nRUN mkdir /a\nCMD x\n"
    )


def test_the_rest_of_the_cleanup_stays():
    text = f"FROM debian:12\n{INSTALL}\nRUN mkdir /a && {LISTS} && touch /b\n"
    assert rewritten(PASS, text) == f"FROM debian:12\n{INSTALL} \\\n    && {LISTS}\nRUN mkdir /a && touch /b\n"


def test_only_the_paths_that_were_made_move():
    text = f"FROM debian:12\n{INSTALL}\nRUN {LISTS} /opt/y\n"
    assert rewritten(PASS, text) == f"FROM debian:12\n{INSTALL} \\\n    && {LISTS}\nRUN rm -rf /opt/y\n"


def test_every_maker_deletes_its_own():
    text = f"FROM debian:12\n{INSTALL}\n{INSTALL}2\nRUN {LISTS}\n"
    assert rewritten(PASS, text) == f"FROM debian:12\n{INSTALL} \\\n    && {LISTS}\n{INSTALL}2 \\\n    && {LISTS}\n"


def test_a_package_managers_own_cleanup_is_pulled():
    text = "FROM fedora:40\nRUN dnf install -y curl\nRUN dnf clean all\n"
    assert rewritten(PASS, text) == "FROM fedora:40\nRUN dnf install -y curl \\\n    && dnf clean all\n"


def test_a_file_is_deleted_where_it_was_downloaded():
    text = f"FROM debian:12\n{GET}\nRUN useradd me\nRUN rm /tmp/x.tgz\n"
    assert rewritten(PASS, text) == f"FROM debian:12\n{GET} \\\n    && rm /tmp/x.tgz\nRUN useradd me\n"


def test_a_list_with_semicolons_takes_the_cleanup_at_its_end():
    text = f"FROM debian:12\nRUN set -ex; apt-get update; apt-get install -y a\nRUN {LISTS}\n"
    assert rewritten(PASS, text) == f"FROM debian:12\nRUN set -ex; apt-get update; apt-get install -y a \\\n    && {LISTS}\n"


@pytest.mark.parametrize(
    "between",
    [
        "RUN apt-get install -y git",  # needs the lists
        "RUN ./setup.sh",  # may need them
        "RUN cp -r /var/lib/apt/lists /x",
        "COPY lists /var/lib/apt/lists/",
        "COPY x $UNKNOWN",
        "USER 1000",
        'SHELL ["/bin/bash", "-c"]',
        "VOLUME /x",
    ],
)
def test_a_cleanup_stays_below_what_may_need_or_change_the_files(between):
    text = f"FROM debian:12\n{INSTALL}\n{between}\nRUN {LISTS}\n"
    assert rewritten(PASS, text) == text
    assert refusals(PASS, text)


def test_an_install_with_its_own_update_does_not_need_older_lists():
    text = f"FROM debian:12\n{INSTALL}\nRUN apt-get update && apt-get install -y git\nRUN {LISTS}\n"
    assert rewritten(PASS, text).count(LISTS) == 2


@pytest.mark.parametrize(
    "cleanup",
    [
        "rm -rf $DIR",
        "rm -rf relative",
        "rm -rf /*",
        "rm -rf /tmp/../var/lib/apt/lists",
        "find /tmp -delete",
        "rm -rf /tmp/x.tgz || true",
        "cd /tmp && rm -rf x.tgz",
        "rm -i /tmp/x.tgz",
        "sudo rm /tmp/x.tgz",
        "rm /tmp/*",  # without -f it would fail if nothing matched
        "rm -r /tmp/x.tgz/sub",
    ],
)
def test_only_literal_absolute_paths_are_pulled(cleanup):
    text = f"FROM debian:12\n{GET}\nRUN {cleanup}\n"
    assert rewritten(PASS, text) == text


def test_a_cleanup_of_its_own_files_stays():
    text = f"FROM debian:12\n{INSTALL}\nRUN apt-get update && apt-get install -y git && {LISTS}\n"
    assert (
        rewritten(PASS, text)
        == f"FROM debian:12\n{INSTALL} \\\n    && {LISTS}\nRUN apt-get update && apt-get install -y git && {LISTS}\n"
    )


def test_what_is_clean_already_is_left():
    text = f"FROM debian:12\n{INSTALL} && {LISTS}\nRUN {LISTS}\n"
    assert rewritten(PASS, text) == text
    assert refusals(PASS, text) == []


def test_lists_in_a_mount_are_left():
    text = f"FROM debian:12\nRUN --mount=type=cache,target=/var/lib/apt/lists {INSTALL[4:]}\nRUN {LISTS}\n"
    assert rewritten(PASS, text) == text


def test_a_stage_that_is_only_copied_from_is_left():
    text = f"FROM debian:12 AS a\n{INSTALL}\nRUN {LISTS}\nFROM scratch\nCOPY --from=a /x /x\n"
    assert rewritten(PASS, text) == text


def test_a_maker_that_cannot_be_changed_is_named():
    text = f'FROM debian:12\nRUN ["apt-get", "update"]\nRUN {LISTS}\n'
    assert rewritten(PASS, text) == text
    assert "exec form" in refusals(PASS, text)[0]


def test_a_pragma_above_the_cleanup_stays_effective():
    text = f"FROM debian:12\n{INSTALL}\n# hadolint ignore=DL3009\nRUN {LISTS}\n"
    assert rewritten(PASS, text) == text
