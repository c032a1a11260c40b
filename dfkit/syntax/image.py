"""Image references, as written and as the engine completes them."""

from __future__ import annotations

from dfkit._record import Record
from dfkit._regex import regex
from dfkit.syntax import lalr

HUB = "docker.io"


class ImageName(Record):
    """`[registry/]path[:tag][@digest]`, as written; missing parts are None. Variables may stand in any part."""

    registry: str | None
    path: str
    tag: str | None
    digest: str | None

    @classmethod
    def parse(cls, text: str) -> ImageName | None:
        """The parts of a reference, or None if it is not one.

        >>> ImageName.parse("localhost:5000/a/b:1").tag
        '1'
        """
        try:
            *tokens, _ = lalr.parser("image").parse("image", text)
        except lalr.Mismatch:
            return None
        parts = {name: text[start:end] for name, start, end, _ in tokens}
        return cls(
            parts["REGISTRY"][:-1] if "REGISTRY" in parts else None,
            parts["PATH"],
            parts["TAG"][1:] if "TAG" in parts else None,
            parts["DIGEST"][1:] if "DIGEST" in parts else None,
        )

    @property
    def repository(self) -> str:
        """Registry and path as the engine completes them: `docker.io/library/debian` (distribution/reference, normalize.go)."""
        registry = self.registry or HUB
        registry = HUB if registry == "index.docker.io" else registry
        path = f"library/{self.path}" if registry == HUB and "/" not in self.path else self.path
        return f"{registry}/{path}"

    @property
    def familiar(self) -> str:
        """The shortest name of the repository: `debian`, `owner/name`, `ghcr.io/owner/name`."""
        name = self.repository
        for prefix in (f"{HUB}/library/", f"{HUB}/"):
            if name.startswith(prefix):
                return name[len(prefix) :]
        return name

    @property
    def canonical(self) -> str:
        """The whole name that the engine uses: tag `latest` where neither tag nor digest is given."""
        tag = self.tag or (None if self.digest else "latest")
        return self.repository + (f":{tag}" if tag else "") + (f"@{self.digest}" if self.digest else "")

    def __str__(self) -> str:
        registry = f"{self.registry}/" if self.registry else ""
        return registry + self.path + (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")


_DOMAIN = regex(
    r"(?:(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])(?:\.(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9]))*"
    r"|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"
)
_REST = regex(
    r"([a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*)(?::\w[\w.-]{0,127})?"
    r"(?:@(?:sha256:[a-f0-9]{64}|sha384:[a-f0-9]{96}|sha512:[a-f0-9]{128}))?"
)
_ID = regex(r"[a-f0-9]{64}")
_LONGEST_PATH = 255


def is_reference(text: str) -> bool:
    """Whether the engine takes a text for the name of an image (distribution/reference: normalize.go, ParseNormalizedNamed).

    >>> is_reference("debian:12"), is_reference("debian:"), is_reference("Debian")
    (True, False, False)
    """
    domain, slash, rest = text.partition("/")
    if not slash or not (domain == "localhost" or domain != domain.lower() or "." in domain or ":" in domain):
        domain, rest = HUB, text
    match = _REST.fullmatch(rest)
    if match is None or not text.isascii() or _DOMAIN.fullmatch(domain) is None or _ID.fullmatch(text) is not None:
        return False
    path = match[1] if "/" in match[1] or domain != HUB else f"library/{match[1]}"
    return len(path) <= _LONGEST_PATH
