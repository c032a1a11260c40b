"""Measure what an optimization gains, and show that nothing else changed: both images are built, flattened and compared."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor

from dfkit._record import Record, replace
from dfkit.errors import UsageError
from dfkit.workflow.build import plan_context, with_secrets

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from dfkit.build import BuildRequest, BuildResult, Engine, Event
    from dfkit.context import ContextPlan
    from dfkit.image.flatten import Flat
    from dfkit.verify import Comparison
    from dfkit.workflow.build import Prepared

_SOURCES = (
    ".py", ".rb", ".js", ".mjs", ".cjs", ".ts", ".tsx", ".jsx", ".go", ".rs", ".c", ".h", ".cc", ".cpp", ".java", ".kt", ".cs",
    ".php", ".pl", ".ex", ".scala", ".swift", ".vue", ".css", ".html", ".sh",
)  # fmt: skip
"""Endings of files that people edit between two builds, where a line of white space at the end changes nothing."""

_MANIFESTS = ("setup.py", "conftest.py", "build.gradle.kts")


class Measured(Record):
    """One image: bytes and layers above its base, bytes in layers that no container can see, steps run again after an edit.

    `rerun` is None where there is no source to edit.
    """

    image: str
    bytes: int
    layers: int
    shadowed: int
    rerun: int | None


class Proof(Record):
    """What was measured before and after, and what differs. `edited` is the file whose edit was replayed."""

    before: Measured
    after: Measured
    comparison: Comparison
    edited: str | None


def prove(
    prepared: Prepared,
    request: BuildRequest,
    engine: Engine,
    *,
    edit: str | None = None,
    keep: bool = False,
    on_event: Callable[[Event], None] = lambda _event: None,
    say: Callable[[str], None] = lambda _sentence: None,
) -> Proof:
    """Build the original twice and the optimized text once, without cache; compare, then replay a one-line edit in both.

    What differs between the two builds of the original is noise. `edit` names the file to edit, relative to the context; without
    it one is chosen. The images are removed afterwards unless they are to be kept. `say` is told which long step begins.

    Raises `BuildFailed`, `NoEngine`, `UsageError` if `edit` is no file of the context.
    """
    from dfkit.verify import compare

    edited = edit if edit is not None else edited_file(prepared.plan)
    if edit is not None and edit not in {entry.path for entry in prepared.plan.entries}:
        raise UsageError(f"{edit} is not among the files that the build sends; `dfkit build --dry-run` lists them")
    fresh = replace(with_secrets(request), no_cache=True, tags=())
    images: list[str] = []
    base = _base_layers(prepared, engine)

    def build(text: str, what: str) -> Future[tuple[Flat, Measured]]:
        say(f"building {what}")
        images.append(_build(prepared, prepared.plan.root, text, fresh, engine, on_event).image_id)
        # While the next one is built this one is read: that takes a good part of a build's time.
        return looking.submit(_look, engine, images[-1], base)

    try:
        with ThreadPoolExecutor(1) as looking:
            looks = [
                build(prepared.source.text, "the original"),
                build(prepared.text, "the optimized image"),
                build(prepared.source.text, "the original once more, to know what differs between any two builds"),
            ]
            say("reading what the images hold")
            (original, before), (optimized, after), (noise, _) = [look.result() for look in looks]
        say("comparing the images")
        applied = prepared.optimized.applied if prepared.optimized is not None else ()
        declared = [pattern for proposal in applied for pattern in proposal.declared]
        comparison = compare(original, optimized, noise=noise, declared=declared, base_layers=base)
        reruns: tuple[int | None, int | None] = (None, None)
        if edited is not None:
            say(f"building both again after an edit of {edited}")
            reruns = _after_edit(prepared, edited, replace(fresh, no_cache=False), engine, on_event)
        return Proof(replace(before, rerun=reruns[0]), replace(after, rerun=reruns[1]), comparison, edited)
    finally:
        if not keep:
            for image in dict.fromkeys(images):
                engine.remove(image)


def edited_file(plan: ContextPlan) -> str | None:
    """The file that stands for "a source file that people edit": the largest with such an ending that is no manifest."""
    sources = [
        entry
        for entry in plan.entries
        if entry.kind == "file" and entry.path.endswith(_SOURCES) and os.path.basename(entry.path) not in _MANIFESTS
    ]
    return max(sources, key=lambda entry: (entry.size, entry.path)).path if sources else None


def _build(
    prepared: Prepared,
    root: os.PathLike[str] | str,
    text: str,
    request: BuildRequest,
    engine: Engine,
    on_event: Callable[[Event], None],
) -> BuildResult:
    """Build a text with the files of the context at `root` that this text needs."""
    from dfkit.workflow.build import build_text

    file = prepared.source.name
    values = {name: value for name, value in request.build_args.items() if value is not None}
    plan = plan_context(os.fspath(root), file, text, build_args=values, target=request.target, engine=engine)
    return build_text(plan, text, request, engine, on_event)


def _after_edit(
    prepared: Prepared, edited: str, request: BuildRequest, engine: Engine, on_event: Callable[[Event], None]
) -> tuple[int, int]:
    """How many steps each text runs again after one more line in a file, with the cache of the builds before."""
    with tempfile.TemporaryDirectory(prefix="dfkit-prove-") as folder:
        root = os.path.join(folder, "context")
        shutil.copytree(prepared.plan.root, root, symlinks=True)
        runs: list[list[int]] = []
        for change in (False, True):
            if change:
                # White space, unlike that of any build before: the engine must not find the edited file in its cache.
                nonce = "".join(" \t"[bit == "1"] for bit in f"{secrets.randbits(48):048b}")
                with open(os.path.join(root, edited), "a", encoding="utf-8") as file:
                    file.write(f"\n{nonce}\n")
            runs.append(
                [
                    len(_build(prepared, root, text, request, engine, on_event).executed)
                    for text in (prepared.source.text, prepared.text)
                ]
            )
        return runs[1][0], runs[1][1]


def _look(engine: Engine, image: str, base: int) -> tuple[Flat, Measured]:
    """An image's files, and what it weighs above `base` layers."""
    from dfkit.image import SavedImage, flatten, waste

    with SavedImage.read(engine.save(image)) as saved:
        flat = flatten(saved)
        weighed = waste(flat, saved.layers, base_layers=base)
        return flat, Measured(image, weighed.bytes, len(saved.layers) - base, weighed.shadowed, None)


def _base_layers(prepared: Prepared, engine: Engine) -> int:
    """How many layers the base of the final stage brings; 0 where the engine does not have it."""
    from dfkit.model import Model
    from dfkit.syntax import parse

    model = Model(parse(prepared.source))
    name = model.final.root.image if model.final is not None else None
    local = engine.image(name) if name and name != "scratch" else None
    return len(local.layers) if local is not None else 0
