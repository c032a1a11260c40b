"""What `parity` builds: contexts, Dockerfiles and options."""

from __future__ import annotations

import os
import random
import socket
import tarfile
from pathlib import Path

from dfkit._record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Plant = Callable[[Path], None]

BASE = "dfkit-parity-base"
"""The name of the image that some cases have built before."""


class Case(Record):
    """What is built: `plant` makes the context, `text` is the Dockerfile, `options` go to both clients.

    Both clients run in the folder above the context, `c`; `file` is the Dockerfile's path from there. `base` is the Dockerfile of an
    image that is built before, as `BASE`. A `recent` case needs a recent engine.
    """

    plant: Plant
    text: str
    options: tuple[str, ...] = ()
    file: str = "c/Dockerfile"
    base: str = ""
    recent: bool = False


def files(*names: str, **texts: str) -> Plant:
    """A context of files that hold their own names, or the texts given."""

    def plant(root: Path) -> None:
        for name, text in {**{name: name for name in names}, **texts}.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    return plant


def ignoring(patterns: str, name: str = ".dockerignore") -> Plant:
    """A context with an ignore file."""

    def plant(root: Path) -> None:
        files("a.md", "README.md", "src/main.c", "src/sub/keep.txt", "src/sub/x.c", "node_modules/m/x.js", ".git/HEAD", ".env")(
            root
        )
        (root / name).write_text(patterns)

    return plant


def many(root: Path) -> None:
    for number in range(1000):
        files(f"{number % 37}/{number % 11}/{number}")(root)


def big(root: Path) -> None:
    (root / "big").write_bytes(random.Random(1).randbytes(40_000_000))
    with (root / "sparse").open("wb") as file:
        file.truncate(20_000_000)
        file.seek(10_000_000)
        file.write(b"x")
    (root / "empty").touch()


def odd_names(root: Path) -> None:
    files("sp ace", "é 日本", "new\nline", "tab\t", "-dash", "trailing ", "quote'\"", "back\\slash", "$dollar", "n" * 255)(root)
    files("sub-", "sub.txt", "sub/x", "sub0", "/".join(["d" * 60] * 8))(root)


def not_utf8(root: Path) -> None:
    Path(os.fsdecode(os.fsencode(root) + b"/\xff\xfe")).write_text("bytes")


def hard_links(root: Path) -> None:
    files("a", "sub/b")(root)
    os.link(root / "a", root / "z")
    os.link(root / "a", root / "sub" / "a")
    os.link(root / "sub" / "b", root / "b")


def symbolic_links(root: Path) -> None:
    files("folder/file", "x")(root)
    for name, target in {
        "file": "x", "to-folder": "folder", "absolute": "/etc/passwd", "dangling": "no/where", "up": "../../..", "self": "self",
        "one": "two", "two": "one", "folder/back": "../x", "far": "t" * 300,
    }.items():  # fmt: skip
        (root / name).symlink_to(target)


def modes(root: Path) -> None:
    for mode in (0o000, 0o400, 0o644, 0o755, 0o777, 0o4755, 0o2755, 0o6711, 0o1644):
        files(f"f{mode:o}")(root)
        (root / f"f{mode:o}").chmod(mode)
    for mode in (0o700, 0o755, 0o1777, 0o2775, 0o555):
        (root / f"d{mode:o}").mkdir()
        (root / f"d{mode:o}").chmod(mode)
    os.chown(root / "f644", 1000, 1000)


def attributes(root: Path) -> None:
    files("plain", "some", "folder/x")(root)
    os.setxattr(root / "some", "user.some", b"with\0null=\xc3\xa9")
    os.setxattr(root / "some", "user.empty", b"")
    os.setxattr(root / "folder", "user.of.folder", b"x" * 300)


def times(root: Path) -> None:
    files("old", "new", "fraction")(root)
    os.utime(root / "old", ns=(0, -1_500_000_000))
    os.utime(root / "new", (0, 1_699_999_999))
    os.utime(root / "fraction", ns=(0, 1_600_000_000_999_999_999))


def special(root: Path) -> None:
    files("a")(root)
    os.mkfifo(root / "pipe", 0o640)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(root / "socket"))


def empty_folders(root: Path) -> None:
    for name in ("empty", "a/b/c", "a/d", ".hidden"):
        (root / name).mkdir(parents=True)


def archive(root: Path) -> None:
    files("inside/a", "inside/b")(root)
    with tarfile.open(root / "some.tar.gz", "w:gz") as tar:
        tar.add(root / "inside", "inside")
    files("plain.tar")(root)


def linked_sources(root: Path) -> None:
    files("real/deep/file", "other/x")(root)
    (root / "link").symlink_to("real")
    (root / "real" / "over").symlink_to("../other")
    (root / "absolute").symlink_to("/real/deep")


def with_secret(root: Path) -> None:
    files("a")(root)
    (root.parent / "secret").write_text("not in the image")


ALL = "FROM scratch\nCOPY . /\n"
NO_RUN = "FROM scratch\n"
SETTINGS = r"""FROM busybox
LABEL one=1 "two words"="a b" three="quo\"te"
ENV A=1 B="x y" C=$A
ENV OLD style value
EXPOSE 80 53/udp 9000-9002
VOLUME /data ["/more"]
VOLUME ["/v1", "/v2"]
WORKDIR /a
WORKDIR b/$A
USER 1000:1000
STOPSIGNAL SIGINT
HEALTHCHECK --interval=5s --timeout=3s --retries=2 CMD test -e /a
SHELL ["/bin/sh", "-ec"]
ONBUILD RUN echo later
ENTRYPOINT ["/bin/sh", "-c"]
CMD echo $A
"""
STAGES = """ARG VERSION=1
FROM busybox AS base
ARG VERSION
RUN echo "version $VERSION" > /version
FROM base AS one
COPY a /one
FROM base AS two
COPY --from=one /one /two
COPY --from=one /version /
FROM scratch
COPY --from=two /two /version /
COPY --from=0 /bin/busybox /bin/
"""

CASES = {
    "a file": Case(files("a"), "FROM scratch\nCOPY a /\n"),
    "a folder": Case(files("src/a", "src/b/c", "other"), "FROM scratch\nCOPY src /src/\n"),
    "a thousand files": Case(many, ALL),
    "large and sparse files": Case(big, ALL),
    "odd names": Case(odd_names, ALL),
    "names that are not UTF-8": Case(not_utf8, ALL),
    "hard links": Case(hard_links, ALL),
    "symbolic links": Case(symbolic_links, ALL),
    "modes": Case(modes, ALL),
    "extended attributes": Case(attributes, ALL),
    "times": Case(times, ALL),
    "a pipe and a socket": Case(special, ALL),
    "empty folders": Case(empty_folders, ALL),
    "nothing in the context": Case(files(), "FROM busybox\nRUN echo x > /x\n"),
    "an ignore file": Case(ignoring("node_modules\n**/*.md\n.git\n"), ALL),
    "an ignore file with exceptions": Case(ignoring("*\n!src\nsrc/sub/*\n!**/keep.txt\n!README.md\n"), ALL),
    "an ignore file that takes the Dockerfile": Case(ignoring("Dockerfile\n.dockerignore\n*.md\n"), ALL),
    "an ignore file of the Dockerfile's own": Case(ignoring("src\n", "Dockerfile.dockerignore"), ALL),
    "an ignore file that takes what is copied": Case(ignoring("src\n"), "FROM scratch\nCOPY src /src\n"),
    "an ignore file that is not valid": Case(ignoring("a\n[\n"), ALL, recent=True),  # 20.10 sometimes builds without any file
    "a Dockerfile in a folder": Case(files("a", "docker/b"), "FROM scratch\nCOPY a docker/b /\n", file="c/docker/web.Dockerfile"),
    "a Dockerfile outside of the context": Case(files("a"), ALL, file="elsewhere/Dockerfile"),
    "globs": Case(
        files("a.txt", "b.txt", "c.md", "d/e.txt", "[x]", "x"),
        'FROM scratch\nCOPY *.txt /one/\nCOPY ?.md d*/e.* /two/\nCOPY ["[[]x]", "/three/"]\nCOPY none* a.txt /four/\n',
    ),
    "links in the path of a source": Case(
        linked_sources, "FROM scratch\nCOPY link/deep /one/\nCOPY real/over/x /two/\nCOPY absolute /three/\nCOPY link /four\n"
    ),
    "owners and modes of a copy": Case(
        files("a", "d/b"),
        "FROM busybox\nCOPY --chown=1000:2000 a /one/\nCOPY --chown=daemon d /two/\n"
        "COPY --chmod=750 a d/b /three/\nADD --chown=3 d /four/\n",
    ),
    "archives": Case(archive, "FROM scratch\nADD some.tar.gz /one/\nADD plain.tar /two/\nCOPY some.tar.gz /three/\n"),
    "files that go and come": Case(
        files("a", "d/e", "d/f"),
        "FROM busybox\nCOPY . /x\nRUN rm -r /x/d && echo file > /x/d\nRUN rm /x/d && mkdir /x/d && mv /x/a /x/d/a\nCOPY d /x/d\n",
    ),
    "several stages": Case(files("a"), STAGES),
    "several stages, the third": Case(files("a"), STAGES, ("--target", "two")),
    "several stages, one by number": Case(files("a"), STAGES, ("--target", "1", "--build-arg", "VERSION=2")),
    "a copy out of an image": Case(files(), "FROM scratch\nCOPY --from=busybox /bin/busybox /etc/passwd /\n"),
    "build arguments": Case(
        files(),
        "ARG TAG=latest\nARG UNUSED\nFROM busybox:$TAG\nARG TAG\nARG ONE=1\nARG TWO\nARG HTTP_PROXY\nENV E=$TWO\n"
        'RUN echo "$TAG|$ONE|$TWO|$HTTP_PROXY" > /said\nLABEL one=${ONE:-none} two=${TWO:+some}\n',
        (
            "--build-arg",
            "TWO=a b=c",
            "--build-arg",
            "DFKIT_PARITY",
            "--build-arg",
            "NOT_ASKED=x",
            "--build-arg",
            "HTTP_PROXY=http://p:1",
        ),
    ),
    "labels": Case(files(), "FROM busybox\nLABEL a=file b=file\n", ("--label", "b=option", "--label", "c=é =x")),
    "a platform": Case(
        files(),
        "FROM --platform=$TARGETPLATFORM busybox\nARG TARGETARCH\nRUN echo $TARGETARCH > /arch\n",
        ("--platform", "linux/amd64"),
    ),
    "settings": Case(files(), SETTINGS),
    "triggers of a base": Case(
        files("a", "b"),
        f"FROM {BASE}\nRUN cat /in/a > /seen\n",
        base="FROM busybox\nONBUILD COPY a /in/\nONBUILD RUN echo x > /ran\nONBUILD ENV Y=1\n",
    ),
    "hosts and no network": Case(
        files(), "FROM busybox\nRUN cat /etc/hosts | grep other > /hosts\n", ("--add-host", "other:10.1.2.3", "--network", "none")
    ),
    "a bind mount": Case(
        files("a", "d/b", "d/c"),
        "FROM busybox\nRUN --mount=type=bind,target=/in,source=d ls -l /in | wc -l > /count && cat /in/b > /b\n"
        "RUN --mount=target=/all cp -a /all/a /all/d /\n",
    ),
    "cache and tmpfs mounts": Case(
        files(),
        "FROM busybox\nRUN --mount=type=cache,target=/cache --mount=type=tmpfs,target=/t echo x > /cache/x "
        "&& echo y > /t/y && ls /t > /l\n",
    ),
    "a secret": Case(
        with_secret,
        "FROM busybox\nRUN --mount=type=secret,id=s,target=/s,mode=0444 wc -c < /s > /size\n",
        ("--secret", "id=s,src=secret"),
    ),
    "line ends of Windows, and a mark": Case(
        files("a"), "\ufeff# escape=`\r\nFROM busybox\r\nRUN echo one `\r\n  two > /said\r\nCOPY a `\r\n /\r\n"
    ),
    "comments and empty lines": Case(
        files("a"), "# one\n\nfrom busybox\nrun echo a \\\n# inside\n\n  b > /said\n  # indented\ncopy a /\n"
    ),
    "a source that is not there": Case(files("a"), "FROM scratch\nCOPY b /\n"),
    "a step that fails": Case(files(), "FROM busybox\nRUN exit 3\n"),
    "a Dockerfile that is not valid": Case(files(), "FROM busybox\nRUNN x\n"),
    "heredocs": Case(
        files("a"),
        'FROM busybox\nARG X=1\nRUN <<E\necho "$X" > /one\nE\nRUN <<-"E" cat > /two\n\t$X\n\tE\nCOPY <<E <<"F" a /in/\nx $X\nE\ny $X\nF\n',
        recent=True,
    ),
    "linked copies": Case(
        files("a", "d/b"), "FROM busybox\nCOPY --link a /etc/x/\nCOPY --link --chown=5:6 d /d\nADD --link d /e\n", recent=True
    ),
    "copies with parents and without some": Case(
        files("a/b/c.txt", "a/b/d.md", "a/e.txt", "f/g.txt"),
        "FROM scratch\nCOPY --parents a/**/*.txt f/./g.txt /one/\nCOPY --exclude=*.md --exclude=**/e.txt a /two/\n",
        recent=True,
    ),
    "conditions of variables": Case(
        files(), "FROM busybox\nARG A=one.two.three\nENV B=${A#*.} C=${A%%.*} D=${A/two/2}\nWORKDIR /${B}\n", recent=True
    ),
}
