"""Salt's API with the shipped configuration: who may see and do what, also by hand."""

from __future__ import annotations

import time
from pathlib import Path


def test_who_may_see_and_do_what(cloud, api):
    cloud.fresh()
    nobody, viewer, operator, other = (api.client() for _ in range(4))
    assert viewer.login("otto")["user"] == "otto"
    operator.login("anna")
    other.login("eve")

    status, page = nobody.get("/rollout", "text/html")
    assert status == 200 and "Content-Security-Policy" in page and "ctl1" not in page
    for client in (nobody, other):
        assert client.runner("live")[0] == 401
    assert nobody.get("/events")[0] == 401
    status, told = viewer.runner("live", parts=["nodes"])
    assert status == 200 and told["form"] == 1, told
    assert viewer.get("/events") == (200, "retry: 400\n")

    written = Path(cloud.api["rest_cherrypy"]["app"]).with_name("stolen")
    for client in (nobody, viewer, other):
        for verb in ("pause", "confirm", "skip", "abort", "repair"):
            assert client.runner(verb)[0] == 401, verb
        for verb in ("run", "resume"):
            assert client.runner(verb, "runner_async")[0] == 401, verb
    for client in (nobody, viewer, operator, other):
        assert client.runner("page", output=str(written))[0] == 401
        assert client.runner("report", output=str(written))[0] == 401
    for kind, fun in (("local", "test.ping"), ("local_async", "test.ping"), ("wheel", "key.list_all")):
        status, _ = operator.post("/", [{"client": kind, "tgt": "*", "fun": fun}])
        assert status in (400, 401), kind
    assert not written.exists() and cloud.run("rollout.history", "--out=json").stdout.count('"id"') == 0

    status, refused = operator.runner("pause")
    assert status == 200 and refused.startswith("NO_RUN: "), refused


def test_a_login_that_has_ended(api):
    client = api.client()
    client.login("anna", token_expire=3)
    assert client.runner("live")[0] == 200
    time.sleep(3)
    assert client.runner("live")[0] == 401
    assert client.runner("pause")[0] == 401
    assert client.get("/events")[0] == 401
