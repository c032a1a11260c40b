"""T25: archives and source trees that are used up, and those that are not."""

from __future__ import annotations

import re

import pytest

from dfkit.optimize.temporary_files import PASS
from tests.optimize.conftest import refusals, rewritten

BUILD = "curl -fsSLO https://e.test/x-1.0.tar.gz && tar xf x-1.0.tar.gz && cd x-1.0 && ./configure && make && make install"


def test_archive_and_tree_go_once_installed():
    text = f"FROM debian:12\nRUN {BUILD}\nCMD x\n"
    assert rewritten(PASS, text) == f"FROM debian:12\nRUN {BUILD} \\\n    && rm -rf /x-1.0.tar.gz /x-1.0\nCMD x\n"


def test_runs_that_share_them_are_joined():
    text = (
        "FROM debian:12\nRUN wget https://e.test/x-1.0.tar.gz\nRUN tar xzf x-1.0.tar.gz\n"
        "RUN cd x-1.0 && ./configure && make\nRUN cd x-1.0 && make install\nRUN ldconfig\n"
    )
    assert rewritten(PASS, text) == (
        "FROM debian:12\nRUN wget https://e.test/x-1.0.tar.gz \\\n    && tar xzf x-1.0.tar.gz \\\n"
        "    && (cd x-1.0 && ./configure && make) \\\n    && cd x-1.0 && make install \\\n"
        "    && rm -rf /x-1.0.tar.gz /x-1.0\nRUN ldconfig\n"
    )


@pytest.mark.parametrize(
    ("text", "gone"),
    [
        ("wget https://e.test/x.deb && dpkg -i x.deb", "/x.deb"),
        ("wget https://e.test/x.deb && apt-get install -y ./x.deb", "/x.deb"),
        ("curl -o /tmp/x.zip https://e.test/x && unzip /tmp/x.zip -d /opt/x", "/tmp/x.zip"),
        ("git clone https://e.test/x && cd x && make && make install", "/x"),
        ("mkdir -p /usr/src/x && wget https://e.test/x.tgz && tar xf x.tgz -C /usr/src/x --strip-components=1 && cd /usr/src/x && make install",
         "/x.tgz /usr/src/x"),
        ("set -ex; wget https://e.test/x.tgz; tar xf x.tgz -C /opt", "/x.tgz"),
    ],
)  # fmt: skip
def test_what_is_used_up_goes(text, gone):
    assert rewritten(PASS, f"FROM debian:12\nRUN {text}\n") == f"FROM debian:12\nRUN {text} \\\n    && rm -rf {gone}\n"


@pytest.mark.parametrize(
    "text",
    [
        "wget https://e.test/x.tgz",  # not used at all
        "wget https://e.test/x.tgz && tar xf x.tgz && rm x.tgz",
        "wget https://e.test/x.tgz && tar tf x.tgz || true",
        "wget https://e.test/x.tgz; tar xf x.tgz -C /opt",  # wget may have failed
        "wget https://e.test/x-$VERSION.tgz && tar xf x-$VERSION.tgz -C /opt",  # no literal path
        "git clone https://e.test/x && cd x && make",  # not installed
        "git clone https://e.test/x && cp -r x/y /usr/bin",
        "wget https://e.test/x && chmod +x x && cp x /usr/bin",
        "mkdir -p /opt && wget -O- https://e.test/x | tar xz -C /opt --strip-components=1 && cd /opt && make install",
        "cd /usr/share && tar xf /src/themes.tgz && cd themes && make install",
        "mktemp -d",
    ],
)
def test_what_is_not_surely_used_up_stays(text):
    text = f"FROM debian:12\nRUN {text}\n"
    assert rewritten(PASS, text) == text


@pytest.mark.parametrize(
    ("step", "reason"),
    [
        ("ln -s /x-1.0/tool /usr/bin/tool", "refers to it"),
        ("./configure LDFLAGS=-Wl,-rpath,/x-1.0/lib", "refers to it"),
        ("python setup.py develop", "refers to it"),
        ("pip install -e .", "refers to it"),
        ("./start-daemon", "not known"),
    ],
)
def test_a_tree_that_may_still_be_needed_stays(step, reason):
    text = f"FROM debian:12\nRUN {BUILD.replace('make install', step + ' && make install')}\n"
    assert any(reason in why for why in refusals(PASS, text))
    assert "/x-1.0\n" not in rewritten(PASS, text)


@pytest.mark.parametrize(
    "later",
    [
        "ENV PATH=/x-1.0/bin:$PATH",
        "WORKDIR /x-1.0",
        'CMD ["/x-1.0/run"]',
        "ENTRYPOINT cd x-1.0 && ./run",
        "RUN ./run.sh",
        "RUN cp /x-1.0/a /b",
        "VOLUME /x-1.0",
        "COPY y /x-1.0/y",
        "HEALTHCHECK CMD /x-1.0/check",
    ],
)
def test_what_is_named_or_may_be_used_later_stays(later):
    text = f"FROM debian:12\nRUN {BUILD}\n{later}\n"
    assert re.search(r"rm -rf.*/x-1\.0(?!\.tar)", rewritten(PASS, text)) is None
    assert refusals(PASS, text)


def test_what_another_stage_copies_stays():
    text = f"FROM debian:12 AS a\nRUN {BUILD}\nFROM debian:12 AS b\nCOPY --from=a /x-1.0 /y\nFROM a\n"
    assert "/x-1.0\n" not in rewritten(PASS, text)


def test_a_stage_that_is_only_copied_from_is_left():
    text = f"FROM debian:12 AS a\nRUN {BUILD}\nFROM scratch\nCOPY --from=a /usr/local /usr/local\n"
    assert rewritten(PASS, text) == text


def test_a_relative_path_needs_a_known_folder():
    text = f"FROM unknown/image\nRUN {BUILD}\n"
    assert rewritten(PASS, text) == text


def test_names_are_quoted_where_they_must_be():
    text = "FROM debian:12\nRUN wget -O '/tmp/a b.tgz' https://e.test/x && tar xf '/tmp/a b.tgz' -C /opt\n"
    assert rewritten(PASS, text).endswith("&& rm -rf '/tmp/a b.tgz'\n")


def test_a_debian_source_package_goes_whole():
    text = (
        "FROM debian:12\nRUN apt-get source --download-only tree=2.1.0-1\nRUN mkdir -p /usr/src/tree\n"
        "RUN tar -xzf tree_2.1.0.orig.tar.gz -C /usr/src/tree --strip-components=1\nRUN make -C /usr/src/tree install\n"
        'CMD ["tree", "/etc"]\n'
    )
    assert "&& rm -rf /tree_2.1.0* /usr/src/tree\nCMD" in rewritten(PASS, text)


def test_a_name_counts_where_it_means_the_path():
    text = f"FROM debian:12\nRUN {BUILD}\nWORKDIR /srv\nCMD x-1.0\n"
    assert "/x-1.0\n" in rewritten(PASS, text)
    text = f"FROM debian:12\nRUN {BUILD}\nCMD x-1.0/run\n"
    assert "/x-1.0\n" not in rewritten(PASS, text)
