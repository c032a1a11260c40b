from __future__ import annotations

import pytest
from docker.errors import DockerException

from dfkit.build.ssh import command


@pytest.mark.parametrize(
    ("url", "rest"),
    [
        ("ssh://host", ["--", "host", "docker system dial-stdio"]),
        ("ssh://me@host:2222", ["-l", "me", "-p", "2222", "--", "host", "docker system dial-stdio"]),
        ("ssh://host/run/my docker.sock", ["--", "host", "docker --host 'unix:///run/my docker.sock' system dial-stdio"]),
        ("ssh://[fe80::1]:22", ["-p", "22", "--", "fe80::1", "docker system dial-stdio"]),
        ("ssh://-oProxyCommand=x", ["--", "-oproxycommand=x", "docker system dial-stdio"]),
    ],
)
def test_the_program_for_an_address(url, rest):
    assert command(url) == ["ssh", "-o", "ConnectTimeout=30", "-T", *rest]


@pytest.mark.parametrize("url", ["ssh://", "ssh://:22", "ssh://a:b@host", "ssh://host:port", "ssh://host#x"])
def test_what_is_no_address_is_refused(url):
    with pytest.raises(DockerException):
        command(url)
