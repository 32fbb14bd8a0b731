"""Containers on a real machine: digests, configuration, failures and the way back, earlier installers."""

from __future__ import annotations

import pytest

from openstack_rollout.declared import facts

CONTAINERS = {
    "ovn_controller",
    "ovn_metadata_agent",
    "nova_compute",
    "ceilometer_agent_compute",
    "node_exporter",
}
METADATA = "edpm_neutron_metadata_agent_image"
LEGACY = """\
[Unit]
Description=the earlier installer's unit
[Service]
Type=forking
ExecStart=/usr/bin/podman start node_exporter
ExecStop=/usr/bin/podman stop node_exporter
[Install]
WantedBy=multi-user.target
"""


def test_every_container_runs_the_digest_of_the_release(node):
    assert set(node.started()) == CONTAINERS
    wanted = node.releases["1.0.0"]["images"]["nova_compute_image"].partition("@")[2]
    assert node.digest("nova_compute") == wanted
    told = facts.read("cmp1", node.call("openstack_node.facts", "fresh=True"))
    assert told.target == "1.0.0" and set(told.managed) == set(told.containers) == CONTAINERS
    assert all(one.running and one.healthy is not False for one in told.containers.values())
    assert wanted in told.containers["nova_compute"].digests
    assert len(told.images) == len(CONTAINERS) and told.datapath == []


def test_the_second_time_nothing_happens(node):
    before = node.started()
    assert node.predict() == set()
    assert node.converge() == set()
    assert node.started() == before


@pytest.mark.parametrize("function", ["state.apply", "openstack_node.facts"])
def test_a_job_that_finds_nothing_to_do_asks_podman_once(node, function):
    ran = [" ".join(command[:3]) for command in node.commands(function)]
    asked = sorted(line for line in ran if line.startswith("podman "))
    assert [line.split()[1] for line in asked] == ["container", "images", "ps"], asked
    assert not [line for line in ran if line.startswith("systemctl daemon-reload")]


def test_only_the_container_with_a_new_image_is_started_again(node, page):
    before = node.started()
    node.edit(custom_images={METADATA: node.images["hotfix"]})
    expected = {"services container ovn_metadata_agent"}
    assert node.predict() == expected
    assert node.converge() == expected
    after = node.started()
    assert {name for name in after if after[name] != before[name]} == {"ovn_metadata_agent"}
    assert node.digest("ovn_metadata_agent") == node.images["hotfix"].partition("@")[2]


def test_a_changed_option_renders_the_file_and_restarts_its_container(node, page):
    before = node.started()
    node.edit(services={"nova": {"options": {"DEFAULT": {"debug": True, "filter": ["a", "b"]}}}})
    expected = {"nova /etc/openstack/nova/nova.conf", "services container nova_compute"}
    assert node.predict() == expected
    assert node.converge() == expected
    after = node.started()
    assert {name for name in after if after[name] != before[name]} == {"nova_compute"}
    text = node.out(["cat", "/etc/openstack/nova/nova.conf"])
    assert "[DEFAULT]\ndebug = True\nfilter = a\nfilter = b" in text and "release 1.0.0" in text
    assert node.out(["stat", "-c", "%a", "/etc/openstack/nova/nova.conf"]) == "640"
    assert node.predict() == set()


def test_a_file_written_by_a_run_that_died_is_followed_by_the_restart(node, page):
    node.exec(["sh", "-c", "echo '# by hand' >> /etc/openstack/nova/nova.conf"])
    node.edit(services={"nova": {"config": "run"}})  # so that the file is not put right first
    before = node.started()
    assert node.converge() == {"services container nova_compute"}
    assert node.started()["nova_compute"] != before["nova_compute"]


@pytest.mark.parametrize(
    ("image", "reason", "said"),
    [("broken", "CONTAINER_EXITED", "cannot start"), ("unhealthy", "CONTAINER_UNHEALTHY", "within 3 s")],
)
def test_a_container_that_fails_gives_way_to_the_previous_image(node, page, image, reason, said):
    digest = node.digest("ovn_metadata_agent")
    settings = {"health": {"command": ["/openstack/healthcheck"], "timeout": 3}}
    node.edit(services={"neutron-metadata": settings})
    node.converge()
    node.edit(services={"neutron-metadata": settings}, custom_images={METADATA: node.images[image]})
    comment = node.failure("openstack.services")
    assert comment.startswith(f"{reason}: ovn_metadata_agent") and said in comment
    assert "The previous image of ovn_metadata_agent was started again." in comment
    assert set(node.started()) == CONTAINERS
    assert node.digest("ovn_metadata_agent") == digest
    assert node.status()["differences"]["services"] != []


def test_a_digest_that_does_not_exist_stops_the_stage_before_it_began(node, page):
    before = node.started()
    missing = node.releases["1.0.0"]["images"][METADATA].partition("@")[0] + "@sha256:" + "0" * 64
    node.edit(custom_images={METADATA: missing}, services={"nova": {"options": {"DEFAULT": {"debug": True}}}})
    for sls in ("openstack.services", "openstack.prefetch"):
        assert node.failure(sls).startswith(f"IMAGE_MISSING: {missing}")
    assert node.started() == before
    assert "debug" not in node.out(["cat", "/etc/openstack/nova/nova.conf"])


def test_a_registry_that_is_down_stops_the_stage_before_it_began(node, page):
    before = node.started()
    node.exec(["podman", "rmi", "--ignore", "--force", node.images["hotfix"]])
    node.edit(custom_images={METADATA: node.images["hotfix"]})
    node.lab.stop_registry()
    try:
        assert node.predict("openstack.services") == {"services container ovn_metadata_agent"}
        assert node.failure("openstack.services").startswith("REGISTRY_UNREACHABLE: ")
    finally:
        node.lab.start_registry()
    assert node.started() == before


def test_a_container_that_died_is_started_again(node):
    node.exec(["systemctl", "stop", "node_exporter.service"])
    assert "container node_exporter: not running" in node.status()["health"]
    assert node.predict() == {"services container node_exporter"}
    assert node.converge() == {"services container node_exporter"}


def test_a_service_that_is_switched_off_goes_and_its_image_stays(node, page):
    images = node.out(["podman", "images", "--quiet"])
    node.edit(services={"node-exporter": {"enabled": False}})
    expected = {"services containers that this node no longer wants"}
    assert any("node_exporter" in note for note in node.status()["notes"])
    assert node.predict() == expected
    assert node.converge() == expected
    assert set(node.started()) == CONTAINERS - {"node_exporter"}
    assert node.out(["podman", "images", "--quiet"]) == images


def installed_by_others(node):
    """The node exporter as an earlier installer ran it: a unit of its own around a container that stays."""
    node.edit(services={"node-exporter": {"enabled": False}})
    node.converge()
    image = node.releases["1.0.0"]["images"]["edpm_node_exporter_image"]
    node.exec(["podman", "create", "--name", "node_exporter", "--network", "host", image])
    node.exec(["tee", "/etc/systemd/system/edpm_node_exporter.service"], stdin=LEGACY)
    node.exec(["systemctl", "enable", "--now", "edpm_node_exporter.service"])
    node.edit(services={"node-exporter": {"enabled": True}})


def test_the_unit_of_an_earlier_installer_gives_way_to_ours(node, page):
    installed_by_others(node)
    assert any("edpm_node_exporter" in note for note in node.status()["notes"])
    assert node.predict() == node.converge() == {"services container node_exporter"}
    assert node.exec(["systemctl", "cat", "edpm_node_exporter.service"], check=False).returncode
    assert node.out(["podman", "ps", "--all", "--format", "{{.Names}}"]).count("node_exporter") == 1
    assert node.out(["systemctl", "is-active", "node_exporter.service"]) == "active"
    assert node.predict() == set()


def test_the_unit_of_an_earlier_installer_comes_back_when_ours_fails(node, page):
    installed_by_others(node)
    node.edit(custom_images={"edpm_node_exporter_image": node.images["broken"]})
    comment = node.failure("openstack.services")
    assert comment.startswith("CONTAINER_EXITED: node_exporter")
    assert "The previous unit edpm_node_exporter was started again." in comment
    assert node.out(["systemctl", "is-active", "edpm_node_exporter.service"]) == "active"
    assert "node_exporter" in node.started()
