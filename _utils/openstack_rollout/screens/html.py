"""The account of a run as one HTML file that needs nothing else: no network, no script, no font.

Only rollout.report imports this, since it needs jinja2.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from openstack_rollout.screens import account, felt, frames, tables, timeline
from openstack_rollout.screens.templates import style

_BARS = 220.0  # units of width for the times of stages
#: What the kinds of bars are called.
_KINDS = {
    "restore": "workloads brought back",
    "drain": "workloads moved away",
    "rests": "rests at a breakpoint",
}


def render(data: Mapping[str, Any], made: float) -> str:
    """The whole file. data: an account, masked. made (float): when, seconds since the epoch."""
    run, nodes = data["run"], data["nodes"]
    sets = account.changes(nodes)
    stages = account.stages(data)
    longest = max([one["expected"] or 0.0 for one in stages] + [one["seconds"] for one in stages] + [1.0])
    drawn = timeline.drawing(data)
    verdict, title = account.verdict(run, nodes), tables.title_of(run)
    return frames.rendered(
        "report",
        frames.NO_SCRIPT,
        f"{verdict['word']}: {title}",
        style.TEXT,
        run=run,
        title=title,
        verdict=verdict,
        facts=list(account.facts(data)),
        stages=[
            {
                **one,
                "bar": one["seconds"] / longest * _BARS,
                "outline": (one["expected"] or 0.0) / longest * _BARS,
                "letter": timeline.LETTERS.get(one["name"], ""),
            }
            for one in stages
        ],
        bars=_BARS,
        drawing=drawn,
        legend=[(kind, timeline.LETTERS[kind], _KINDS.get(kind, kind)) for kind in drawn["kinds"]],
        pauses=account.pauses(run),
        windows=account.windows(run),
        silences=tables.silenced(nodes),
        felt=_felt(data["audit"]),
        failures=account.failures(data),
        left=account.left(data),
        rows=account.node_rows(data, sets),
        sets=list({one.name: one for one in sets.values()}.values()),
        slow=account.slow(data),
        people=account.people(run),
        conditions=account.conditions(run),
        named=account.named,
        made=account.moment(made),
    )


def _felt(audit: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """What guests felt, None where nobody probed."""
    if audit is None:
        return None
    heads = {"head": felt.HEAD, "gaps_head": felt.GAPS_HEAD}
    return {**heads, "lines": felt.lines(audit), "rows": felt.rows(audit), "gaps": felt.gaps(audit)}
