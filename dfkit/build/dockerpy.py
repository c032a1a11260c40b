"""docker-py, opened the way the docker command finds its engine. Imported only when an engine is needed: it takes 0.3 s."""

from __future__ import annotations

import os

import docker
import requests
import urllib3
from docker.context import ContextAPI
from docker.errors import DockerException
from docker.utils import kwargs_from_env

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

DEFAULT_HOST = "npipe:////./pipe/docker_engine" if os.name == "nt" else "unix:///var/run/docker.sock"

ANSWER_SECONDS = 10
"""How long an engine may take to say its version."""
SILENCE_SECONDS = 60
"""How long it may stay silent inside an answer, a build excepted."""

EngineTrouble = (DockerException, requests.RequestException, urllib3.exceptions.HTTPError, OSError)
"""What a call of docker-py may raise: its own errors and those that it lets through."""


class Client(docker.APIClient):
    """docker-py's client, with the engine's own certificate settings.

    requests would put REQUESTS_CA_BUNDLE and CURL_CA_BUNDLE, which are meant for the web, in the place of the engine's CA.
    """

    def merge_environment_settings(self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any) -> Any:
        """As requests does, but for the certificates that a call checks against."""
        settings = super().merge_environment_settings(url, proxies, stream, verify, cert)
        settings["verify"] = self.verify if verify is None else verify
        return settings


def locate(host: str | None, context: str | None) -> dict[str, Any]:
    """What `Client` needs to reach an engine: `base_url`, and `tls` where it is set.

    The engine is `host`, else the docker context of that name, else DOCKER_HOST with its TLS variables, else the current docker
    context, else the default socket. Raises one of `EngineTrouble`.
    """
    if context and not host:
        if not (settings := ContextAPI.kwargs_from_context(context)):
            raise DockerException(f'there is no docker context "{context}"; `docker context ls` lists them')
        return dict(settings)
    settings = kwargs_from_env()
    if host:
        settings["base_url"] = host
    elif "base_url" not in settings:
        settings = {"base_url": DEFAULT_HOST} | ContextAPI.kwargs_from_context()
    return dict(settings)


def open_client(settings: dict[str, Any]) -> Client:
    """A client that has reached its engine. Raises one of `EngineTrouble`."""
    client = Client(timeout=ANSWER_SECONDS, use_ssh_client=True, **settings)
    client.timeout = SILENCE_SECONDS
    return client
