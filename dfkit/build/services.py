"""What the session of one build offers the engine, made of the request and closed with the build."""

from __future__ import annotations

from contextlib import ExitStack

from dfkit._record import replace
from dfkit.build.buildkit.auth import Auth
from dfkit.build.buildkit.filesend import FileSend, OutputFailed
from dfkit.build.buildkit.filesync import FileSync
from dfkit.build.buildkit.secrets import Secrets
from dfkit.build.buildkit.sshforward import Agents
from dfkit.build.events import SolveFailed
from dfkit.build.layouts import Layouts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from dfkit.build.buildkit.grpc import Handler
    from dfkit.build.events import BuildResult
    from dfkit.build.outcome import Outcome
    from dfkit.build.request import BuildRequest, Folders


class Services:
    """A context manager; making one reads the secrets and starts the agents, so that what is missing is said before anything is sent.

    `files` is None where the engine gets the context in another way, `output` where the result stays on the engine.
    """

    def __init__(self, request: BuildRequest, folders: Folders | None, warn: Callable[[str], None]) -> None:
        """`warn` is called, from another thread, with sentences. Raises `UsageError`, `ContextError`."""
        self._open = ExitStack()
        self._image = request.output.is_image
        with ExitStack() as opened:
            self.secrets = Secrets(request.secrets)
            self.files = FileSync(folders) if folders is not None else None
            if request.tags and request.output.type in ("tar", "local", "cacheonly"):
                warn("the names of --tag are not used: the output is no image")
            self.output = FileSend(request.output, warn) if request.output.is_sent else None
            if self.output is not None:
                opened.callback(self.output.close)
            self.layouts = Layouts(request, warn)
            self._agents = Agents(request.ssh, warn)
            opened.callback(self._agents.close)
            self._auth = Auth(warn=warn)
            self._open = opened.pop_all()

    def handlers(self) -> tuple[Mapping[str, Handler], ...]:
        """All services' handlers by gRPC path."""
        offered = [self._auth.handlers(), self.secrets.handlers(), self._agents.handlers(), self.layouts.handlers()]
        offered += [each.handlers() for each in (self.files, self.output) if each is not None]
        return tuple(offered)

    @property
    def shared_key(self) -> str:
        """See `FileSync.shared_key`; empty without folders. Raises `ContextError`."""
        return self.files.shared_key() if self.files is not None else ""

    def result(self, outcome: Outcome, seconds: float) -> BuildResult:
        """What the build came to, its output in place.

        Raises `SolveFailed`, or in its stead what kept this side from sending a file or from writing the output.
        """
        try:
            result = outcome.result(seconds, image=self._image)
        except SolveFailed as error:
            for service in (self.files, self.output, self.layouts):
                if service is not None and service.error is not None:
                    raise service.error from None
            if self.output is not None and self.output.spoiled:
                raise OutputFailed(f"the tar on standard output is not whole: {error}") from None
            raise
        return replace(result, output=self.output.finish() if self.output is not None else self.layouts.exported)

    def __enter__(self) -> Services:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._open.close()
