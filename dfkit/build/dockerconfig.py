"""The user's docker configuration: where the engine is, and what to log in to registries with.

The files are those of the docker command, read as it reads them: `config.json` and the contexts in `~/.docker`, or in the folder that
DOCKER_CONFIG names. https://docs.docker.com/reference/cli/docker/#configuration-files
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os

from dfkit._record import Record
from dfkit.build.credhelper import LARGEST_ANSWER, TooMuchError, ask
from dfkit.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

DEFAULT_HOST = "npipe:////./pipe/docker_engine" if os.name == "nt" else "unix:///var/run/docker.sock"
DEFAULT_CONTEXT = "default"

HELPER_SECONDS = 60
"""How long a credential helper may take. Some ask the user."""
_LONGEST_REASON = 400
"""Characters of a helper's own words in an error."""
DOCKER_HUB = "registry-1.docker.io"
"""The host that serves Docker Hub's images; its credentials are kept under the name of the older index."""
_HUB_KEY = "https://index.docker.io/v1/"
_HUB_NAMES = (DOCKER_HUB, "docker.io", "index.docker.io")
_TOKEN_USER = "<token>"  # noqa: S105 - how a helper says that its secret is an identity token


class Endpoint(Record):
    """Where an engine is. With `tls` a TCP connection is encrypted; `verify` has the engine's certificate checked.

    `ca`, `certificate` and `key` are paths; without a `ca` the system's authorities count.
    """

    host: str
    tls: bool = False
    verify: bool = False
    ca: str | None = None
    certificate: str | None = None
    key: str | None = None


class Credentials(Record):
    """A name and a password; an empty name with an identity token; both empty for nobody."""

    username: str
    secret: str

    def __repr__(self) -> str:
        return f"Credentials({self.username!r}, …)"


ANONYMOUS = Credentials("", "")


def folder(environ: Mapping[str, str] = os.environ) -> str:
    """Where docker keeps its configuration."""
    return environ.get("DOCKER_CONFIG") or os.path.join(os.path.expanduser("~"), ".docker")


def load(environ: Mapping[str, str] = os.environ) -> Mapping[str, Any]:
    """The content of `config.json`, empty where there is none. Raises `UsageError`."""
    return _read(os.path.join(folder(environ), "config.json")) or {}


def section(config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """An object in the configuration, empty where there is none. Raises `UsageError` for what is something else."""
    found = config.get(name)
    if found is not None and not isinstance(found, dict):
        raise UsageError(f"`{name}` in docker's configuration is no object: mend {os.path.join(folder(), 'config.json')}")
    return found or {}


def endpoint(host: str | None, context: str | None, environ: Mapping[str, str] = os.environ) -> Endpoint:
    """The engine at `host`, else of the context of that name; else what the environment says, else the current context.

    The environment says DOCKER_HOST, or DOCKER_CONTEXT. Raises `UsageError` for a context that does not exist or cannot be read.
    """
    if host or (not context and environ.get("DOCKER_HOST")):
        return _from_environment(host or environ["DOCKER_HOST"], environ)
    name = str(context or environ.get("DOCKER_CONTEXT") or load(environ).get("currentContext") or DEFAULT_CONTEXT)
    return _from_environment(DEFAULT_HOST, environ) if name == DEFAULT_CONTEXT else _from_context(name, environ)


def _from_environment(host: str, environ: Mapping[str, str]) -> Endpoint:
    verify = bool(environ.get("DOCKER_TLS_VERIFY"))
    if not verify and not environ.get("DOCKER_TLS"):
        return Endpoint(host)
    return _with_files(host, environ.get("DOCKER_CERT_PATH") or folder(environ), verify=verify)


def _from_context(name: str, environ: Mapping[str, str]) -> Endpoint:
    key = hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()
    contexts = os.path.join(folder(environ), "contexts")
    about = _read(os.path.join(contexts, "meta", key, "meta.json"))
    if about is None:
        raise UsageError(f"there is no docker context `{name}`: `docker context ls` lists them")
    docker = section(section(about, "Endpoints"), "docker")
    if not isinstance(docker.get("Host"), str) or not docker["Host"]:
        raise UsageError(f"the docker context `{name}` names no Docker engine: `docker context inspect {name}` shows it")
    found = _with_files(docker["Host"], os.path.join(contexts, "tls", key, "docker"), verify=not docker.get("SkipTLSVerify"))
    has_tls = bool(found.ca or found.certificate or docker.get("SkipTLSVerify"))
    return found if has_tls else Endpoint(docker["Host"])


def _with_files(host: str, folder: str, *, verify: bool) -> Endpoint:
    ca, certificate, key = (
        path if os.path.isfile(path := os.path.join(folder, name)) else None for name in ("ca.pem", "cert.pem", "key.pem")
    )
    return Endpoint(host, True, verify, ca, certificate if key else None, key if certificate else None)


def credentials(host: str, config: Mapping[str, Any] | None = None) -> Credentials:
    """What the configuration holds for a registry host, such as `registry.example:5000`; `ANONYMOUS` if nothing.

    Runs the credential helper that is set for the host, and no other. Raises `UsageError`, which never has a secret in it.
    """
    config = load() if config is None else config
    key = _HUB_KEY if host in _HUB_NAMES else host
    helper = section(config, "credHelpers").get(host if key == host else _HUB_KEY) or config.get("credsStore")
    if helper and (found := _from_helper(str(helper), key)) is not None:
        return found
    for name, entry in section(config, "auths").items():
        if name == key or _host_of(name) == _host_of(key):
            return _from_entry(name, entry if isinstance(entry, dict) else {})
    return ANONYMOUS


def _host_of(key: str) -> str:
    """Older versions of docker kept whole addresses."""
    return key.removeprefix("https://").removeprefix("http://").partition("/")[0]


def _from_entry(name: str, entry: Mapping[str, Any]) -> Credentials:
    if token := entry.get("identitytoken"):
        return Credentials("", str(token))
    if auth := entry.get("auth"):
        try:
            user, colon, password = base64.b64decode(auth, validate=True).decode().rstrip("\0").partition(":")
        except (binascii.Error, ValueError, TypeError):
            user = colon = password = ""
        if not colon:
            raise UsageError(f"docker's configuration for {name} cannot be read: run `docker login {name}` again")
        return Credentials(user, password)
    return Credentials(str(entry.get("username") or ""), str(entry.get("password") or ""))


def _from_helper(name: str, key: str) -> Credentials | None:
    """Asks `docker-credential-NAME`; None where it has nothing for `key`."""
    program = f"docker-credential-{name}"
    try:
        done = ask(program, key, HELPER_SECONDS)
    except TimeoutError:
        raise UsageError(f"{program} did not answer in {HELPER_SECONDS} s") from None
    except TooMuchError:
        raise UsageError(f"{program} gave an answer that cannot be read (more than {LARGEST_ANSWER >> 20} MiB)") from None
    except (OSError, ValueError) as error:
        reason = _words(error) if isinstance(error, OSError) else str(error)
        raise UsageError(f"{program}, which docker's configuration names, cannot be run ({reason})") from None
    if done.code:
        said = done.out.decode(errors="replace").strip() or done.error.decode(errors="replace").strip()
        if "credentials not found" in said:
            return None
        raise UsageError(f"{program} failed: {said.splitlines()[0][:_LONGEST_REASON] if said else f'it ended with {done.code}'}")
    try:
        answer = json.loads(done.out)
        user, secret = str(answer["Username"]), str(answer["Secret"])
    except (ValueError, KeyError, TypeError, RecursionError):
        raise UsageError(f"{program} gave an answer that cannot be read") from None
    if not user and not secret:
        return None  # how docker-credential-pass says that it has nothing
    return Credentials("" if user == _TOKEN_USER else user, secret)


def _read(path: str) -> Mapping[str, Any] | None:
    """A file with a JSON object, None if there is no such file."""
    try:
        with open(path, encoding="utf-8-sig") as file:
            found = json.load(file)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsageError(f"cannot read {path} ({_words(error)})") from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path} is no JSON ({error}): mend it or remove it") from None
    if not isinstance(found, dict):
        raise UsageError(f"{path} holds no JSON object: mend it or remove it")
    return found


def _words(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
