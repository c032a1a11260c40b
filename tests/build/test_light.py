from __future__ import annotations

import subprocess
import sys


def test_importing_the_room_loads_neither_docker_nor_http2():
    heavy = "{'docker', 'requests', 'urllib3', 'h2'} & set(sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys, dfkit.build, dfkit.build.report, dfkit.output.progress; print({heavy} or 'light')"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "light\n"
