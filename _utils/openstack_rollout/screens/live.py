"""The live page: one HTML file that Salt's own API serves, and what the page asks the master for.

The page has the words and the look of the report. It holds nothing of a cloud: whoever may not log in sees a
form. Only rollout.page imports jinja2 through this.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from openstack_rollout.screens import account, felt, masking, questions, tables, timeline
from openstack_rollout.screens.templates import live_link, live_model, live_style, live_view, style

#: Of what page and master tell one another: a page of another one says that it has to be written anew.
FORM = 2
#: What may be asked for beside the summary.
PARTS = ("nodes", "timeline")
#: Nodes from which on no timeline is drawn: Salt's events have a greatest size.
MOST_DRAWN = 2000
#: The functions of the rollout runner that the page calls, as permissions name them.
VERBS = ("live", "pause", "resume", "confirm", "skip", "abort")
#: Its own script and style and nothing else, none that makes markup, and no other host.
_POLICY = (
    "default-src 'none'; script-src '{script}'; style-src '{style}'; img-src data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
#: Facts of the report that change with each second: the page tells them by itself.
_MOVES = ("Took", "Left")
_NODE = ("role", "zone", "stage", "round", "step", "began", "at", "slow", "reason", "message", "cells")


def state(data: Mapping[str, Any] | None, now: float, parts: Sequence[str]) -> dict[str, Any]:
    """What the page shows of a run.

    data: of rollout.live; None before the first run. now (float): by the master's clock, seconds
    since the epoch. parts: of PARTS.
    """
    if data is None:
        return {"form": FORM, "now": now, "run": None}
    run = data["run"]
    told: dict[str, Any] = {
        **{"form": FORM, "now": now},
        "run": {
            **{key: run[key] for key in ("id", "target", "state", "reason", "message", "remedy")},
            **{"title": tables.title_of(run), "asked": data["asked"], "estimate": run["estimate"]},
            **{"created": run["created"], "latest": run["latest"]},
            "order": [*dict.fromkeys([*data["stages"], *run["stages"]])],
        },
        "verdict": account.verdict(run, data["nodes"]),
        "facts": [list(one) for one in account.facts(data) if one[0] not in _MOVES],
        "stages": _stages(data),
        "planned": data["planned"],
        "pauses": account.pauses(run),
        "questions": [
            {"text": questions.text(one["record"]), **{key: one[key] for key in ("id", "nodes", "since")}}
            for one in data["questions"]
        ],
        **{"newest": data["newest"], "counts": data["counts"]},
        "felt": [list(row) for row in felt.rows(data["audit"])] if data["audit"] else [],
    }
    if "nodes" in parts:
        told["nodes"] = {
            name: {**{key: node[key] for key in _NODE}, "state": account.state_of(node)}
            for name, node in data["nodes"].items()
        }
        told["failures"] = account.failures(data)
    if "timeline" in parts and len(data["nodes"]) <= MOST_DRAWN:
        told["timeline"] = timeline.drawing(data)
    return told


def page(backends: Sequence[str]) -> str:
    """The whole file. backends: the names of Salt's external authentication that people log in by."""
    from openstack_rollout.screens import frames  # noqa: PLC0415 - needs jinja2; what the page asks for does not

    script = "\n".join((_given(backends), live_model.TEXT, live_link.TEXT, live_view.TEXT))
    look = style.TEXT + live_style.TEXT
    policy = _POLICY.format(script=_hash(script), style=_hash(look))
    return frames.rendered("live", policy, "OpenStack rollout", look, script=script, backends=backends)


def _given(backends: Sequence[str]) -> str:
    """What the script is told, as the first of its statements."""
    given = {
        **{"form": FORM, "backends": list(backends), "verbs": list(VERBS)},
        **{"letters": timeline.LETTERS, "signs": account.SIGNS, "verdicts": account.VERDICTS},
        "secrets": [[one.pattern, by] for one, by in masking.PATTERNS],
    }
    # A word of ours or a name of an authentication cannot end the script.
    return f'"use strict";\nconst GIVEN = {json.dumps(given).replace("<", chr(92) + "u003c")};'


def _hash(text: str) -> str:
    """The source expression of a Content-Security-Policy for an element with that text."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _stages(data: Mapping[str, Any]) -> list[dict[str, Any]]:
    rows = {row["name"]: row for row in account.stages(data)}
    return [
        {
            **{key: rows[name][key] for key in ("name", "state", "nodes", "took", "estimate", "beside")},
            **{"started": one["started"], "finished": one["finished"], "paused": one["paused"]},
        }
        for name, one in data["stages"].items()
    ]
