from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture
def run_as_nobody(tmp_path):
    """Run a Python script as a user without rights; what it prints, or its last line on stderr."""
    source = Path(__file__).resolve().parents[2]
    for folder in (tmp_path, *tmp_path.parents):
        if os.geteuid() == 0 and not os.stat(folder).st_mode & 0o001:
            os.chmod(folder, os.stat(folder).st_mode | 0o055)

    def run(script: str, *arguments: object) -> str:
        drop = "import os; os.geteuid() or (os.setgroups([]), os.setgid(65534), os.setuid(65534)); "
        done = subprocess.run(
            [
                sys.executable,
                "-c",
                f"import sys; sys.path.insert(0, {str(source)!r}); {PRELOAD}{drop}{script}",
                *map(str, arguments),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout or done.stderr.splitlines()[-1]

    return run


PRELOAD = "import hashlib, dfkit.context.planning, dfkit.context.archive; "
"""What is loaded before the rights go: its folder may be closed to others."""
