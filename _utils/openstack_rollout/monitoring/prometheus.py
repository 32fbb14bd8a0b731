"""Questions to Prometheus: https://prometheus.io/docs/prometheus/latest/querying/api/."""

from __future__ import annotations

import re
from typing import Any

from openstack_rollout.errors import one_line
from openstack_rollout.monitoring import http
from openstack_rollout.monitoring.contract import Access, NoAnswer, Sample

_NUMBER = re.compile(r"[+-]?Inf|NaN|[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
#: Remarks that say nothing against the answer.
_REMARK = "PromQL info:"


def series(access: Access, query: str) -> list[Sample]:
    """The series of an instant query, evaluated now; a scalar is one without labels.

    Raises NoAnswer where it cannot be told, also for an answer that may lack some of the data.
    """
    limit = f"{max(1, int(access.read))}s"
    told = http.ask(access, "GET", "/api/v1/query", [("query", query), ("timeout", limit)]).data
    said = told if isinstance(told, dict) else {}
    data = said.get("data")
    if said.get("status") != "success" or not isinstance(data, dict):
        raise _strange(access, "it is no answer of Prometheus")
    for warning in said.get("warnings") or ():
        if not str(warning).startswith(_REMARK):
            raise NoAnswer(f"{access.what}: its answer may lack something: {one_line(str(warning))}")
    if said.get("isPartial"):  # of VictoriaMetrics, a store of which does not answer
        raise NoAnswer(f"{access.what}: its answer lacks some of the data (isPartial)")
    kind, result = data.get("resultType"), data.get("result")
    if kind == "scalar":
        return [Sample({}, _value(access, result))]
    if kind == "vector" and isinstance(result, list):
        return [_sample(access, one) for one in result]
    if kind in ("matrix", "string"):
        text = f"{access.what}: the query gives a {kind}, not one value of each series at one moment"
        raise NoAnswer(text, passes=False)
    raise _strange(access, "it has no result that is known")


def _sample(access: Access, one: Any) -> Sample:
    labels = one.get("metric") if isinstance(one, dict) else None
    if not isinstance(labels, dict) or not all(isinstance(value, str) for value in labels.values()):
        raise _strange(access, "a series has no labels")
    if "histogram" in one:
        raise NoAnswer(f"{access.what}: the query gives histograms, not values", passes=False)
    return Sample(labels, _value(access, one.get("value")))


def _value(access: Access, pair: Any) -> float:
    text = pair[1] if isinstance(pair, list) and len(pair) == 2 else None
    if not isinstance(text, str) or not _NUMBER.fullmatch(text):
        raise _strange(access, "a value is no number")
    return float(text)


def _strange(access: Access, what: str) -> NoAnswer:
    return NoAnswer(f"{access.what} ({access.address}): what it answers makes no sense: {what}")
