"""quadlet: the same input gives the same file; a change of anything that makes up the container shows."""

from __future__ import annotations

import pytest
from salt.exceptions import CommandExecutionError

from tests.unit.loading import Commands, load

IMAGE = "registry.example/nova-compute@sha256:" + "a" * 64
QUADLET = {
    "Container": {"Volume": ["/b:/b", "/a:/a"], "Network": "host", "Privileged": True},
    "Service": {"Nice": 3},
}
HEALTH = {"command": ["/openstack/healthcheck"], "timeout": 60}


@pytest.fixture
def quadlet(tmp_path):
    module = load("modules", "quadlet", salt={"cmd.run_all": Commands()})
    module.FOLDER = tmp_path / "systemd"
    return module


def test_the_file_of_a_service(quadlet):
    rendered = quadlet.render("nova_compute", IMAGE, QUADLET, HEALTH)
    assert rendered["text"] == (
        "# Managed by openstack-rollout; changes here are overwritten.\n"
        "[Unit]\n"
        "Description=OpenStack service nova_compute\n"
        "\n"
        "[Container]\n"
        "ContainerName=nova_compute\n"
        "HealthCmd=CMD /openstack/healthcheck\n"
        f"Image={IMAGE}\n"
        f"Label=openstack-rollout.fingerprint={rendered['fingerprint']}\n"
        "Network=host\n"
        "Privileged=true\n"
        "Volume=/b:/b\n"
        "Volume=/a:/a\n"
        "\n"
        "[Service]\n"
        "Nice=3\n"
        "Restart=always\n"
        "RestartSec=2\n"
        "\n"
        "[Install]\n"
        "WantedBy=multi-user.target\n"
    )


def test_the_order_of_keys_is_of_no_account(quadlet):
    other = {"Service": {"Nice": 3}, "Container": dict(reversed(QUADLET["Container"].items()))}
    assert quadlet.render("nova", IMAGE, QUADLET) == quadlet.render("nova", IMAGE, other)


def test_a_changed_configuration_file_changes_the_fingerprint(quadlet, tmp_path):
    config = tmp_path / "nova.conf"
    absent = quadlet.render("nova", IMAGE, config_files=[str(config)])
    config.write_text("[DEFAULT]\n")
    first = quadlet.render("nova", IMAGE, config_files=[str(config)])
    config.write_text("[DEFAULT]\ndebug = true\n")
    second = quadlet.render("nova", IMAGE, config_files=[str(config)])
    assert len({entry["fingerprint"] for entry in (absent, first, second)}) == 3


def test_labels_of_the_catalogue_are_kept(quadlet):
    text = quadlet.render("nova", IMAGE, {"Container": {"Label": "a=b"}})["text"]
    assert "Label=a=b\nLabel=openstack-rollout.fingerprint=" in text


def test_a_health_command_with_blanks_is_a_list(quadlet):
    text = quadlet.render("nova", IMAGE, health={"command": ["/bin/check", "two words"]})["text"]
    assert 'HealthCmd=["/bin/check", "two words"]\n' in text
    with pytest.raises(CommandExecutionError, match="as a list"):
        quadlet.render("nova", IMAGE, health={"command": ["/bin/check all"]})


def test_only_files_with_our_header_are_ours(quadlet):
    quadlet.write("nova", quadlet.render("nova", IMAGE)["text"])
    (quadlet.FOLDER / "other.container").write_text("[Container]\nContainerName=other\n")
    assert quadlet.managed() == {"nova": "nova.service"}


def test_the_last_proven_text_comes_back_over_any_number_of_writes(quadlet):
    quadlet.write("nova", "proven")
    quadlet.write("nova", "bad")
    quadlet.write("nova", "worse")
    assert quadlet.restore("nova") is True
    assert quadlet.read("nova") == "proven"
    quadlet.write("nova", "good")
    quadlet.accept("nova")
    quadlet.write("nova", "bad")
    quadlet.restore("nova")
    assert quadlet.read("nova") == "good"


def test_without_a_proven_text_the_new_one_goes(quadlet):
    quadlet.write("nova", "bad")
    assert quadlet.restore("nova") is False
    assert quadlet.read("nova") is None


@pytest.mark.parametrize(
    ("state", "ended"),
    [
        ("ActiveState=active\nSubState=running\nNRestarts=0", False),
        ("ActiveState=activating\nSubState=start\nNRestarts=0", False),
        (
            "ActiveState=activating\nSubState=auto-restart\nNRestarts=0\nResult=exit-code\nExecMainStatus=1",
            True,
        ),
        ("ActiveState=active\nSubState=running\nNRestarts=1", True),
        ("ActiveState=failed\nSubState=failed\nNRestarts=0\nResult=exit-code\nExecMainStatus=125", True),
        ("ActiveState=inactive\nSubState=dead\nNRestarts=0", True),
    ],
)
def test_a_unit_that_ended_is_seen_also_when_systemd_started_it_again(quadlet, state, ended):
    quadlet.__salt__["cmd.run_all"].answers = {"systemctl show": state}
    assert bool(quadlet.ended("nova.service")) is ended


def test_what_is_masked_is_asked_for_all_units_at_once():
    commands = Commands({"systemctl show": "loaded\n\nmasked\n\nnot-found\n"})
    module = load("modules", "quadlet", salt={"cmd.run_all": commands})
    assert module.masked("a.service", "b.service", "c.service") == ["b.service"]
    assert len(commands.ran) == 1 and module.masked() == [] and len(commands.ran) == 1


def test_the_log_begins_within_the_second_of_the_start():
    commands = Commands({"journalctl": "cannot start\n"})
    module = load("modules", "quadlet", salt={"cmd.run_all": commands})
    assert module.log("nova.service", 1790000000.7) == "cannot start"
    assert "--since=@1790000000" in commands.ran[0]


SYSTEMD = [
    "Starting nova_compute.service - OpenStack service nova_compute...",
    "Started nova_compute.service - OpenStack service nova_compute.",
    "2026-11-21 10:17:02.1 +0000 UTC m=+0.061 container create 8ab (image=registry.example/nova)",
    "conmon becd388b763ed895c326 <nwarn>: Failed to add inotify watch for /sys/fs/cgroup/memory.events",
    "e" * 64,
    "nova_compute.service: Main process exited, code=exited, status=1/FAILURE",
]


def test_the_log_is_the_containers_own_words_when_it_has_any(quadlet):
    said = ["broken 1.0.1: cannot start", "Failed to connect to the database"]
    commands = Commands({"journalctl": "\n".join([*SYSTEMD, *said, SYSTEMD[-1]])})
    quadlet.__salt__["cmd.run_all"] = commands
    assert quadlet.log("nova_compute.service", 1790000000.5).splitlines() == said
    assert quadlet.log("nova_compute.service", 1790000000.5, lines=1).splitlines() == said[1:]
    commands.answers["journalctl"] = "\n".join(SYSTEMD)
    assert "status=1/FAILURE" in quadlet.log("nova_compute.service", 1790000000.5)
