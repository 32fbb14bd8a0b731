"""The move of one service that is packages: its packages, one restart, the proof, and the way back.

Who sees it through is `container_change`, under the service's guard. A member whose clients leave it first is
out of service before its packages move: what it has not loaded yet would be of another version then, and so
would its tools.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from salt.exceptions import CommandExecutionError

from openstack_rollout.node import (
    answers,
    container_change,
    engines,
    errors,
    guards,
    kept_packages,
    packaged,
)
from openstack_rollout.node.container_change import Container, Steps


class Service(NamedTuple):
    """What is moved: its name, its units that restart, {package: version} that is due, globs of packages that
    must not move, whether the ports of its units count, and the path that is asked for where they speak HTTP.
    """

    name: str
    units: list[str]
    due: dict[str, str]
    exclude: list[str]
    listens: bool = True
    http: str = ""


class Move:
    """The move of a service.

    salt (dict): the state's `__salt__`. service (Service). one (Container): its units as guards know them.
    """

    def __init__(self, salt: Mapping[str, Any], service: Service, one: Container):
        self._salt = salt
        self._service = service
        self._one = one
        self._since = time.time()
        self._listened: list[int] = []
        self._spoke: list[int] | None = None
        self._restarted = False
        self.moved: dict[str, dict[str, str]] = {}
        self.missing: dict[str, str] = {}

    def carry_out(self, *, restore: bool) -> str:
        """Move it, and prove it. restore (bool): whether what fails goes back.

        Returns how the guard says that it came back, "" without one. Raises CommandExecutionError.
        """
        name, due, exclude = self._service.name, self._service.due, self._service.exclude
        units = self._service.units
        if not units:
            self.moved = self._bring()
            return ""
        if due:
            self.missing = self._salt["kept_packages.keep"](name, due, exclude)["missing"]
        elif not self._salt["kept_packages.status"](name)["begun"]:
            self._salt["kept_packages.forget"](name)  # of a move that never was
        listened = self._salt["packaged_service.listens"](units) if self._service.listens else []
        asked = self._service.http and listened
        spoke = self._salt["packaged_service.speaks"](units, self._service.http) if asked else None
        self._salt["kept_packages.begin"](name, listened, spoke)
        self._listens_again(self._salt["kept_packages.status"](name))
        if not self._leaves_first():
            if due and self._one.running:
                container_change.guarded(self._salt, self._one.guard, "may_stop", self._one.name)
            self.moved = self._bring()
        steps = Steps(self._replace, self.prove, self._put_back, self._accept)
        # None of its units may come back while the first is ended; what stands on it before that itself.
        held = reversed(units[1:])
        return container_change.carry_out(self._salt, self._one, steps, restore=restore, held=held)

    def prove(self) -> None:
        """Make sure that its units run, listen where they did and answer there. Raises NodeError
        SERVICE_FAILED.
        """
        units, timeout, http = self._service.units, self._one.timeout, self._service.http
        self._salt["packaged_service.settled"](units, timeout, self._since, self._one.guard)
        self._salt["packaged_service.answers"](units, self._listened, timeout, self._since, http, self._spoke)

    def prove_again(self, before: Mapping[str, Any]) -> None:
        """Prove the move of a run that died. before: of kept_packages.status. As `prove`."""
        self._listens_again(before)
        self.prove()
        self._accept()

    def _listens_again(self, before: Mapping[str, Any]) -> None:
        # Whether ports count may have been changed since they were written down.
        self._listened = list(before["listened"]) if self._service.listens else []
        self._spoke = before["spoke"] if self._service.listens else None

    def _leaves_first(self) -> bool:
        return self._one.guard in guards.WITH_CLIENTS

    def _bring(self) -> dict[str, dict[str, str]]:
        due = self._service.due
        return self._salt["package_set.bring"](due, exclude=self._service.exclude) if due else {}

    def _replace(self) -> None:
        if self._leaves_first():
            self.moved = self._bring()
        self._restart()

    def _restart(self) -> None:
        self._since, self._restarted = time.time(), True
        self._salt["packaged_service.restart"](self._service.units)

    def _accept(self) -> None:
        self._salt["kept_packages.forget"](self._service.name)

    def _put_back(self) -> str:
        """Have it run what it ran before; a sentence that says how that went."""
        name, kept = self._service.name, self._salt["kept_packages.status"](self._service.name)
        back = {**packaged.before(self.moved), **kept["back"]}
        to = answers.named(back)
        if not (back or self._restarted or self._stopped()):
            # What its guard took out of service has to be back before anybody waits for that.
            container_change.guarded(self._salt, self._one.guard, "undo", self._one.name, None)
            return f"{name} runs on, nothing of it had moved."
        try:
            if back:
                files = {one: path for one, path in kept["files"].items() if one in back}
                self._salt["package_set.bring"](back, files=files)
            self._restart()
            self.prove()
        except CommandExecutionError as error:
            lost = kept_packages.told({one: why for one, why in kept["missing"].items() if one in back})
            why = f" There was no way back for {lost}." if lost else ""
            return f"{name} does not run as before{f', at {to}' if to else ''}: {errors.text_of(error)}{why}"
        self._salt["kept_packages.ended"](name)
        return f"{name} is back at {to}." if to else f"{name} was started again."

    def _stopped(self) -> bool:
        """Whether its guard has had it end already."""
        return not engines.runs(self._salt, self._one.name)
