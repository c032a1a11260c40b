"""What should not leave the machine: files whose name, or whose text, says that they hold a key, a password or a token.

The formats of tokens are their issuers' own, so a match is hardly ever chance; what only looks random is not reported.
"""

from __future__ import annotations

import os
import re

from dfkit._record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from dfkit.context.tree import Entry

LOOKED_AT = 256 * 1024
"""How many bytes of a file's beginning are looked at."""

_KEY = "a private key"
_NAMES: tuple[tuple[str, str], ...] = (
    (r"\.env(\.(?!(dist|example|sample|template|test)$).+)?", "settings that often hold passwords"),
    (r"id_(rsa|dsa|ecdsa|ed25519)(_sk)?", "a private SSH key"),
    (r".+\.(pem|key|p12|pfx|jks|keystore|kdbx|ppk)", "a key or a key store"),
    (r"\.(netrc|pgpass|my\.cnf|htpasswd|git-credentials)|_netrc", "passwords"),
    (r"\.npmrc|\.pypirc|\.yarnrc\.yml|\.dockercfg", "tokens for a package registry"),
    (r".+\.tfstate(\.backup)?|.+\.tfvars", "Terraform's state, which holds secrets in the clear"),
    (r"(service[-_]?account|credentials|client[-_]secrets?).*\.json", "cloud credentials"),
    (r".+\.(mobileprovision|ovpn)|kubeconfig", "access to another system"),
)
_FOLDERS = {
    ".git": "the repository with its history",
    ".ssh": "SSH keys",
    ".aws": "cloud credentials",
    ".azure": "cloud credentials",
    ".gnupg": "private keys",
    ".kube": "access to another system",
    ".docker/config.json": "tokens for a registry",
    ".config/gcloud": "cloud credentials",
}
_NAME = re.compile("|".join(f"(?P<r{at}>{pattern})" for at, (pattern, _) in enumerate(_NAMES)))

_BEFORE, _AFTER = rb"(?<![\w-])", rb"(?![\w-])"
_TEXTS: tuple[tuple[bytes, bytes, str], ...] = (
    (
        b"PRIVATE KEY",
        rb"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----(?:\s|\\n|\\r|[A-Z][\w-]+: [^\n]*\n){1,12}[\w+/=]{32}",
        _KEY,
    ),
    (b"AKIA", _BEFORE + rb"AKIA[A-Z2-7]{16}" + _AFTER, "an access key of AWS"),
    (b"ghp_", _BEFORE + rb"ghp_[A-Za-z0-9]{36}" + _AFTER, "a token of GitHub"),
    (b"github_pat_", _BEFORE + rb"github_pat_\w{82}" + _AFTER, "a token of GitHub"),
    (b"glpat-", _BEFORE + rb"glpat-[\w-]{20}", "a token of GitLab"),
    (b"xox", _BEFORE + rb"xox[abpr]-\d{10,}-[\w-]{10,}", "a token of Slack"),
    (b"k_live_", _BEFORE + rb"[rs]k_live_[A-Za-z0-9]{24,}", "a key of Stripe"),
    (b"AIza", _BEFORE + rb"AIza[\w-]{35}" + _AFTER, "a key of Google's"),
    (b"npm_", _BEFORE + rb"npm_[A-Za-z0-9]{36}" + _AFTER, "a token of npm"),
    (b"pypi-AgE", _BEFORE + rb"pypi-AgE[\w-]{50,}", "a token of PyPI"),
    (b"SG.", _BEFORE + rb"SG\.[\w-]{22}\.[\w-]{43}" + _AFTER, "a key of SendGrid"),
)
"""Some bytes that are looked for first, the format, what it is."""

_PUBLIC = re.compile(rb"-----BEGIN (?:CERTIFICATE|PUBLIC KEY|X509 CRL|DH PARAMETERS|RSA PUBLIC KEY)")


class Secret(Record):
    """A file that seems to hold a secret. `path` is that of a folder, with a slash at its end, where all in it is one.

    `line` counts from 1 and is where the text says so; `None` if only the name does.
    """

    path: str
    what: str
    line: int | None = None


def looks_secret(path: str) -> str | None:
    """What a path seems to hold that should not be in an image, judged by its name alone; `None` if nothing."""
    folder = _folder(path)
    if folder is not None:
        return folder[1]
    found = _NAME.fullmatch(path.rpartition("/")[2])
    return None if found is None else next(what for at, (_, what) in enumerate(_NAMES) if found[f"r{at}"] is not None)


def secret_text(data: bytes) -> tuple[str, int] | None:
    """What a file's text holds that should not be in an image, and at which offset in bytes; `None` if nothing is known."""
    for start, pattern, what in _TEXTS:
        if start in data and (found := re.search(pattern, data)) and b"EXAMPLE" not in found[0]:
            return what, found.start()
    return None


def secrets(root: str | Path, entries: Iterable[Entry]) -> Iterator[Secret]:
    """The files among the entries that seem to hold secrets, by their names and by the beginning of their texts."""
    folders: set[str] = set()
    for entry in entries:
        if entry.kind != "file":
            continue
        folder = _folder(entry.path)
        if folder is not None:
            if folder[0] not in folders:
                folders.add(folder[0])
                yield Secret(*folder)
            continue
        data = _beginning(os.path.join(root, entry.path))
        found = secret_text(data)
        if found:
            yield Secret(entry.path, found[0], data.count(b"\n", 0, found[1]) + 1)
        elif (what := looks_secret(entry.path)) and not _PUBLIC.search(data):
            yield Secret(entry.path, what)


def _folder(path: str) -> tuple[str, str] | None:
    """The folder of secrets that a path is in, and what these are."""
    within = f"/{path}/"
    for folder, what in _FOLDERS.items():
        at = within.find(f"/{folder}/")
        if at >= 0:
            shown = within[1 : at + len(folder) + 2]
            return (shown.rstrip("/") if shown == f"{path}/" else shown), what
    return None


def _beginning(full: str) -> bytes:
    try:
        with open(full, "rb") as file:
            return file.read(LOOKED_AT)
    except OSError:
        return b""
