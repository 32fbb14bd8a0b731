"""What a deployer said of a container, apart from its image and from what the engine adds."""

from __future__ import annotations

import copy
import json

import pytest

from openstack_rollout.node import definitions
from openstack_rollout.node.errors import NodeError

SECRET = "s3cret-value"
IMAGE = {"Config": {"Env": ["PATH=/bin", "VERSION=1"], "Cmd": ["kolla_start"], "Labels": {"version": "1"}}}
CONTAINER = {
    "Id": "a" * 64,
    "Image": "1" * 64,
    "ImageName": "reg/nova:1",
    "Name": "nova",
    "Created": "now",
    "State": {"Running": True},
    "HostsPath": f"/run/{'a' * 64}/hosts",
    "Mounts": [
        {"Type": "bind", "Source": "/b", "Destination": "/b", "Mode": ""},
        {"Type": "volume", "Name": "f" * 64, "Source": "/x", "Destination": "/anonymous"},
    ],
    "Config": {
        "Hostname": "a" * 12,
        "Env": ["PATH=/bin", "VERSION=1", f"PASSWORD={SECRET}", "container=podman", "HOSTNAME=aaaaaaaaaaaa"],
        "Cmd": ["kolla_start"],
        "Labels": {"version": "1", "config_id": "step4"},
        "Annotations": {"io.container.manager": "libpod", "own": "x"},
        "CreateCommand": ["podman", "create", "reg/nova:1"],
    },
    "HostConfig": {
        "Privileged": True,
        "LogConfig": {"Path": f"/var/{'a' * 64}/ctr.log"},
        "CapAdd": [],
        "Binds": ["/b:/b:rw,rprivate,rbind", "/a:/a:ro,rbind"],
    },
}


def later():
    """The same, created again with another image."""
    new = json.loads(json.dumps(CONTAINER).replace("a" * 64, "b" * 64).replace("a" * 12, "b" * 12))
    new |= {"Image": "2" * 64, "ImageName": "reg/nova:2", "Created": "later", "State": {"Running": False}}
    new["Config"]["Env"] = ["PATH=/usr/bin", "VERSION=2", "NEW=1", f"PASSWORD={SECRET}"]
    new["Config"]["Labels"] = {"version": "2", "config_id": "step4"}
    new["Config"]["Annotations"] = {"own": "x"}
    new["Config"]["CreateCommand"] = ["podman", "create", "reg/nova:2"]
    new["HostConfig"]["Binds"] = ["/a:/a:ro,rbind", "/b:/b:z,rw,rprivate,rbind"]
    new["Mounts"] = [
        {**CONTAINER["Mounts"][0], "Mode": "z"},
        {**CONTAINER["Mounts"][1], "Name": "e" * 64, "Source": "/y"},
    ]
    own = {"Env": ["PATH=/usr/bin", "VERSION=2", "NEW=1"], "Cmd": ["kolla_start", "-v"]}
    image = {"Config": {**own, "Labels": {"version": "2"}}}
    new["Config"]["Cmd"] = ["kolla_start", "-v"]
    return new, image


def snapshots(change=lambda container: None):
    new, image = later()
    change(new)
    before = definitions.snapshot(definitions.of(CONTAINER, IMAGE))
    return before, definitions.snapshot(definitions.of(new, image), before["key"])


def test_another_image_is_no_other_definition():
    definitions.require_same("nova", *snapshots())


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (lambda new: new["HostConfig"].update(Privileged=False), "HostConfig.Privileged"),
        (lambda new: new["HostConfig"].update(CapAdd=["CAP_NET_ADMIN"]), "HostConfig.CapAdd"),
        (lambda new: new["Config"]["Env"].append("MORE=1"), "Config.Env.MORE"),
        (lambda new: new["Config"]["Labels"].pop("config_id"), "Config.Labels.config_id"),
        (lambda new: new["Config"].update(Cmd=["other"]), "Config.Cmd"),
        (lambda new: new["Mounts"].pop(0), "Mounts"),
        (
            lambda new: new["HostConfig"].update(Binds=["/a:/a:rw,rbind", "/b:/b:rw,rprivate,rbind"]),
            "HostConfig.Binds",
        ),
        (lambda new: new.update(AppArmorProfile="x"), "AppArmorProfile"),
        (lambda new: new["Config"].update(Healthcheck={"Test": ["CMD", "x"]}), "Config.Healthcheck.Test"),
    ],
)
def test_anything_else_is_told_by_the_name_of_its_key(change, name):
    before, after = snapshots(change)
    assert definitions.differences(before, after) == [name]
    with pytest.raises(NodeError, match=f"nova: .*{name}") as raised:
        definitions.require_same("nova", before, after)
    assert raised.value.reason == "DEFINITION_CHANGED"


def test_no_value_can_be_read_in_a_snapshot_or_a_message():
    before, after = snapshots(lambda new: new["Config"].update(Env=["PASSWORD=other"]))
    with pytest.raises(NodeError) as raised:
        definitions.require_same("nova", before, after)
    assert SECRET not in json.dumps([before, after]) + str(raised.value)
    # nor guessed without the key: another snapshot of the same says it otherwise
    again = definitions.snapshot(definitions.of(copy.deepcopy(CONTAINER), IMAGE))
    assert again["values"]["Config.Env.PASSWORD"] != before["values"]["Config.Env.PASSWORD"]


def test_an_entry_point_as_podman_4_tells_it():
    old = {**CONTAINER, "Config": {**CONTAINER["Config"], "Entrypoint": "dumb-init --single-child --"}}
    image = {"Config": {**IMAGE["Config"], "Entrypoint": ["dumb-init", "--single-child", "--"]}}
    assert "Entrypoint" not in definitions.of(old, image)["Config"]


def test_what_was_said_and_comes_with_the_other_image_is_no_difference():
    said = copy.deepcopy(CONTAINER)
    said["Config"]["Env"].append("NEW=1")  # which the new image has of itself
    new, image = later()
    new["Config"]["Env"].append("VERSION=1")  # which was said again, and the old image had of itself
    before = definitions.snapshot(definitions.of(said, IMAGE))
    assert (
        definitions.differences(before, definitions.snapshot(definitions.of(new, image), before["key"])) == []
    )
    new["Config"]["Env"].append("VERSION=3")
    after = definitions.snapshot(definitions.of(new, image), before["key"])
    assert definitions.differences(before, after) == ["Config.Env.VERSION"]
