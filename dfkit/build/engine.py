"""The Docker engine: find it, ask what it is, and what images it holds."""

from __future__ import annotations

from contextlib import contextmanager

from dfkit._record import Record
from dfkit._regex import regex
from dfkit.build.dockerconfig import endpoint, load, section
from dfkit.errors import DfkitError, NoEngine, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import TracebackType
    from typing import Any

BUILDKIT_SINCE = (1, 39)
"""The API version of Docker 18.09, the first whose builds can go to BuildKit."""


class LocalImage(Record):
    """An image that the engine holds. `config` is the image's configuration with the keys of the OCI image specification."""

    id: str
    tags: tuple[str, ...]
    platform: str
    """`os/architecture[/variant]`."""
    size: int
    """Bytes of all layers."""
    layers: tuple[str, ...]
    """The layers' diff ids, lowest first."""
    config: Mapping[str, Any]

    @property
    def triggers(self) -> tuple[str, ...]:
        """The ONBUILD instructions that a build from this image runs first."""
        return tuple(self.config.get("OnBuild") or ())


class EngineError(DfkitError):
    """The engine answers, but refused or could not do what was asked."""

    exit_code = 3


class Engine:
    """A Docker engine that answers; a context manager that closes the connections."""

    def __init__(self, api: Any, host: str) -> None:
        """`api` is a `docker.APIClient`; `connect` makes engines. Raises `NoEngine`."""
        self.api = api
        self.host = host
        with self._asking("say its version"):
            about = api.version()
        try:
            self.podman = any(part.get("Name") == "Podman Engine" for part in about.get("Components") or ())
            self.version = str(about["Version"])
            self.platform = f"{about.get('Os', 'linux')}/{about.get('Arch', 'amd64')}"
            major, _, minor = str(api.api_version).partition(".")
            self.api_version = (int(major), int(minor))
        except (LookupError, TypeError, ValueError, AttributeError):
            raise _no_engine(host) from None

    def __repr__(self) -> str:
        return f"Engine({self.name!r} at {self.host})"

    @property
    def name(self) -> str:
        """As a person calls it, such as `Docker 20.10.24`."""
        return f"{'Podman' if self.podman else 'Docker'} {self.version}"

    @property
    def has_buildkit(self) -> bool:
        """Whether builds can go to BuildKit with a session."""
        return not self.podman and self.api_version >= BUILDKIT_SINCE

    @property
    def containerd_store(self) -> bool:
        """Whether the engine keeps its images in containerd, as it can since Docker 23.0 and does by default since 29.0."""
        with self._asking("say how it keeps images"):
            status = self.api.info().get("DriverStatus") or ()
        return ["driver-type", "io.containerd.snapshotter.v1"] in [list(pair) for pair in status]

    def image(self, name: str) -> LocalImage | None:
        """The local image of a name or id, None if there is none. Nothing is pulled."""
        from docker.errors import ImageNotFound

        with self._asking(f"inspect {name}"):
            try:
                about = self.api.inspect_image(name)
            except ImageNotFound:
                return None
        parts = (about.get("Os", ""), about.get("Architecture", ""), about.get("Variant") or "")
        return LocalImage(
            about["Id"],
            tuple(about.get("RepoTags") or ()),
            "/".join(part for part in parts if part),
            about.get("Size") or 0,
            tuple((about.get("RootFS") or {}).get("Layers") or ()),
            about.get("Config") or {},
        )

    def committed(self, name: str) -> bool:
        """Whether a local image, or one it is built on, was made by `docker commit`; False for an image that is not here."""
        from docker.errors import ImageNotFound

        from dfkit.image.history import commits

        with self._asking(f"read the history of {name}"):
            try:
                # First, as Podman says of a missing image's history that it failed.
                config = self.api.inspect_image(name).get("Config") or {}
                history = self.api.history(name)
            except ImageNotFound:
                return False
        # The engine's history does not say which steps have a layer; a commit has one, even if it is empty.
        steps = [{"created_by": step.get("CreatedBy"), "comment": step.get("Comment")} for step in reversed(history)]
        return bool(commits({"history": steps, "config": config}))

    def save(self, image: str) -> Iterator[bytes]:
        """The image as the tar stream of `docker save`. Raises `EngineError` if there is no such image."""
        with self._asking(f"save {image}"):
            # By id: of a bare repository name some engines save all tags.
            yield from self.api.get_image(self.api.inspect_image(image)["Id"], chunk_size=1 << 20)

    def load(self, archive: str) -> str:
        """Take the image of an archive as `docker save` makes them, by its path, and give the image's id. Raises `EngineError`."""
        name = ""
        with self._asking("load the image"), open(archive, "rb") as file:
            for said in self.api.load_image(file):
                if "error" in said:
                    raise EngineError(f"the Docker engine could not load the image: {said['error']}")
                what, _, which = str(said.get("stream", "")).strip().partition(": ")
                name = which if what in ("Loaded image", "Loaded image ID") else name
        image = self.image(name) if name else None
        if image is None:
            raise EngineError("the Docker engine does not say which image it loaded")
        return image.id

    def tag(self, image: str, name: str) -> None:
        """Give an image another name, `repository[:tag]`."""
        repository, colon, tag = name.rpartition(":")
        if not colon or "/" in tag:
            repository, tag = name, "latest"
        with self._asking(f"tag {image} as {name}"):
            self.api.tag(image, repository, tag)

    def remove(self, image: str) -> None:
        """Remove a tag, and the image with its last one; a missing image is no error."""
        from docker.errors import ImageNotFound

        with self._asking(f"remove {image}"):
            try:
                self.api.remove_image(image, force=True)
            except ImageNotFound:
                return

    def proxy_args(self) -> dict[str, str]:
        """The build arguments for the proxy that docker's configuration sets for this engine, as `docker build` adds them.

        https://docs.docker.com/engine/cli/proxy/
        """
        proxies = section(load(), "proxies")
        settings = section(proxies, self.host if self.host in proxies else "default")
        names = {"httpProxy": "http_proxy", "httpsProxy": "https_proxy", "ftpProxy": "ftp_proxy", "noProxy": "no_proxy"}
        found = {name: str(settings[key]) for key, name in names.items() if settings.get(key)}
        return found | {name.upper(): value for name, value in found.items()}

    def close(self) -> None:
        """Close the connections to the engine."""
        self.api.close()

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    @contextmanager
    def _asking(self, what: str) -> Iterator[None]:
        from dfkit.build.dockerpy import EngineTrouble

        try:
            yield
        except EngineTrouble as error:
            raise trouble(error, self.host, what) from None


def connect(host: str | None = None, *, context: str | None = None) -> Engine:
    """The engine at `host`, such as `unix:///run/docker.sock` or `tcp://build:2376`, or the one of a docker context.

    Without either: DOCKER_HOST, else the current docker context, else the default socket. Raises `NoEngine`.
    """
    from docker.errors import DockerException

    from dfkit.build.dockerpy import Client, EngineTrouble

    try:
        found = endpoint(host, context)
    except UsageError as error:
        raise NoEngine(str(error)) from None
    try:
        return Engine(Client(found), found.host)
    except EngineTrouble as error:
        if isinstance(error, DockerException) and not _unreachable(error):
            shown = regex(r"(?<=:)[^:/@]*(?=@)").sub("…", found.host)  # a password, which no address of an engine has
            raise NoEngine(f"cannot use the Docker engine at {shown}: {str(error).replace(found.host, shown)}") from None
        raise trouble(error, found.host, "connect") from None
    except ValueError:  # a version that docker-py cannot read
        raise _no_engine(found.host) from None


def _no_engine(host: str) -> NoEngine:
    return NoEngine(f"what answers at {host} is no Docker engine: it does not say its version")


def trouble(error: BaseException, host: str, what: str) -> DfkitError:
    """The sentence for one of `dockerpy.EngineTrouble`."""
    from docker.errors import APIError

    if isinstance(error, APIError):
        return EngineError(f"the Docker engine could not {what}: {error.explanation or error}")
    causes = _causes(error)
    if any(isinstance(cause, PermissionError) for cause in causes):
        return NoEngine(f"this user may not use the Docker engine at {host}: add the user to the group `docker`, or use sudo")
    if what == "connect":
        reason = _reason(causes)
        return NoEngine(f"no Docker engine answers at {host} ({reason}): start Docker, or set DOCKER_HOST to where it runs")
    return NoEngine(f"lost the Docker engine at {host}, which was to {what} ({_reason(causes)})")


def _causes(error: BaseException | None) -> list[BaseException]:
    """An error and those inside it: requests and urllib3 wrap them as arguments as well as causes."""
    causes: list[BaseException] = []
    waiting = [error]
    while waiting:
        one = waiting.pop()
        if one is None or any(one is cause for cause in causes):
            continue
        causes.append(one)
        waiting += [one.__cause__, None if one.__suppress_context__ else one.__context__]
        waiting += [inner for inner in (*one.args, getattr(one, "reason", None)) if isinstance(inner, BaseException)]
    return causes


def _unreachable(error: BaseException) -> bool:
    return any(isinstance(cause, OSError) for cause in _causes(error))


def _reason(causes: list[BaseException]) -> str:
    """The operating system's words for what went wrong, or the innermost error's."""
    import ssl

    for cause in reversed(causes):
        if isinstance(cause, TimeoutError):
            return "it does not answer in time"
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"certificate verify failed: {cause.verify_message}"
        if isinstance(cause, ssl.SSLEOFError):
            return "it ended the TLS handshake"
        if isinstance(cause, ssl.SSLError) and cause.reason:
            return f"TLS: {cause.reason.lower().replace('_', ' ')}"
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror.lower()
    return str(causes[-1]).strip() or type(causes[-1]).__name__
