"""Dockerfiles made up from a number: short, mostly valid, with what BuildKit's checks look at."""

from __future__ import annotations

import random

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

NAMES = ("a", "b", "ab", "A", "FOO", "FO", "token", "API_KEY", "PUBLIC_KEY", "PATH", "TARGETARCH", "HTTP_PROXY", "é", "_x")
STAGES = ("base", "build", "Build", "final", "scratch", "context", "amd64-tools", "x")
VALUES = ("1", "/srv", "rel", '"two words"', "'$x'", "80", "8080:80", "", "linux/amd64", "12", "debian")
BASES = ("scratch", "debian:12", "alpine", "golang:1.22", "debian:", "Debian", "example.com:5000/Tool", "a/b/c")
MODIFIERS = (":-", "-", ":+", "+", "#", "%", "/x/")
PORTS = ("80", "80/tcp", "53/UDP", "8080:80", "127.0.0.1:80:80", "1000-1010", ":80", "8080:80/Tcp")


def dockerfile(number: int) -> str:
    """The Dockerfile of a number."""
    return _Maker(random.Random(number)).make()


class _Maker:
    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.stages: list[str] = []

    def make(self) -> str:
        """A whole file."""
        one = self.chance
        lines = []
        if one.random() < 0.15:
            lines.append(one.choice(("# check=skip=StageNameCasing,UndefinedVar", "# check=error=true", "# check=experimental=all",
                                     "# check=skip=all;experimental=all", "# escape=`", "# check=skip=all;error=1")))  # fmt: skip
        lines += [self.argument() for _ in range(one.choice((0, 0, 1, 2)))]
        for _ in range(one.choice((1, 1, 1, 2, 3))):
            lines.append(self.from_())
            for _ in range(one.randrange(8)):
                if one.random() < 0.15:
                    lines.append(one.choice(("# a remark", "# a is one", "#", "", "  # indented")))
                lines.append(self.instruction())
        text = "\n".join(lines) + "\n"
        return text.replace("\\\n", "`\n") if lines[0] == "# escape=`" else text

    def letters(self, word: str) -> str:
        return self.chance.choices((word, word.lower(), word.capitalize()), (12, 3, 1))[0]

    def pick(self, words: Sequence[str]) -> str:
        return self.chance.choice(words)

    def variable(self) -> str:
        name, one = self.pick(NAMES), self.chance
        if one.random() < 0.6:
            return f"${name}" if one.random() < 0.6 else f"${{{name}}}"
        return f"${{{name}{self.pick(MODIFIERS)}{self.pick(('1', 'x', '$b', ''))}}}"

    def word(self) -> str:
        one = self.chance
        parts = [
            self.variable() if one.random() < 0.4 else self.pick(("a", "/b", "c.d", "\\$a", "x-", "$$", "~")) for _ in range(2)
        ]
        text = "".join(parts[: one.choice((1, 1, 2))])
        return f'"{text}"' if one.random() < 0.15 else text

    def gap(self) -> str:
        return self.chance.choices((" ", "  ", " \\\n    ", " \\\n\n    ", " \\\n  # why\n    "), (30, 2, 3, 1, 1))[0]

    def argument(self) -> str:
        one = self.chance
        pairs = []
        for _ in range(one.choice((1, 1, 2))):
            value = self.word() if one.random() < 0.3 else self.pick(VALUES)
            pairs.append(self.pick(NAMES) + (f"={value}" if one.random() < 0.7 else ""))
        return f"{self.letters('ARG')} {' '.join(pairs)}"

    def from_(self) -> str:
        one = self.chance
        base = self.pick(BASES[:4]) if one.random() < 0.9 else self.pick(BASES)
        if self.stages and one.random() < 0.4:
            base = self.pick(self.stages)
        elif one.random() < 0.15:
            base = self.pick(("debian:$a", "${a:-debian}", "$TARGETARCH/x", "$FOO", "debian${b}:12"))
        platform = ""
        if one.random() < 0.15:
            platform = "--platform=" + self.pick(
                ("linux/amd64", "$TARGETPLATFORM", "$BUILDPLATFORM", "$a", "amd64", "linux/$TARGETARCH")
            )
        alias = ""
        if one.random() < 0.6:
            name = self.pick(STAGES)
            self.stages.append(name)
            alias = f"{self.gap()}{self.letters('AS')} {name}"
        return f"{self.letters('FROM')} {platform + ' ' if platform else ''}{base}{alias}"

    def instruction(self) -> str:
        make: Callable[[], str] = self.chance.choice((
            self.argument, self.environment, self.environment, self.label, self.copy, self.copy, self.run, self.workdir, self.user,
            self.volume, self.expose, self.command, self.command, self.shell, self.trigger, self.maintainer, self.heredoc, self.signal,
        ))  # fmt: skip
        return make()

    def environment(self) -> str:
        if self.chance.random() < 0.25:
            return f"{self.letters('ENV')}{self.gap()}{self.pick(NAMES)} {self.word()}"
        pairs = [f"{self.pick(NAMES)}={self.word()}" for _ in range(self.chance.choice((1, 1, 2, 3)))]
        return f"{self.letters('ENV')}{self.gap()}{self.gap().join(pairs)}"

    def label(self) -> str:
        if self.chance.random() < 0.2:
            return f"{self.letters('LABEL')} title {self.word()}"
        return f"{self.letters('LABEL')} {self.pick(('a', 'password', 'x.y'))}={self.word()}{self.gap()}b={self.word()}"

    def copy(self) -> str:
        one = self.chance
        flags = ""
        if one.random() < 0.3:
            flags = self.pick((f"--chown={self.word()} ", "--chmod=755 ", f"--from={self.pick(self.stages or STAGES)} ", "--link ",
                               "--from=0 ", "--from=alpine ", "--chmod=$b "))  # fmt: skip
        keyword = self.letters("COPY" if one.random() < 0.8 or "--from" in flags else "ADD")
        return f"{keyword} {flags}{self.word()}{self.gap()}{self.word()}/"

    def run(self) -> str:
        mount = ""
        if self.chance.random() < 0.3:
            mount = self.pick(("--mount=type=cache,target=/c ", f"--mount=type=cache,target=/{self.word().strip(chr(34))} ",
                               "--mount=type=secret,id=$a ", "--mount=from=base,target=/x "))  # fmt: skip
        return f"{self.letters('RUN')} {mount}echo $a{self.gap()}$b"

    def workdir(self) -> str:
        return f"{self.letters('WORKDIR')} {self.pick(('/srv', 'rel', './x', 'C:/x', self.word(), self.word()))}"

    def user(self) -> str:
        return f"{self.letters('USER')} {self.word()}"

    def volume(self) -> str:
        return f"{self.letters('VOLUME')} {self.pick((self.word() + '/v', '[' + chr(34) + '/a$b' + chr(34) + ']', '/a /b$a'))}"

    def expose(self) -> str:
        ports = [
            self.pick(PORTS) if self.chance.random() < 0.85 else self.variable() for _ in range(self.chance.choice((1, 1, 2)))
        ]
        return f"{self.letters('EXPOSE')} {' '.join(ports)}"

    def command(self) -> str:
        form = self.pick(('["x", "$a"]', "x $a", "exec x", '["x",]', "['x']", '["x"'))
        return self.pick((f"{self.letters('CMD')} {form}", f"{self.letters('ENTRYPOINT')} {form}", f"HEALTHCHECK CMD {form}",
                          "HEALTHCHECK NONE", f"HEALTHCHECK --interval=5s CMD {form}"))  # fmt: skip

    def shell(self) -> str:
        return 'SHELL ["/bin/sh", "-c"]' if self.chance.random() < 0.3 else self.run()

    def trigger(self) -> str:
        inner = self.pick((self.environment(), self.copy(), self.command(), self.workdir(), self.argument()))
        return f"{self.letters('ONBUILD')} {inner}"

    def maintainer(self) -> str:
        return f"{self.letters('MAINTAINER')} someone $a" if self.chance.random() < 0.4 else self.copy()

    def heredoc(self) -> str:
        end = self.pick(("EOF", "'EOF'", '"EOF"'))
        keyword = self.pick(("COPY", "ADD", "RUN"))
        target = f" {self.word()}" if keyword != "RUN" else ""
        return f"{keyword} <<{end}{target}\n{self.word()} '$ab'\n\n\\$a\nEOF"

    def signal(self) -> str:
        if self.chance.random() < 0.6:
            return self.user()
        return f"STOPSIGNAL {self.pick(('SIGTERM', '9', 'sigkill', '$b', 'TERM', 'RTMIN+3'))}"
