"""Node states as they render: what `ovn` asks of ovn_wait, and `prefetch` of the way back; when nothing."""

from __future__ import annotations

import json
from pathlib import Path

import jinja2
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2] / "salt"
SERVICE = {
    **{"name": "ovn", "container": "ovn_controller", "definition": "found", "image": "i", "order": 10},
    **{"one_shot": False, "health": {"timeout": 60}, "guard": "ovn_controller", "config": "run"},
    **{"config_files": {}, "restored": []},
}
PACKAGED = {
    **{"name": "ovn-host", "units": ["ovn-controller.service"], "own": [], "packages": {}, "libraries": []},
    **{"newest": None, "guard": "ovn_controller", "timeout": 60, "listens": [], "http": None, "order": 10},
    **{"shares": [], "moved_with": None},
}


def template(name):
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(ROOT), extensions=["jinja2.ext.do"], undefined=jinja2.StrictUndefined
    )
    environment.filters["json"] = json.dumps
    return environment.get_template(name)


def rendered(services=(SERVICE,), packaged=(), **node):
    share = {
        **{"refused": None, "stages": ["ovn"], "images": [], "services": list(services), "last": None},
        **{"packaged": list(packaged), "control_plane": False, "held_back": [], **node},
    }
    desired = {"openstack_node.desired": lambda stage: share}
    return yaml.safe_load(template("openstack/ovn.sls").render(salt=desired))


def waits(**node):
    """The arguments of each ovn_wait.at_setting, and where it stands among the states."""
    found = []
    for number, state in enumerate(rendered(**node).values()):
        for function, arguments in state.items():
            if function == "ovn_wait.at_setting":
                found.append((number, {key: one for some in arguments for key, one in some.items()}))
    return found


def asked(wait, back=None):
    return {"ovn": {"wait_before_clear": wait, "back": back}}


@pytest.mark.parametrize("node", [asked("keep"), {}, {**asked("auto"), "services": ()}])
def test_nothing_is_asked_by_default_or_of_a_node_without_a_controller(node):
    assert waits(**node) == []


def test_it_is_set_before_a_controller_starts_and_sized_anew_after():
    (before, first), (after, second) = waits(**asked("auto"))
    change = list(rendered(**asked("auto"))).index("ovn container ovn_controller")
    assert before < change < after
    assert first == {
        **{"wait": "auto", "container": "ovn_controller", "back": None, "again": False, "failhard": True}
    }
    assert second == {**first, "again": True}


@pytest.mark.parametrize(("wait", "back"), [(9000, None), ("keep", ""), ("keep", "8000")])
def test_a_number_and_a_rollback_are_set_once(wait, back):
    ((_, one),) = waits(**asked(wait, back))
    assert (one["wait"], one["back"], one["again"]) == (wait, back, False)


def test_a_controller_that_is_packages_is_called_by_its_unit():
    (_, one), _ = waits(services=(), packaged=(PACKAGED,), **asked("auto"))
    assert one["container"] == "ovn-controller.service"


def held(pillar, bootc=None, **node):
    """The arguments of way_back.images_held in prefetch, None where it is not asked for."""
    share = {
        **{"refused": None, "stages": ["ovn", "services"], "services": [], "packaged": [], "packages": {}},
        **{"held_back": [], "system": {"others": False}, "containers": ["ovn", "nova"], "last": "services"},
        **node,
    }
    salt = {"openstack_node.desired": lambda: share, "bootc.status": lambda: bootc}
    rendered = template("openstack/prefetch.sls").render(salt=salt, pillar={"openstack_rollout": pillar})
    for state in (yaml.safe_load(rendered) or {}).values():
        if "way_back.images_held" in state:
            return {key: one for some in state["way_back.images_held"] for key, one in some.items()}
    return None


def service(container, stage, here=True):
    more = {"stage": stage, "here": here, "quadlet": {}, "legacy_units": []}
    return {**SERVICE, **more, "container": container, "image": f"r/{container}@sha256:1"}


SERVICES = [service("ovn", "ovn"), service("nova", "services"), service("away", "services", here=False)]


@pytest.mark.parametrize("bootc", [None, {"booted": "x"}])
def test_a_run_holds_the_images_that_its_stages_replace_here(bootc):
    every = held({"run": "r1"}, bootc, services=SERVICES)
    assert every == {
        "name": "r1",
        "moving": {"ovn": "r/ovn@sha256:1", "nova": "r/nova@sha256:1"},
        "wanted": ["ovn", "nova"],
    }
    one = held({"run": "r1", "stages": ["ovn"]}, bootc, services=SERVICES)
    assert (one["moving"], one["wanted"]) == ({"ovn": "r/ovn@sha256:1"}, [])


def test_no_image_is_held_without_a_run_or_for_a_rollback_or_without_a_container():
    assert held({}, services=SERVICES) is None
    assert held({"run": "r1"}, services=SERVICES, rollback={"of": "r0", "by": "r1"}) is None
    assert held({"run": "r1"}) is None
