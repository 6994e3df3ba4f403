"""How one protocol's requests are built, sent and judged, over connections of its own.

A request is built before it is due; the call that `prepare` returns only sends it. Used by locust's
users (`users`), in processes that gevent has patched.
"""

from __future__ import annotations

from http.client import HTTPException
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import urlsplit

from geventhttpclient import HTTPClient

from loadtest.traffic.corpus import (
    RestRequest,
    batch_request,
    json_request,
    multipart_request,
)
from loadtest.traffic.errors import TargetError
from loadtest.traffic.grpc_calls import API_KEY
from loadtest.traffic.order import PATIENCE_S
from loadtest.traffic.replies import Judgement, Outcome
from loadtest.traffic.scenario import Protocol as Protocols

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from loadtest.traffic.scenario import Modalities
    from loadtest.traffic.users import Work

    Build = Callable[[Work, Modalities, Random], RestRequest]

_MAX_CONNECTIONS: Final = 2_000


class Transport(Protocol):
    """One protocol, ready to send."""

    def prepare(self, modalities: Modalities, chance: Random) -> Callable[[], Judgement]:
        """Builds a request before it is due; the call sends it and judges its answer."""

    def close(self) -> None:
        """Closes its connections."""


class RestTransport:
    """HTTP/1.1 with connections that are kept alive; opened as needed."""

    def __init__(self, work: Work, build: Build) -> None:
        """Prepares.

        Args:
            work: what the users of this process share.
            build: makes a request of what is drawn from the corpus.
        """
        self._work = work
        self._build = build
        self._client = _client(work.order.url)
        self._headers = {API_KEY: work.api_key} if work.api_key else {}

    def prepare(self, modalities: Modalities, chance: Random) -> Callable[[], Judgement]:
        """See `Transport.prepare`."""
        request = self._build(self._work, modalities, chance)
        return lambda: self._ask(request)

    def close(self) -> None:
        """See `Transport.close`."""
        self._client.close()

    def _ask(self, request: RestRequest) -> Judgement:
        headers = {"Content-Type": request.content_type, **self._headers}
        try:
            response = self._client.post(request.path, body=request.body, headers=headers)
            try:
                body = bytes(response.read())
            finally:
                response.release()
        except (OSError, HTTPException) as error:
            return Judgement(Outcome.MISSING, type(error).__name__)
        return self._work.judge.judge(request.path, int(response.status_code), body)


class GrpcTransport:
    """One gRPC channel."""

    def __init__(self, work: Work) -> None:
        """Connects and asks for the messages."""
        self._corpus = work.corpus
        self._classifier = work.grpc_classifier()

    def prepare(self, modalities: Modalities, chance: Random) -> Callable[[], Judgement]:
        """See `Transport.prepare`."""
        message = self._classifier.encode(self._corpus.draw(modalities, chance))
        return lambda: self._classifier.classify(message, PATIENCE_S)

    def close(self) -> None:
        """See `Transport.close`."""
        self._classifier.close()


def open_transport(protocol: Protocols, work: Work) -> Transport:
    """Makes the transport of a protocol.

    Raises:
        TargetError: the service does not speak it.
    """
    if protocol is Protocols.GRPC:
        return GrpcTransport(work)
    return RestTransport(work, _BUILDS[protocol])


def get(url: str, path: str) -> bytes:
    """Asks the service for a page.

    Raises:
        TargetError: it does not answer, or not with 200.
    """
    client = _client(url)
    try:
        response = client.get(path)
        body = bytes(response.read())
    except OSError as error:
        raise TargetError(url, str(error)) from error
    finally:
        client.close()
    if response.status_code != 200:
        raise TargetError(url, f"{path} is answered with {response.status_code}")
    return body


def _multipart(work: Work, modalities: Modalities, chance: Random) -> RestRequest:
    return multipart_request(work.corpus.draw(modalities, chance))


def _json(work: Work, modalities: Modalities, chance: Random) -> RestRequest:
    return json_request(work.corpus.draw(modalities, chance))


def _batch(work: Work, modalities: Modalities, chance: Random) -> RestRequest:
    items = range(work.order.scenario.batch_items)
    return batch_request([work.corpus.draw(modalities, chance) for _ in items])


_BUILDS: Final[dict[Protocols, Build]] = {
    Protocols.MULTIPART: _multipart,
    Protocols.JSON: _json,
    Protocols.BATCH: _batch,
}


def _client(url: str) -> Any:  # noqa: ANN401  # geventhttpclient is not typed
    parts = urlsplit(url)
    return HTTPClient(
        parts.hostname or "",
        parts.port or (443 if parts.scheme == "https" else 80),
        ssl=parts.scheme == "https",
        concurrency=_MAX_CONNECTIONS,
        connection_timeout=PATIENCE_S,
        network_timeout=PATIENCE_S,
    )
