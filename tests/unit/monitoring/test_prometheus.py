"""Answers of Prometheus, read strictly."""

from __future__ import annotations

import math

import pytest

from openstack_rollout.monitoring import prometheus
from openstack_rollout.monitoring.contract import NoAnswer, Sample

PATH = "/api/v1/query"


def answer(kind, result, **more):
    return {"status": "success", "data": {"resultType": kind, "result": result}, **more}


def test_series_of_a_vector_and_a_scalar(server):
    server.says(PATH, answer("vector", [{"metric": {"job": "a"}, "value": [1.5, "0.25"]},
                                        {"metric": {}, "value": [1.5, "+Inf"]},
                                        {"metric": {}, "value": [1.5, "1e-05"]}]))  # fmt: skip
    assert prometheus.series(server.access, 'up{job="a"} > 0') == [
        Sample({"job": "a"}, 0.25),
        Sample({}, math.inf),
        Sample({}, 1e-05),
    ]
    method, _, parameters, _, _ = server.asked[0]
    assert method == "GET" and parameters == {"query": ['up{job="a"} > 0'], "timeout": ["2s"]}
    server.says(PATH, answer("scalar", [1.5, "NaN"]))
    (found,) = prometheus.series(server.access, "scalar(up)")
    assert math.isnan(found.value)
    server.says(PATH, answer("vector", [], warnings=["PromQL info: metric might not be a counter"]))
    assert prometheus.series(server.access, "up") == []
    server.says(PATH, answer("vector", [], isPartial=False))
    assert prometheus.series(server.access, "up") == []


@pytest.mark.parametrize(
    ("told", "passes"),
    [
        (answer("matrix", []), False),
        (answer("string", [1, "x"]), False),
        (answer("vector", [{"metric": {}, "histogram": [1, {}]}]), False),
        (answer("vector", [{"metric": {}, "value": [1, "0"]}], warnings=["a store was not asked"]), True),
        (answer("vector", [{"metric": {}, "value": [1, "0"]}], isPartial=True), True),  # of VictoriaMetrics
        (answer("vector", {"metric": {}}), True),
        (answer("vector", [{"value": [1, "0"]}]), True),
        (answer("vector", [{"metric": {"a": 1}, "value": [1, "0"]}]), True),
        (answer("vector", [{"metric": {}, "value": [1, 0]}]), True),
        (answer("vector", [{"metric": {}, "value": [1, "1_000"]}]), True),
        (answer("vector", [{"metric": {}, "value": [1, "nan(7)"]}]), True),
        (answer("vector", ["x"]), True),
        (answer("scalar", []), True),
        (answer("curve", []), True),
        ({"status": "error", "data": {"resultType": "vector", "result": []}}, True),
        ({"status": "success"}, True),
        ([], True),
        (None, True),
    ],
)
def test_what_makes_no_sense_tells_nothing(server, told, passes):
    server.says(PATH, told)
    with pytest.raises(NoAnswer) as error:
        prometheus.series(server.access, "up")
    assert error.value.passes is passes and error.value.reason == "ANALYSIS_INCONCLUSIVE"
