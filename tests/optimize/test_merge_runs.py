"""T01: which RUNs are joined, which are not, and how it is written."""

from __future__ import annotations

import pytest

from dfkit.optimize.merge_runs import FEWER_LAYERS, PASS
from dfkit.optimize.passes import BaseFacts, Facts
from tests.optimize.conftest import proposals, refusals, rewritten

GET = "RUN curl -fsSLo /usr/local/bin/t https://e.test/t"


@pytest.mark.parametrize(
    "later",
    [
        "RUN chmod +x /usr/local/bin/t",
        "RUN chown 1:1 /usr/local/bin/t",
        "RUN rm /usr/local/bin/t",
        "RUN mv /usr/local/bin/t /usr/bin/t",
        "RUN chmod -R 755 /usr/local/bin",
        "RUN strip /usr/local/bin/t",
    ],
)
def test_a_run_that_undoes_bytes_of_the_one_before_is_joined_with_it(later):
    assert rewritten(PASS, f"FROM debian:12\n{GET}\n{later}\n") == f"FROM debian:12\n{GET} \\\n    && {later[4:]}\n"


@pytest.mark.parametrize(
    "later",
    [
        "RUN chmod +x /usr/local/bin/other",
        "RUN chmod 755 /usr/local/bin",  # the folder's own mode
        "RUN rm -rf /var/lib/apt/lists/*",
        "RUN t --version",
        "RUN curl -o /other https://e.test/o && rm /other",
        "RUN mkdir /x",
    ],
)
def test_runs_of_which_the_later_undoes_nothing_stay_apart(later):
    text = f"FROM debian:12\n{GET}\n{later}\n"
    assert rewritten(PASS, text) == text


def test_small_files_are_not_worth_it():
    text = "FROM debian:12\nRUN echo a > /f\nRUN chmod 600 /f\n"
    assert rewritten(PASS, text) == text


def test_runs_between_come_along():
    text = "FROM debian:12\nRUN wget https://e.test/x-1.tgz\nRUN tar xzf x-1.tgz -C /opt\nRUN rm x-1.tgz\n"
    assert (
        rewritten(PASS, text)
        == "FROM debian:12\nRUN wget https://e.test/x-1.tgz \\\n    && tar xzf x-1.tgz -C /opt \\\n    && rm x-1.tgz\n"
    )


def test_packages_that_are_installed_and_removed_are_joined():
    text = "FROM debian:12\nRUN apt-get install -y gcc\nRUN apt-get purge -y gcc\n"
    assert "gcc \\\n    && apt-get purge" in rewritten(PASS, text)


def test_comments_between_stay_inside_the_instruction():
    text = f"FROM debian:12\n{GET}\n\n# make it\n# runnable\nRUN chmod +x /usr/local/bin/t  # now\nCMD t\n"
    assert rewritten(PASS, text) == (
        f"FROM debian:12\n{GET} \\\n    # make it\n    # runnable\n    # now\n    && chmod +x /usr/local/bin/t\nCMD t\n"
    )


def test_a_comment_at_the_end_of_the_first_goes_above():
    text = f"FROM debian:12\n{GET} # get it\nRUN chmod +x /usr/local/bin/t\n"
    assert rewritten(PASS, text) == f"FROM debian:12\n# get it\n{GET} \\\n    && chmod +x /usr/local/bin/t\n"


def test_instructions_that_no_run_sees_may_stand_between():
    text = f"FROM debian:12\n{GET}\nLABEL a=b\nEXPOSE 80\n# note\nRUN chmod +x /usr/local/bin/t\nCMD t\n"
    assert rewritten(PASS, text) == (
        f"FROM debian:12\n{GET} \\\n    # note\n    && chmod +x /usr/local/bin/t\nLABEL a=b\nEXPOSE 80\nCMD t\n"
    )


@pytest.mark.parametrize(
    "between",
    [
        "ENV A=1",
        "ARG A",
        "USER 1",
        "WORKDIR /x",
        "COPY a /a",
        "ADD a /a",
        "VOLUME /x",
        'SHELL ["/bin/bash", "-c"]',
        "ONBUILD RUN x",
    ],
)
def test_other_instructions_keep_runs_apart_and_the_pass_says_so(between):
    text = f"FROM debian:12\n{GET}\n{between}\nRUN chmod +x /usr/local/bin/t\n"
    assert rewritten(PASS, text) == text
    assert len(refusals(PASS, text)) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("RUN --network=none ", "RUN "),
        ("RUN --mount=type=cache,target=/c ", "RUN "),
        ("RUN ", "RUN --security=insecure "),
        ("RUN --mount=type=tmpfs,target=/c ", "RUN --mount=type=tmpfs,target=/c "),
        ("RUN --mount=type=bind,target=/c,rw ", "RUN --mount=type=bind,target=/c,rw "),
    ],
)
def test_runs_with_different_flags_or_mounts_that_forget_stay_apart(one, other):
    text = f"FROM debian:12\n{one}{GET[4:]}\n{other}chmod +x /usr/local/bin/t\n"
    assert rewritten(PASS, text) == text


def test_equal_flags_are_kept_once():
    flags = "--network=host --mount=type=cache,target=/c"
    text = f"FROM debian:12\nRUN {flags} {GET[4:]}\nRUN --mount=type=cache,target=/c --network=host chmod +x /usr/local/bin/t\n"
    assert rewritten(PASS, text) == f"FROM debian:12\nRUN {flags} {GET[4:]} \\\n    && chmod +x /usr/local/bin/t\n"


@pytest.mark.parametrize(
    "later",
    [
        'RUN ["chmod", "+x", "/usr/local/bin/t"]',
        "RUN <<EOF\nchmod +x /usr/local/bin/t\nEOF",
        "RUN chmod +x /usr/local/bin/t; daemon &",
        "RUN chmod +x /usr/local/bin/t; echo $$",
    ],
)
def test_forms_that_cannot_be_joined_are_left(later):
    text = f"FROM debian:12\n{GET}\n{later}\n"
    assert rewritten(PASS, text) == text


@pytest.mark.parametrize("pragma", ["hadolint ignore=DL3059", "dfkit ignore=x", "check=skip=x", "shellcheck disable=SC1"])
def test_a_comment_that_turns_a_check_off_keeps_its_place(pragma):
    text = f"FROM debian:12\n{GET}\n# {pragma}\nRUN chmod +x /usr/local/bin/t\n"
    assert rewritten(PASS, text) == text


def test_a_stage_boundary_is_never_crossed():
    text = f"FROM debian:12 AS a\n{GET}\nFROM a\nRUN chmod +x /usr/local/bin/t\n"
    assert rewritten(PASS, text) == text


def test_a_stage_that_is_only_copied_from_is_left():
    text = f"FROM debian:12 AS a\n{GET}\nRUN chmod +x /usr/local/bin/t\nFROM debian:12\nCOPY --from=a /usr/local/bin/t /t\n"
    assert rewritten(PASS, text) == text


def test_a_script_too_long_for_one_argument_is_refused():
    text = (
        f"FROM debian:12\n{GET}\nRUN chmod +x /usr/local/bin/t " + " ".join(f"/x/{number:08}" for number in range(12000)) + "\n"
    )
    assert rewritten(PASS, text) == text
    assert "too long" in refusals(PASS, text)[0]


def test_a_compile_is_not_joined_with_what_changes_more_often():
    text = "FROM debian:12\nRUN wget -O /x https://e.test/x && make\nRUN pip install y && rm /x\n"
    assert rewritten(PASS, text) == text
    assert "changes more often" in refusals(PASS, text)[0]


def test_a_short_step_is_joined_with_what_changes_more_often():
    text = "FROM debian:12\nRUN wget -O /x https://e.test/x\nRUN pip install y && rm /x\n"
    assert rewritten(PASS, text) == "FROM debian:12\nRUN wget -O /x https://e.test/x \\\n    && pip install y && rm /x\n"


def test_a_scripts_state_does_not_leak():
    text = "FROM debian:12\nRUN cd /usr/local/bin && curl -fsSLO https://e.test/t\nRUN chmod +x /usr/local/bin/t\n"
    assert rewritten(PASS, text) == (
        "FROM debian:12\nRUN (cd /usr/local/bin && curl -fsSLO https://e.test/t) \\\n    && chmod +x /usr/local/bin/t\n"
    )


def test_errexit_keeps_its_meaning():
    text = "FROM debian:12\nRUN set -e; curl -o /t https://e.test/t; x\nRUN chmod +x /t\n"
    assert rewritten(PASS, text) == (
        "FROM debian:12\nRUN set -e; \\\n    (set +e; set -e; curl -o /t https://e.test/t; x); \\\n    (set +e; chmod +x /t)\n"
    )


def test_the_files_layout_is_kept():
    text = "FROM debian:12\r\nrun curl -o /t https://e.test/t && \\\r\n  x\r\nrun chmod +x /t\r\n"
    assert rewritten(PASS, text) == "FROM debian:12\r\nrun curl -o /t https://e.test/t && \\\r\n  x && \\\r\n  chmod +x /t\r\n"


def test_another_escape_character_is_used_for_continuations():
    text = "# escape=`\nFROM debian:12\nRUN curl -o /t https://e.test/t\nRUN chmod +x /t"
    assert rewritten(PASS, text) == "# escape=`\nFROM debian:12\nRUN curl -o /t https://e.test/t `\n    && chmod +x /t"


def test_layers_near_the_limit_are_joined():
    text = "FROM debian:12\nRUN a\nRUN b\n"
    assert rewritten(PASS, text) == text
    near = Facts(base=lambda _: BaseFacts(layers=120))
    assert rewritten(PASS, text, near) == "FROM debian:12\nRUN a \\\n    && b\n"


def test_fewer_layers_joins_all_that_can_be_joined():
    text = "FROM debian:12\nRUN a\nRUN b\nENV A=1\nRUN c\nRUN d; e\nCMD x\n"
    assert rewritten(FEWER_LAYERS, text) == "FROM debian:12\nRUN a \\\n    && b\nENV A=1\nRUN c \\\n    && (d; e)\nCMD x\n"
    assert FEWER_LAYERS.allow == "fewer-layers"


def test_windows_is_left():
    text = "FROM mcr.microsoft.com/windows/servercore:ltsc2022\nRUN a\nRUN b\n"
    assert proposals(FEWER_LAYERS, text) == []
