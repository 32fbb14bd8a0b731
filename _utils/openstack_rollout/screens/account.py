"""The account of a run in words and rows, as every kind of document of it needs them: HTML, Markdown.

Only words and order: every fact comes with the data (rollout.report --out=json). Nothing is escaped here.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from openstack_rollout.errors import some, stale_switch
from openstack_rollout.screens import tables, times

#: State of a run → its verdict: a sign, a word, and of which kind it is (good, fair, bad, open).
VERDICTS = {
    "completed": ("✔", "Completed", "good"),
    "completed_with_open_ends": ("!", "Completed, with open ends", "fair"),
    "running": ("▶", "Under way", "open"),
    "paused": ("‖", "Paused", "fair"),
    "interrupted": ("✖", "Interrupted", "bad"),
    "incomplete": ("✖", "Incomplete", "bad"),
    "aborted": ("✖", "Aborted", "bad"),
}
#: Of a run that goes on: what the time at which it stopped is called.
_STOPPED = {"paused": "Paused at", "interrupted": "Interrupted at"}
#: States of a run in which a node that is done is so with all of it.
_CLOSED = ("completed", "completed_with_open_ends", "incomplete")
#: State of a node → a sign beside its word.
SIGNS = {"done": "✔", "skipped": "–", "failed": "✖", "quarantined": "!", "in_flight": "▶", "waiting": "…"}
_LEFT = {
    "failed": "failed: {have}: {want}",
    "quarantined": "set aside, the run went on without it: {have}: {want}",
    "in_flight": "in flight at {have}",
    "drained": "its workloads are still away ({have})",
    "switch_stale": "the switch is stale: {stale}; reload it (openstack:ovs:reload) or reboot the node",
    "reboot": "needs a reboot: {have}",
    "reboot_without_effect": "a reboot had no effect: {have}",
    "held": "package {subject} is held back by the operator, {want} would be there",
    "configuration": "a new configuration file is to be merged: {subject}",
    "old_sidecars": "{have} containers that {subject} started run {want} until it starts them again",
    "health": "not healthy: {have}",
    "left_out": "an operator left it out of this run",
    "gone": "no accepted minion any more ({have})",
}


class Change(NamedTuple):
    """Nodes whose versions are the same before and after.

    name: of this set. nodes: their ids. rows: kind, subject, before, after, whether they differ.
    """

    name: str
    nodes: Sequence[str]
    rows: Sequence[tuple[str, str, str, str, bool]]

    @property
    def changed(self) -> int:
        """How many differ."""
        return sum(row[-1] for row in self.rows)


def verdict(run: Mapping[str, Any], nodes: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """The verdict of a run: {"sign", "word", "tone", "line", "remedy"}."""
    sign, word, tone = VERDICTS.get(run["state"], ("?", run["state"], "open"))
    counts = Counter(_told(run, node) for node in nodes.values())
    told = ", ".join(f"{number} {state}" for state, number in counts.most_common())
    line = f"{_nodes(len(nodes))}: {told}" if nodes else "no node was touched"
    return {"sign": sign, "word": word, "tone": tone, "line": line, "remedy": run["remedy"]}


def state_of(node: Mapping[str, Any]) -> str:
    """The state of a node, `quarantined` for one that was set aside."""
    return "quarantined" if node["quarantined"] and node["state"] == "failed" else str(node["state"])


def facts(data: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What stands on top of the account: a name and a value each."""
    run = data["run"]
    stood = sum((one["to"] or run["latest"]) - one["from"] for one in run["pauses"])
    target = run["target"] or "none: the newest packages"
    if run["rollback"]:
        yield "Undoes", f"run {run['rollback']}"
        yield "Target declared", target
    else:
        yield "Release", target
    if run["undone"]:
        yield "Undone by", tables.undone(run["undone"])
    yield "Began", moment(run["created"])
    if run["ended"]:
        yield _STOPPED.get(run["state"], "Ended"), moment(run["ended"])
    yield "Took", times.took(run["seconds"]) + (f", {times.took(stood)} of it paused" if stood else "")
    if run["expected"]:
        yield "Estimated as it began", times.took(run["expected"]["seconds"]) + times.assumed(run["expected"])
    if left := times.ends(run):
        yield "Left", left
    if run["begun"]:
        yield "Begun by", tables.who(run["begun"][0])
    everybody = "none: all that the undone run moved" if run["rollback"] else "none, the whole cloud"
    yield "Nodes limited to", run["limit"] or everybody
    if run["until"]:
        yield "Stops after", run["until"]
    if run["verified"]:
        yield "Tried out at the end", run["verified"]
    yield "Run", f"{run['id']} ({run['orchestration']})"


def stages(data: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The stages: name, state, nodes, the seconds that they took without pauses, those that were expected
    (None where unknown), both in words, and the difference.
    """
    rows = []
    for name, one in data["stages"].items():
        expected, seconds = one["expected"], max(one["seconds"] - one["paused"], 0.0)
        rows.append(
            {
                **{"name": name, "state": one["state"], "seconds": seconds},
                "nodes": ", ".join(f"{number} {state}" for state, number in one["counts"].items()),
                "took": times.took(seconds),
                "expected": expected,
                "estimate": "" if expected is None else times.took(expected),
                "beside": f"{(seconds - expected) / expected:+.0%}" if expected else "",
            }
        )
    return rows


def pauses(run: Mapping[str, Any]) -> list[dict[str, str]]:
    """The pauses: a name each (W where a window was closed), from, to, how long, why."""
    return [
        {
            "name": f"{'W' if one['reason'] == 'WINDOW_CLOSED' else 'P'}{number}",
            "from": moment(one["from"]),
            "to": moment(one["to"]) if one["to"] else "goes on",
            "took": times.took(one["to"] - one["from"]) if one["to"] else "",
            "why": ": ".join(filter(None, (one["reason"] or one["state"], one["message"]))),
        }
        for number, one in enumerate(run["pauses"], 1)
    ]


def windows(run: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """The windows in which nodes could start: from, to, of which roles."""
    return [(moment(one["from"]), moment(one["to"]), ", ".join(one["roles"])) for one in run["windows"]]


def left(data: Mapping[str, Any]) -> list[tuple[str, Sequence[str]]]:
    """What is left: a sentence each, with the nodes that it is true of."""
    nodes: dict[str, list[str]] = {}
    for one in data["left"]:
        said = _LEFT[one["kind"]].format(**one, stale=stale_switch(one["have"], one["want"]))
        nodes.setdefault(said, []).append(one["node"])
    for node, one in data["run"]["open_ends"].items():
        if one["drained"]:
            nodes.setdefault("set aside while its workloads are away", []).append(node)
    for node in data["run"]["left_out"]:
        nodes.setdefault(_LEFT["left_out"], []).append(node)
    for node, one in data["run"]["gone"].items():
        nodes.setdefault(_LEFT["gone"].format(have=one["key"] or "no key"), []).append(node)
    return [*nodes.items()]


def changes(nodes: Mapping[str, Mapping[str, Any]]) -> dict[str, Change]:
    """Node → the set of versions before and after that it has in common with others."""
    found: dict[tuple[Any, ...], list[str]] = {}
    for name, node in nodes.items():
        rows = tuple(
            (one["kind"], one["subject"], one["have"] or "–", one["want"] or "–", one["have"] != one["want"])
            for one in node["versions"]
        )
        if rows:
            found.setdefault(rows, []).append(name)
    sets: dict[str, Change] = {}
    for number, (rows, names) in enumerate(found.items(), 1):
        ordered = sorted(rows, key=lambda row: (not row[-1], row[0], row[1]))
        sets |= dict.fromkeys(names, Change(f"V{number}", names, ordered))
    return sets


def node_rows(data: Mapping[str, Any], sets: Mapping[str, Change]) -> list[dict[str, Any]]:
    """The nodes, a row each."""
    rows = []
    for name, node in data["nodes"].items():
        done = [step for step in node["steps"] if step["finished"] > step["started"]]
        kinds = Counter(step["step"] for step in done if not step["failed"])
        extra = [f"{kinds[kind]} × {kind}" for kind in ("drain", "reboot") if kinds[kind]]
        state, change = state_of(node), sets.get(name)
        rows.append(
            {
                **{"name": name, "role": node["role"], "zone": node["zone"] or "", "state": state},
                **{"sign": SIGNS.get(state, ""), "told": _told(data["run"], node)},
                "before": _release(node["before"]),
                "after": _release(node["after"]),
                "set": change.name if change else "",
                "changed": f"{change.changed} of {len(change.rows)}" if change else "",
                "began": clock(done[0]["started"]) if done else "",
                "ended": clock(max(step["finished"] for step in done)) if done else "",
                "took": times.took(sum(step["seconds"] for step in done)) if done else "",
                "extra": ", ".join(extra),
                "why": ": ".join(filter(None, (node["reason"], node["message"]))),
            }
        )
    return rows


def failures(data: Mapping[str, Any]) -> list[dict[str, str]]:
    """The failures in their order: when, where, what, the remedy, and what became of it."""
    return [
        {
            "at": moment(one["at"]),
            "node": one["node"],
            "where": "/".join(filter(None, (one["stage"], one["round"], one["step"]))),
            "outcome": one["outcome"],
            "remedy": one["remedy"],
            "became": "open" if one["open"] else "overcome",
        }
        for one in data["failures"]
    ]


def slow(data: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    """The steps that took far longer than as a rule: node, place, time, usual time."""
    return [
        (name, f"{step['stage']}/{step['step']}", times.took(step["seconds"]), times.took(step["slow"]))
        for name, node in data["nodes"].items()
        for step in node["steps"]
        if step["slow"]
    ]


def people(run: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Who had the run begin and go on, and what was accepted by whom: what and who each."""
    rows = [("had it go on", tables.who(one)) for one in run["begun"]]
    if rows:
        rows[0] = ("began it", rows[0][1])
    return [*rows, *((f"accepted {name}", tables.who(one)) for name, one in run["accepted"].items())]


def conditions(run: Mapping[str, Any]) -> list[tuple[str, str, Sequence[str]]]:
    """What was seen before the run: the condition, its verdict, the lines."""
    return [(name, one.get("verdict", ""), one["seen"]) for name, one in run["conditions"].items()]


def named(nodes: Sequence[str]) -> str:
    """Some nodes in a few words."""
    return some(nodes)


def moment(at: float) -> str:
    """A time with its day and seconds."""
    return times.second(at)


def clock(at: float) -> str:
    """A time in the cell of a table."""
    return time.strftime("%m-%d %H:%M:%S", time.gmtime(at))


def _told(run: Mapping[str, Any], node: Mapping[str, Any]) -> str:
    """The state of a node in words; of a run that is not over also with which stage it is done."""
    state = state_of(node)
    known = run["state"] not in _CLOSED and state in ("done", "skipped") and node["steps"]
    return state.replace("_", " ") + (f" ({node['steps'][-1]['stage']})" if known else "")


def _release(snapshot: Mapping[str, Any] | None) -> str:
    return (snapshot["release"] or "between releases") if snapshot else "not measured"


def _nodes(count: int) -> str:
    return "1 node" if count == 1 else f"{count} nodes"
