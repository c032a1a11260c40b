"""USER, WORKDIR, SHELL and the like: what is in force at an instruction."""

from __future__ import annotations

import posixpath

from dfkit._record import Record, replace
from dfkit.syntax.nodes import Cmd, Entrypoint, ExecForm, Healthcheck, Shell, User, Workdir

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Literal

    from dfkit.syntax.nodes import Instruction, Word

LINUX_SHELL = ("/bin/sh", "-c")
WINDOWS_SHELL = ("cmd", "/S", "/C")


class State(Record):
    """What is in force before an instruction. None means the base image's, which is not known."""

    user: str | None
    workdir: str | None
    shell: tuple[str, ...]
    os: str
    """`linux` or `windows`."""
    platform: str | None = None
    """What FROM's `--platform` says, expanded; None where the build's target platform decides or the value is not known."""
    user_from: User | None = None
    workdir_from: Workdir | None = None
    shell_from: Shell | None = None
    cmd: Cmd | None = None
    cmd_origin: Literal["base", "stage", "none"] = "base"
    """Whose command is in force: of the image or stage below, of this stage, or none, as an ENTRYPOINT took the base's away."""
    entrypoint: Entrypoint | None = None
    healthcheck: Healthcheck | None = None

    @property
    def at_stage_start(self) -> State:
        """The state at the start of a stage that is built on one with this state at its end."""
        return replace(self, cmd_origin="base" if self.cmd_origin == "stage" else self.cmd_origin)

    @property
    def is_root(self) -> bool | None:
        """Whether commands run as root; None if the base image decides."""
        if self.user is None:
            return None
        return self.user.split(":")[0] in ("root", "0", "")


def after(state: State, instruction: Instruction, expand: Callable[[Word], str | None]) -> State:
    """The state after an instruction."""
    match instruction:
        case User():
            return replace(state, user=expand(instruction.value), user_from=instruction)
        case Workdir():
            path = expand(instruction.value)
            if path is None or (state.workdir is None and not path.startswith("/")) or state.os == "windows":
                workdir = None
            else:
                workdir = posixpath.normpath(posixpath.join(state.workdir or "/", path))
            return replace(state, workdir=workdir, workdir_from=instruction)
        case Shell(form=ExecForm() as form):
            return replace(state, shell=form.values, shell_from=instruction)
        case Cmd():
            return replace(state, cmd=instruction, cmd_origin="stage")
        case Entrypoint() if state.cmd_origin == "base":
            return replace(state, entrypoint=instruction, cmd=None, cmd_origin="none")
        case Entrypoint():
            return replace(state, entrypoint=instruction)
        case Healthcheck():
            return replace(state, healthcheck=instruction)
    return state
