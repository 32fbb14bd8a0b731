"""What status, plan, risks, report look like in a terminal. Only layout: every fact comes with the data."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from openstack_rollout.errors import stale_switch
from openstack_rollout.screens import felt, plan, questions, times
from openstack_rollout.vocabulary import STAGES

_CAUSES = {
    "hold": "on hold",
    "versionlock": "version lock",
    "pin": "pinned",
    "exclude": "excluded by a setting of dnf",
    "replaced": "replaced by",
    "phased": "not for this machine yet,",
    "dependencies": "what it needs cannot come",
}
_SO = {"TAG_MOVED": ": the next run takes it"}
_UNTOLD = ": whether it moved cannot be told"
UNKNOWN = "unknown"  # the cause of a doubt about a boot that only a plan tells


def text(data: Mapping[str, Any]) -> str:
    """The text of a status, a plan, risks or a report, told apart by what they hold."""
    if "available" in data:
        return status(data)
    if "risks" in data:
        return risks(data)
    if "prefetch" in data:
        text = plan.text(data, risks(data["workloads"]) if data["workloads"] else "")
        return "\n".join([text, *gone(data["gone"]), *tags(data.get("tags", ()))])
    return report(data)


def status(data: Mapping[str, Any]) -> str:
    """The table of rollout.status."""
    parts = [
        table(
            ("NAME", "TARGET", "AVAILABLE", "DEPLOYED"),
            [(data["name"], data["target"], data["available"], data["deployed"] or "mixed")],
        ),
        *_run_lines(data["run"]),
        *_rollback_lines(data.get("rollback"), data["target"]),
        table(
            ("ROLE", "AT TARGET"),
            [(role, f"{count['at_target']}/{count['total']}") for role, count in data["roles"].items()],
        ),
        table(
            ("NODE", "ROLE", "ZONE", "DEPLOYED", *(stage.upper() for stage in STAGES), "STATE"),
            [
                (
                    name,
                    node["role"],
                    node["zone"],
                    node["deployed"],
                    *(node["stages"].get(stage) for stage in STAGES),
                    " ".join(filter(None, (node["state"], _place(node)))),
                )
                for name, node in data["nodes"].items()
            ],
        ),
    ]
    trouble = [
        f"{name}: {line}"
        for name, node in data["nodes"].items()
        for line in (*filter(None, [_reason(node)]), *node["health"])
    ]
    trouble += [f"{name}: {times.slow(node)}" for name, node in data["nodes"].items() if node.get("slow")]
    trouble += [stale(name, node["switch"]) for name, node in data["nodes"].items() if _is_stale(node)]
    trouble += [
        f"{name}: needs a reboot: {'; '.join(node['reboot'])}"
        for name, node in data["nodes"].items()
        if node.get("reboot")
    ]
    trouble += [
        f"{name}: a reboot had no effect: {'; '.join(node['reboot_without_effect'])}"
        for name, node in data["nodes"].items()
        if node.get("reboot_without_effect")
    ]
    trouble += [
        f"{name}: the next boot: {one['text']}"
        for name, node in data["nodes"].items()
        for one in node.get("next_boot", ())
        if one["cause"] != UNKNOWN
    ]
    for name, node in data["nodes"].items():
        if node.get("stays"):
            kept = ", ".join(stay(package, one) for package, one in sorted(node["stays"].items()))
            trouble.append(f"{name}: newer and stays: {kept}")
        if node.get("configuration"):
            trouble.append(f"{name}: new configuration files to merge: {', '.join(node['configuration'])}")
    trouble += [drained(name, record) for name, record in data["drained"].items()]
    trouble += gone(data["gone"])
    trouble += tags(data.get("tags", ()))
    return "\n\n".join([*parts, *(["\n".join(trouble)] if trouble else [])])


def tags(found: Iterable[Mapping[str, str]]) -> list[str]:
    """The lines of tags of custom images that moved, or of which nobody can tell."""
    return [
        f"{one['reason']}: openstack:custom_images:{one['name']}: {one['message']}"
        + _SO.get(one["reason"], _UNTOLD)
        for one in found
        if one["reason"]
    ]


def stale(name: str, switch: Mapping[str, Any]) -> str:
    """The line of a node whose running switch is not the installed one (its facts of the switch)."""
    return (
        f"{name}: the switch is stale: {stale_switch(switch['running'], switch['installed'])};"
        " reload it (openstack:ovs:reload) or reboot the node"
    )


def stay(package: str, one: Mapping[str, str]) -> str:
    """A package that stays, the version that there would be, and the cause: {"version", "cause", "by"}."""
    why = _CAUSES[one["cause"]] + (f" {one['by']}" if one["by"] else "")
    return f"{package} {one['version']} ({why})"


def _is_stale(node: Mapping[str, Any]) -> bool:
    return bool((node.get("switch") or {}).get("stale"))


def drained(name: str, record: Mapping[str, Any]) -> str:
    """The line of a node that workloads were taken away from (its record)."""
    since = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(record["since"]))
    by = f"run {record['run']} before {record['stage']}" if record["run"] else "by hand"
    said = f": {record['message']}" if record["message"] else ""
    return f"{name}: {record['state']} ({record['kind']}, {by}, since {since}){said}"


def gone(nodes: Mapping[str, Mapping[str, str]]) -> list[str]:
    """A line for each node that the last run knew and that is no accepted minion now."""
    return [
        f"{name}: gone: the last run knew it as {one['role']}, and its key is {one['key']} now"
        for name, one in nodes.items()
    ]


def open_ends(nodes: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """A line for each node that a run left open."""
    return [
        f"{name}: quarantined at {one['stage']}/{one['step']}{', drained' if one['drained'] else ''}:"
        f" {one['reason']}: {one['message']}"
        for name, one in nodes.items()
    ]


def risks(data: Mapping[str, Any]) -> str:
    """The text of workload.risks: a line for each server and router, its risks below it."""
    parts = []
    if data["servers"]:
        rows = [
            (one["server"], one["host"], one["status"], f"{one['memory_mib']} MiB", one["will"])
            for one in data["servers"]
        ]
        parts.append(table(("SERVER", "HOST", "STATUS", "MEMORY", "WILL"), rows))
    if data["routers"]:
        routers = [
            (one["router"], one["host"], "yes" if one["ha"] else "no", one["will"]) for one in data["routers"]
        ]
        parts.append(table(("ROUTER", "HOST", "HA", "WILL"), routers))
    lines = [
        f"{one['server']}: {word}: {text}" for one in data["servers"] for word, text in one["risks"].items()
    ]
    lines += [f"{node}: {text}" for node, text in data["failures"].items()]
    parts += ["\n".join(lines)] if lines else []
    return "\n\n".join(parts) or f"nothing runs on {data.get('risks', 'these nodes')}"


def title_of(run: Mapping[str, Any]) -> str:
    """What a run is for: its orchestration, the release where it has one, and its limit."""
    if run.get("rollback"):
        return f"{run['orchestration']} of run {run['rollback']}" + plan.limited(run.get("limit"))
    called = f"{run['orchestration']} to {run['target']}" if run["target"] else str(run["orchestration"])
    return called + plan.limited(run.get("limit"))


def undone(runs: Iterable[Mapping[str, str]]) -> str:
    """The runs that undo another one, with how they ended: of a report."""
    return "; ".join(f"run {one['run']}{plan.limited(one['limit'])}, {one['state']}" for one in runs)


def report(data: Mapping[str, Any]) -> str:
    """The text of rollout.report: stages with durations, then every node's steps."""
    run = data["run"]
    head = f"run {run['id']}: {title_of(run)}, {run['state']}"
    head += f" after {times.took(run['seconds'])}"
    if left := times.ends(run):
        head += f", {left}"
    if run["reason"]:
        head += f"\n{run['reason']}: {run['message']}\n{run['remedy']}"
    elif run["message"]:
        head += f"\n{run['message']}"
    if run.get("undone"):
        head += f"\nundone by {undone(run['undone'])}"
    head = "\n".join([head, *_who(run), *gone(run["gone"]), *open_ends(run.get("open_ends") or {})])
    stages = table(
        ("STAGE", "STATE", "TIME", "NODES"),
        [
            (
                name,
                stage["state"],
                times.took(stage["seconds"]),
                ", ".join(f"{count} {state}" for state, count in stage["counts"].items()),
            )
            for name, stage in data["stages"].items()
        ],
    )
    steps = table(
        ("NODE", "STAGE", "STEP", "TIME", "OUTCOME"),
        [
            (name, step["stage"], step["step"], _took(step), step["outcome"])
            for name, node in data["nodes"].items()
            for step in node["steps"]
        ],
    )
    return "\n\n".join((head, stages, steps, *silences(data["nodes"]), *guests(data.get("audit"))))


def guests(audit: Mapping[str, Any] | None) -> list[str]:
    """What guests felt, as tables; none where nobody probed."""
    if audit is None:
        return []
    parts = ["\n".join(felt.lines(audit)), table([one.upper() for one in felt.HEAD], felt.rows(audit))]
    rows = felt.gaps(audit)
    return [*parts, *([table([one.upper() for one in felt.GAPS_HEAD], rows)] if rows else [])]


def silences(nodes: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """A table of the alerts that were silenced for nodes, none where none were. nodes: of a report."""
    rows = silenced(nodes)
    return [table(("NODE", "SILENCED", "FROM", "TO", "ID"), rows)] if rows else []


def silenced(nodes: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, str, str, str, str]]:
    """The alerts that were silenced: node, what its policy calls them, from, to, the silence's identifier."""
    return [
        (name, one["name"], _at(one["begun"]), _at(one["ended"]), one["id"])
        for name, node in nodes.items()
        for one in node["silences"]
    ]


def _at(moment: float | None) -> str:
    return times.second(moment) if moment else "ends by itself"


def who(called: Mapping[str, Any]) -> str:
    """Who asked something of a run, and when: a record of history.who."""
    where = f"schedule {called['schedule']}" if called["schedule"] else called["terminal"] or "no terminal"
    return f"{called['user'] or 'somebody'} ({where}), {_at(called['at'])}"


def _who(run: Mapping[str, Any]) -> list[str]:
    """Who had a run begin and go on, what was accepted for it, and what was warned of."""
    lines = [f"{'gone on' if number else 'begun'} by {who(one)}" for number, one in enumerate(run["begun"])]
    lines += [f"accepted: {name}, by {who(one)}" for name, one in run["accepted"].items()]
    return [*lines, *(f"{name}: {line}" for name, one in run["conditions"].items() for line in one["seen"])]


def table(heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Columns as wide as what they hold; what is absent is a dash."""
    cells = [list(heads), *([str(cell) if cell not in (None, "") else "-" for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(heads))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    )


def _run_lines(run: Mapping[str, Any] | None) -> list[str]:
    if run is None:
        return []
    place = f" at {run['stage']}" if run["stage"] else ""
    asked = f", asked to {run['asked']}" if run["asked"] else ""
    line = f"run {run['id']}: {title_of(run)}, {run['state']}{place}{asked}"
    if left := times.ends(run):
        line += f", {left}"
    if driver := run.get("driver"):
        line += f"\nby process {driver['pid']} on {driver['host']} since {times.second(driver['since'])}"
    if run["reason"]:
        asks = [questions.text(one) for one in run.get("questions", ())]
        return ["\n".join((line, f"{run['reason']}: {run['message']}", run["remedy"], *asks))]
    return [f"{line}\n{run['message']}" if run["message"] else line]


def _rollback_lines(rollback: Mapping[str, Any] | None, target: str) -> list[str]:
    """What overrides the target, and until when."""
    if not rollback:
        return []
    wanted = rollback["release"] or "another release"
    return [
        f"target {target or 'of the system'} is overridden: run {rollback['by']} undoes run {rollback['of']},"
        " and holds its nodes at what they were before.\n"
        f"Set openstack:target_version to {wanted}; to go to {target} again: salt-run rollout.end_rollback"
    ]


def _place(node: Mapping[str, Any]) -> str:
    return f"({node['stage']}/{node['step']})" if node["stage"] else ""


def _reason(node: Mapping[str, Any]) -> str:
    return f"{node['reason']}: {node['message']}" if node["reason"] else ""


def _took(step: Mapping[str, Any]) -> str:
    usual = f" SLOW ({times.took(step['slow'])} as a rule)" if step.get("slow") else ""
    return times.took(step["seconds"]) + usual
