from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfkit.model import Model
from dfkit.syntax import parse


def environment(text):
    model = Model(parse(text))
    assert model.dockerfile.problems == ()
    return {name: binding.value for name, binding in model.scope(model.stages[0].instructions[-1]).names().items()}


@given(st.text(st.sampled_from("ab $'\"\\={}"), min_size=1, max_size=12))
def test_the_new_form_of_env_has_the_value_of_the_old_one(say, value):
    text = f"FROM scratch\nENV a=A\nENV KEY {value}\nRUN x\n"
    if parse(text).problems:
        return
    said = say("value-without-equals", text)
    assert environment(said.fixed) == environment(text)


def test_a_value_over_several_lines_is_quoted_where_it_starts_and_ends(say):
    said = say("value-without-equals", "ENV LIST one \\\n    # the second\n    two")
    assert said.fixed == 'FROM debian:12\nENV LIST="one \\\n    # the second\n    two"\n'


@pytest.mark.parametrize(
    ("command", "severity", "fix"),
    [
        ("CMD nginx -g off", "warning", "unsafe"),
        ("CMD nginx; true", "info", None),
        ("CMD nginx $OPTIONS", "info", None),
        ("CMD A=1 nginx", "info", None),
        ("CMD nginx > /log", "info", None),
        ("CMD echo 'a b' \\\n  c", "warning", "unsafe"),
        ("CMD exec nginx $OPTIONS", "style", None),
        ('SHELL ["/bin/bash", "-c"]\nCMD nginx', "style", None),
        ("ENTRYPOINT cd /x", "info", None),
    ],
)
def test_shell_form_is_judged_by_what_needs_the_shell(say, command, severity, fix):
    said = say("DL3025", command)
    assert (said.severities, said.fixes) == ([severity], [fix])


def test_words_keep_their_quotes_meaning_in_a_list(say):
    assert say("DL3025", "CMD echo 'a b' c\"d\"").fixed == 'FROM debian:12\nCMD ["echo", "a b", "cd"]\n'


@pytest.mark.parametrize(
    ("path", "found"),
    [("a", True), ("./a", True), ("~", True), ("/a", False), ("$A", False), ("'/a'", False), ("c:/a", False), ('"a"', True)],
)
def test_which_paths_are_relative(say, path, found):
    assert (say("DL3000", f"WORKDIR {path}").marks != []) == found


def test_a_relative_path_after_an_absolute_one_is_a_matter_of_style(say):
    assert say("DL3000", "WORKDIR /a\nWORKDIR b").severities == ["style"]


def test_quotes_and_dollars_of_a_maintainer_stay_what_they_are(say):
    assert say("DL4000", 'MAINTAINER Jane "JD" $1').fixed == (
        'FROM debian:12\nLABEL org.opencontainers.image.authors="Jane \\"JD\\" \\$1"\n'
    )


def test_each_empty_line_of_an_instruction_is_removed_at_once(say):
    said = say("NoEmptyContinuation", "RUN a \\\n\n  && b \\\n  # c\n \t\n  && d\n\nRUN e")
    assert said.fixed == "FROM debian:12\nRUN a \\\n  && b \\\n  # c\n  && d\n\nRUN e\n"
    assert len(said.marks) == 1


def test_only_the_last_of_three_stays(say):
    assert say("DL4003", 'CMD ["a"]\nCMD ["b"]\nCMD ["c"]').fixed == 'FROM debian:12\nCMD ["c"]\n'


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("API_KEY", True), ("apiKey", True), ("GITHUB_TOKEN", True), ("DB_PASSWORD", True), ("SECRET_KEY_BASE", True),
        ("AWS_SECRET_ACCESS_KEY", True), ("credentials", True), ("SSH_PRIVATE_KEY", True),
        ("GOPRIVATE", False), ("AUTH_TOKEN_FILE", False), ("TOKENIZER", False), ("MONKEY", False), ("KEYRING", False),
        ("PWD", False), ("AUTHOR", False), ("PUBLIC_KEY", False), ("GPG_KEY", False), ("USERNAME", False), ("PASS", False),
        ("TIKTOKEN_CACHE_DIR", False), ("TOKEN_URL", False), ("SECRET_NAME", False), ("COMPASS", False),
    ],
)  # fmt: skip
def test_which_names_are_those_of_secrets(say, name, found):
    assert say("DL3064", f"ENV {name}=x1y2").marks == ([name] if found else [])
