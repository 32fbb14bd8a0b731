"""What a node waits for before it goes, beside what the cloud can spare: addresses, and bare metal."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence

from openstack_rollout.declared.comparison import Compared
from openstack_rollout.declared.model import Model
from openstack_rollout.declared.rounds import Round
from openstack_rollout.errors import RolloutError, some
from openstack_rollout.records.run_record import Run
from openstack_rollout.rollout import addresses
from openstack_rollout.rollout.engine import Capacity
from openstack_rollout.rollout.fleet import Halted
from openstack_rollout.rollout.membership import Measured, Membership
from openstack_rollout.rollout.ports import Ports

SYSTEM = "system"  # the stage that may reboot nodes
CONDUCTOR = "ironic-conductor"
ASK_AGAIN = 5.0  # seconds


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
    conductors = [node for node in found if _stops_conductor(model, members, found[node], round_)]
    if conductors:

        def patience(node: str) -> float:
            return float(_timeout(members, node))

        def busy(node: str) -> RolloutError | None:
            return _in_hand(ports, model, members, node)

        gates.append((Gate(busy, patience, ports.monotonic, tell), conductors))
    return gates


def refuse(  # noqa: PLR0917
    model: Model,
    members: Membership,
    measured: Measured,
    stages: Sequence[str],
    ports: Ports,
    unfinished: Run | None,
    halted: Halted,
) -> None:
    """Raise the RolloutError for which stages may not begin: an address that is not on one node alone, an API
    that cannot be asked what Ironic's conductors work on.

    unfinished: the run that goes on, if any. halted: asked meanwhile; what it returns is raised.
    """
    found = measured.nodes
    touched = [node for node, one in found.items() if one.open(stages)]
    before = unfinished.addresses if unfinished else {}
    shared = addresses.known(before, found, model.ignore_addresses)
    addresses.require(members, measured, touched, shared, ports, halted)
    rounds = [Round(stage) for stage in stages]
    for node in touched:
        if any(_stops_conductor(model, members, found[node], round_) for round_ in rounds):
            ports.bare_metal(model, node, members.ids)
            return


def wait_for_conductor(model: Model, members: Membership, node: str, ports: Ports) -> None:
    """Wait until the Ironic conductor of a node (its id) works on nothing: it may have begun since the node
    started.

    Raises RolloutError BARE_METAL_BUSY, or why it cannot be told, after the time that the policy gives.
    """
    services = model.catalogue.of_node(members.roles_of(node))
    patience = _timeout(members, node)
    if not patience or not any(one.type == CONDUCTOR for one in services):
        return
    deadline = time.monotonic() + patience
    while error := _in_hand(ports, model, members, node):
        if time.monotonic() >= deadline:
            raise error
        time.sleep(ASK_AGAIN)


def _settling(_: str) -> float:
    return addresses.PATIENCE


def _in_hand(ports: Ports, model: Model, members: Membership, node: str) -> RolloutError | None:
    try:
        found = ports.bare_metal(model, node, members.ids)
    except RolloutError as error:
        return error  # its API may be down for a moment: a controller has just been changed
    if not found:
        return None
    text = f"{node}: its Ironic conductor works on {some(found)}, which would fail"
    return RolloutError("BARE_METAL_BUSY", text, [node])


def _stops_conductor(model: Model, members: Membership, one: Compared, round_: Round) -> bool:
    """Whether what a node goes through in a round stops an Ironic conductor that runs there."""
    running = {
        service["container"]
        for service in one.services.values()
        if service["type"] == CONDUCTOR and service["running"]
    }
    if not running or not _timeout(members, one.id):
        return False
    opened = round_.open(one)
    if round_.stage == SYSTEM:
        return bool(opened) and model.system.reboot != "never"
    return any(difference.subject in running for difference in opened)


def _timeout(members: Membership, node: str) -> int:
    return max(members.policies[role].bare_metal_timeout for role in members.roles_of(node))
