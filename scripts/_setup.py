"""What the set-up scripts share: long steps with a log, the yes that an installation needs, sentences that end a script.

Only the standard library here: `setup-venv` runs before there is anything else.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import NoReturn

ROOT = Path(__file__).resolve().parent.parent
LOGS = ROOT / ".cache" / "logs"
NO_ENGINE = 3
ADMIN_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"])
"""PATH with the folders of the administrator's programs, which a user's PATH often lacks."""

REPORT_EVERY = 5.0
"""Seconds between two lines of a long step."""
LOG_LINES_SHOWN = 15


def say(message: str) -> None:
    print(message, flush=True)


def fail(message: str, exit_code: int = 1) -> NoReturn:
    """End the script with one sentence on stderr."""
    print(message, file=sys.stderr, flush=True)
    raise SystemExit(exit_code)


def run_main(main: Callable[[list[str]], None]) -> None:
    try:
        main(sys.argv[1:])
    except KeyboardInterrupt:
        fail("interrupted", 130)


def in_checkout_python() -> NoReturn:
    """Start the running script again with the Python of `make venv`, which has docker-py."""
    python = ROOT / ".venv" / "bin" / "python"
    if not python.exists() or Path(sys.prefix) == ROOT / ".venv":
        fail("This needs the checkout's Python environment: run `make venv` first.")
    os.execv(python, [str(python), *sys.argv])


def log_tail(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    return "\n".join(f"    {line}" for line in lines[-LOG_LINES_SHOWN:])


def watch(title: str, lines: Iterable[str], log: Path) -> None:
    """Keep `lines` in `log`, and show every few seconds that `title` goes on, with the latest line."""
    start = shown = time.monotonic()
    say(f"{title} …")
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as out:
        for line in lines:
            print(line, file=out, flush=True)
            now = time.monotonic()
            if line.strip() and now - shown >= REPORT_EVERY:
                shown = now
                say(f"{title} … {now - start:.0f} s: {line.strip()[:90]}")
    say(f"{title}: {time.monotonic() - start:.0f} s")


def run(title: str, command: Sequence[str | Path], log: Path) -> None:
    """Run a long command with its output in `log`; when it fails, show the end of the log and end the script."""

    def lines() -> Iterator[str]:
        with subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=os.environ | {"PATH": ADMIN_PATH, "DEBIAN_FRONTEND": "noninteractive"},
        ) as process:
            assert process.stdout
            yield from (line.rstrip() for line in process.stdout)
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, command)

    try:
        watch(title, lines(), log)
    except (OSError, subprocess.CalledProcessError) as error:
        fail(f"{title} failed ({error}); the end of {log}:\n{log_tail(log)}")


def has_apt() -> bool:
    """Whether this is Debian, Ubuntu or made from them."""
    return Path("/etc/debian_version").exists() and shutil.which("apt-get") is not None


def is_root() -> bool:
    return os.geteuid() == 0


def agreed(question: str) -> bool:
    """CI=true is a yes; a person at a terminal is asked; anything else is a no."""
    if os.environ.get("CI", "").lower() in ("true", "1"):
        return True
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return False
    return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")


def apt_install(packages: Sequence[str], log: Path) -> None:
    apt = ["apt-get", "-o", "DPkg::Lock::Timeout=120"]
    names = " ".join(packages)
    run("apt-get update", [*apt, "update"], log.with_suffix(".update.log"))
    run(f"apt-get install {names}", [*apt, "install", "-y", "--no-install-recommends", *packages], log)


def unmount_below(root: Path) -> None:
    """debootstrap mounts /proc and /sys in what it makes; interrupted, it leaves them there."""
    mounted = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for path in sorted((path for path in mounted if path.startswith(f"{root}/")), reverse=True):
        subprocess.run(["umount", path], check=True)
