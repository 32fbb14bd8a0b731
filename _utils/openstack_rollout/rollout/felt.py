"""What guests felt of a run: who did not answer from when to when, and due to which step of which node.

By the times of the journal alone: nothing is asked. A gap of which no step can be the cause is put down to
none, and time in which nobody probed is neither a gap nor none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from openstack_rollout.records.audits import Audits, Gap, Guest, Probed
from openstack_rollout.records.run_record import NodeRecord, NodeState
from openstack_rollout.vocabulary import in_order

#: Seconds after the end of a step in which what shows is still its doing: an agent starts, a port moves.
AFTERWARDS = 5.0
#: Steps that do nothing to guests by themselves: they are the cause where no other one can be.
_QUIET = ("measure", "prefetch", "verify", "heartbeat")


class Taken(NamedTuple):
    """A step of a node: when it began and ended, None while it is under way."""

    node: str
    stage: str
    round: str
    step: str
    begun: float
    ended: float | None


def of(
    audits: Audits, run_id: str, records: Mapping[str, NodeRecord], begun: float, latest: float
) -> dict[str, Any] | None:
    """What guests felt, None where nobody was to be probed.

    records: what the run did to its nodes. begun, latest (float): of the run, seconds since the epoch.

    Returns {"by": the minion that probed, "" for the master, "how", "apart": seconds from one probe of an
    address to the next, "problem": why nobody probes, "unknown": [{"from", "to"}], when nobody did, and
    "guests": [{"server", "id", "address", "problem", "sent", "answered", "seconds": of its gaps, "longest",
    "forgotten": gaps that are not kept, "gaps"}]}. A gap: {"from", "to", "seconds", "lost", "cut": whether
    nobody probed just before or after it, "lasts", "causes": [{"node", "stage", "round", "step"}], of which
    one is it}. Raises RolloutError JOURNAL_DAMAGED, JOURNAL_VERSION.
    """
    probed = audits.probed(run_id)
    if probed is None:
        return None
    steps = list(_steps(records))
    last = max((until for _, until in probed.stretches), default=begun)
    guests = audits.guests(run_id).values()
    answering = {one.server for one in guests if one.address}
    told = [
        _guest(one, probed, steps, last, latest)
        for one in guests
        if one.address or one.server not in answering
    ]
    return {
        **{"by": probed.by, "how": probed.how, "apart": probed.apart, "problem": probed.problem},
        "unknown": list(_unknown(probed, begun, latest)),
        "guests": sorted(told, key=lambda one: (-one["seconds"], one["server"], one["address"])),
    }


def causes(gap: Gap, steps: Iterable[Taken], apart: float) -> list[Taken]:
    """The steps of which one is the cause of a gap, none where no step can be.

    apart (float): seconds from one probe to the next, by which a gap may have begun before it was seen.

    Those that were under way when it began count, or had ended just before; else those that began in it. Of
    them those that move something; of these, those of the node on which its server was.
    """
    began = gap.begun - apart
    ended = gap.ended if gap.ended is not None else float("inf")
    near = [one for one in steps if one.begun <= gap.begun and _until(one) >= began]
    near = near or [one for one in steps if one.begun <= gap.begun and _until(one) + AFTERWARDS >= began]
    near = near or [one for one in steps if gap.begun < one.begun <= ended]
    near = [one for one in near if one.step not in _QUIET] or near
    own = [one for one in near if gap.host and _short(one.node) == _short(gap.host)]
    return sorted(own or near, key=lambda one: one.begun)


def _guest(one: Guest, probed: Probed, steps: Sequence[Taken], last: float, latest: float) -> dict[str, Any]:
    gaps = [_gap(gap, probed, steps, last, latest) for gap in one.gaps]
    return {
        **{"server": one.server, "id": one.id, "address": one.address, "problem": one.problem},
        **{"sent": one.sent, "answered": one.answered, "forgotten": one.forgotten},
        "seconds": round(sum(gap["seconds"] for gap in gaps), 3),
        "longest": max((gap["seconds"] for gap in gaps), default=0.0),
        "gaps": gaps,
    }


def _gap(gap: Gap, probed: Probed, steps: Sequence[Taken], last: float, latest: float) -> dict[str, Any]:
    until = gap.ended if gap.ended is not None else max(last, gap.begun)
    return {
        **{"from": gap.begun, "to": until, "seconds": round(until - gap.begun, 3), "lost": gap.lost},
        "lasts": gap.ended is None,
        "cut": gap.cut_before or gap.cut_after or (gap.ended is None and last + probed.apart < latest),
        "causes": [
            {"node": one.node, "stage": one.stage, "round": one.round, "step": one.step}
            for one in causes(gap, steps, probed.apart)
        ],
    }


def _unknown(probed: Probed, begun: float, latest: float) -> Iterator[dict[str, float]]:
    """When nobody probed, between the stretches and beside them: what is longer than two probes are apart."""
    ends = [(begun, begun), *sorted(probed.stretches), (latest, latest)]
    for (_, since), (until, _) in pairwise(ends):
        if until - since > max(2 * probed.apart, 1.0):
            yield {"from": since, "to": until}


def _steps(records: Mapping[str, NodeRecord]) -> Iterator[Taken]:
    for node in in_order(records):
        record = records[node]
        for one in record.history:
            if one.outcome != "skipped":
                yield Taken(node, one.stage, one.round, one.step, one.started, one.finished)
        if record.state is NodeState.IN_FLIGHT:
            yield Taken(node, record.stage, record.round, record.step, record.started, None)


def _until(one: Taken) -> float:
    return float("inf") if one.ended is None else one.ended


def _short(name: str) -> str:
    return name.partition(".")[0].lower()
