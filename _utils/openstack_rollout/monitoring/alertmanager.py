"""Questions to Alertmanager, by its API v2: which alerts fire, and silences."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeGuard

from openstack_rollout.monitoring import http
from openstack_rollout.monitoring.contract import Access, Alert, Matches, NoAnswer, NotFound, Standing

AUTHOR = "openstack-rollout"
_ALERTS, _SILENCES, _SILENCE = "/api/v2/alerts", "/api/v2/silences", "/api/v2/silence"
_STATES = ("active", "suppressed", "unprocessed")


def alerts(access: Access, matches: Matches, silenced: bool, inhibited: bool) -> list[Alert]:
    """The alerts that fire and have all of these labels. Raises NoAnswer.

    silenced, inhibited: whether those count that are silenced, that another alert inhibits.
    """
    asked = [("active", "true"), ("silenced", _word(silenced)), ("inhibited", _word(inhibited))]
    asked += [("unprocessed", "true"), *(("filter", one.text) for one in matches)]
    told = http.ask(access, "GET", _ALERTS, asked).data
    if not isinstance(told, list):
        raise _strange(access, "it is no list of alerts")
    found = []
    for one in told:
        said = one if isinstance(one, dict) else {}
        labels, status = said.get("labels"), said.get("status")
        if not _is_labels(labels) or not isinstance(status, dict) or status.get("state") not in _STATES:
            raise _strange(access, "an alert has no labels, or no state")
        # Who ignores what it was asked tells of them, too.
        hidden = [status.get("silencedBy") and not silenced, status.get("inhibitedBy") and not inhibited]
        if not any(hidden):
            found.append(Alert(labels, str(said.get("startsAt") or "")))
    return found


class Silences:
    """The silences of an Alertmanager that are ours.

    access: how it is asked. clock: seconds since the epoch; what the server's own shows is followed.
    """

    def __init__(self, access: Access, clock: Callable[[], float] = time.time):
        self._access = access
        self._clock = clock
        self._ahead: float | None = None

    def create(self, matches: Matches, comment: str, seconds: float) -> str:
        """Silence alerts for so many seconds from now; returns the id of the silence. Raises NoAnswer."""
        if self._ahead is None:
            self._ask("GET", "/api/v2/status")
        now = self._now()
        matchers = [
            {
                "name": one.label,
                "value": one.value,
                "isRegex": one.operator.endswith("~"),
                "isEqual": not one.operator.startswith("!"),
            }
            for one in matches
        ]
        # A second too late would be a second in which an alert gets through.
        times = {"startsAt": _stamp(now - 2), "endsAt": _stamp(now + seconds)}
        return self._post({"matchers": matchers, **times, "createdBy": AUTHOR, "comment": comment})

    def prolong(self, silence: str, seconds: float) -> str | None:
        """Have a silence end so many seconds from now; returns its id, which may be another one then, or None
        where it ended. Raises NoAnswer; NotFound where the server knows none of that id.
        """
        told = self._ask("GET", f"{_SILENCE}/{silence}")
        if self._read(told).ended:
            return None
        kept = {key: told[key] for key in ("matchers", "startsAt", "createdBy", "comment") if key in told}
        return self._post({"id": silence, **kept, "endsAt": _stamp(self._now() + seconds)})

    def expire(self, silence: str) -> None:
        """End a silence now; one that ended, or is gone, stays so. Raises NoAnswer."""
        try:
            if not self._read(self._ask("GET", f"{_SILENCE}/{silence}")).ended:
                self._ask("DELETE", f"{_SILENCE}/{silence}")
        except NotFound:
            return

    def ours(self) -> list[Standing]:
        """The silences that did not end and were made by this program, whoever ran it. Raises NoAnswer."""
        told = self._ask("GET", _SILENCES)
        if not isinstance(told, list):
            raise _strange(self._access, "it is no list of silences")
        mine = [one for one in told if isinstance(one, dict) and one.get("createdBy") == AUTHOR]
        return [found for one in mine if not (found := self._read(one)).ended]

    def _post(self, silence: Mapping[str, Any]) -> str:
        told = self._ask("POST", _SILENCES, silence)
        found = told.get("silenceID") if isinstance(told, dict) else None
        if not isinstance(found, str) or not found:
            raise _strange(self._access, "it has no silenceID")
        return found

    def _read(self, told: Any) -> Standing:
        status = told.get("status") if isinstance(told, dict) else None
        state = status.get("state") if isinstance(status, dict) else None
        if not isinstance(state, str) or not isinstance(told.get("id"), str):
            raise _strange(self._access, "a silence has no id, or no state")
        return Standing(told["id"], str(told.get("comment") or ""), state == "expired")

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        answer = http.ask(self._access, method, path, body=body)
        self._ahead = (answer.date - self._clock()) if answer.date else 0.0
        return answer.data

    def _now(self) -> float:
        return self._clock() + (self._ahead or 0.0)


def _is_labels(labels: Any) -> TypeGuard[dict[str, str]]:
    return isinstance(labels, dict) and all(isinstance(value, str) for value in labels.values())


def _word(value: bool) -> str:
    return "true" if value else "false"


def _stamp(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _strange(access: Access, what: str) -> NoAnswer:
    return NoAnswer(f"{access.what} ({access.address}): what it answers makes no sense: {what}")
