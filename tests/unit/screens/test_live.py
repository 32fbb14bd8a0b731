"""The live page: nothing of it is code that came from elsewhere; its permissions are what they look like."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path

import pytest
import yaml

from openstack_rollout.rollout import live as standing
from openstack_rollout.screens import live, masking
from tests.unit.simulated_fleet import Cloud, Master

SHIPPED = Path(__file__).resolve().parents[3] / "etc/salt-api/live-page.conf"
VIEWER = ["live"]


@pytest.fixture(scope="module")
def page():
    return live.page(["pam", "ldap</script><script>alert(1)"])


@pytest.fixture
def data(tmp_path):
    master = Master(Cloud(controller=1, compute=2), tmp_path)
    master.cloud.nodes["compute2"].faults["services/apply"] = "CONTAINER_EXITED"
    with pytest.raises(Exception, match="CONTAINER_EXITED"):
        master.update()
    return standing.now_of(master.journal, lambda run: run)


def within(page, tag):
    (found,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page, flags=re.S)
    return found


def test_its_policy_allows_its_own_script_and_style_and_nothing_else(page):
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', page)
    allowed = dict(one.strip().split(" ", 1) for one in policy.split(";"))
    for directive, tag in (("script-src", "script"), ("style-src", "style")):
        digest = base64.b64encode(hashlib.sha256(within(page, tag).encode()).digest()).decode()
        assert allowed.pop(directive) == f"'sha256-{digest}'"
    assert allowed == {
        **{"default-src": "'none'", "connect-src": "'self'", "base-uri": "'none'", "form-action": "'none'"},
        **{"require-trusted-types-for": "'script'", "trusted-types": "'none'"},
        "img-src": "data:",  # an icon that asks the server for none
    }
    assert not re.search(r"\s(on\w+|style|src)=", re.sub(r"<(script|style)>.*?</\1>", "", page, flags=re.S))


def test_its_script_makes_no_markup_and_keeps_no_cookie(page):
    script = within(page, "script")
    makes = (
        "innerHTML",
        "outerHTML",
        "insertAdjacent",
        "document.write",
        "eval(",
        "new Function",
        "DOMParser",
    )
    for word in (*makes, "createContextualFragment", "srcdoc", "document.cookie", "localStorage"):
        assert word not in script, word
    assert script.count("fetch(") == script.count('credentials: "omit"') == 2


def test_a_name_of_an_authentication_ends_no_script(page):
    assert page.count("<script>") == page.count("</script>") == 1
    assert "ldap&lt;/script&gt;" in page


def test_what_is_told_of_a_run(data):
    told = json.loads(json.dumps(live.state(data, 5.0, ("nodes", "timeline"))))
    assert told["run"]["state"] == "paused" and told["run"]["remedy"] and told["now"] == 5.0
    node = told["nodes"]["compute2"]
    assert (node["state"], node["cells"]["services"]) == ("failed", "failed")
    assert told["failures"][0]["node"] == "compute2" and told["timeline"]["groups"]
    assert told["run"]["order"] == ["prefetch", "ovn", "control_plane", "services", "ovs", "system"]
    assert not {"nodes", "failures", "timeline"} & set(live.state(data, 5.0, ()))
    assert live.state(None, 5.0, ("nodes",)) == {"form": live.FORM, "now": 5.0, "run": None}


def test_no_timeline_is_drawn_that_no_event_could_carry(data, monkeypatch):
    monkeypatch.setattr(live, "MOST_DRAWN", 2)
    assert "timeline" not in live.state(data, 5.0, ("nodes", "timeline"))


def test_what_the_report_masks_the_page_masks_in_events(page):
    given = json.loads(re.search(r"const GIVEN = (.*);", within(page, "script"))[1])
    found = [(re.compile(pattern, re.I), re.sub(r"\\(\d)", r"\\\1", by)) for pattern, by in given["secrets"]]
    text = "mysql://nova:hunter2@db, password=hunter2, Authorization: Bearer hunter2"
    masked = text
    for pattern, by in found:
        masked = pattern.sub(by, masked)
    assert masked == masking.masked(text) and "hunter2" not in masked


def roles():
    shipped = yaml.safe_load(SHIPPED.read_text(encoding="utf-8"))
    (backend,) = shipped["external_auth"].values()
    return shipped, {name: one[0]["@rollout"] for name, one in backend.items() if len(one) == 1}


def test_the_shipped_roles_may_what_they_are_meant_to_and_no_more():
    shipped, found = roles()
    assert "netapi_enable_clients" not in shipped, "what the page needs is allowed where the page is served"
    every = {*live.VERBS, "page", "report", "run", "begin", "repair", "prune", "plan", "status", "live\n"}
    runners = Path(__file__).resolve().parents[3] / "_runners"
    for path in runners.glob("rollout*.py"):
        every |= set(re.findall(r"^def ([a-z]\w*)\(", path.read_text(encoding="utf-8"), flags=re.M))
    # As salt.utils.minions.CkMinions.match_check.
    allowed = {
        name: {verb for verb in every if any(re.match(one, verb) for one in patterns)} - {"live\n"}
        for name, patterns in found.items()
    }
    assert allowed == {"openstack-operators%": set(live.VERBS), "openstack-viewers%": set(VIEWER)}


def test_the_shipped_api_is_behind_tls():
    shipped, _ = roles()
    assert "disable_ssl" not in shipped["rollout_api"]
    assert {"ssl_crt", "ssl_key", "app", "port"} <= set(shipped["rollout_api"])
