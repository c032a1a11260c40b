"""The secrets and ssh agents of a build, held against what its steps ask for, before anything is sent."""

from __future__ import annotations

from dfkit.errors import UsageError
from dfkit.model import outline
from dfkit.syntax.nodes import Add

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from dfkit.build import BuildRequest
    from dfkit.model import Model
    from dfkit.model.outline import Need
    from dfkit.model.stages import Stage
    from dfkit.model.uses import Triggers

_FETCHING = ("GIT_AUTH_", "HTTP_AUTH_")
"""What the ids of secrets begin with that BuildKit asks for itself, to fetch what an ADD names.

https://docs.docker.com/build/building/secrets/#git-authentication-for-remote-contexts
"""


def check_needs(model: Model, target: Stage, request: BuildRequest, triggers: Triggers) -> tuple[str, ...]:
    """A sentence for each secret and ssh agent that is given and no step of the target asks for.

    Raises `UsageError` for one that a step cannot do without and that is not given, with the line of the step. `triggers` are what
    base images bring along.
    """
    secrets, ssh = outline.needs(model, target)
    given_secrets, given_ssh = {each.id for each in request.secrets}, {each.id for each in request.ssh}
    _check(model, secrets, given_secrets, "secret", "--secret id={0},src=FILE` or `--secret id={0},env=VARIABLE")
    _check(model, ssh, given_ssh, "ssh agent", "--ssh {0}")
    inherited = " ".join(line for stage in model.stages if stage.image for line in triggers(stage.image) or ())
    if "--mount" in inherited:
        return ()
    unused = [f"no step asks for the secret {name}" for name in _left(given_secrets, secrets) if not name.startswith(_FETCHING)]
    if not _fetches_by_ssh(model):
        unused += [f"no step asks for the ssh agent {name}" for name in _left(given_ssh, ssh)]
    return tuple(unused)


def _check(model: Model, needs: Iterable[Need], given: set[str], what: str, flag: str) -> None:
    source = model.dockerfile.source
    for need in needs:
        if need.required and need.name not in given and "$" not in need.name:
            line = source.position(need.span.start).line
            raise UsageError(
                f"{source.name}:{line}: the step needs the {what} {need.name}, which is not given: add `{flag.format(need.name)}`"
            )


def _left(given: set[str], needs: Iterable[Need]) -> list[str]:
    """What is given and not asked for; nothing where the id of a mount is not known."""
    asked = {need.name for need in needs}
    return sorted(given - asked) if not any("$" in name for name in asked) else []


def _fetches_by_ssh(model: Model) -> bool:
    """Whether an ADD takes a repository by ssh, for which BuildKit asks the agent itself."""
    adds = (each for stage in model.stages for each in stage.instructions if isinstance(each, Add))
    texts = [model.dockerfile.source.text[each.span.start : each.span.end] for each in adds]
    return any("git@" in text or "ssh://" in text for text in texts)
