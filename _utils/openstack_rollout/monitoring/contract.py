"""What a cloud's monitoring tells, and how it says that it tells nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from openstack_rollout.errors import RolloutError


class NoAnswer(RolloutError):
    """A server of the monitoring that tells nothing. passes: whether that may pass by itself."""

    def __init__(self, message: str, passes: bool = True):
        super().__init__("ANALYSIS_INCONCLUSIVE", message)
        self.passes = passes


class NotFound(NoAnswer):
    """A server has nothing of that name."""


class Sample(NamedTuple):
    """A series of a query's answer: its labels, its value, which may be infinite, or NaN."""

    labels: Mapping[str, str]
    value: float


class Alert(NamedTuple):
    """An alert that fires: its labels, and since when (ISO 8601)."""

    labels: Mapping[str, str]
    since: str


class Match(Protocol):
    """A matcher of alerts."""

    @property
    def label(self) -> str:
        """What it looks at."""

    @property
    def operator(self) -> str:
        """One of = != =~ !~."""

    @property
    def value(self) -> str:
        """With what it compares."""

    @property
    def text(self) -> str:
        """All of it, as Alertmanager reads it."""


Matches = Sequence[Match]


class AlertSilences(Protocol):
    """The silences of an Alertmanager. Each method raises NoAnswer."""

    def create(self, matches: Matches, comment: str, seconds: float) -> str:
        """Silence alerts for so many seconds from now; returns the id of the silence."""

    def prolong(self, silence: str, seconds: float) -> str | None:
        """Have a silence end so many seconds from now; returns its id, which may be another one then, or None
        where it ended. Raises NotFound too, where the server knows none of that id.
        """

    def expire(self, silence: str) -> None:
        """End a silence now; one that ended, or is gone, stays so."""

    def ours(self) -> list[Standing]:
        """The silences that did not end and were made by this program, whoever ran it."""


class Monitor(Protocol):
    """A cloud's monitoring. Each method raises NoAnswer."""

    def series(self, query: str) -> list[Sample]:
        """The series of an instant query, evaluated now."""

    def alerts(self, matches: Matches, silenced: bool, inhibited: bool) -> list[Alert]:
        """The alerts that fire and have all of these labels. silenced, inhibited: whether such ones count."""

    def silences(self) -> AlertSilences:
        """The silences of its Alertmanager."""


@dataclass(frozen=True)
class Access:
    """How a server is asked.

    what: what it is called. address: its own, without the path of the API. cacert: a file, "" for those
    that are trusted anyway. login: user and password; token: in place of it. connect, read: seconds.
    """

    what: str
    address: str
    cacert: str = ""
    login: tuple[str, str] | None = field(default=None, repr=False)
    token: str = field(default="", repr=False)
    connect: float = 5.0
    read: float = 10.0


@dataclass(frozen=True)
class Standing:
    """A silence as Alertmanager has it: its id, what it says of itself, whether it ended."""

    id: str
    comment: str
    ended: bool
