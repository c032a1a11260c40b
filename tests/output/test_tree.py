from dfkit.output import tree
from dfkit.syntax import parse


def lines(text):
    return list(tree.render(parse(text)))


def test_every_part_stands_on_a_line_with_its_place():
    text = '# escape=`\n# about b\nFROM --platform=linux/amd64 a AS b\nENV A=1 B="x y"\nCMD ["a", "b\\n"]\nEXPOSE 80\n'
    assert lines(text) == [
        '1:1-1:10   directive escape "`"',
        '2:1-2:9    # "about b"',
        "3:1-3:34   FROM",
        '3:6-3:27     flag "--platform=linux/amd64"',
        '3:29-3:29    image "a"',
        '3:31-3:32    as "AS"',
        '3:34-3:34    alias "b"',
        "4:1-4:15   ENV",
        "4:5-4:7      pair",
        '4:5-4:5        key "A"',
        '4:7-4:7        value "1"',
        "4:9-4:15     pair",
        '4:9-4:9        key "B"',
        '4:11-4:15      value "\\"x y\\""',
        "5:1-5:16   CMD",
        "5:5-5:16     exec form",
        '5:6-5:8        item "a"',
        '5:11-5:15      item "b\\n"',
        "6:1-6:9    EXPOSE",
        '6:8-6:9      word "80"',
    ]


def test_comments_inside_an_instruction_stand_where_they_are():
    assert [line.split("  ", 1)[1].strip() for line in lines("FROM a\nRUN cat <<E && \\\n # why\n  b\nbody\nE\n")][2:] == [
        "RUN",
        'shell form "cat <<E &&   b"',
        '# "why"',
        'heredoc E "body\\n"',
    ]


def test_what_cannot_be_read_is_shown():
    assert lines("FROM a\nFOO bar")[-1].endswith('FOO (cannot be read) "bar"')


def test_what_onbuild_holds_is_a_part_of_it():
    assert [line.strip().split(maxsplit=1)[1] for line in lines("FROM a\nONBUILD COPY <<E /x\nb\nE\n")][2:] == [
        "ONBUILD",
        "COPY",
        'source "<<E"',
        'destination "/x"',
        'heredoc E "b\\n"',
    ]
