"""Image references, as written and as the engine completes them."""

from __future__ import annotations

from dfkit._record import record
from dfkit.syntax import lalr

HUB = "docker.io"


@record
class ImageName:
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
