"""All passes together: order, stability, the corpus."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

import pytest

from dfkit.model import Model
from dfkit.optimize import Proposal, optimize, passes
from dfkit.optimize.runs import groups, join
from dfkit.shell import Script
from dfkit.syntax import parse
from dfkit.syntax.nodes import Run
from dfkit.text import SAFE, UNSAFE, Edit, Fix, Span, apply
from dfkit.verify.shelltrace import NoOracle, agree

pytestmark = pytest.mark.xdist_group("sandbox")

CORPUS = Path(__file__).parents[2] / "../shared/corpus/dockerfiles"


def test_every_pass_has_its_own_name_and_unsafe_ones_are_asked_for():
    found = passes()
    assert len({each.name for each in found}) == len(found)
    assert all(each.allow for each in found if each.applicability == UNSAFE)


def test_a_text_without_anything_to_do_is_unchanged():
    text = "FROM debian:12\nRUN a\n"
    made = optimize(text)
    assert (made.text, made.applied, made.refused) == (text, (), ())


def test_passes_build_on_each_other():
    text = (
        "FROM debian:12\nRUN apt-get update\nRUN apt-get install -y curl\n"
        "RUN curl -fsSLo /tmp/x.tgz https://e.test/x.tgz\nRUN tar xf /tmp/x.tgz -C /opt\nRUN rm /tmp/x.tgz\n"
    )
    made = optimize(text)
    assert made.text == (
        "FROM debian:12\nRUN apt-get update \\\n    && apt-get install -y curl \\\n    && rm -rf /var/lib/apt/lists/*\n"
        "RUN curl -fsSLo /tmp/x.tgz https://e.test/x.tgz \\\n    && tar xf /tmp/x.tgz -C /opt \\\n    && rm /tmp/x.tgz\n"
    )
    assert made.declared == ("/var/lib/apt/lists/**",)


def test_fixes_of_rules_are_applied_with_the_passes():
    def shout(model):
        at = model.dockerfile.source.text.find("quiet")
        if at >= 0:
            yield Proposal(
                "shout", Fix("shout", (Edit(Span(at, at + 5), "LOUD"),), SAFE), Span(at, at + 5), "It is quiet.", "noise"
            )
            yield Proposal("no", Fix("no", (Edit(Span(0, 4), ""),), UNSAFE), Span(0, 4), "It is unsafe.", "nothing")

    made = optimize("FROM debian:12\nRUN quiet\n", rule_fixes=shout)
    assert made.text == "FROM debian:12\nRUN LOUD\n"
    assert [each.pass_name for each in made.applied] == ["shout"]


def test_refusals_say_why():
    text = "FROM debian:12\nRUN curl -o /t https://e.test/t\nUSER me\nRUN chmod +x /t\n"
    (found,) = optimize(text).refused
    assert found.pass_name == "merge-runs"
    assert "USER in line 3 stands between" in found.why


def corpus() -> list[Path]:
    if not CORPUS.is_dir():
        pytest.skip("the corpus of Dockerfiles is not here")
    return sorted(path for path in CORPUS.rglob("*") if path.is_file())


def test_a_sample_of_real_files_stays_readable_and_stable():
    for path in random.Random(2).sample(corpus(), 120):
        text = path.read_bytes().decode("utf-8", "surrogateescape")
        made = optimize(text, allow=("build-deps", "fewer-layers")).text
        before = {problem.message for problem in parse(text).problems}
        assert {problem.message for problem in parse(made).problems} <= before, path
        assert optimize(made, allow=("build-deps", "fewer-layers")).text == made, path


def _script(model: Model, run: Run) -> Script:
    (script,) = model.scripts(run)
    return script


def merged(count: int, seed: int) -> list[tuple[list[Script], Script]]:
    """Groups of RUNs of real files, and the script that they become."""
    found = []
    paths = corpus()
    random.Random(seed).shuffle(paths)
    for path in paths:
        text = path.read_bytes().decode("utf-8", "surrogateescape")
        model = Model(parse(text))
        for stage in model.stages:
            for group in groups(stage, model):
                edits = join(model, group) if len(group) > 1 else ""
                if isinstance(edits, str):
                    continue
                after = Model(parse(apply(text, edits)))
                first = next(
                    each
                    for each in after.stages[stage.index].instructions
                    if isinstance(each, Run) and each.span.start >= group[0].span.start
                )
                found.append(([_script(model, run) for run in group], _script(after, first)))
                if len(found) == count:
                    return found
    return found


def test_joined_scripts_of_real_files_are_valid():
    for _, script in merged(150, 3):
        assert not script.opaque
        shell = "bash" if script.dialect == "bash" else "sh"
        checked = subprocess.run([shell, "-n"], input=script.text.text.encode("utf-8", "surrogateescape"), capture_output=True)
        assert checked.returncode == 0, script.text.text


def test_joined_scripts_of_real_files_do_what_they_did():
    checked = 0
    for scripts, script in merged(30, 4):
        shell = ("bash", "-c") if script.dialect == "bash" else ("dash", "-c")
        try:
            found = agree([each.text.text for each in scripts], [script.text.text], shells=[shell], limit=24)
        except NoOracle as error:
            pytest.skip(str(error))
        assert found is None, str(found)
        checked += 1
    assert checked > 10
