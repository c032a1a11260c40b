"""What linting a file imports: what is not needed is not paid for."""

from __future__ import annotations

import subprocess
import sys

import pytest

SHELL = "RUN apt-get update && apt-get install -y curl=$(cat version) && rm -rf /var/lib/apt/lists/*"
SMALL = f"""\
FROM debian:12 AS base
ARG A=1
ENV B=${{A:-2}} LD_LIBRARY_PATH=/srv/lib:$LD_LIBRARY_PATH
WORKDIR /srv
{SHELL}
RUN set -eux; \\
    for each in one two; do \\
        if [ ! -f "$each.tgz" ]; then curl -fsSLo "$each.tgz" "https://example.com/$each.tgz"; fi; \\
    done; \\
    tar -xzf one.tgz -C /opt && rm -rf /tmp/* /opt/*.md /var/log/apt/[a-z]*.log
RUN (cd /opt && make install) && sed -i "s/a/b/" /etc/a.conf
FROM debian:12-slim
LABEL org.opencontainers.image.licenses="MIT"
COPY --from=base /opt /opt
COPY a /a
HEALTHCHECK CMD curl -f http://localhost/ || exit 1
USER app
CMD ["sh", "-c", "exec a"]
"""

HEAVY = {
    "argparse", "ast", "collections", "contextlib", "dataclasses", "difflib", "docker", "enum", "functools", "hashlib", "importlib",
    "inspect", "jinja2", "json", "lark", "logging", "pathlib", "random", "re", "ruamel", "ruamel.yaml", "shutil", "subprocess",
    "tempfile", "threading", "tree_sitter", "tree_sitter._binding", "types", "typing", "urllib", "warnings",
}  # fmt: skip
"""Each takes as long to import as all of dfkit's modules that a file needs, or nearly."""

PROGRAM = (
    "import sys; before = set(sys.modules); from dfkit.cli import main; from dfkit._regex import keep; "
    "code = main(['lint', sys.argv[1]]); keep(); print(*set(sys.modules) - before, file=sys.stderr)"
)


def modules(path):
    done = subprocess.run([sys.executable, "-c", PROGRAM, str(path)], capture_output=True, text=True, check=True)
    assert "DL3015" in done.stdout
    return set(done.stderr.splitlines()[-1].split())


@pytest.fixture
def dockerfile(tmp_path):
    path = tmp_path / "Dockerfile"
    path.write_text(SMALL)
    (tmp_path / "a").touch()  # so that the folder is taken for the build context
    modules(path)  # compiles what is compiled once: rules, tables, expressions
    return path


def test_linting_a_file_imports_nothing_heavy(dockerfile):
    assert not modules(dockerfile) & HEAVY


def test_checks_of_commands_that_the_file_has_not_are_not_imported(dockerfile):
    assert not modules(dockerfile) & {"dfkit.checks.ports", "dfkit.model.outline", "dfkit.lint.suppress", "dfkit.output.json"}


def test_without_an_ignore_file_its_patterns_are_not_imported(dockerfile):
    assert not modules(dockerfile) & {"dfkit.context.ignore", "dfkit.context.planning"}
    (dockerfile.parent / ".dockerignore").write_text("b\n")
    assert modules(dockerfile) >= {"dfkit.context.ignore"}
