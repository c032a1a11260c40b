"""How a Dockerfile is written: capitals, and comments that mean something."""

from __future__ import annotations

from dfkit._regex import regex
from dfkit.checks.binding import Finding, check
from dfkit.syntax.nodes import Arg, Comment, Dockerfile, From
from dfkit.syntax.walk import instructions
from dfkit.text import Edit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from dfkit.checks.binding import Place


@check(Dockerfile)
def keyword_casing(node: Dockerfile, at: Place) -> Iterator[Finding]:
    """A keyword is written in other letters than most: small ones or capitals, capitals if there are as many of both."""
    # BuildKit looks neither into ONBUILD nor above the first FROM.
    stages = [each for each in node.instructions if at.model.stage_of(each) is not None]
    keywords = [each.keyword for each in (stages if at.imitates("buildkit") else instructions(node))]
    small = sum(word.text.islower() for word in keywords) > sum(word.text.isupper() for word in keywords)
    for word in keywords:
        wanted = word.text.lower() if small else word.text.upper()
        if word.text != wanted:
            message = f"write `{wanted}` as the other instructions are written"
            yield Finding(word.span, message, edits=(Edit(word.span, wanted),) if not word.pieces else ())


@check(From)
def as_casing(node: From, at: Place) -> Iterator[Finding]:
    """`FROM … as …` and `from … AS …`; silent where FROM itself is in mixed letters."""
    word, keyword = node.as_keyword, node.keyword.text
    if word is None or not (keyword.islower() or keyword.isupper()):
        return
    wanted = "as" if keyword.islower() else "AS"
    if word.text != wanted:
        edits = (Edit(word.span, wanted),) if not word.pieces else ()
        yield Finding(word.span, f"write `{wanted}`, as `{keyword}` is written", edits=edits)


@check(From, Arg)
def description(node: From | Arg, at: Place) -> Iterator[Finding]:
    """The comment line above a named stage or an ARG does not begin with its name, so `docker build --call=outline` does not show it."""
    names = (
        [pair.key.text for pair in node.pairs] if isinstance(node, Arg) else [node.alias.text] if node.alias is not None else []
    )
    if not names or not node.comments:
        return
    comment, line = node.comments[-1], at.model.dockerfile.source.position
    if line(comment.span.end).line + 1 == line(node.span.start).line and comment.text.split(" ")[0] not in names:
        what = "an ARG" if isinstance(node, Arg) else "a stage"
        yield Finding(comment.span, f"a comment right above {what} describes it: begin with `{names[0]}`, or leave a line empty")


@check(Comment)
def inline_ignore(node: Comment, at: Place, *, pattern: str) -> Iterator[Finding]:
    """A comment that silences rules; `pattern` is a regular expression for its text."""
    if regex(f"(?i){pattern}").match(node.text):
        yield Finding(node.span)
