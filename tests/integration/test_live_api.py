"""Salt's API with the shipped configuration: who may see and do what, also by hand."""

from __future__ import annotations

import time
from pathlib import Path

from openstack_rollout.screens import live


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
        assert client.get("/events")[0] == 401
    status, told = viewer.runner("live", parts=["nodes"])
    assert status == 200 and told["form"] == live.FORM, told
    assert viewer.get("/events") == (200, "retry: 400\n")

    for client in (nobody, viewer, other):
        for verb in ("pause", "confirm", "skip", "abort"):
            assert client.runner(verb)[0] == 401, verb
        assert client.runner("resume", "runner_async")[0] == 401

    written = Path(cloud.api["rollout_api"]["app"]).with_name("stolen")
    for client in (nobody, viewer, operator, other):
        refused = 401 if client is nobody else 403
        for verb in ("page", "report", "run", "repair"):
            assert client.runner(verb, output=str(written))[0] == refused, verb
            assert client.runner(verb, "runner_async", output=str(written))[0] == refused, verb
        for kind, fun in (("local", "test.ping"), ("wheel", "key.list_all"), ("runner", "jobs.list_jobs")):
            assert client.post("/", [{"client": kind, "tgt": "*", "fun": fun}])[0] == refused, kind
        mixed = [{"client": "runner", "fun": one} for one in ("rollout.live", "jobs.list_jobs")]
        assert client.post("/", mixed)[0] == refused
    assert not written.exists() and cloud.run("rollout.history", "--out=json").stdout.count('"id"') == 0

    status, refused = operator.runner("pause")
    assert status == 200 and refused.startswith("NO_RUN: "), refused


def test_what_else_salt_would_serve_is_not_there(api):
    operator = api.client()
    operator.login("anna")
    for path in ("/hook/x", "/ws", "/run", "/token", "/minions", "/jobs", "/keys", "/stats", "/app"):
        assert operator.get(path)[0] == 404, path
    for path in ("/hook/x", "/run", "/token", "/minions", "/keys"):
        assert operator.post(path, {"client": "runner", "fun": "rollout.live"})[0] == 404, path
    with operator.page() as page:
        assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
        assert page.headers["Access-Control-Allow-Origin"] is None


def test_the_events_of_updates_and_no_others(cloud, api):
    viewer, operator = api.client(), api.client()
    viewer.login("otto")
    operator.login("anna")
    went_on = {"fun": "runner.rollout.resume", "user": "anna", "return": "NO_RUN: there is none"}
    fired = (
        ("salt/job/20261130/ret/ctl1", {"fun": "cp.get_file_str", "return": "secret"}),
        ("salt/run/1/ret", {"fun": "runner.rollout.backups", "user": "anna", "return": "secret"}),
        ("salt/run/2/ret", went_on),
        ("openstack/rollout/R/ovn/ctl1/apply", {"run": "R", "message": "no image, token=hunter2"}),
    )
    with viewer.events() as seen, operator.events() as acting, cloud.bus() as bus:
        for stream in (seen, acting):
            assert stream.readline() == b"retry: 400\n"
        for tag, data in fired:
            bus.fire_event(dict(data), tag)
        assert told(seen) == [fired[3][0]]
        assert told(acting) == [fired[2][0], fired[3][0]]


def told(stream):
    """The tags of what comes on a stream until an event of an update."""
    tags = []
    while not tags or not tags[-1].startswith("openstack/rollout/"):
        line = stream.readline().decode()
        assert line and "secret" not in line and "hunter2" not in line, line
        if line.startswith("tag: "):
            tags.append(line[5:].strip())
    return [*tags, *(() if "no image, token=" in stream.readline().decode() else ("without its message",))]


def test_a_login_that_has_ended(api):
    client = api.client()
    ends = client.login("anna", token_expire=15)["expire"]
    assert client.runner("live")[0] == 200
    with client.events() as stream:
        time.sleep(max(0.0, ends - time.time()))
        assert stream.readline() == b"retry: 400\n"
        assert stream.read().strip(b":\n") == b"", "it ends with its login"
    assert client.runner("live")[0] == 401
    assert client.runner("pause")[0] == 401
    assert client.get("/events")[0] == 401
