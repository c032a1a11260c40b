import pytest

from dfkit.syntax import nodes, parse


def one(text, **kwargs):
    file = parse(text, **kwargs)
    assert not file.problems, file.problems
    (instruction,) = file.instructions
    return instruction


def second(text):
    return parse("FROM a\n" + text).instructions[1]


def problems(text):
    file = parse(text)
    return [(file.source.position(problem.span.start).line, problem.message) for problem in file.problems]


@pytest.mark.parametrize(
    ("text", "image", "alias"),
    [
        ("FROM a", "a", None),
        ("from a:1 as B", "a:1", "B"),
        ("FROM --platform=linux/amd64 a\tAS\tb", "a", "b"),
        ("FROM \\\n  a", "a", None),
    ],
)
def test_from(text, image, alias):
    node = one(text)
    assert isinstance(node, nodes.From)
    assert node.image.text == image
    assert (node.alias.text if node.alias else None) == alias


def test_a_script_is_what_the_shell_is_given():
    node = second("RUN a \\\n  # note\n\n   && b \\  \n c # d")
    assert isinstance(node.form, nodes.ShellForm)
    assert node.form.text.text == "a    && b  c # d"


def test_each_character_of_a_script_knows_its_place():
    text = "FROM a\nRUN x \\\n# é\n  && yy"
    file = parse(text)
    mapped = file.instructions[1].form.text
    at = mapped.text.index("yy")
    span = mapped.span(at, at + 2)
    assert text[span.start : span.end] == "yy"


def test_a_doubled_escape_does_not_continue_a_line():
    file = parse("FROM a\nRUN echo \\\\\nRUN b")
    assert [node.name for node in file.instructions] == ["FROM", "RUN", "RUN"]


def test_backtick_as_escape():
    file = parse("# escape=`\nFROM a\nRUN dir `\n  c:\\\nCOPY a b `\n c\nENV A=x` y B=c:\\")
    run, copy, env = file.instructions[1:]
    assert run.form.text.text == "dir   c:\\"
    assert [word.text for word in copy.sources] == ["a", "b"]
    assert [pair.value.text for pair in env.pairs] == ["x` y", "c:\\"]


def test_exec_form_keeps_its_backslashes_under_another_escape():
    file = parse('# escape=`\nFROM a\nCMD ["c:\\\\x"]')
    assert file.instructions[1].form.values == ("c:\\x",)


def test_directives_in_any_order_and_case():
    file = parse("#SYNTAX=x/y:1\n# Check = skip=all\n#escape=`\n# escape=\\\nFROM a `\n AS b")
    assert [(directive.name, directive.value) for directive in file.directives] == [
        ("syntax", "x/y:1"), ("check", "skip=all"), ("escape", "`"),
    ]  # fmt: skip
    assert file.instructions[0].alias.text == "b"
    assert "only one `escape`" in file.problems[0].message


def test_no_directive_after_a_comment():
    assert parse("# hello\n# escape=`\nFROM a").escape == "\\"


def test_syntax_after_a_shebang():
    assert parse("#!/usr/bin/env docker\n# syntax=a/b\nFROM a").directive("syntax").value == "a/b"


def test_byte_order_mark_and_carriage_returns():
    file = parse("\ufeff# escape=`\r\nFROM a\r\nRUN x `\r\n  y\r\n")
    assert not file.problems
    assert file.instructions[1].form.text.text == "x   y"
    assert file.source.slice(file.instructions[1].span) == "RUN x `\r\n  y"


@pytest.mark.parametrize(
    ("text", "values"),
    [('["a", "b"]', ("a", "b")), ('[ "a\\n" ]', ("a\n",)), ('["\\u00e9"]', ("é",)), ("[]", ()), ('  ["a"]  ', ("a",))],
)
def test_exec_form(text, values):
    node = second("CMD " + text)
    assert isinstance(node.form, nodes.ExecForm)
    assert node.form.values == values


@pytest.mark.parametrize("text", ["['a']", '["a",]', '["a"', '["a"] b', '["\\x"]', "[a]"])
def test_what_is_not_json_is_for_the_shell(text):
    assert isinstance(second("CMD " + text).form, nodes.ShellForm)


def test_a_list_of_other_things_is_an_error():
    assert problems('FROM a\nCMD ["a", 1]') == [(2, "an exec form may hold nothing but strings in double quotes")]


def test_heredocs_of_one_instruction():
    node = second('COPY <<-"A" <<B f /x/\n\ta\n\tA\nb\nB\nRUN x')
    first, other = node.heredocs
    assert (first.name, first.content, first.expand, first.chomp) == ("A", "\ta\n", False, True)
    assert (other.name, other.content, other.expand, other.chomp) == ("B", "b\n", True, False)
    assert [word.text for word in node.sources] == ['<<-"A"', "<<B", "f"]


def test_an_instruction_right_after_a_heredoc():
    file = parse("FROM a\nRUN <<EOF cat\nx\nEOF\nCOPY a b")
    assert [node.name for node in file.instructions] == ["FROM", "RUN", "COPY"]
    assert file.source.slice(file.instructions[1].span) == "RUN <<EOF cat\nx\nEOF"


@pytest.mark.parametrize(
    "text", ['RUN echo "<<EOF"', "RUN echo 'a <<EOF'", 'RUN ["<<EOF"]', "RUN cat <<<EOF", "ENV a=<<EOF", 'RUN echo <<EOF "']
)
def test_what_is_no_heredoc(text):
    assert parse(f"FROM a\n{text}\nUSER x").instructions[-1].name == "USER"


def test_a_heredoc_inside_a_longer_command():
    node = second("RUN a && \\\n  cat <<EOF >> f && \\\n  b\nx\nEOF\n")
    assert [heredoc.content for heredoc in node.heredocs] == ["x\n"]
    assert node.form.text.text == "a &&   cat <<EOF >> f &&   b"


def test_a_heredoc_in_onbuild():
    node = second("ONBUILD RUN <<E\nx\nE\n")
    assert isinstance(node, nodes.OnBuild)
    assert node.instruction.heredocs[0].content == "x\n"


def test_an_open_heredoc_is_an_error_and_takes_the_rest():
    file = parse("FROM a\nRUN <<EOF\nx\n")
    assert "has no end" in file.problems[0].message


def test_pairs_with_quotes_and_escapes():
    node = second("ENV a=\"x y\" b='$c' d=e\\ f g=")
    assert [(pair.key.text, pair.value.text) for pair in node.pairs] == [("a", '"x y"'), ("b", "'$c'"), ("d", "e\\ f"), ("g", "")]
    assert not node.legacy


def test_the_old_form_takes_the_rest_of_the_line():
    node = second("ENV key the whole = rest")
    assert node.legacy
    assert node.pairs[0].value.text == "the whole = rest"


def test_several_arguments_in_one_arg():
    node = second('ARG a b=1 c="x y"')
    assert [(pair.key.text, pair.value.text if pair.value else None) for pair in node.pairs] == [
        ("a", None),
        ("b", "1"),
        ("c", '"x y"'),
    ]


def test_flags():
    node = second("RUN --mount=type=cache,target=/x --mount=type=bind,\\\nsource=y --network=none make")
    assert [(flag.name, flag.value) for flag in node.flags] == [
        ("mount", "type=cache,target=/x"), ("mount", "type=bind,source=y"), ("network", "none"),
    ]  # fmt: skip
    assert node.form.text.text == "make"


def test_a_lone_double_dash_ends_the_flags():
    node = second("COPY --chown=a -- --x y")
    assert [flag.name for flag in node.flags] == ["chown"]
    assert [word.text for word in node.sources] == ["--x"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("FOO x", "`FOO` is not an instruction"),
        ("RUM x", "did you mean `RUN`?"),
        ("COPY a", "at least one source and a destination"),
        ("ENV a", "has no value"),
        ("ENV a=1 b", "`b` has no `=`"),
        ("RUN --network=lan true", "`--network` is default or none or host, not `lan`"),
        ("SHELL sh", "SHELL takes a list"),
        ("HEALTHCHECK curl x", "not by `curl`"),
        ("HEALTHCHECK NONE x", "takes no arguments"),
        ("HEALTHCHECK --interval=1q CMD x", "is a duration"),
        ("HEALTHCHECK --retries=x CMD y", "whole number"),
        ("ONBUILD FROM x", "cannot hold FROM"),
        ("FROM a b", "FROM takes an image"),
        ("FROM a AS 1x", "cannot name a stage"),
        ("COPY --form=x a b", "did you mean `--from`?"),
        ("COPY --link=maybe a b", "`true` or `false`"),
        ("COPY --chown a b", "needs a value"),
        ("EXPOSE", "at least one port"),
        ("USER", "needs a value"),
    ],
)
def test_errors_name_their_line_and_say_what_to_do(text, said):
    ((line, message),) = problems(f"FROM a\n\n{text}\nUSER x")
    assert line == 3
    assert said in message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no instructions"),
        ("# only\n", "no instructions"),
        ("ARG a\n", "no FROM"),
        ("RUN x\nFROM a", "before the first FROM"),
    ],
)
def test_files_without_a_stage(text, said):
    assert said in problems(text)[0][1]


@pytest.mark.parametrize("keyword", ["RUN", "CMD", "ENTRYPOINT"])
def test_a_command_may_be_missing(keyword):
    file = parse(f"FROM a\n{keyword}\n")
    assert not file.problems
    assert file.instructions[1].form.text.text == ""


def test_one_bad_line_changes_nothing_else():
    good = parse("FROM a\nRUN x\nUSER y\n")
    bad = parse("FROM a\nRUN x\nFOO bar\nUSER y\n")
    assert isinstance(bad.instructions[2], nodes.Unknown)
    assert [node.name for node in bad.instructions if node.name] == [node.name for node in good.instructions]


def test_compound_durations_host_ports_and_ports_in_registries_are_fine():
    text = "ARG S=x\nFROM $S:8099/a/b:1\nHEALTHCHECK --interval=1m30s CMD true\nEXPOSE 127.0.0.1:80:80/tcp 1-3"
    assert problems(text) == []


def test_a_line_over_the_limit_is_an_error_and_still_read():
    file = parse("FROM a\nRUN echo " + "x" * 70_000 + "\nUSER y")
    assert "65,535 bytes" in file.problems[0].message
    assert [node.name for node in file.instructions] == ["FROM", "RUN", "USER"]


def test_comments_above_an_instruction_belong_to_it():
    node = parse("# a\nFROM x\n# b\n\n  # c\nRUN y").instructions[1]
    assert [comment.text for comment in node.comments] == ["b", "c"]


@pytest.mark.parametrize(
    ("line", "name"),
    [("RUN cat <<  EOF", "EOF"), ("RUN cat << 'E O F' > x", "E O F"), ("RUN cat 3<< EOF", "EOF"), ("ADD <<EOF /x", "EOF")],
)
def test_blanks_may_follow_the_sign_of_a_heredoc(line, name):
    node = second(f"{line}\nbody\n{name}\nUSER x")
    assert [(heredoc.name, heredoc.content) for heredoc in node.heredocs] == [(name, "body\n")]


@pytest.mark.parametrize("line", ["RUN cat <<- EOF", "RUN cat <<", "RUN cat << ", "RUN cat <<< EOF"])
def test_signs_without_a_name_are_no_heredocs(line):
    assert parse(f"FROM a\n{line}\nUSER x").instructions[-1].name == "USER"


def test_an_equals_sign_in_quotes_makes_a_pair():
    node = second('ENV "a=b c"')
    assert not node.legacy
    assert (node.pairs[0].key.text, node.pairs[0].value.text) == ('"a', 'b c"')


def test_white_space_outside_ascii_ends_pairs_and_belongs_to_words():
    assert [pair.key.text for pair in second("ENV a=1\xa0b=2").pairs] == ["a", "b"]
    assert [word.text for word in second("COPY a \xa0b c").sources] == ["a", "\xa0b"]


def test_a_line_that_is_no_instruction_does_not_take_the_next_one_with_it():
    file = parse("FROM a\ngarbage \\\n\n# of b\nRUN b\n")
    assert [type(node).__name__ for node in file.instructions] == ["From", "Unknown", "Run"]
    assert [comment.text for comment in file.instructions[2].comments] == ["of b"]
    assert parse("FR\\\nOM a\nRU\\\nN b").problems == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("RUN --mount=from=$X,target=/y z", "takes no variable"),
        ("RUN --mount= z", "is a list such as"),
        ('VOLUME ["/a", " "]', "a path of VOLUME is empty"),
        ("COPY a <<E\nE", "cannot be the destination"),
    ],
)
def test_what_buildkits_instruction_parser_rejects(text, said):
    ((_, message),) = problems(f"FROM a\n{text}")
    assert said in message


def test_the_word_between_image_and_alias_has_its_place():
    node = one("FROM a aS b")
    assert node.as_keyword.text == "aS"
