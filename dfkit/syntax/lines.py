"""From physical lines to logical ones: directives, comments, continuations and heredoc bodies.

The one scanner written by hand: a grammar cannot say "until a line that equals the word after `<<`". It follows BuildKit's
frontend/dockerfile/parser/parser.go, and never stops at an error.
"""

from __future__ import annotations

from dfkit._record import Record
from dfkit._regex import regex
from dfkit.syntax.nodes import Comment, Directive, Heredoc
from dfkit.text import Mapped, Source, Span

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re
    from collections.abc import Iterator

BLANK = (
    " \t\n\v\f\r\x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
)
"""What Go's unicode.IsSpace takes for white space (Python's str.strip also takes U+001C to U+001F)."""

LINE_LIMIT = 65_535
"""The longest physical line that BuildKit reads, in bytes: bufio.MaxScanTokenSize less one."""

_DIRECTIVE = regex(r"#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.+?)\s*$")
_KEYWORD = (
    r"[ \t]*+(?:add|arg|cmd|copy|entrypoint|env|expose|from|healthcheck|label|maintainer|onbuild|run|shell|stopsignal|user|volume"
    r"|workdir)(?!\S)"
)
_INSTRUCTION = regex("(?i)" + _KEYWORD)
_NEXT_INSTRUCTION = regex(r"(?i)(?:[ \t\r]*+(?:#[^\n]*+)?\n)*+" + _KEYWORD)
_MAY_HOLD_HEREDOC = regex(r"(?i)\s*(?:onbuild\s+)*(?:run|copy|add)\s")
# Blanks after `<<` belong to the word since BuildKit 0.22, those after `<<-` do not: https://github.com/moby/buildkit/pull/5817
_HEREDOC = regex(r"(\d*)<<(-?+)\s*+([^<]+)")
_SHELL_WORD = regex(
    r"""(?s)(?:<<[ \t\r]*+|[^\s'"\\$<]++|<|\\.|\\\Z|'[^']*+'|"(?:[^"\\]|\\.)*+"|\$\{(?:[^{}\\]|\\.)*+\}|\$(?!\{))++"""
)
_ESCAPED = regex(r"\\(.)")
_UNQUOTE = regex(r"""(?s)\\(.)|'([^']*)'|"((?:[^"\\]|\\.)*)\"""")


class Line:
    """One logical line that holds an instruction.

    `text` is the line with continuations and the comments between them removed, white space around it kept on the right;
    `start` and `end` are offsets into the source, heredoc bodies included, the last line end not. `comments` are those above it.
    """

    __slots__ = ("comments", "end", "heredocs", "start", "text")

    def __init__(self, text: Mapped, start: int, end: int, comments: tuple[Comment, ...], heredocs: tuple[Heredoc, ...]) -> None:
        self.text = text
        self.start = start
        self.end = end
        self.comments = comments
        self.heredocs = heredocs


class Lines(Record):
    """What a file consists of."""

    directives: tuple[Directive, ...]
    comments: tuple[Comment, ...]
    lines: tuple[Line, ...]
    escape: str
    wrong_directives: tuple[tuple[Span, str], ...]
    long_lines: tuple[Span, ...]


def scan(source: Source) -> Lines:
    """Split a source into logical lines. Takes time linear in its length."""
    return _Scanner(source).scan()


class _Scanner:
    def __init__(self, source: Source) -> None:
        self.text = source.text
        self.long: list[Span] = []
        self.physical = self._physical(source)
        self.directives: list[Directive] = []
        self.comments: list[Comment] = []
        self.wrong: list[tuple[Span, str]] = []
        self.lines: list[Line] = []
        self.escape = "\\"
        self.in_directives = True

    def scan(self) -> Lines:
        above: list[Comment] = []
        for start, line in self.physical:
            bare = line and line.lstrip(BLANK)
            if not bare:
                self.in_directives = False
                continue
            start += len(line) - len(bare)
            if bare[0] == "#":
                comment = self._comment(start, bare)
                if not (self.in_directives and self._directive(comment, start == 0)):
                    above.append(comment)
                continue
            self.in_directives = False
            self._logical(start, bare, tuple(above))
            if above:
                above = []
        return Lines(
            tuple(self.directives), tuple(self.comments), tuple(self.lines), self.escape, tuple(self.wrong), tuple(self.long)
        )

    def _physical(self, source: Source) -> Iterator[tuple[int, str]]:
        """Each physical line's offset, and the line without its line end."""
        lines = self.text.split("\n")
        if not lines[-1]:
            lines.pop()
        if len(self.text) > LINE_LIMIT // 4 and max(map(len, lines)) > LINE_LIMIT // 4:
            for start, line in zip(source.line_starts, lines, strict=False):
                if len(line) > LINE_LIMIT // 4 and len(line.encode("utf-8", "surrogateescape")) > LINE_LIMIT:
                    self.long.append(Span(start, start + len(line)))
        starts = source.line_starts
        if self.text.startswith("\ufeff"):
            lines[0] = lines[0][1:]
            starts = [1, *starts[1:]]
        if "\r" in self.text:
            lines = [line.rstrip("\r") for line in lines]
        return zip(starts, lines, strict=False)

    def _comment(self, start: int, text: str) -> Comment:
        comment = Comment(Span(start, start + len(text)), text[1:].strip(BLANK))
        self.comments.append(comment)
        return comment

    def _directive(self, comment: Comment, at_top: bool) -> bool:
        text = self.text[comment.span.start : comment.span.end]
        if at_top and text.startswith("#!"):
            # BuildKit skips a shebang when it looks for `syntax` and `check` (directives.go, discardShebang).
            return False
        match = _DIRECTIVE.match(text)
        name = match[1].lower() if match else ""
        if match is None or name not in ("syntax", "escape", "check"):
            self.in_directives = False
            return False
        if any(known.name == name for known in self.directives):
            self.wrong.append((comment.span, f"only one `{name}` directive can stand in a file"))
            return False
        value = Span(comment.span.start + match.start(2), comment.span.start + match.end(2))
        self.directives.append(Directive(comment.span, name, match[2], value))
        if name == "escape":
            if match[2] in ("\\", "`"):
                self.escape = match[2]
            else:
                self.wrong.append((value, f"`{match[2]}` cannot be the escape character: it is a backslash or a backtick"))
        return True

    def _logical(self, start: int, line: str, comments: tuple[Comment, ...]) -> None:
        if self.escape in line:
            text, end, last = self._joined(start, line)
        else:
            text, end, last = Mapped(line, ((0, start),)), start + len(line), start
        heredocs: list[Heredoc] = []
        if "<<" in text.text and _MAY_HOLD_HEREDOC.match(text.text):
            for marker, match in heredoc_markers(text.text):
                heredoc = self._heredoc(text.span(*marker), match, last)
                last = end = heredoc.end_marker.end
                heredocs.append(heredoc)
        self.lines.append(Line(text, start, end, comments, tuple(heredocs)))

    def _joined(self, start: int, line: str) -> tuple[Mapped, int, int]:
        """A line with those that continue it: the text, the offset of its end, and that of the last line read."""
        escape = self.escape
        parts: list[str] = []
        pieces: list[tuple[int, int]] = []
        length = 0
        known = False
        while True:
            end = start + len(line)
            # The escape character continues a line if it is the last one that is no blank, unless another stands before it.
            bare = line.rstrip(" \t")
            goes_on = bare[-1:] == escape != bare[-2:-1]
            if goes_on:
                line = bare[:-1]
            if line:
                pieces.append((length, start))
                parts.append(line)
                length += len(line)
            if not goes_on:
                break
            if parts and not known:
                known = _INSTRUCTION.match(parts[0]) is not None
                if not known and _NEXT_INSTRUCTION.match(self.text, self._below(end)):
                    # A line that starts no instruction goes on with one that does: it must not take that one with it.
                    break
            for start, line in self.physical:
                bare = line.lstrip(BLANK)
                if bare[:1] == "#":
                    self._comment(start + len(line) - len(bare), bare)
                elif bare:
                    break
            else:
                break
        return Mapped("".join(parts), tuple(pieces) or ((0, start),)), end, start

    def _below(self, offset: int) -> int:
        """Where the line below an offset starts."""
        return self.text.find("\n", offset) + 1 or len(self.text)

    def _heredoc(self, marker: Span, match: re.Match[str], after: int) -> Heredoc:
        """The heredoc whose body starts on the line below the offset `after`."""
        descriptor, dash, word = match.groups()
        name, quoted = _unquoted(word)
        size = len(self.text)
        start = self._below(after)
        body, stop = Span(start, size), Span(size, size)
        for begin, line in self.physical:
            if (line.lstrip("\t") if dash else line) == name:
                end = begin + len(line)
                body, stop = Span(start, begin), Span(end - len(name), end)
                break
        content = self.text[body.start : body.end]
        return Heredoc(body, name, content, marker, not quoted, bool(dash), int(descriptor or 0), stop)


def heredoc_markers(text: str) -> list[tuple[tuple[int, int], re.Match[str]]]:
    """The words of a logical line that open a heredoc: their offsets and the match (descriptor, dash, name as written).

    A line with an unclosed quote has none, as BuildKit's shell lexer gives up on it.
    """
    found = []
    at = 0
    size = len(text)
    while at < size:
        if text[at] in BLANK:
            at += 1
            continue
        word = _SHELL_WORD.match(text, at)
        if word is None or (word.end() < size and text[word.end()] not in BLANK):
            return []
        match = _HEREDOC.fullmatch(word[0])
        if match is not None:
            found.append((word.span(), match))
        at = word.end()
    return found


def _unquoted(word: str) -> tuple[str, bool]:
    name = _UNQUOTE.sub(lambda match: match[1] or match[2] or _ESCAPED.sub(lambda pair: pair[1], match[3] or ""), word)
    return name, "'" in word or '"' in word
