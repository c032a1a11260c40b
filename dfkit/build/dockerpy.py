"""docker-py, opened the way the docker command finds its engine. Imported only when an engine is needed: it takes 0.3 s."""

from __future__ import annotations

import re
import socket
import ssl
import warnings
from urllib.parse import urlsplit

import docker
import requests
import urllib3
from docker.errors import DockerException
from docker.tls import TLSConfig
from requests.adapters import HTTPAdapter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from dfkit.build.dockerconfig import Endpoint

ANSWER_SECONDS = 10
"""How long an engine may take to say its version."""
LOGIN_SECONDS = 60
"""The same through ssh, which may ask the user for a passphrase."""
SILENCE_SECONDS = 60
"""How long it may stay silent inside an answer, a build excepted."""

EngineTrouble = (DockerException, requests.RequestException, urllib3.exceptions.HTTPError, OSError)
"""What a call of docker-py may raise: its own errors and those that it lets through."""

_SCHEMES = ("unix://", "tcp://", "npipe://", "http://", "https://")
_KEEP_ALIVE = [
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    *(
        (socket.IPPROTO_TCP, getattr(socket, name), seconds)
        for name, seconds in (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3))
        if hasattr(socket, name)
    ),
]
"""A network that is gone is noticed within a minute, while an engine may be silent for hours."""


class Client(docker.APIClient):
    """docker-py's client for an endpoint; making one asks the engine for its version. Raises one of `EngineTrouble`.

    Its TLS settings are the engine's own: requests would put REQUESTS_CA_BUNDLE and CURL_CA_BUNDLE, which are meant for the web, in
    the place of the engine's CA.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        if endpoint.host.startswith("ssh://"):
            from dfkit.build.ssh import Adapter

            super().__init__("tcp://ssh:22", version="1.24", timeout=LOGIN_SECONDS)
            self.mount("http+docker://", Adapter(endpoint.host, LOGIN_SECONDS))
            self.base_url = "http+docker://ssh"
            self._version: str = self._retrieve_server_version()  # type: ignore[attr-defined]
        else:
            if not _is_address(endpoint.host):
                raise DockerException("write unix://PATH, tcp://HOST:PORT or ssh://USER@HOST")
            _try_socket(endpoint.host)
            super().__init__(endpoint.host, timeout=ANSWER_SECONDS, tls=_tls(endpoint))
            for scheme in ("http://", "https://"):
                if scheme in self.adapters:
                    self.mount(scheme, _KeptAlive())
        self.timeout = SILENCE_SECONDS

    @property
    def _general_configs(self) -> dict[str, Any]:
        """Nothing of docker's configuration: docker-py cannot live with one login in it that cannot be read."""
        return {"auths": {}}

    @_general_configs.setter
    def _general_configs(self, _read: object) -> None:
        return

    def get_redirect_target(self, resp: Any) -> str | None:
        """None; requests would go where the engine sends it, with what is meant for the engine."""
        if super().get_redirect_target(resp) is None:
            return None
        raise requests.TooManyRedirects("it sends its answer elsewhere", response=resp)

    def merge_environment_settings(self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any) -> Any:
        """As requests does, but for the certificates that a call checks against."""
        settings = super().merge_environment_settings(url, proxies, stream, verify, cert)
        settings["verify"] = self.verify if verify is None else verify
        return settings


class _KeptAlive(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        options = [*urllib3.connection.HTTPConnection.default_socket_options, *_KEEP_ALIVE]
        super().init_poolmanager(*args, **kwargs, socket_options=options)


def _is_address(host: str) -> bool:
    """Whether docker-py will not stumble over it. Without a scheme it may be `name:port`, as for the docker command."""
    if "://" not in host:
        return True
    try:
        parts = urlsplit(host)
        _ = parts.port  # looked at only when it is asked for
    except ValueError:
        return False
    return host.startswith(_SCHEMES) and "@" not in parts.netloc


def _try_socket(host: str) -> None:
    """Raise what connecting to a unix socket raises: docker-py would leave a socket open that it could not connect."""
    if host.startswith("unix:///"):
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(ANSWER_SECONDS)
            probe.connect(host.removeprefix("unix://"))


def _tls(endpoint: Endpoint) -> TLSConfig | bool:
    if not endpoint.tls or endpoint.host.startswith(("unix://", "npipe://", "http://")):
        return False
    if not endpoint.verify:
        # Said by the user's own settings; requests would say it again at each call.
        name = re.escape(urllib3.util.parse_url(endpoint.host).host or "")
        warnings.filterwarnings("ignore", f"Unverified HTTPS request is being made to host '{name}'")
    pair = (endpoint.certificate, endpoint.key) if endpoint.certificate and endpoint.key else None
    # Without one requests would take its own list, not the system's.
    authorities = endpoint.ca or ssl.get_default_verify_paths().cafile
    return TLSConfig(client_cert=pair, ca_cert=authorities, verify=endpoint.verify)
