"""The session's secrets service: the values that `RUN --mount=type=secret` asks for by their ids.

A value is read once, before anything is sent, and goes to the engine only when a step asks for it. It is never in a command line
or in a message: it is kept where no `repr` looks, and what the engine says, such as the lines that a step prints, goes through
`scrub`.

Messages: https://github.com/moby/buildkit/blob/master/session/secrets/secrets.proto
"""

from __future__ import annotations

import os

from dfkit._record import replace
from dfkit.build.buildkit.grpc import NOT_FOUND, StatusError, unary
from dfkit.build.buildkit.wire import Message, encode
from dfkit.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dfkit.build.buildkit.grpc import Handler
    from dfkit.build.request import Secret

LARGEST_SECRET = 500 * 1024
"""Bytes. BuildKit's limit: MaxSecretSize in session/secrets/secretsprovider/secretsprovider.go."""
SHORTEST_SCRUBBED = 4
"""Characters. Something shorter stands in too many words that do not come from the secret."""
_MOST_SCRUBBED = 1000
"""Lines of all secrets together; more of them would slow down every line that a step prints."""
_SCRUBBED = "***"


class Secrets:
    """The service for one build."""

    def __init__(self, secrets: Iterable[Secret] = ()) -> None:
        """Read the secrets. Raises `UsageError` for one that is not there or too large, and for an id that is there twice."""
        self._secrets: dict[str, Secret] = {}
        for secret in secrets:
            if secret.id in self._secrets:
                raise UsageError(f"two secrets have the id {secret.id}: a step can ask for only one of them")
            self._secrets[secret.id] = read(secret)
        self._words = _Words(self._secrets.values())

    def handlers(self) -> Mapping[str, Handler]:
        """The service's handlers by gRPC path."""
        return {"/moby.buildkit.secrets.v1.Secrets/GetSecret": unary(self._get)}

    def scrub(self, text: str) -> str:
        """A text with `***` where a secret, or a line of one that has several, stands in it as it is.

        Not what is shorter than four characters, nor what was encoded, cut or changed.
        """
        return self._words.scrub(text)

    def _get(self, request: bytes) -> bytes:
        name = Message(request).text(1)
        if name not in self._secrets:
            # BuildKit fails the step if the mount is required, and goes on without it if not.
            raise StatusError(NOT_FOUND, f"no secret {name} was given")
        return encode((1, self._secrets[name].value))


class _Words:
    """What to look for in texts; an object, so that no `repr` shows it."""

    def __init__(self, secrets: Iterable[Secret]) -> None:
        lines = {line.strip() for each in secrets for line in (each.value or b"").decode("utf-8", "replace").splitlines()}
        # A line may hold another one, which must not be cut out of it first.
        found = sorted((line for line in lines if len(line) >= SHORTEST_SCRUBBED), key=len, reverse=True)
        self._words = tuple(found[:_MOST_SCRUBBED])

    def scrub(self, text: str) -> str:
        for word in self._words:
            if word in text:
                text = text.replace(word, _SCRUBBED)
        return text


def read(secret: Secret) -> Secret:
    """The secret with its value, which its `repr` does not show. Raises `UsageError`.

    Some files, such as a shell's `<(command)`, can be read only once.
    """
    if secret.value is not None:
        found = secret
    elif secret.variable is not None:
        if secret.variable not in os.environ:
            raise UsageError(f"the secret {secret.id} is to be the environment variable {secret.variable}, which is not set")
        found = replace(secret, value=os.fsencode(os.environ[secret.variable]))
    else:
        found = _of_file(secret, secret.file or secret.id)
    if len(found.value or b"") > LARGEST_SECRET:
        raise UsageError(f"the secret {secret.id} is too large: BuildKit takes at most {LARGEST_SECRET // 1024} KiB")
    return found


def _of_file(secret: Secret, path: str) -> Secret:
    """With a file's content, or with so much of it that it is too large."""
    name = secret.id
    try:
        with open(path, "rb") as file:
            return replace(secret, value=file.read(LARGEST_SECRET + 1))
    except FileNotFoundError:
        raise UsageError(
            f"the secret {name} is to be the file {path}, which does not exist: name one with src=FILE, or a variable with env=NAME"
        ) from None
    except IsADirectoryError:
        raise UsageError(f"the secret {name} is to be the file {path}, which is a folder: name a file with src=FILE") from None
    except OSError as error:
        raise UsageError(f"the secret {name} cannot be read from {path}: {(error.strerror or str(error)).lower()}") from None
