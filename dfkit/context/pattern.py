r"""The patterns of moby's `patternmatcher`: which paths a list of them takes, the later ones overruling the earlier.

A port, in our own words, of https://github.com/moby/patternmatcher (Apache-2.0). A pattern is checked as a `filepath.Match`
pattern, but matched as a Go regular expression made from it; what follows from that (`**`, `\d` as a digit, `[*]` as something
else than a star) is kept, because the engine sees the same files only if the quirks are the same.

Docker looks at a pattern's syntax when it reads it, but not at all of it; what is wrong behind that ends a build only if a path
comes to be compared with the pattern. So it is here: `Pattern.fault` waits for the first path.

Of Go's escapes these are refused although Go knows them: `\p`, `\x`, `\Q` and octal numbers.
"""

from __future__ import annotations

import re

from dfkit._record import Record
from dfkit.context.glob import OPEN_CLASS, BadPatternError, Glob, clean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SPACE = "\t\n\v\f\r \x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"
"""Go's `unicode.IsSpace`; Python's `str.strip()` takes four characters more."""

_NEVER = re.compile(r"(?!)")
_PIECE = re.compile(r"\**(?:\\.?|\[(?:\\.|[^\]\\])*\]?|[^*\[\\])*", re.DOTALL)
"""Stars and what follows them up to the next one: Go's `scanChunk`."""
_INVALID = "\ufffd\udc80-\udcff"
_ESCAPES = {
    "d": r"\d", "D": r"\D", "w": r"\w", "W": r"\W", "a": r"\x07", "f": r"\f", "n": r"\n", "r": r"\r", "t": r"\t", "v": r"\v",
}  # fmt: skip
_ESCAPES_OUTSIDE = {"s": r"[\t\n\f\r ]", "S": r"[^\t\n\f\r ]", "b": r"\b", "B": r"\B", "A": r"\A", "z": r"\Z"}
_ESCAPES_INSIDE = {"s": r"\t\n\f\r ", "S": r"\S\v"}
_OUTSIDE = {"]": r"\]", "{": r"\{", "}": r"\}", "|": "|(?s:.*)"}
"""A bare `|` leaves the anchors of the expression to its two ends, so that what follows it may start anywhere."""
_REPEAT = re.compile(r"(0|[1-9]\d*)(,(0|[1-9]\d*)?)?\}")
_POSIX = {
    "alnum": "0-9A-Za-z", "alpha": "A-Za-z", "ascii": r"\x00-\x7f", "blank": r"\t ", "cntrl": r"\x00-\x1f\x7f", "digit": "0-9",
    "graph": "!-~", "lower": "a-z", "print": " -~", "punct": r"!-/:-@\[-`{-~", "space": r"\t\n\v\f\r ", "upper": "A-Z",
    "word": "0-9A-Za-z_", "xdigit": "0-9A-Fa-f",
}  # fmt: skip


class Pattern(Record):
    """One pattern: `text` is cleaned and without its `!`, `exception` says that it had one and takes paths back.

    `fault` is raised when a path is compared with it; then `regex` is of no use.
    """

    text: str
    exception: bool
    regex: re.Pattern[str]
    fault: Exception | None = None

    @classmethod
    def parse(cls, text: str) -> Pattern | None:
        """A pattern as moby reads it; `None` for white space alone. Raises `BadPatternError` for what Docker refuses at once."""
        text = text.strip(SPACE)
        if not text:
            return None
        text = clean(text)
        exception = text.startswith("!")
        if exception:
            text = text[1:]
            if not text:
                raise BadPatternError("`!` stands alone; write after it what is to be kept")
        _check_at_once(text)
        try:
            return cls(text, exception, re.compile(_regex(text), re.ASCII))
        except BadPatternError as error:
            fault = error
        except re.error as error:
            fault = BadPatternError(f"Docker cannot read the pattern: {error.msg}")
        return cls(text, exception, _NEVER, fault)

    def matches(self, path: str) -> bool:
        """Whether the pattern matches this path itself; a match of a folder above it is the caller's to look for.

        Raises `fault`.
        """
        if self.fault:
            raise self.fault
        return self.regex.match(path) is not None


def _check_at_once(text: str) -> None:
    """Raise `BadPatternError` for what `filepath.Match(text, ".")` comes to: a piece between stars if those before it match the dot.

    Go from 1.16 on read on to the end; the one that Docker 28 is built with does not.
    """
    at = 0
    while at < len(text) and (not at or Glob.parse(text[:at]).match(".")):
        piece = _PIECE.match(text, at)
        assert piece is not None, "it matches every character"
        Glob.parse(piece[0])
        at = piece.end()


def _regex(text: str) -> str:
    """The regular expression of a pattern, for `re.match`."""
    go = ""
    kind = "exact"
    at = 1 if text.startswith("\ufeff") else 0
    start = at
    while at < len(text):
        char = text[at]
        at += 1
        if char == "*" and text.startswith("*", at):
            first = at - 1 == start
            at += 1
            at += text.startswith("/", at)
            if at < len(text):
                go += "(.*/)?"
                kind = "regexp"
            elif kind == "exact":
                kind = "prefix"
            else:
                go += ".*"
                kind = "regexp"
            if first:
                kind = "suffix"
        elif char == "*":
            go += "[^/]*"
            kind = "regexp"
        elif char == "?":
            go += "[^/]"
            kind = "regexp"
        elif char == "\\":
            if at == len(text):
                return _translate(go) + r"\$"  # it escapes the end of the expression
            go += "\\" + text[at]
            at += 1
            kind = "regexp"
        elif char in "[]":
            go += char
            kind = "regexp"
        else:
            go += "\\" + char if char in ".+()$" else char  # moby means to escape `|{}` too, but its bit map is too small
    if kind == "exact":
        return re.escape(text) + r"\Z"
    if kind == "prefix":
        return re.escape(text[:-2])
    if kind == "suffix":
        tail = text[2:]
        if tail.startswith("/"):
            return rf"(?:(?s:.*)/)?{re.escape(tail[1:])}\Z"
        return rf"(?s:.*){re.escape(tail)}\Z"
    return _translate(go) + r"\Z"


def _translate(go: str) -> str:
    """A Go regular expression, of the kinds that `_regex` makes, as one of Python's."""
    out: list[str] = []
    inside = False
    at = 0
    while at < len(go):
        char = go[at]
        at += 1
        if char == "\\":
            escaped = go[at]
            at += 1
            known = _ESCAPES | (_ESCAPES_INSIDE if inside else _ESCAPES_OUTSIDE)
            if escaped in known:
                out.append(known[escaped])
            elif escaped.isascii() and not escaped.isalnum():
                out.append(re.escape(escaped))
            else:
                raise BadPatternError(f"`\\{escaped}` is not an escape; write `{escaped}` alone")
        elif char == "\ufffd" or "\udc80" <= char <= "\udcff":
            out.append(_INVALID if inside else f"[{_INVALID}]")
        elif not inside:
            if char == "[":
                inside = True
                out.append("[^" if go.startswith("^", at) else "[")
                at += go.startswith("^", at)
                if go.startswith("]", at):
                    out.append(r"\]")
                    at += 1
            else:
                out.append(_OUTSIDE.get(char, char))
                if char == "{" and (repeat := _REPEAT.match(go, at)):
                    out[-1] = "{" + repeat[0]
                    at = repeat.end()
        elif char == "]":
            inside = False
            out.append("]")
        elif char == "[" and (named := re.compile(r":(\^?)(\w*):\]").match(go, at)):
            if named[2] not in _POSIX:
                raise BadPatternError(f"`[{named[0]}` is not a class of characters that Docker knows")
            out.append(_others(_POSIX[named[2]]) if named[1] else _POSIX[named[2]])
            at = named.end()
        else:
            out.append("-" if char == "-" else re.escape(char))
    if inside:
        raise BadPatternError(OPEN_CLASS)
    return "".join(out)


def _others(inside: str) -> str:
    """All characters that are not in a class of ASCII characters, for the inside of another class."""
    rest = "".join(char for char in map(chr, range(128)) if not re.match(f"[{inside}]", char))
    return re.escape(rest) + "\x80-\U0010ffff"


class _Group:
    """Neighbouring patterns of one kind; which of them matches makes no difference, so they are tested as one."""

    __slots__ = ("exception", "fault", "literals", "names", "regex")

    def __init__(self, patterns: list[Pattern]) -> None:
        self.exception = patterns[0].exception
        self.fault = patterns[0].fault
        self.literals: set[str] = set()
        self.names: set[str] = set()
        rest: list[str] = []
        for pattern in patterns:
            text = pattern.text
            if not re.search(r"[*?\[\]\\]", text):
                self.literals.add(text)
            elif re.fullmatch(r"\*\*/[^*?\[\]\\/]+", text):
                self.names.add(text[3:])
            else:
                rest.append(f"(?:{pattern.regex.pattern})")
        self.regex = re.compile("|".join(rest), re.ASCII).match if rest else None

    def hits(self, path: str, name: str) -> bool:
        if self.fault:
            raise self.fault
        return path in self.literals or name in self.names or (self.regex is not None and self.regex(path) is not None)


class Matcher:
    """Whether a list of patterns takes a path. Paths have slashes, no leading one, and no `.` or `..`."""

    __slots__ = ("_groups", "_lead", "_literal", "exceptions", "patterns")

    def __init__(self, patterns: Iterable[Pattern]) -> None:
        self.patterns = tuple(patterns)
        groups: list[list[Pattern]] = []
        for pattern in self.patterns:
            last = groups[-1][0] if groups else None
            if last and last.exception == pattern.exception and not (last.fault or pattern.fault):
                groups[-1].append(pattern)
            else:
                groups.append([pattern])
        self._groups = [(1 << at, _Group(group)) for at, group in enumerate(groups)]
        self.exceptions = tuple(pattern for pattern in self.patterns if pattern.exception)
        shortened = [_without_trailing_glob(pattern.text) for pattern in self.exceptions]
        plain = not re.search(r"[*\[\]?^\\]", "".join(shortened))
        self._literal = {at for text in shortened for at in parents(text, True)} if plain else None
        self._lead = [_reach(pattern.text) for pattern in self.exceptions]

    @classmethod
    def parse(cls, patterns: Iterable[str]) -> Matcher:
        """A matcher of patterns as moby's `patternmatcher.New` takes them; raises `BadPatternError` for what it refuses.

        A pattern whose fault is found later raises the same where a path comes to it.
        """
        return cls(pattern for text in patterns if (pattern := Pattern.parse(text)))

    def check(self) -> None:
        """Raise the fault of the first pattern that has one, without waiting for a path."""
        for pattern in self.patterns:
            if pattern.fault:
                raise pattern.fault

    def step(self, path: str, name: str, above: int = 0) -> tuple[bool, int]:
        """Moby's `MatchesUsingParentResults`: whether `path` is taken, and the state to hand to what is below it.

        `name` is the path's last component, `above` the state of the folder it is in (0 at the top).
        """
        taken = False
        state = 0
        for bit, group in self._groups:
            if above & bit or (group.exception == taken and group.hits(path, name)):
                state |= bit
                taken = not group.exception
        return taken, state

    def matches(self, path: str) -> bool:
        """Moby's `MatchesOrParentMatches`: whether the patterns take the path, or a folder above it."""
        chain = [(at, at.rpartition("/")[2]) for at in parents(path, True)]
        taken = False
        for _, group in self._groups:
            if group.exception == taken and any(group.hits(*at) for at in chain):
                taken = not group.exception
        return taken

    def walk(self, path: str) -> Iterator[tuple[str, bool]]:
        """Each folder above `path`, from the top, and `path`: whether a walk of the tree finds it taken."""
        state = 0
        for at in parents(path, True):
            taken, state = self.step(at, at.rpartition("/")[2], state)
            yield at, taken

    def prunes(self, folder: str) -> bool:
        """Whether a walk leaves out all that is below a folder that the patterns take.

        Where every exception is a plain path, perhaps with `/*` or `/**` after it, this is the rule of BuildKit's walk, which
        differs from the patterns in one case: `!a/*/**` does not bring `a/b/c` back. Else a folder is left out only if no
        exception can match below it. https://github.com/tonistiigi/fsutil/blob/master/filter.go
        """
        if self._literal is not None:
            return folder not in self._literal
        parts = folder.split("/")
        depth = len(parts)
        return not any(depth < deepest and all(map(str.__eq__, parts, lead)) for lead, deepest in self._lead)


def parents(path: str, itself: bool = False) -> list[str]:
    """The folders that a path is in, from the top; the path itself last if asked for."""
    found: list[str] = []
    at = path.find("/")
    while at >= 0:
        found.append(path[:at])
        at = path.find("/", at + 1)
    return [*found, path] if itself else found


def _without_trailing_glob(text: str) -> str:
    return text.removesuffix("/**").removesuffix("/*")


def _reach(text: str) -> tuple[list[str], float]:
    """What an exception can match: the plain folders it begins with, and the deepest level (infinite if unknown)."""
    parts = text.split("/")
    lead: list[str] = []
    for part in parts[:-1]:
        if re.search(r"[*?\[\]\\]", part):
            break
        lead.append(part)
    return lead, float("inf") if "**" in text or re.search(r"[\[\\]", text) else len(parts)
