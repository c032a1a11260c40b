"""Names of images and stages, as hadolint compares them."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dfkit.checks.binding import Place
    from dfkit.syntax.nodes import From


def is_base(at: Place) -> bool:
    """Whether a stage is like the last one, or some FROM has its name for an image's, whatever tag stands behind it; in ONBUILD always."""
    if at.stage is None or at.instruction is None or at.model.is_trigger(at.instruction):
        return at.stage is not None
    from_, stages = at.stage.from_, at.model.stages
    if _parts(from_) == _parts(stages[-1].from_):
        return True
    return from_.alias is not None and any(repository(each.from_.image.text) == from_.alias.text for each in stages)


def _parts(from_: From) -> tuple[str | None, ...]:
    platform = from_.flag("platform")
    return (
        from_.image.text,
        from_.alias.text if from_.alias is not None else None,
        platform.value if platform is not None else None,
    )


def repository(image: str) -> str:
    """The name of an image without registry, tag and digest."""
    first, slash, rest = image.partition("@")[0].partition("/")
    name = rest if slash and ("." in first or ":" in first) else first + slash + rest
    return name.partition(":")[0]
