"""The guards: execution modules that keep a service going while its container is changed.

This is their list and their contract; each guard is a file of `_modules/` with that name. Nothing here needs
Salt, since the master reads the list as well.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

PATIENCE = 60  # seconds for a cluster that is about to be whole again


class Guard(Protocol):
    """The functions of a guard. `container` is always the container's name; of a service that is packages,
    that of the first of its units, with `.service`, whose programs are those of the node.

    A token (dict) is what a guard needs to finish a change or to undo it. {} says that there is nothing to
    guard.
    """

    def may_stop(self, container: str, patience: float = PATIENCE) -> dict | None:
        """Make sure that the service can do without the container for a while, and touch nothing.

        patience (float): seconds to wait for that. Returns what the guard knows of the container, None where
        there is nothing to guard. Raises NodeError, which says what is missing.
        """

    def before_stop(self, container: str) -> dict:
        """As `may_stop`; then take the container out of service. Returns the token, which is recorded.

        Raises NodeError as long as the container still does its work; `undo` takes back what was begun.
        """

    def after_start(self, container: str, token: dict | None, timeout: float) -> str:
        """Wait until the container does its work again, and drop the record.

        token: of `before_stop`, None when no container ran before. timeout (float): seconds. Returns how it
        came back, "" when there is nothing to say. Raises NodeError, which says what is missing.
        """

    def undo(self, container: str, token: dict | None) -> None:
        """Take back what `before_stop` did, and drop the record. A second time changes nothing.

        token: of `before_stop`; None: that of a run that died.
        """

    def progress(self, container: str) -> dict | None:
        """What the container takes its time for, as far as that can be seen; None where nothing is.

        Returns {"what": a few words, "mark": [numbers], greater the further it is, "copies":
        whether it would have to begin again if it were stopped}. What cannot be asked is not seen.
        """

    def pending(self, container: str) -> dict | None:
        """The token of a change that was begun and not finished, None when there is none."""


class EndingGuard(Guard, Protocol):
    """A guard that has its container end by itself."""

    def before_stop(self, container: str, hold: Callable[[], None] | None = None) -> dict:
        """As a guard's. hold (callable): keeps the container's unit from starting it again; called right
        before it is asked to end, and only then.
        """


class Listed(NamedTuple):
    """One guard of the list.

    name: of its execution module. is_member: what it guards is a member of a cluster. has_clients: whose
    clients have to leave it before its node goes down. ends_it: it is an EndingGuard. has_settings: whether
    it tells, by `settings`, what an operator has set for which another image would wait.
    """

    name: str
    is_member: bool = False
    has_clients: bool = False
    ends_it: bool = False
    has_settings: bool = False


NONE = "none"  # a service without a guard
PACEMAKER = "pacemaker"
GUARDS = (
    Listed(NONE),
    Listed("ovn_controller", ends_it=True, has_settings=True),
    Listed("rabbitmq_cluster", is_member=True, has_clients=True),
    Listed("galera", is_member=True, has_clients=True),
    Listed("ovsdb_cluster", is_member=True, ends_it=True),
    Listed(PACEMAKER),
)
GUARD_NAMES = tuple(guard.name for guard in GUARDS)
MEMBERS = tuple(guard.name for guard in GUARDS if guard.is_member)
ENDING = tuple(guard.name for guard in GUARDS if guard.ends_it)
WITH_SETTINGS = tuple(guard.name for guard in GUARDS if guard.has_settings)
WITH_CLIENTS = tuple(guard.name for guard in GUARDS if guard.has_clients)


def may_share(*guards: str) -> bool:
    """Whether services of these guards may move together: one guard sees all of them through, and they are no
    members of a cluster.
    """
    wanted = set(guards) - {NONE}
    return len(wanted) < 2 and wanted.isdisjoint(MEMBERS)
