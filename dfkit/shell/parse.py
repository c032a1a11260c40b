"""From tree-sitter's tree to ours.

tree-sitter-bash decides what is nested in what; the words are read by `dfkit.shell.words`. `&&`, `||`, `|`, `!` and redirects are
put together here, as tree-sitter-bash groups some of them otherwise than a shell does. What it reports an error for is opaque.
"""

from __future__ import annotations

from dfkit._regex import regex
from dfkit.shell.flat import flat
from dfkit.shell.invoke import DIALECTS, READABLE, effective_index, invocation, literals
from dfkit.shell.mapping import Decoded, compose
from dfkit.shell.mask import Masked, Raw, Unreadable, mask, mask_document
from dfkit.shell.nodes import (
    AndOr,
    Assignment,
    Body,
    Command,
    Comment,
    Compound,
    HereDocument,
    Literal,
    Pipeline,
    Redirect,
    Script,
    Statement,
    Word,
)
from dfkit.shell.words import ASSIGNMENT, Expansions, Words
from dfkit.text import Mapped, Span

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re
    from collections.abc import Iterable
    from typing import Any

    from dfkit.shell.flat import Chain, Flat
    from dfkit.shell.nodes import CompoundKind, Element, Part
    from dfkit.shell.tree import Tree

    Made = tuple[CompoundKind, str, tuple[Word, ...], tuple[Body, ...]]
    """Kind, name, words and bodies of a compound command."""

DEPTH = 8
"""How deep scripts in scripts (`sh -c 'sh -c …'`) are read."""

_MEMO: dict[tuple[Mapped, str, tuple[str, ...]], Script] = {}
_MEMO_SIZE = 512
_EXPANSIONS = ("command_substitution", "process_substitution", "expansion", "arithmetic_expansion", "array")
_SIMPLE = ("command", "declaration_command", "unset_command", "test_command", "variable_assignment", "variable_assignments")
_RESERVED = frozenset(
    ("!", "{", "}", "case", "do", "done", "elif", "else", "esac", "fi", "for", "function", "if", "in", "then", "until", "while")
)
_GAP = regex(r"(?:[\s;&]|\\\n)*")


def parse(text: Mapped, dialect: str = "sh", options: tuple[str, ...] = ()) -> Script:
    """Read a script. Never fails: a script in another language, or one that cannot be read for sure, is opaque.

    `dialect` is as in `Script`, or a shell's name such as `dash`; `options` are passed on to `Script.options`.

    >>> parse(Mapped("apt-get update && apt-get install -y curl", ((0, 0),))).statements[0].element.elements[1].name
    'apt-get'
    """
    dialect = DIALECTS.get(dialect, dialect)
    key = (text, dialect, options)
    found = _MEMO.get(key)
    if found is None:
        if len(_MEMO) >= _MEMO_SIZE:
            _MEMO.clear()
        found = _MEMO[key] = _parse(text, dialect, options, 0)
    return found


def _parse(text: Mapped, dialect: str, options: tuple[str, ...], depth: int) -> Script:
    if dialect in READABLE and depth <= DEPTH:
        try:
            masked = mask(text.text)
            reader = _Reader(text, dialect, masked, depth)
            found = flat(masked)
            statements = reader.flat_statements(found) if found is not None else reader.tree_statements()
            comments = tuple([Comment(text.span(*place), text.text[slice(*place)][1:].strip()) for place in masked.comments])
            return Script(text.span(0, len(text)), text, statements, comments, dialect, False, options)
        except (Unreadable, RecursionError):
            pass
    return opaque(text, dialect, options)


def opaque(text: Mapped, dialect: str, options: tuple[str, ...] = ()) -> Script:
    """A script that is not looked into."""
    return Script(text.span(0, len(text)), text, (), (), dialect, True, options)


class _Reader(Expansions):
    """Turns the tree of one text into nodes."""

    def __init__(self, text: Mapped, dialect: str, masked: Masked, depth: int) -> None:
        self.mapped = text
        self.text = text.text
        self.masked = masked
        self.dialect = dialect
        self.depth = depth
        self.words = Words(text, dialect, self)
        self.nodes: dict[int, Tree] = {}
        self.flat: Flat | None = None
        self.negations = {self.words.blank(at + 1, len(text)): at for at in masked.negations}
        self.negated: set[int] = set()

    def flat_statements(self, found: Flat) -> tuple[Statement, ...]:
        """The statements of a text without nesting."""
        self.flat = found
        return self.chains(found.chains)

    def chains(self, chains: Iterable[Chain]) -> tuple[Statement, ...]:
        statements = []
        for chain in chains:
            element = self.assemble([(text, start) if text else self.command(start, end) for text, start, end in chain.parts])
            place = self.mapped.span(chain.at, chain.at + 1) if chain.separator else None
            statements.append(Statement(element.span, element, chain.separator, place))  # type: ignore[arg-type]
        return tuple(statements)

    def tree_statements(self) -> tuple[Statement, ...]:
        """The statements of a text as tree-sitter sees them."""
        tree = self.tree()
        statements = self.statements(tree.children, 0, len(self.text))
        self.finish()
        return statements

    def tree(self) -> Tree:
        """tree-sitter's tree, its expansions noted."""
        from dfkit.shell.tree import syntax_tree

        tree = syntax_tree(self.masked.text)
        self.collect(tree)
        return tree

    def collect(self, tree: Tree) -> None:
        """Note the expansions of a tree by where they start."""
        cursor = tree.walk()
        while True:
            node = cursor.node
            if node.type in _EXPANSIONS and node.is_named:
                self.nodes.setdefault(node.start_byte, node)
            if cursor.goto_first_child():
                continue
            while not cursor.goto_next_sibling():
                if not cursor.goto_parent():
                    return

    def finish(self) -> None:
        """Make sure that every `!` found the command that it negates."""
        if self.negated != self.negations.keys():
            raise Unreadable("a `!` before no command")

    # --- what Words asks for

    def end(self, at: int) -> int | None:
        if at in self.masked.backquotes:
            return self.masked.backquotes[at]
        if self.flat is not None:
            return self.flat.ends.get(at)
        node = self.nodes.get(at)
        return None if node is None else int(node.end_byte)

    def script(self, at: int, quoted: bool) -> tuple[str, Script] | None:
        if at in self.masked.backquotes:
            start, end = at + 1, self.masked.backquotes[at] - 1
            text = self.unescape(start, end, quoted) if "\\" in self.text[start:end] else self.mapped.slice(start, end)
            return "command", _parse(text, self.dialect, (), self.depth + 1)
        if self.flat is not None:
            start, end = at + 2, self.flat.ends[at] - 1
            inner = self.chains(self.flat.substitutions[at])
            return "command", Script(self.mapped.span(start, end), self.mapped.slice(start, end), inner, (), self.dialect, False)
        node = self.nodes[at]
        if node.type not in ("command_substitution", "process_substitution"):
            return None
        first, last = node.children[0], node.children[-1]
        start, end = first.end_byte, last.start_byte
        kind = {"<(": "input", ">(": "output"}.get(first.type, "command")
        statements = self.statements(node.children[1:-1], start, end)
        text = self.mapped.slice(start, end)
        return kind, Script(self.mapped.span(start, end), text, statements, (), self.dialect, False)

    def unescape(self, start: int, end: int, quoted: bool) -> Decoded:
        """What is between backquotes, as the inner shell sees it (POSIX 2.6.3)."""
        runs = []
        at = start
        special = '$`\\"' if quoted else "$`\\"
        while at < end:
            width = 2 if self.text[at] == "\\" and at + 1 < end and self.text[at + 1] in special else 1
            runs.append((self.text[at + width - 1], at, at + width))
            at += width
        return compose(self.mapped, runs, end)

    # --- lists

    def statements(self, children: list[Tree], start: int, end: int) -> tuple[Statement, ...]:
        """The statements of a list of nodes that fills `text[start:end]`."""
        nodes = [child for child in children if child.is_named]
        found = []
        at = start
        for index, node in enumerate(nodes):
            self.check_gap(at, node.start_byte)
            stop = nodes[index + 1].start_byte if index + 1 < len(nodes) else end
            element = self.element(node)
            at = self.after(node)
            separator = _separator(self.masked.text, at, stop)
            if separator is None:
                found.append(Statement(element.span, element, "", None))
            else:
                place, text = separator
                found.append(Statement(element.span, element, text, self.mapped.span(place, place + 1)))  # type: ignore[arg-type]
        self.check_gap(at, end)
        return tuple(found)

    def check_gap(self, start: int, end: int) -> None:
        """Make sure that nothing but separators is left out."""
        if not _GAP.fullmatch(self.masked.text, start, end):
            raise Unreadable(f"tree-sitter left out a part from {start} to {end}")

    def after(self, node: Tree) -> int:
        """The offset after a node, without the line end that some nodes take along."""
        start, end = int(node.start_byte), int(node.end_byte)
        while end > start and self.masked.text[end - 1].isspace():
            end -= 1
        return end

    def element(self, node: Tree) -> Element:
        """A command, or what commands are put together to."""
        flat: list[Any] = []
        self.flatten(node, self.after(node), flat)
        return self.assemble(flat)

    def flatten(self, node: Tree, end: int, into: list[Any]) -> None:
        """Take chains apart into elements and operators `(text, start)`; redirects up to `end` belong to the last element."""
        kind = node.type
        if kind not in ("list", "pipeline", "redirected_statement") and node.start_byte in self.negations:
            self.negated.add(node.start_byte)
            into.append(("!", self.negations[node.start_byte]))
        if kind in ("list", "pipeline"):
            # Long chains nest to the left: go down without recursion.
            spine: list[tuple[Tree, int]] = []
            while kind in ("list", "pipeline"):
                children = node.children
                spine += [(child, end if child is children[-1] else child.end_byte) for child in reversed(children[1:])]
                node, end = children[0], children[0].end_byte
                kind = node.type
            self.flatten(node, end, into)
            for child, stop in reversed(spine):
                if child.is_named:
                    self.flatten(child, stop, into)
                else:
                    into.append((child.type, child.start_byte))
        elif kind == "redirected_statement":
            body = node.child_by_field_name("body")
            if body is not None and body.start_byte == node.start_byte:
                self.flatten(body, end, into)
            elif body is None or body.type in _SIMPLE:
                if node.start_byte in self.negations:
                    self.negated.add(node.start_byte)
                    into.append(("!", self.negations[node.start_byte]))
                into.append(self.command(node.start_byte, end))
            else:
                raise Unreadable("a redirect before a compound command")
        elif kind in _SIMPLE or kind.endswith("_redirect"):
            into.append(self.command(node.start_byte, end))
        else:
            into.append(self.compound(node, end))

    def assemble(self, flat: list[Any]) -> Element:
        """Put elements and operators together: `!` binds a pipeline, `|` before `&&` and `||`, these from the left."""
        chain: list[Command | Compound | Pipeline] = []
        joints: list[tuple[str, int]] = []
        members: list[Any] = []
        pipes: list[str] = []
        bang: int | None = None
        for item in [*flat, ("", 0)]:
            if not isinstance(item, tuple):
                members.append(item)
            elif item[0] == "!":
                if members or bang is not None:
                    raise Unreadable("a `!` inside a pipeline")
                bang = item[1]
            elif item[0] in ("|", "|&"):
                pipes.append(item[0])
            else:
                if len(members) != len(pipes) + 1:
                    raise Unreadable("an operator without a command")
                if bang is None and len(members) == 1:
                    chain.append(members[0])
                else:
                    start = members[0].span.start if bang is None else self.mapped.offset(bang)
                    span = Span(start, members[-1].span.end)
                    chain.append(Pipeline(span, tuple(members), tuple(pipes), bang is not None))
                if item[0]:
                    joints.append(item)
                members, pipes, bang = [], [], None
        if len(chain) == 1:
            return chain[0]
        operators = tuple([text for text, _ in joints])
        spans = tuple([self.mapped.span(at, at + len(text)) for text, at in joints])
        return AndOr(Span(chain[0].span.start, chain[-1].span.end), tuple(chain), operators, spans)

    # --- simple commands

    def command(self, start: int, end: int) -> Command:
        """The simple command of a range."""
        words = self.words
        assignments: list[Assignment] = []
        found: list[tuple[int, int, Word]] = []
        redirects: list[Redirect] = []
        at = words.blank(start, end)
        test = self.text.startswith("[[", at) and self.text[at + 2 : at + 3] in (" ", "\t", "\n", "\\")
        last = at
        while at < end:
            match = None if found else ASSIGNMENT.match(self.text, at, end)
            if match is not None:
                assignment, at = self.assignment(match, end)
                assignments.append(assignment)
            else:
                token = words.token(at, end)
                at = token.end
                if token.word is not None:
                    found.append((token.start, token.end, token.word))
                    test = test and token.word.text != "]]"
                elif test:
                    found.append((token.start, token.end, self.operator_word(token.start, token.end)))
                else:
                    redirect, at = self.redirect(token.start, token.end, end)
                    redirects.append(redirect)
            last = at
            at = words.blank(at, end) if test else words.space(at, end)
        if found and found[0][2].text in _RESERVED:
            raise Unreadable(f"a keyword for a command at {start}")
        plain = tuple([word for _, _, word in found])
        script = self.nested(found, redirects) if found else None
        return Command(self.mapped.span(start, last), tuple(assignments), plain, tuple(redirects), script)

    def operator_word(self, start: int, end: int) -> Word:
        span, text = self.mapped.span(start, end), self.text[start:end]
        return Word(span, text, (Literal(span, text, False),), text)

    def assignment(self, match: re.Match[str], end: int) -> tuple[Assignment, int]:
        start, at = match.start(), match.end()
        name, subscript, operator = match.groups()
        subscript = (subscript or "")[1:-1]
        if self.text.startswith("(", at):
            stop = self.end(at)
            if stop is None:
                raise Unreadable(f"an array at {at}")
            items = tuple([token.word for token in self.words.tokens(at + 1, stop - 1) if token.word is not None])
            return Assignment(self.mapped.span(start, stop), name, operator, None, items, subscript), stop
        parts, _, stop = self.words.parts(at, end, "word")
        word = self.words.make(at, stop, parts)
        return Assignment(self.mapped.span(start, stop), name, operator, word, (), subscript), stop

    def redirect(self, start: int, at: int, end: int) -> tuple[Redirect, int]:
        operator = self.text[start:at].lstrip("0123456789")
        descriptor = self.text[start : at - len(operator)]
        if operator.startswith("{"):
            name, _, operator = operator.partition("}")
            descriptor = name + "}"
        if operator[:1] not in ("<", ">") and operator not in ("&>", "&>>"):
            raise Unreadable(f"`{operator}` inside a command")
        raw = self.masked.documents.get(at - len(operator))
        target, stop = self.words.word(self.words.space(at, end), end)
        if (raw is None) == (operator in ("<<", "<<-")):
            raise Unreadable(f"a here-document at {start}")
        document = self.document(raw) if raw is not None else None
        return Redirect(self.mapped.span(start, stop), operator, descriptor, target, document), stop

    # --- here-documents

    def document(self, raw: Raw) -> HereDocument:
        span, text = self.mapped.span(*raw.body), self.text[slice(*raw.body)]
        body = self.body(raw)
        parts: tuple[Part, ...]
        if raw.expand and any(char in body.text for char in "$`\\"):
            parts = _document_parts(body, self.dialect, self.depth + 1)
        else:
            parts = (Literal(span, body.text, True),) if body.text else ()
        value = None
        if all(isinstance(part, Literal) for part in parts):
            value = "".join([part.value for part in parts if isinstance(part, Literal)])
        return HereDocument(span, raw.delimiter, raw.expand, raw.chomp, text, parts, value)

    def body(self, raw: Raw) -> Mapped:
        """What is read from a here-document, expansions apart: with `<<-`, without leading tabs."""
        start, end = raw.body
        if not raw.chomp or "\t" not in self.text[start:end]:
            return self.mapped.slice(start, end)
        runs = []
        at = start
        for line in self.text[start:end].splitlines(keepends=True):
            kept = line.lstrip("\t")
            runs.append((kept, at + len(line) - len(kept), at + len(line)))
            at += len(line)
        return compose(self.mapped, runs, end)

    # --- scripts in scripts

    def nested(self, found: list[tuple[int, int, Word]], redirects: list[Redirect]) -> Script | None:
        """The script that a command hands to an interpreter."""
        values = literals([word for _, _, word in found])
        index = effective_index(values)
        call = invocation(values[index:])
        if call is None:
            return None
        if call.script is None:
            return self.standard_input(call.dialect, call.options, redirects)
        start, end, word = found[index + call.script]
        text = self.words.literal(start, end) if word.value is not None else None
        if text is None:
            return opaque(self.mapped.slice(start, end), call.dialect, call.options)
        return _parse(text, call.dialect, call.options, self.depth + 1)

    def standard_input(self, dialect: str, options: tuple[str, ...], redirects: list[Redirect]) -> Script | None:
        for redirect in reversed(redirects):
            document = redirect.document
            if document is None or redirect.descriptor not in ("", "0"):
                continue
            for raw in self.masked.documents.values():
                if self.mapped.span(*raw.body) == document.span:
                    body = self.body(raw)
                    if raw.expand and any(char in body.text for char in "$`\\"):
                        return opaque(body, dialect, options)
                    return _parse(body, dialect, options, self.depth + 1)
        return None

    # --- compound commands

    def compound(self, node: Tree, end: int) -> Compound:
        kind, children = node.type, node.children
        start, stop = node.start_byte, self.after(node)
        redirects = []
        at = self.words.space(stop, end)
        last = stop
        while at < end:
            token = self.words.token(at, end)
            if token.word is not None:
                raise Unreadable(f"a word after a compound command at {at}")
            redirect, last = self.redirect(token.start, token.end, end)
            redirects.append(redirect)
            at = self.words.space(last, end)
        make = getattr(self, f"_{kind}", None)
        if make is None:
            raise Unreadable(f"unknown construct {kind}")
        name, found, words, bodies = make(node, children)
        return Compound(self.mapped.span(start, last), name, bodies, words, found, tuple(redirects))

    def body_of(self, role: str, children: list[Tree], start: int, end: int, patterns: tuple[Word, ...] = ()) -> Body:
        statements = self.statements(children, start, end)
        inside = [*patterns, *statements]
        span = Span(inside[0].span.start, inside[-1].span.end) if inside else self.mapped.span(start, start)
        return Body(span, role, statements, patterns)  # type: ignore[arg-type]

    def between(self, role: str, children: list[Tree]) -> Body:
        """The body between two tokens."""
        return self.body_of(role, children[1:-1], children[0].end_byte, children[-1].start_byte)

    def parts(self, children: list[Tree], roles: dict[str, str]) -> list[Body]:
        """The bodies that keywords open: each goes to the next keyword; an empty role ends the last."""
        bodies: list[Body] = []
        role, start = "", 0
        held: list[Tree] = []
        for child in children:
            keyword = child.type in roles
            if keyword and role:
                bodies.append(self.body_of(role, held, start, child.start_byte))
            if keyword:
                role, start, held = roles[child.type], child.end_byte, []
            else:
                held.append(child)
        if role:
            bodies.append(self.body_of(role, held, start, self.after(children[-1])))
        return bodies

    def _subshell(self, node: Tree, children: list[Tree]) -> Made:
        if self.text.startswith("((", node.start_byte) and self.text.endswith("))", node.start_byte, node.end_byte):
            raise Unreadable("arithmetic that tree-sitter-bash takes for subshells")
        return "subshell", "", (), (self.between("body", children),)

    def _compound_statement(self, node: Tree, children: list[Tree]) -> Made:
        if children[0].type == "((":
            return "arithmetic", "", (self.expression(children[0].end_byte, children[-1].start_byte),), ()
        return "group", "", (), (self.between("body", children),)

    def expression(self, start: int, end: int) -> Word:
        """Arithmetic as one word."""
        parts, _, _ = self.words.parts(start, end, "argument")
        return self.words.make(start, end, parts)

    def _if_statement(self, node: Tree, children: list[Tree]) -> Made:
        flat: list[Tree] = []
        for child in children:
            flat += child.children if child.type in ("elif_clause", "else_clause") else [child]
        roles = {"if": "test", "elif": "test", "then": "body", "else": "body", "fi": ""}
        return "if", "", (), tuple(self.parts(flat, roles))

    def _while_statement(self, node: Tree, children: list[Tree]) -> Made:
        kind: CompoundKind = "until" if children[0].type == "until" else "while"
        flat = [*children[:-1], *children[-1].children]
        return kind, "", (), tuple(self.parts(flat, {"while": "test", "until": "test", "do": "body", "done": ""}))

    def _for_statement(self, node: Tree, children: list[Tree]) -> Made:
        kind: CompoundKind = "select" if children[0].type == "select" else "for"
        variable = node.child_by_field_name("variable")
        group = children[-1]
        words: tuple[Word, ...] = ()
        for child in children:
            if child.type == "in":
                stop = child.end_byte
                last = [c for c in children if c.is_named and c.start_byte >= stop and c is not group and c.type != "do_group"]
                region = (stop, last[-1].end_byte) if last else (stop, stop)
                words = self.plain_words(*region)
                self.check_gap(region[1], group.start_byte)
        return kind, self.text[variable.start_byte : variable.end_byte], words, (self.between("body", group.children),)

    def _c_style_for_statement(self, node: Tree, children: list[Tree]) -> Made:
        opening = next(child for child in children if child.type == "((")
        closing = next(child for child in children if child.type == "))")
        words = (self.expression(opening.end_byte, closing.start_byte),)
        return "arithmetic-for", "", words, (self.between("body", children[-1].children),)

    def _case_statement(self, node: Tree, children: list[Tree]) -> Made:
        keyword = next(child for child in children if child.type == "in")
        subject = self.plain_words(children[0].end_byte, keyword.start_byte)
        bodies = []
        for item in children:
            if item.type == "case_item":
                inner = item.children
                index = next(i for i, child in enumerate(inner) if child.type == ")")
                end = inner[-1].start_byte if inner[-1].type in (";;", ";&", ";;&") else item.end_byte
                held = [child for child in inner[index + 1 :] if child.type not in (";;", ";&", ";;&")]
                patterns = self.patterns(item.start_byte, inner[index].start_byte)
                bodies.append(self.body_of("body", held, inner[index].end_byte, end, patterns))
        return "case", "", subject, tuple(bodies)

    def plain_words(self, start: int, end: int) -> tuple[Word, ...]:
        words = []
        for token in self.words.tokens(start, end):
            if token.word is None:
                raise Unreadable(f"an operator at {token.start}")
            words.append(token.word)
        return tuple(words)

    def patterns(self, start: int, end: int) -> tuple[Word, ...]:
        words = []
        for token in self.words.tokens(start, end):
            if token.word is not None:
                words.append(token.word)
            elif self.text[token.start : token.end] not in ("|", "("):
                raise Unreadable(f"an operator at {token.start}")
        return tuple(words)

    def _function_definition(self, node: Tree, children: list[Tree]) -> Made:
        name, body = node.child_by_field_name("name"), node.child_by_field_name("body")
        element = self.element(body)
        statement = Statement(element.span, element, "", None)
        return "function", self.text[name.start_byte : name.end_byte], (), (Body(element.span, "body", (statement,)),)


def _separator(text: str, start: int, end: int) -> tuple[int, str] | None:
    """The first of `;`, `&` and a line end in a gap between statements."""
    for at in range(start, end):
        if text[at] in ";&" or (text[at] == "\n" and text[at - 1] != "\\"):
            return at, text[at]
    return None


def _document_parts(body: Mapped, dialect: str, depth: int) -> tuple[Part, ...]:
    """The parts of a here-document that is expanded: read as if it stood in double quotes."""
    if depth > DEPTH:
        raise Unreadable("scripts are nested too deep")
    size = len(body)
    start, end = body.offset(0), body.span(size, size).start
    places = [(span.start, span.end) for span in (body.span(at, at + 1) for at in range(size))]
    quoted = Decoded(f': "{body.text}"', (*[(start, start)] * 3, *places, (end, end), (end, end)))
    masked = mask_document(quoted.text, 3)
    reader = _Reader(quoted, dialect, masked, depth)
    reader.tree()
    parts, _, _ = reader.words.parts(3, size + 3, "document")
    return parts
