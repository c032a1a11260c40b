"""Who the container runs as."""

from __future__ import annotations

from dfkit.checks.binding import Finding, check
from dfkit.model import Stage
from dfkit.syntax.nodes import Cmd, Copy, Entrypoint, Run, User
from dfkit.syntax.words import variables
from dfkit.text import INFO, STYLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from dfkit.checks.binding import Place

_DROPS = ("gosu", "su-exec", "setpriv", "s6-setuidgid", "chpst")
_ROOTLESS = ("nonroot", "rootless", "unprivileged")


@check(Stage)
def root_last(node: Stage, at: Place) -> Iterator[Finding]:
    """The last USER of a stage is root. Softer in a stage that the final image is not built on."""
    last = next((each for each in reversed(node.instructions) if isinstance(each, User)), None)
    if last is None:
        return
    user = at.model.expand(last.value, last)
    if user is not None and user.split(":")[0] in ("root", "0"):
        yield Finding(last.value.span, severity=None if at.model.is_shipped(node) else STYLE)


@check(Stage)
def no_user(node: Stage, at: Place) -> Iterator[Finding]:
    """The final stage never says USER. Softer where the base image may, nothing is started, or gosu or the like is there."""
    state = at.model.end_state(node)
    if node is not at.model.final or state.user_from is not None or state.os == "windows":
        return
    root = node.root
    if root.image is not None and any(word in root.image for word in _ROOTLESS):
        return
    if state.is_root is False:
        return
    source = at.model.dockerfile.source
    started = [each for stage in node.lineage for each in stage.instructions if isinstance(each, Run | Cmd | Entrypoint)]
    drops = any(name in source.slice(each.span) for each in started for name in _DROPS)
    sure = state.is_root is True and (state.cmd or state.entrypoint) is not None and not drops
    if state.is_root:
        message = "nothing sets USER, so the container runs as root: add a user and name it in USER"
    else:
        message = "nothing sets USER, so the base image decides whether the container runs as root: name a user in USER"
    yield Finding(node.from_.image.span, message, severity=None if sure else INFO)


@check(User)
def named(node: User, at: Place) -> Iterator[Finding]:
    """USER names a user and not a number. Softer but in a stage from scratch that copies no `/etc/passwd` to look the name up in."""
    if at.stage is None or at.model.is_trigger(node):
        return
    value = _as_hadolint(node, at) if at.imitates("hadolint") else at.model.expand(node.value, node)
    user = (value or "").split(":")[0]
    if not user or user.isdecimal():
        return
    if (user == "root" or at.model.state(node).os == "windows") and not at.imitates("hadolint"):
        return
    scratch = at.stage.root.image == "scratch"
    unknown = scratch and not any(
        "passwd" in at.model.dockerfile.source.slice(each.span) for each in at.stage.instructions if isinstance(each, Copy)
    )
    message = f"there is no `/etc/passwd` that says who `{user}` is: write the number" if unknown else None
    yield Finding(node.value.span, message, severity=None if message else STYLE)


def _as_hadolint(node: User, at: Place) -> str | None:
    """The value as written; None with a variable that ARG gives a default."""
    names = [at.model.scope(node).binding(each.name) for each in variables(node.value, at.model.dockerfile.escape)]
    return None if any(each is not None and each.kind == "arg" for each in names) else node.value.text
