"""What a node waits for before it goes, beside what the cloud can spare: addresses, and work in hand."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from openstack_rollout.declared.comparison import Compared
from openstack_rollout.declared.model import Model
from openstack_rollout.declared.rounds import Round
from openstack_rollout.errors import RolloutError, some
from openstack_rollout.records.run_record import Run
from openstack_rollout.rollout import addresses
from openstack_rollout.rollout.admission import Capacity
from openstack_rollout.rollout.fleet import Halted
from openstack_rollout.rollout.membership import Measured, Membership
from openstack_rollout.rollout.ports import Ports
from openstack_rollout.rollout.questions import unhindered

SYSTEM = "system"  # the stage that may reboot nodes
CONDUCTOR = "ironic-conductor"
ASK_AGAIN = 5.0  # seconds


class Worker(NamedTuple):
    """A type of service that loses what it works on when it is stopped.

    reason (str): under which a run pauses. timeout (str): the key of a policy. words (str): what is wrong,
    with a place for what is worked on.
    """

    reason: str
    timeout: str
    words: str


_WORK = ("WORK_IN_HAND", "work_timeout")
WORKERS = {
    CONDUCTOR: Worker(
        "BARE_METAL_BUSY", "bare_metal_timeout", "its Ironic conductor works on {}, which would fail"
    ),
    "octavia-worker": Worker(*_WORK, "a worker of Octavia is at {}, which might stay so"),
    "cinder-volume": Worker(*_WORK, "its cinder-volume works on {}, which would fail"),
    "cinder-backup": Worker(*_WORK, "a cinder-backup works on {}, which might fail"),
}


class Gate:
    """How many nodes may be in flight together, where each waits for something. A Capacity.

    why: why a node (its id) may not go yet, None when it may. patience: seconds for which none of them may
    have to wait for it, by node. monotonic (seconds). tell: told once why a node waits. together: whether
    more than one may be away.
    """

    def __init__(
        self,
        why: Callable[[str], RolloutError | None],
        patience: Callable[[str], float],
        monotonic: Callable[[], float],
        tell: Callable[[RolloutError], None] = lambda _: None,
        together: bool = True,
    ):
        self._why = why
        self._patience = patience
        self._monotonic = monotonic
        self._tell = tell
        self._together = together
        self._waits: dict[str, tuple[float, float]] = {}  # node → since when it waits, when it was asked for

    def __call__(self, away: Sequence[str], waiting: Sequence[str]) -> int:
        """away: the nodes in flight. waiting: those that would start, in their order.

        Raises the RolloutError for which the first of them waits, after its patience.
        """
        if away and not self._together:
            return len(away)
        ready = 0
        for node in waiting if self._together else waiting[:1]:
            if not self._is_ready(node, bool(away)):
                break
            ready += 1
        return len(away) + ready

    def _is_ready(self, node: str, others_away: bool) -> bool:
        now = self._monotonic()
        since, asked = self._waits.get(node, (now, float("-inf")))
        if now - asked < ASK_AGAIN:
            return False
        error = self._why(node)
        if error is None:
            self._waits.pop(node, None)
            return True
        if node not in self._waits:
            self._tell(error)
        self._waits[node] = since, now
        if now - since >= self._patience(node) and not others_away:
            raise error
        return False


def of_round(  # noqa: PLR0917
    model: Model,
    members: Membership,
    found: Mapping[str, Compared],
    round_: Round,
    run: Run,
    ports: Ports,
    tell: Callable[[RolloutError], None],
) -> list[tuple[Capacity, Collection[str]]]:
    """The gates of a round, each with the nodes that it is for.

    found: node id → what it is, of all that were measured. tell: told once why a node waits.
    """
    gates: list[tuple[Capacity, Collection[str]]] = []
    silent = set(members.ids) - found.keys()
    for nodes in addresses.sharing(run.addresses):
        quiet = addresses.peers(members, nodes, silent)

        def unsettled(
            _: str, nodes: Collection[str] = nodes, quiet: Collection[str] = quiet
        ) -> RolloutError | None:
            return addresses.ask(ports, nodes, run.addresses, quiet)

        gates.append((Gate(unsettled, _settling, ports.monotonic, tell, together=False), nodes))
    if unknown := addresses.unknown(found):
        gates.append((Gate(lambda _: None, _settling, ports.monotonic, together=False), unknown))
    stopping = {node: {*_stops(model, members, one, round_)} for node, one in found.items()}
    for kind in WORKERS:
        stopped = [node for node, kinds in stopping.items() if kind in kinds]
        if stopped:

            def patience(node: str, kind: str = kind) -> float:
                return float(_timeout(model, members, kind, node))

            def busy(node: str, kind: str = kind) -> RolloutError | None:
                return _in_hand(ports, model, members, kind, node)

            gates.append((Gate(busy, patience, ports.monotonic, tell), stopped))
    return gates


def refuse_addresses(  # noqa: PLR0917
    model: Model,
    members: Membership,
    measured: Measured,
    stages: Sequence[str],
    ports: Ports,
    unfinished: Run | None,
    halted: Halted,
) -> None:
    """Raise VIRTUAL_ADDRESS_AT_RISK where an address of nodes that stages change is not on one node alone.

    unfinished: the run that goes on, if any. halted: asked meanwhile; what it returns is raised.
    """
    found = measured.nodes
    before = unfinished.addresses if unfinished else {}
    shared = addresses.known(before, found, model.ignore_addresses)
    addresses.require(members, measured, _touched(measured, stages), shared, ports, halted)


def refuse_unasked(  # noqa: PLR0917
    model: Model,
    members: Membership,
    measured: Measured,
    stages: Sequence[str],
    ports: Ports,
    halted: Halted,
) -> None:
    """Raise the RolloutError of an API that cannot be asked what services work on which stages stop.

    halted: asked meanwhile; what it returns is raised.
    """
    rounds = [Round(stage) for stage in stages]
    asked = set()
    for node in _touched(measured, stages):
        for round_ in rounds:
            for kind in _stops(model, members, measured.nodes[node], round_):
                if kind not in asked:
                    unhindered(partial(ports.in_hand, model, kind, node, members.ids), halted)
                    asked.add(kind)


def wait_for_work(model: Model, members: Membership, node: str, ports: Ports) -> None:
    """Wait until the services of a node (its id) work on nothing: they may have begun since the node started.

    Raises RolloutError BARE_METAL_BUSY, WORK_IN_HAND, or why it cannot be told, after the time that the
    policy gives.
    """
    here = {one.type for one in model.catalogue.of_node(members.roles_of(node))}
    for kind in WORKERS:
        patience = _timeout(model, members, kind, node) if kind in here else 0
        deadline = time.monotonic() + patience
        while patience and (error := _in_hand(ports, model, members, kind, node)):
            if time.monotonic() >= deadline:
                raise error
            time.sleep(ASK_AGAIN)


def _touched(measured: Measured, stages: Sequence[str]) -> list[str]:
    return [node for node, one in measured.nodes.items() if one.open(stages)]


def _settling(_: str) -> float:
    return addresses.PATIENCE


def _in_hand(ports: Ports, model: Model, members: Membership, kind: str, node: str) -> RolloutError | None:
    try:
        found = ports.in_hand(model, kind, node, members.ids)
    except RolloutError as error:
        return error  # its API may be down for a moment: a controller has just been changed
    if not found:
        return None
    worker = WORKERS[kind]
    return RolloutError(worker.reason, f"{node}: {worker.words.format(some(found))}", [node])


def _stops(model: Model, members: Membership, one: Compared, round_: Round) -> Iterator[str]:
    """The types of workers that run on a node and that what it goes through in a round stops."""
    opened = round_.open(one)
    for kind in WORKERS if opened else ():
        containers = (each for each in one.services.values() if each["running"])
        running = {each["container"] for each in containers if each["type"] == kind}
        running |= {name for name, its_type in one.packaged.items() if its_type == kind}
        if not running or not _timeout(model, members, kind, one.id):
            continue
        if round_.stage == SYSTEM:
            stops = bool(opened) and model.system.reboot != "never"
        else:
            stops = any(difference.subject in running for difference in opened)
        if stops:
            yield kind


def _timeout(model: Model, members: Membership, kind: str, node: str) -> int:
    """Seconds for which a node may wait for one of its workers; 0: it is not asked."""
    if kind != CONDUCTOR and not model.policies.speak_to_openstack:
        return 0
    policies = (members.policies[role] for role in members.roles_of(node))
    return max(int(getattr(policy, WORKERS[kind].timeout)) for policy in policies)
