"""T56: build dependencies in one layer, only where it is asked for."""

from __future__ import annotations

import pytest

from dfkit.optimize import Proposal, optimize
from dfkit.optimize.build_dependencies import PASS
from dfkit.text import UNSAFE
from tests.optimize.conftest import proposals, refusals, rewritten

TUTORIAL = """\
FROM debian:bookworm
# what the build needs
RUN apt-get update
RUN apt-get install -y gcc make wget
RUN wget https://e.test/hello-2.12.tar.gz
RUN tar xzf hello-2.12.tar.gz
RUN cd hello-2.12 && ./configure
RUN cd hello-2.12 && make
RUN cd hello-2.12 && make install
CMD ["hello"]
"""
STEPS = "apt-get update && apt-get install -y gcc libssl-dev && cd /src && ./configure && make && make install"


def test_seven_runs_become_one_layer_without_compilers_archive_and_sources():
    made = optimize(TUTORIAL, allow=("build-deps",))
    assert made.text == (
        """\
FROM debian:bookworm
# what the build needs
RUN saved_manual="$(apt-mark showmanual)" \\
    && saved_auto="$(apt-mark showauto)" \\
    && apt-get update \\
    && apt-get install -y gcc make wget \\
    && rm -rf /var/lib/apt/lists/* \\
    && wget https://e.test/hello-2.12.tar.gz \\
    && tar xzf hello-2.12.tar.gz \\
    && (cd hello-2.12 && ./configure) \\
    && (cd hello-2.12 && make) \\
    && cd hello-2.12 && make install \\
    && rm -rf /hello-2.12.tar.gz /hello-2.12 \\
    && apt-mark auto '.*' > /dev/null \\
    && apt-mark manual $saved_manual $saved_auto wget > /dev/null \\
    && find /usr/local -type f \\( -executable -o -name '*.so*' \\) -exec ldd {} ';' 2> /dev/null \\
        | sed -n 's|.* => /\\(usr/\\)\\{0,1\\}\\(.*\\) (0x.*|*/\\2|p' | sort -u \\
        | xargs -r dpkg-query --search 2> /dev/null | cut -d: -f1 | sort -u \\
        | xargs -r apt-mark manual > /dev/null \\
    && apt-get purge -y --auto-remove \\
    && { [ -z "$saved_auto" ] || apt-mark auto $saved_auto > /dev/null; }
CMD ["hello"]
"""
    )
    assert [each.pass_name for each in made.applied] == ["join-update", "temporary-files", "build-deps"]


def test_nothing_is_removed_unasked():
    assert "purge" not in optimize(TUTORIAL).text
    assert (PASS.allow, PASS.applicability) == ("build-deps", UNSAFE)


def test_the_proposal_is_unsafe_and_declares_what_goes():
    (found,) = proposals(PASS, f"FROM debian:12\nRUN {STEPS}\n")
    assert isinstance(found, Proposal)
    assert found.fix.applicability == UNSAFE
    assert "packages" in found.declared
    assert not [pattern for pattern in found.declared if "*" in pattern and "/tree" not in pattern and "lists" not in pattern]


def test_libraries_are_looked_for_below_the_prefix_too():
    made = rewritten(PASS, f"FROM debian:12\nRUN {STEPS.replace('./configure', './configure --prefix=/opt/x')}\n")
    assert "find /usr/local /opt/x -type f" in made


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("./configure", "./configure --prefix=/usr"),
        ("./configure", "./configure --prefix=$HOME"),
        ("gcc libssl-dev", "gcc $PACKAGES"),
        ("apt-get update", "set -o pipefail && apt-get update"),
        ("gcc libssl-dev", "gcc -f /x ./local.deb"),
    ],
)
def test_a_build_that_is_not_understood_is_refused(old, new):
    text = f"FROM debian:12\nRUN {STEPS.replace(old, new)}\n"
    assert rewritten(PASS, text) == text
    assert len(refusals(PASS, text)) == 1


@pytest.mark.parametrize(
    "later",
    [
        "RUN ./run.sh",
        "RUN pip install x",
        'CMD ["gcc", "x.c"]',
        "ENTRYPOINT make run",
        "HEALTHCHECK CMD make test",
        "RUN <<EOF\nx\nEOF",
    ],
)
def test_what_may_need_a_compiler_later_keeps_it(later):
    text = f"FROM debian:12\nRUN {STEPS}\n{later}\n"
    assert rewritten(PASS, text) == text
    assert len(refusals(PASS, text)) == 1


@pytest.mark.parametrize(
    "text",
    [
        "FROM debian:12\nRUN apt-get update && apt-get install -y gcc libssl-dev\n",  # nothing is built
        "FROM debian:12\nRUN apt-get update && apt-get install -y curl && make\n",  # nothing for building is installed
        f"FROM debian:12\nRUN {STEPS} && apt-get purge -y --auto-remove gcc\n",  # done already
        "FROM alpine\nRUN apk add gcc && make install\n",
        f"FROM debian:12 AS a\nRUN {STEPS}\nFROM debian:12\nCOPY --from=a /usr/local /usr/local\n",
    ],
)
def test_other_files_are_left(text):
    assert rewritten(PASS, text) == text


def test_a_user_who_is_not_root_is_refused():
    text = f"FROM debian:12\nUSER me\nRUN {STEPS}\n"
    assert rewritten(PASS, text) == text
