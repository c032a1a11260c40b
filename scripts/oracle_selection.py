#!/usr/bin/env python3
"""Build with only the files that a build needs, and with all of them: the images must be the same.

The engine is the one of the environment. SELECTION_EXAMPLES (default 100) is how many contexts and Dockerfiles are made up.
"""

from __future__ import annotations

import os
import random
import tempfile
from pathlib import Path

from dfkit.build import BuildRequest, Engine, Folders, SolveFailed, build, connect
from dfkit.context import ContextPlan, plan
from dfkit.image import SavedImage, flatten
from dfkit.output.size import human, percent
from dfkit.workflow.build import context_use, triggers_of

EXAMPLES = int(os.environ.get("SELECTION_EXAMPLES", "100"))
ROOT = Path(__file__).resolve().parent.parent
SHOWN = 20
EXCLUDE_SINCE = (1, 51)
"""The API version of Docker 28.3, whose own frontend has `COPY --exclude`."""

NAMES = ("a", "b", "ab", "src", "lib", "f.txt", "g.txt", "x.c", ".h", "a b", "é")
WILD = ("*", "?", "a*", "*.txt", "[ab]", "[a-z]*", "s*c", ".*")


def selection() -> tuple[int, list[str]]:
    """With and without selection: contexts that are made up, then all examples."""
    seed = random.SystemRandom().randrange(1 << 32)
    chance = random.Random(seed)
    failures = []
    refused = narrow = compared = 0
    needed = everything = 0
    with connect() as engine:
        has_busybox = engine.image("busybox") is not None
        exclude = engine.api_version >= EXCLUDE_SINCE
        while compared < EXAMPLES:
            with tempfile.TemporaryDirectory(prefix="dfkit-selection-") as folder:
                plant(Path(folder), chance)
                text = dockerfile(Path(folder), chance, has_busybox, exclude)
                chosen, whole = planned(Path(folder), text, engine), plan(folder)
                one, other = (built(engine, each, text) for each in (chosen, whole))
                if isinstance(one, str) and isinstance(other, str):
                    refused += 1
                    continue
                if one != other:
                    paths = [[entry.path for entry in each.entries] for each in (whole, chosen)]
                    failures.append(f"{differing(one, other)} by {text!r} over {paths[0]}, sends {paths[1]}")
                compared += 1
                narrow += not chosen.everything
                needed += chosen.size
                everything += whole.size
        lines = [
            f"- {engine.name}, {compared} contexts made up (seed {seed}): {len(failures)} with another image",
            f"- {refused} more are refused by the engine either way",
            f"- {narrow} need a part of the context only; sent {human(needed)} of {human(everything)} ({percent(everything, needed)})",
        ]
        for path in sorted((ROOT / "examples").glob("*/Dockerfile")):
            failed, line = example(engine, path)
            lines.append(line)
            failures += [line] if failed else []
    return len(failures), [*lines, *(f"  - {failure}" for failure in failures[:SHOWN])]


def planned(folder: Path, text: str, engine: Engine) -> ContextPlan:
    """The context as `dfkit build` would send it."""
    use = context_use("Dockerfile", text, build_args={}, target=None, triggers=triggers_of(engine))
    return plan(folder, reads=use.reads, reasons=use.reasons)


def built(engine: Engine, chosen: ContextPlan, text: str) -> object:
    """The files of the image that a plan gives, or why the engine refuses."""
    try:
        result = build(engine, BuildRequest(no_cache=True, network="none"), Folders(chosen, text.encode()), lambda _event: None)
    except SolveFailed as error:
        return error.reason
    try:
        with SavedImage.read(engine.save(result.image_id)) as saved:
            return dict(flatten(saved).files)
    finally:
        engine.remove(result.image_id)


def differing(one: object, other: object) -> object:
    """The paths that two images do not share, or why the engine refuses one of them."""
    if isinstance(one, dict) and isinstance(other, dict):
        return {path: (one.get(path), other.get(path)) for path in one.keys() | other.keys() if one.get(path) != other.get(path)}
    return one if isinstance(one, str) else other


def example(engine: Engine, path: Path) -> tuple[bool, str]:
    """An example's image with its selection, then with all files and the cache: nothing may be run again."""
    text = path.read_text()
    chosen = planned(path.parent, text, engine)
    whole = plan(path.parent, dockerfile_path=path)
    request = BuildRequest(network="host")
    try:
        first = build(engine, request, Folders(chosen, text.encode()), lambda _event: None)
        second = build(engine, request, Folders(whole, text.encode()), lambda _event: None)
    except SolveFailed as error:
        return True, f"- {path.parent.name}: not built, {error.reason.splitlines()[0]}"
    same = first.image_id == second.image_id and not second.executed
    engine.remove(first.image_id)
    if not same:
        engine.remove(second.image_id)
    sent = f"{human(chosen.size)} of {human(whole.size)} sent"
    return not same, f"- {path.parent.name}: {'the same image' if same else 'ANOTHER IMAGE'}, {sent}"


def plant(root: Path, chance: random.Random) -> None:
    """A folder of a few files, folders and links, some of which lead nowhere or in circles."""
    for _ in range(chance.randrange(3, 16)):
        path = root.joinpath(*chance.choices(NAMES, k=chance.randrange(1, 4)))
        above = path.parents[: len(path.relative_to(root).parts)]
        if any(each.is_symlink() or each.is_file() for each in (path, *above)) or path.exists():
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        kind = chance.random()
        if kind < 0.2:
            path.symlink_to(
                chance.choice(["", "", "/", "../"]) + "/".join(chance.choices((*NAMES, ".."), k=chance.randrange(1, 3)))
            )
        elif kind < 0.3:
            path.mkdir()
        else:
            path.write_bytes(chance.randbytes(chance.randrange(2000)))
            path.chmod(chance.choice([0o644, 0o755, 0o600]))


def dockerfile(root: Path, chance: random.Random, has_busybox: bool, exclude: bool) -> str:
    """A Dockerfile that reads something of a folder; `exclude` says that COPY has such a flag."""
    there = [str(path.relative_to(root)) for path in sorted(root.rglob("*"))] or ["a"]

    def source() -> str:
        path = chance.choice(there)
        parts = path.split("/")
        kind = chance.random()
        if kind < 0.3:
            parts[chance.randrange(len(parts))] = chance.choice(WILD)
        elif kind < 0.4:
            parts = parts[:-1]
        elif kind < 0.5:
            parts = ["", *parts, chance.choice(["", ".", "*"])]
        elif kind < 0.55:
            parts.append(chance.choice(NAMES))
        return "/".join(parts) or "."

    def copy(word: str = "COPY") -> str:
        sources = [source() for _ in range(chance.choice([1, 1, 1, 2]))]
        if exclude and word == "COPY" and chance.random() < 0.3:
            word += f" --exclude={chance.choice((*NAMES[:6], *WILD))}"
        return f"{word} {[*sources, f'/d{chance.randrange(3)}/']!s}".replace("'", '"')

    lines = ["FROM scratch AS first", *(copy(chance.choice(["COPY", "COPY", "ADD"])) for _ in range(chance.randrange(1, 4)))]
    if chance.random() < 0.3:
        lines.append("ONBUILD " + copy())
    if chance.random() < 0.4:
        lines += [f"FROM {chance.choice(['first', 'scratch'])}", copy()]
    if chance.random() < 0.2:
        lines += ["ARG P=" + chance.choice(NAMES), "COPY ${P}* /p/"]
    if has_busybox and chance.random() < 0.3:
        lines = [
            "FROM busybox AS seen",
            f"RUN --mount=type=bind,target=/c,source={chance.choice(there)!r} ls -lR /c > /l".replace("'", '"'),
            *lines,
        ]
        lines.append("COPY --from=seen /l /l")
    return "\n".join([*lines, ""])


def main() -> int:
    failed, lines = selection()
    print("\n".join(lines))
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
