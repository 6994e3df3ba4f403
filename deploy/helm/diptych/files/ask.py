"""What `helm test` runs, in the gateway's image: the release answers, over REST and gRPC.

Without an API key it asks for what needs none, and that a request without one is refused. With one,
in DIPTYCH_API_KEY, it classifies a text. Exit codes: 0 all is well, 1 something is not.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import urllib.error
import urllib.request
from http import HTTPStatus
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

TIMEOUT_S = 10


def read(body: bytes) -> Any:  # noqa: ANN401  # JSON
    """Returns what a body says."""
    try:
        return json.loads(body)
    except ValueError:
        return None


def ask(url: str, body: object = None, key: str | None = None) -> tuple[int, Any]:
    """Returns status and JSON of a REST call; `None` where the answer is no JSON."""
    headers = {"Content-Type": "application/json"} | ({"X-Api-Key": key} if key else {})
    data = json.dumps(body).encode() if body else None
    request = urllib.request.Request(url, data=data, headers=headers)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:  # noqa: S310
            return response.status, read(response.read())
    except urllib.error.HTTPError as refusal:
        return refusal.code, read(refusal.read())


def main() -> int:
    """Asks, prints a line for each answer, and returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--http", required=True, metavar="HOST:PORT")
    parser.add_argument("--grpc", required=True, metavar="HOST:PORT")
    parser.add_argument("--text", required=True)
    arguments = parser.parse_args()
    base, key = f"http://{arguments.http}", os.environ.get("DIPTYCH_API_KEY")

    failures = 0

    def check(what: str, is_well: bool, answer: object) -> None:
        nonlocal failures
        failures += not is_well
        print(f"{'ok    ' if is_well else 'FAILED'} {what}: {answer}", flush=True)

    status, answer = ask(f"{base}/readyz")
    check("ready", status == HTTPStatus.OK, answer)
    with grpc.insecure_channel(arguments.grpc) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        state = health.Check(health_pb2.HealthCheckRequest(), timeout=TIMEOUT_S).status
    is_serving = state == health_pb2.HealthCheckResponse.SERVING
    check("gRPC health", is_serving, health_pb2.HealthCheckResponse.ServingStatus.Name(state))
    status, answer = ask(f"{base}/v1/classify", {"text": arguments.text})
    check("refused without a key", status == HTTPStatus.UNAUTHORIZED, status)
    if key:
        status, answer = ask(f"{base}/v1/classify", {"text": arguments.text}, key)
        shown = {
            name: (answer or {}).get(name)
            for name in ("label", "score", "variant", "pool", "detail")
        }
        check("classified", status == HTTPStatus.OK, shown)
    return 1 if failures else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (OSError, grpc.RpcError) as error:
        sys.exit(f"FAILED {error}")
