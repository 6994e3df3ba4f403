"""Registers a candidate at a running gateway, over its admin API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import httpx

from exporters.retraining.errors import RegistrationError

if TYPE_CHECKING:
    from pathlib import Path

    from exporters.retraining.rules import Rules

_TIMEOUT_S: Final = 30.0


def register(rules: Rules, rules_file: Path, gateway: str, api_key: str | None) -> None:
    """Puts the experiment and the shadow; an older candidate that has traffic keeps its place.

    Args:
        rules: of the candidate.
        rules_file: the same, for whoever has to do it by hand.
        gateway: `http://host:port`.
        api_key: of scope `admin`.

    Raises:
        RegistrationError: the gateway cannot be reached, refuses, or moves an older candidate.
    """
    headers = {} if api_key is None else {"x-api-key": api_key}
    with httpx.Client(base_url=gateway, headers=headers, timeout=_TIMEOUT_S) as client:
        path = f"/v1/admin/experiments/{rules.name}"
        busy = _moving_candidate(_call(client, "GET", path, rules_file, absent_is_none=True))
        if busy is not None and busy != rules.candidate:
            raise RegistrationError(
                path, f"'{busy}' has traffic in it; promote it or roll it back first", rules_file
            )
        if busy is None:
            _call(client, "PUT", path, rules_file, body=rules.experiment)
        _call(client, "PUT", f"/v1/admin/shadows/{rules.name}", rules_file, body=rules.shadow)


def _moving_candidate(rule: dict[str, Any] | None) -> str | None:
    """The arm of an experiment that gets traffic and is not its control."""
    definition = (rule or {}).get("definition", {})
    arms = definition.get("arms", {})
    moving = (arm for arm, each in arms.items() if each.get("weight", 0) > 0)
    return next((arm for arm in moving if arm != definition.get("control")), None)


def _call(  # a request and what is said when it fails
    client: httpx.Client,
    method: str,
    path: str,
    rules_file: Path,
    *,
    body: dict[str, Any] | None = None,
    absent_is_none: bool = False,
) -> dict[str, Any] | None:
    try:
        answer = client.request(method, path, json=body)
    except httpx.HTTPError as error:
        raise RegistrationError(path, f"it cannot be reached ({error})", rules_file) from error
    if absent_is_none and answer.status_code == httpx.codes.NOT_FOUND:
        return None
    if not answer.is_success:
        raise RegistrationError(path, f"{answer.status_code} {_detail(answer)}", rules_file)
    found: dict[str, Any] = answer.json()
    return found


def _detail(answer: httpx.Response) -> str:
    """What the gateway's problem says, or nothing where the answer is no problem."""
    try:
        said = answer.json()
    except ValueError:
        return ""
    return str(said.get("detail", "")).rstrip(".") if isinstance(said, dict) else ""
