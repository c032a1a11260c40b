"""From tree-sitter's tree to nodes: for scripts that `dfkit.shell.flat` and `dfkit.shell.nest` do not read.

tree-sitter-bash decides what is nested in what. `&&`, `||`, `|`, `!` and redirects are put together here, as it groups some of them
otherwise than a shell does. What it reports an error for is opaque.
"""

from __future__ import annotations

from dfkit._regex import regex
from dfkit.shell.compound import body, patterns, plain_words, redirects_after
from dfkit.shell.mask import Unreadable
from dfkit.shell.nodes import Body, Compound, Script, Statement
from dfkit.shell.parse import Reader
from dfkit.shell.tree import syntax_tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from dfkit.shell.mask import Masked
    from dfkit.shell.nodes import BodyRole, CompoundKind, Element, Word
    from dfkit.shell.tree import Tree
    from dfkit.text import Mapped

    Made = tuple[CompoundKind, str, tuple[Word, ...], tuple[Body, ...]]
    """Kind, name, words and bodies of a compound command."""

_EXPANSIONS = ("command_substitution", "process_substitution", "expansion", "arithmetic_expansion", "array")
_SIMPLE = ("command", "declaration_command", "unset_command", "test_command", "variable_assignment", "variable_assignments")
_GAP = regex(r"(?:[\s;&]|\\\n)*")


class TreeReader(Reader):
    """Turns the tree of one text into nodes."""

    def __init__(self, text: Mapped, dialect: str, masked: Masked, depth: int) -> None:
        super().__init__(text, dialect, masked, depth)
        self.nodes: dict[int, Tree] = {}
        self.negations = {self.words.blank(at + 1, len(text)): at for at in masked.negations}
        self.negated: set[int] = set()

    def tree_statements(self) -> tuple[Statement, ...]:
        """The statements of the text as tree-sitter sees them."""
        tree = self.tree()
        statements = self.statements(tree.children, 0, len(self.text))
        if self.negated != self.negations.keys():
            raise Unreadable("a `!` before no command")
        return statements

    def tree(self) -> Tree:
        """tree-sitter's tree, its expansions noted."""
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

    # --- what Words asks for

    def end(self, at: int) -> int | None:
        """As `Expansions.end`; also of an array."""
        found = super().end(at)
        node = self.nodes.get(at) if found is None else None
        return int(node.end_byte) if node is not None else found

    def script(self, at: int, quoted: bool) -> tuple[str, Script] | None:
        """As `Expansions.script`."""
        node = self.nodes.get(at)
        if node is None or at in self.masked.backquotes:
            return super().script(at, quoted)
        if node.type not in ("command_substitution", "process_substitution"):
            return None
        first, last = node.children[0], node.children[-1]
        start, end = first.end_byte, last.start_byte
        kind = {"<(": "input", ">(": "output"}.get(first.type, "command")
        statements = self.statements(node.children[1:-1], start, end)
        text = self.mapped.slice(start, end)
        return kind, Script(self.mapped.span(start, end), text, statements, (), self.dialect, False)

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
        elif kind in _SIMPLE or kind.endswith("_redirect") or self.text.startswith("{}", node.start_byte):
            into.append(self.command(node.start_byte, end))
        else:
            into.append(self.compound(node, end))

    # --- compound commands

    def compound(self, node: Tree, end: int) -> Compound:
        """A node and its redirects up to `end`."""
        kind, children = node.type, node.children
        start, stop = node.start_byte, self.after(node)
        redirects, last = redirects_after(self, stop, end)
        make = getattr(self, f"_{kind}", None)
        if make is None:
            raise Unreadable(f"unknown construct {kind}")
        name, found, words, bodies = make(node, children)
        return Compound(self.mapped.span(start, last), name, bodies, words, found, redirects)

    def body_of(self, role: BodyRole, children: list[Tree], start: int, end: int, found: tuple[Word, ...] = ()) -> Body:
        """The body that fills `text[start:end]`, after a case's patterns."""
        return body(self, role, self.statements(children, start, end), start, found)

    def between(self, role: BodyRole, children: list[Tree]) -> Body:
        """The body between two tokens."""
        return self.body_of(role, children[1:-1], children[0].end_byte, children[-1].start_byte)

    def parts(self, children: list[Tree], roles: dict[str, BodyRole | None]) -> list[Body]:
        """The bodies that keywords open: each goes to the next keyword; one without role ends the last."""
        bodies: list[Body] = []
        role: BodyRole | None = None
        start = 0
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
        roles: dict[str, BodyRole | None] = {"if": "test", "elif": "test", "then": "body", "else": "body", "fi": None}
        return "if", "", (), tuple(self.parts(flat, roles))

    def _while_statement(self, node: Tree, children: list[Tree]) -> Made:
        kind: CompoundKind = "until" if children[0].type == "until" else "while"
        flat = [*children[:-1], *children[-1].children]
        return kind, "", (), tuple(self.parts(flat, {"while": "test", "until": "test", "do": "body", "done": None}))

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
                words = plain_words(self, *region)
                self.check_gap(region[1], group.start_byte)
        return kind, self.text[variable.start_byte : variable.end_byte], words, (self.between("body", group.children),)

    def _c_style_for_statement(self, node: Tree, children: list[Tree]) -> Made:
        opening = next(child for child in children if child.type == "((")
        closing = next(child for child in children if child.type == "))")
        words = (self.expression(opening.end_byte, closing.start_byte),)
        return "arithmetic-for", "", words, (self.between("body", children[-1].children),)

    def _case_statement(self, node: Tree, children: list[Tree]) -> Made:
        value = node.child_by_field_name("value")
        subject = plain_words(self, value.start_byte, value.end_byte)
        bodies = []
        for item in children:
            if item.type == "case_item":
                inner = item.children
                index = next(i for i, child in enumerate(inner) if child.type == ")")
                end = inner[-1].start_byte if inner[-1].type in (";;", ";&", ";;&") else item.end_byte
                held = [child for child in inner[index + 1 :] if child.type not in (";;", ";&", ";;&")]
                found = patterns(self, item.start_byte, inner[index].start_byte)
                bodies.append(self.body_of("body", held, inner[index].end_byte, end, found))
        return "case", "", subject, tuple(bodies)

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
