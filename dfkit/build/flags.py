"""The values of docker's own flags `--tag`, `--secret`, `--ssh` and `--output`, read as buildx reads them.

https://github.com/docker/buildx/tree/master/util/buildflags
"""

from __future__ import annotations

import csv
import os

from dfkit._regex import regex
from dfkit.build.request import Output, Secret, SshAgent
from dfkit.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_HOST = rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9A-Fa-f:]+\])(?::[0-9]+)?"
_PART = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
IMAGE_NAME = regex(rf"(?a)(?:{_HOST}/)?{_PART}(?:/{_PART})*(?::\w[\w.-]{{0,127}})?(?:@sha256:[0-9a-f]{{64}})?")
"""https://github.com/distribution/reference/blob/main/regexp.go"""


def tag(text: str) -> str:
    """`[HOST/]NAME[:TAG]`, as it is. Raises `UsageError`; the engine would not say which of several it is."""
    if not IMAGE_NAME.fullmatch(text):
        raise UsageError(
            f"`--tag {text}` is no name for an image: write NAME or NAME:TAG, with lower case letters, digits and - . _ / in the name"
        )
    return text


def secret(text: str, environ: Mapping[str, str] = os.environ) -> Secret:
    """`id=ID[,src=FILE|,env=VARIABLE][,type=file|env]`.

    An id alone is the environment variable of that name if there is one, else the file of that name. Raises `UsageError`.
    """
    flag = f"`--secret {text}`"
    found: dict[str, str] = {}
    for field in csv_fields(text, flag):
        key, equals, value = field.partition("=")
        key = {"source": "src"}.get(key.lower(), key.lower())
        if not equals or key not in ("id", "src", "env", "type"):
            raise UsageError(f"{flag} is no secret: write id=NAME,src=FILE or id=NAME,env=VARIABLE")
        found[key] = value
    name, file, variable, kind = (found.get(key, "") for key in ("id", "src", "env", "type"))
    if kind not in ("", "file", "env"):
        raise UsageError(f"{flag} has a type that does not exist: it is `file` or `env`")
    if not name:
        raise UsageError(f"{flag} has no id: write id=NAME, by which the Dockerfile asks for it")
    if kind == "env" and not variable:
        file, variable = "", file
    if file and variable:
        raise UsageError(f"{flag} names a file and a variable: a secret is one of them")
    if not file and not variable:
        if kind != "file" and (kind == "env" or name in environ):
            variable = name
        else:
            file = name
    return Secret(name, variable=variable) if variable else Secret(name, file=file)


def ssh(text: str) -> SshAgent:
    """`ID[=SOCKET|KEY[,KEY…]]`; the id `default` is what a mount without one asks for. Raises `UsageError`."""
    name, _, paths = text.partition("=")
    given = tuple(path for path in paths.split(",") if path)
    return SshAgent(name or "default", given)


def output(text: str) -> Output:
    """`type=TYPE[,dest=PATH][,KEY=VALUE…]`; a path alone is a folder for the files, `-` a tar on standard output.

    The types `tar` and `oci` go to standard output where they have no destination.

    Raises `UsageError`.
    """
    flag = f"`--output {text}`"
    fields = csv_fields(text, flag)
    if fields == [text] and not text.startswith("type="):
        return Output("tar", "-") if text == "-" else Output("local", text)
    found: dict[str, str] = {}
    for field in fields:
        key, equals, value = field.partition("=")
        if not equals:
            raise UsageError(f"{flag} is no output: write type=TYPE,dest=PATH or a folder")
        found[key.strip().lower()] = value
    kind, dest = found.pop("type", ""), found.pop("dest", "")
    if not kind:
        raise UsageError(f"{flag} has no type: write type=local, type=tar or type=image")
    if kind == "local" and not dest:
        raise UsageError(f"{flag} has no destination: write type=local,dest=FOLDER")
    made = Output(kind, dest, found)
    return Output(kind, "-", found) if kind in ("tar", "oci") and not dest and not made.is_layout else made


def csv_fields(text: str, flag: str) -> list[str]:
    """The fields of one line of CSV; a quoted one may have commas."""
    try:
        lines = list(csv.reader([text], strict=True))
    except csv.Error:
        lines = []
    if len(lines) != 1 or not lines[0]:
        raise UsageError(f"{flag} cannot be read: it is one list with commas")
    return lines[0]
