"""What a job knows already of an engine's containers and images, so that its first looks ask but once.

It is kept in Salt's `__context__`, and counts in the thread that learned it. Each job has its own one, also
where the minion's `multiprocessing` is off, and all its jobs share that context. A first look decides whether
something is due. What proves a change asks the engine itself, which is remembered here in its turn. What is
told of a container counts as long as the process that was told of runs in it, and its health for a moment;
one that does not run is asked about again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, MutableMapping
from pathlib import Path
from types import ModuleType
from typing import Any

_KEY = "openstack_rollout.first_look."
_OF = "thread"
_PROC = Path("/proc")
#: Seconds that a passed health check counts: engines ask for it no oftener, unless they are told to.
HEALTHY_FOR = 30.0
_Records = dict[str, dict[str, Any]]


class FirstLook:
    """The memory of one engine in a job.

    context (dict): the `__context__` of the engine's module. engine (str): the name of that module. clock: a
    module with `monotonic`, for tests.
    """

    def __init__(self, context: MutableMapping[str, Any], engine: str, clock: ModuleType = time):
        here = threading.get_native_id()  # no other process has it either
        self._known = context.setdefault(f"{_KEY}{engine}", {_OF: here})
        if self._known[_OF] != here:  # of the process that this job was forked from, or of an earlier job
            self._known = context[f"{_KEY}{engine}"] = {_OF: here}
        self._clock = clock

    def whole(self, told: _Records) -> _Records:
        """Remember what the engine tells of all its containers.

        told (dict): as `containers` of the engine's module gives them. Returns the same.
        """
        self._known |= {"containers": {}, "changed": set()}
        self._remember(told)
        return told

    def some(self, names: Iterable[str], told: _Records) -> _Records:
        """Remember what the engine tells of some containers; what it does not tell of is gone.

        names (list): the containers that it was asked about. told (dict): as for `whole`. Returns the same.
        """
        known = self._known.get("containers")
        if known is not None:
            self._known["changed"] -= set(names)
            for name in names:
                known.pop(name, None)
            self._remember(told)
        return told

    def containers(
        self, everything: Callable[[], _Records], some: Callable[[list[str]], _Records]
    ) -> _Records:
        """Every container, asked about as far as what is known does not count any more.

        everything, some (callable): ask the engine about all, and about those names; both have to remember.
        """
        known = self._known.get("containers")
        if known is None:
            return everything()
        ended = {name for name, (one, *_) in known.items() if one["running"] and not self._lasts(name)}
        if asked := sorted(ended | self._known["changed"]):
            some(asked)
        return {name: one for name, (one, *_) in self._known["containers"].items()}

    def container(
        self,
        name: str,
        everything: Callable[[], _Records],
        some: Callable[[list[str]], _Records],
    ) -> dict[str, Any] | None:
        """One container, asked about unless what is known of it counts; None where there is none.

        name (str): its name. everything, some (callable): as for `containers`.
        """
        known = self._known.get("containers")
        if known is None:
            return everything().get(name)
        if name in known and name not in self._known["changed"] and self._lasts(name, health=True):
            return known[name][0]
        return some([name]).get(name)

    def images(self, ask: Callable[[], Any]) -> Any:
        """What the engine has listed of its images; asked where nothing is known.

        ask (callable): has the engine list them.
        """
        return self.once("images", ask)

    def process(
        self,
        name: str,
        everything: Callable[[], _Records],
        some: Callable[[list[str]], _Records],
    ) -> int:
        """The id of the first process of a container, as long as it runs; 0 when none does.

        name, everything, some: as for `container`.
        """
        known = self._known.get("containers")
        if known is None:
            one = everything().get(name)
        elif name in known and name not in self._known["changed"] and self._lasts(name):
            one = known[name][0]
        else:
            one = some([name]).get(name)
        return one["pid"] if one and one["running"] else 0

    def once(self, what: str, ask: Callable[[], Any]) -> Any:
        """What does not change while a job runs, such as an engine's configuration.

        what (str): its name. ask (callable): tells it.
        """
        if what not in self._known:
            self._known[what] = ask()
        return self._known[what]

    def pulled(self, image: dict[str, Any]) -> None:
        """An image has come.

        image (dict): as the engine lists it.
        """
        if "images" in self._known:
            self._known["images"].append(image)

    def forget_images(self) -> None:
        """The images, or their names, have changed."""
        self._known.pop("images", None)

    def forget(self, *names: str) -> None:
        """Containers are changed: they are asked about again.

        names (str): of the containers, also their ids.
        """
        known = self._known.get("containers", {})
        by_id = {name for name, (one, *_) in known.items() if one["id"] in names}
        self._known.setdefault("changed", set()).update(names, by_id)

    def _remember(self, told: _Records) -> None:
        known, now = self._known["containers"], self._clock.monotonic()
        for name, one in told.items():
            known[name] = (one, _began(one.get("pid")), now)

    def _lasts(self, name: str, *, health: bool = False) -> bool:
        """Whether a container still runs the same process, and its health is no older than it may be."""
        one, began, told = self._known["containers"][name]
        if not one["running"] or not began or _began(one.get("pid")) != began:
            return False
        if not health or not one["health_check"]:
            return True
        return bool(one["healthy"]) and self._clock.monotonic() - told < HEALTHY_FOR


def _began(pid: int | None) -> str:
    """When a process began, in the kernel's own count; "" when it does not run."""
    try:
        stat = (_PROC / str(pid or "none") / "stat").read_text(encoding="utf-8")
    except OSError:
        return ""
    state, *fields = stat.rpartition(")")[2].split()
    return "" if state in ("Z", "X") else fields[18]
