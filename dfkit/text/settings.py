"""What a user may set about linting; configuration files and command lines are read into it."""

from __future__ import annotations

from dfkit._record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    from dfkit.text.diagnostic import Severity

    Profile = Literal["recommended", "hadolint", "buildkit", "security", "all"]

PROFILES: tuple[Profile, ...] = ("recommended", "hadolint", "buildkit", "security", "all")
TOOLS = ("hadolint", "buildkit")
"""Profiles that imitate a tool: they have the rules that it has, by its names, as grave as it says, and print the lines that it prints."""


class Settings(Record):
    """Which rules run and what they are told. Rules are given by name, code, or their name in another tool, in any case."""

    profile: Profile = "recommended"
    select: tuple[str, ...] = ()
    """Rules to run besides those of the profile."""
    ignore: tuple[str, ...] = ()
    """Rules not to run, whatever selects them."""
    severities: tuple[tuple[str, Severity], ...] = ()
    """Pairs of a rule and the severity it gets; a later pair wins."""
    ignore_comments: bool = True
    """Whether comments such as `# dfkit ignore=RULE` count."""
    allowed_registries: tuple[str, ...] = ()
    """Registries that base images may come from; empty: all."""
    labels: tuple[tuple[str, str], ...] = ()
    """Pairs of a label's key and the type of its value: text, rfc3339, semver, url, hash, spdx or email."""
    strict_labels: bool = False
    """Whether labels other than those in `labels` are wrong."""
    shellcheck: bool = True
    """Whether ShellCheck checks the scripts, if it is there."""
    context: str | None = None
    """The folder of the build context, if it is known."""
    check: str = ""
    """Which of BuildKit's checks are made in the profile `buildkit`, as the build argument BUILDKIT_DOCKERFILE_CHECK says it:
    `skip=A,B;error=true;experimental=C`. Goes before a file's `# check=` line."""
    platforms: tuple[tuple[str, str], ...] = ()
    """Pairs of a base image, as FROM names it, and the platform (`os/architecture[/variant]`) that the engine has it for."""
    committed: tuple[str, ...] = ()
    """Base images, as FROM names them, that the engine knows to be made by `docker commit`."""
