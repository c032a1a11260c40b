"""Images of the Docker engine that answers."""

from __future__ import annotations

from dfkit.errors import NoEngine, UsageError
from dfkit.image.saved import SavedImage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from docker import APIClient, DockerClient


def saved(client: DockerClient | APIClient, name: str) -> SavedImage:
    """Save an image of the engine (`GET /images/{name}/get`) and read it as it comes.

    `name` is a tag, digest or id. Raises `UsageError` if there is no such image, `NoEngine` if the engine does not answer.
    """
    from docker import APIClient
    from docker.errors import APIError, NotFound
    from requests.exceptions import RequestException

    api = client if isinstance(client, APIClient) else client.api
    try:
        # By id: for a bare repository name some engines save all its tags.
        return SavedImage.read(api.get_image(api.inspect_image(name)["Id"]))  # type: ignore[no-untyped-call]
    except NotFound:
        raise UsageError(f"the engine has no image {name}; build or pull it first") from None
    except APIError as error:
        raise UsageError(f"the engine cannot save {name}: {error.explanation or error}") from error
    except RequestException as error:
        raise NoEngine("the Docker engine stopped answering; start it and try again") from error
