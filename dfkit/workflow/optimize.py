"""Optimize a file: the SAFE fixes of rules about size and rebuilds, then the passes across instructions."""

from __future__ import annotations

import os

from dfkit._record import replace
from dfkit.model import Model
from dfkit.syntax import parse
from dfkit.text import SAFE
from dfkit.workflow.lint import DEFAULT, selection
from dfkit.workflow.read import context_folder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from dfkit.catalog import Selection
    from dfkit.optimize import BaseFacts, ContextFacts, Optimized, Proposal
    from dfkit.text import Source
    from dfkit.text.settings import Settings

    RuleFixes = Callable[[Model], Iterator[Proposal]]

TAGS = frozenset({"size", "rebuild"})
"""What a rule's fix must be for, to be part of an optimization: a smaller image or a faster rebuild."""


def optimize_source(
    source: Source,
    *,
    build_args: Mapping[str, str] | None = None,
    contexts: Collection[str] = (),
    allow: Collection[str] = (),
    context: str | None = None,
    base: Callable[[str], BaseFacts | None] | None = None,
    ignore_file: str | None = None,
    rules: Selection | None = None,
    settings: Settings = DEFAULT,
) -> Optimized:
    """A text rewritten.

    `contexts` are the names of named contexts; `allow` names the passes that change the image on purpose; `base` tells what is known
    of base images. Of the `rules` (default: the profile recommended) those with SAFE fixes for size and rebuilds are applied, with
    the parameters in `settings`.

    Raises `UsageError` for a pass or a context that does not exist.
    """
    from dfkit.optimize import Facts, optimize

    model = Model(parse(source), build_args=build_args, contexts=contexts)
    folder = context_folder(model, context)
    facts = Facts(context_facts(folder, source.name, ignore_file) if folder is not None else None)
    if base is not None:
        facts = replace(facts, base=base)
    return optimize(
        source.text,
        build_args=build_args or {},
        contexts=contexts,
        allow=allow,
        facts=facts,
        rule_fixes=rule_fixes(rules if rules is not None else selection(), replace(settings, context=folder)),
    )


def context_facts(folder: str, dockerfile: str, ignore_file: str | None = None) -> ContextFacts:
    """What the engine would see of a folder. Raises `ContextError`."""
    from dfkit.context import plan
    from dfkit.optimize import ContextFacts

    path = dockerfile if os.path.isfile(dockerfile) else None
    entries = plan(folder, dockerfile_path=path, ignore_file=ignore_file).entries
    return ContextFacts(folder, {entry.path: entry for entry in entries})


def rule_fixes(rules: Selection, settings: Settings) -> RuleFixes:
    """What the SAFE fixes of rules about size and rebuilds propose for a model."""
    from dfkit.lint import Linter
    from dfkit.optimize import Proposal

    chosen = rules.where(lambda rule: rule.fix == SAFE and not TAGS.isdisjoint(rule.tags))
    linter = Linter(chosen, settings)
    declared = {rule.name: rule.declares for rule in chosen}

    def propose(model: Model) -> Iterator[Proposal]:
        for each in linter.lint(model):
            if each.fix is not None and each.fix.applicability == SAFE:
                text = chosen.catalog.documentation(each.rule)
                gain = text.gain if text else ""
                yield Proposal(each.rule, each.fix, each.span, each.message, gain, declared.get(each.rule, ()))

    return propose
