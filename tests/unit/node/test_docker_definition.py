"""docker_definition: what was asked for of a container, told from what its image brought."""

from __future__ import annotations

import copy

import pytest

from openstack_rollout.node import docker_definition as definition

ID = "0123456789ab" + "c" * 52
VOLUME = "f" * 64
HOST = {
    "Binds": ["/etc/kolla:/etc/kolla:ro", "logs:/var/log"],
    "NetworkMode": "host",
    "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0},
    "CapAdd": None,
}


def container(config=None, host=None, networks=None, mounts=()):
    return {
        "Id": ID,
        "Name": "/keystone",
        "Config": {"Image": "old", "Hostname": "ctl1", **(config or {})},
        "HostConfig": copy.deepcopy({**HOST, **(host or {})}),
        "NetworkSettings": {"Networks": networks or {"host": {}}},
        "Mounts": list(mounts),
    }


def image(**config):
    return {"Config": config}


def created(told, own=None):
    return definition.creation(told, own or image(), "new")


@pytest.mark.parametrize(
    ("given", "brought", "own"),
    [
        (["A=1", "PATH=/bin"], ["PATH=/bin"], ["A=1"]),
        (["PATH=/sbin", "LANG=C"], ["PATH=/bin", "LANG=C"], ["PATH=/sbin"]),
        # asked for with the image's own value: docker would have put it last
        (["LANG=C", "PATH=/bin"], ["PATH=/bin", "LANG=C"], ["LANG=C"]),
        (["A=x=y\n", "GONE"], [], ["A=x=y\n", "GONE"]),
        (["PATH=/bin"], ["PATH=/bin"], []),
        (["PATH=/bin", "A=1"], ["PATH=/bin"], ["PATH=/bin", "A=1"]),
        (["PATH=/bin", "A=1"], ["PATH=/bin", "B=2"], ["A=1"]),  # docker never told it so
    ],
)
def test_the_images_variables_are_not_asked_for(given, brought, own):
    assert created(container({"Env": given}), image(Env=brought))["Env"] == own


@pytest.mark.parametrize(
    ("entry", "command", "images_entry", "images_command", "asked"),
    [
        (["init"], ["start"], ["init"], ["start"], (None, None)),
        (["init"], ["other"], ["init"], ["start"], (None, ["other"])),
        (["mine"], ["other"], ["init"], ["start"], (["mine"], ["other"])),
        (["mine"], None, ["init"], ["start"], (["mine"], None)),
        # the image's own entry point, asked for: its command does not come with it
        (["init"], None, ["init"], ["start"], (["init"], None)),
        (None, ["sh"], ["init"], None, ([""], ["sh"])),
    ],
)
def test_entry_point_and_command(entry, command, images_entry, images_command, asked):
    told = container({"Entrypoint": entry, "Cmd": command})
    made = created(told, image(Entrypoint=images_entry, Cmd=images_command))
    assert (made["Entrypoint"], made["Cmd"]) == asked


def test_what_else_an_image_brings():
    told = container(
        {
            "User": "nova",
            "WorkingDir": "/srv",
            "StopSignal": "SIGQUIT",
            "Labels": {"version": "1", "mine": "x"},
            "ExposedPorts": {"80/tcp": {}, "90/tcp": {}},
            "Healthcheck": {"Test": ["CMD", "a"], "Interval": 5},
        }
    )
    brought = image(
        User="nova",
        WorkingDir="/",
        Labels={"version": "1"},
        ExposedPorts={"80/tcp": {}},
        Healthcheck={"Test": ["CMD", "a"]},
    )
    made = created(told, brought)
    assert "User" not in made
    assert (made["WorkingDir"], made["StopSignal"]) == ("/srv", "SIGQUIT")
    assert (made["Labels"], made["ExposedPorts"]) == ({"mine": "x"}, {"90/tcp": {}})
    assert made["Healthcheck"] == {"Interval": 5}
    own = {"Test": ["CMD", "b"], "Interval": 5}
    brought = image(Healthcheck={"Test": ["CMD", "a"], "Interval": 5})
    assert created(container({"Healthcheck": own}), brought)["Healthcheck"] == own


def test_another_image_is_no_other_definition():
    old = image(Env=["VERSION=1"], Labels={"v": "1"}, Cmd=["a"], Volumes={"/made": {}})
    new = image(Env=["VERSION=2", "MORE=1"], Labels={"v": "2"}, Cmd=["b"], Volumes={})
    made = {"Type": "volume", "Name": VOLUME, "Destination": "/made", "RW": True}
    one = container(
        {"Env": ["A=1", "VERSION=1"], "Labels": {"v": "1"}, "Cmd": ["a"], "Volumes": {"/made": {}}},
        mounts=[made],
    )
    other = container(
        {"Env": ["A=1", "VERSION=2", "MORE=1"], "Labels": {"v": "2"}, "Cmd": ["b"], "Volumes": None},
        host={"Binds": [*HOST["Binds"], f"{VOLUME}:/made"]},
        mounts=[{**made, "Mode": "z"}],
    )
    other["Id"] = "9" * 64
    assert definition.of(one, old) == definition.of(other, new)


@pytest.mark.parametrize(
    "changed",
    [
        {"config": {"Env": ["A=2"]}},
        {"config": {"User": "root"}},
        {"host": {"CapAdd": ["NET_ADMIN"]}},
        {"host": {"Binds": HOST["Binds"][:1]}},
        {"host": {"MemorySwappiness": 0}},
        {"mounts": [{"Type": "volume", "Name": "logs", "Destination": "/var/log", "RW": False}]},
        {"host": {"NetworkMode": "net"}, "networks": {"net": {"IPAMConfig": {"IPv4Address": "10.0.0.9"}}}},
    ],
)
def test_anything_else_is(changed):
    before = container({"Env": ["A=1"]})
    after = container(**{"config": {"Env": ["A=1"]}, **changed})
    assert definition.of(before, image()) != definition.of(after, image())


def test_volumes_that_nobody_named_stay_with_the_container():
    volume = {"Type": "volume", "Name": VOLUME, "Destination": "/data", "RW": True}
    made = created(container({"Volumes": {"/data": {}}}, mounts=[volume]))
    assert made["HostConfig"]["Binds"] == [*HOST["Binds"], f"{VOLUME}:/data"]
    # once more: it is named now
    told = container({"Volumes": {"/data": {}}}, {"Binds": [f"{VOLUME}:/data"]}, mounts=[volume])
    assert created(told)["HostConfig"]["Binds"] == [f"{VOLUME}:/data"]
    asked = [{"Type": "volume", "Target": "/data"}]
    made = created(container(host={"Binds": None, "Mounts": asked}, mounts=[volume]))
    assert made["HostConfig"]["Mounts"] == [{**asked[0], "Source": VOLUME}]
    assert made["HostConfig"]["Binds"] is None
    # another container's, by VolumesFrom
    assert created(container(mounts=[volume]))["HostConfig"]["Binds"] == HOST["Binds"]


def test_docker_does_not_start_it_by_itself_yet():
    always = {"Name": "always", "MaximumRetryCount": 0}
    told = container(host={"RestartPolicy": always})
    assert created(told)["HostConfig"]["RestartPolicy"]["Name"] == "no"
    assert definition.restart_policy(told) == always
    assert definition.restart_policy(container()) is None
    assert told["HostConfig"]["RestartPolicy"] == always  # what was told stays as it was told


@pytest.mark.parametrize(
    ("name", "host", "asked"),
    [
        ("keystone", {}, "keystone"),
        (ID[:12], {}, None),
        ("ctl1", {"NetworkMode": "container:abc"}, None),
        ("ctl1", {"UTSMode": "host"}, None),
    ],
)
def test_host_names_that_docker_gave(name, host, asked):
    assert created(container({"Hostname": name}, host)).get("Hostname") == asked


def test_networks_of_its_own_keep_their_settings():
    told = {
        "IPAMConfig": {"IPv4Address": "10.0.0.9"},
        "Aliases": ["keystone", ID[:12]],
        "EndpointID": "e",
        "IPAddress": "10.0.0.9",
        "Links": None,
    }
    own = container(host={"NetworkMode": "net", "Links": ["/db:/keystone/database"]}, networks={"net": told})
    made = created(own)
    assert made["NetworkingConfig"]["EndpointsConfig"] == {
        "net": {"IPAMConfig": {"IPv4Address": "10.0.0.9"}, "Aliases": ["keystone"]}
    }
    assert made["HostConfig"]["Links"] == ["db:database"]
    assert created(container())["NetworkingConfig"] == {"EndpointsConfig": {}}
