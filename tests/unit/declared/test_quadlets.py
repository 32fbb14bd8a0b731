"""Quadlets: keys that podman and systemd know, values of one line, and nothing that is ours."""

import pytest

from openstack_rollout.declared import quadlets
from openstack_rollout.declared.problems import Wrong
from openstack_rollout.declared.quadlet_keys import KEYS, OUR_OPTIONS, OWNED
from tests.unit.cloud_pillar import shipped
from tests.unit.declared.pillars import is_clear, wrong
from tests.unit.loading import load

VALUES = [
    "a:b\n[Service]\nExecStartPre=/bin/touch /tmp/x", "a\nb", "a\rb", "a\x0bb", "a\x85b", "a\u2028b",
    "a\0b", "a\tb",
    "a\\", "a:b \\", "a\u200bb", "a\u202eb", "a\u00a0b", "\ud800", "x" * 20_000, {"A": "b"}, [{"A": "b"}],
    [["a"]], [None],
    1.5, float("nan"), 10**30, b"x", {"A"}, ["ok", "a\nb"], ["a"] * 2000, ["a\\"],
]  # fmt: skip
BAD_KEYS = [
    "network", "NETWORK", "Netwrok", "Volume ", " Volume", "Vol\nume", "Volume\nExec", "[Service]",
    "Volume=x", "", 5, None,
    True, "Image", "ContainerName", "HealthCmd", "Rootfs", "ServiceName", "Pod", "X-Own", "#Volume",
    ";Volume", "After", "Restart",
    "Env ironment", "Volumes", "\u200bVolume",
]  # fmt: skip


def line(section, key, value):
    """The one line that refuses it."""
    (found,) = wrong("services/nova", {"quadlet": {section: {key: value}}})
    return found.removeprefix("openstack:services:nova:quadlet:")


@pytest.mark.parametrize("value", VALUES, ids=map(str, range(len(VALUES))))
@pytest.mark.parametrize(
    ("section", "key"), [("Container", "Volume"), ("Container", "Exec"), ("Service", "ExecStartPre")]
)
def test_values_that_would_be_another_line_or_none(section, key, value):
    found = wrong("services/nova", {"quadlet": {section: {key: value}}})
    assert found and all(map(is_clear, found))
    assert all(one.startswith(f"openstack:services:nova:quadlet:{section}:{key}") for one in found)


@pytest.mark.parametrize("key", BAD_KEYS, ids=map(str, range(len(BAD_KEYS))))
def test_keys_that_podman_does_not_know_or_that_are_ours(key):
    (found,) = wrong("services/nova", {"quadlet": {"Container": {key: "x"}}})
    assert is_clear(found) and found.startswith("openstack:services:nova:quadlet:Container:")


@pytest.mark.parametrize(
    ("section", "key", "value", "said"),
    [
        (
            "Container",
            "network",
            "host",
            "Container:network: unknown key of [Container], did you mean Network?",
        ),
        (
            "Container",
            "Netwrok",
            "host",
            "Container:Netwrok: unknown key of [Container], did you mean Network?",
        ),
        ("Service", "restart", "no", "Service:restart: unknown key of [Service], did you mean Restart?"),
        ("Service", "Volume", "a:b", "Service:Volume: unknown key of [Service]"),
        (
            "Container",
            "Image",
            "x",
            "Container:Image: is not yours to set: a release's images say which image it is",
        ),
        (
            "Container",
            "HealthCmd",
            "x",
            "Container:HealthCmd: is not yours to set: the service's health:command says it",
        ),
        (
            "Container",
            "Environment",
            {"A": "b"},
            "Container:Environment: has to be a string or a list of strings, not a mapping: write 'A=b'",
        ),
        (
            "Container",
            "Environment",
            [{"A": "b"}],
            "Container:Environment:0: has to be a string or a list of strings, not a mapping: write 'A=b'",
        ),
        (
            "Container",
            "Environment",
            "A",
            "Container:Environment: 'A' has to be a name and its value: NAME=VALUE",
        ),
        (
            "Service",
            "Type",
            "forking",
            "Service:Type: 'forking' is not one of notify, oneshot, with others podman makes no unit",
        ),
    ],
)
def test_what_is_said(section, key, value, said):
    found = line(section, key, value)
    assert found.startswith(said) if section == "Service" and key == "Volume" else found == said


@pytest.mark.parametrize(
    ("section", "key", "value", "said"),
    [
        ("Container", "Exec", "a 'b", "\"a 'b\" has a quote that is not closed"),
        ("Service", "ExecStartPre", '/bin/x "a', "has a quote that is not closed"),
        ("Container", "PodmanArgs", '--x="a', "has a quote that is not closed"),
        ("Container", "Label", 'a="b', "has a quote that is not closed"),
        ("Container", "Volume", "a:b ", "'a:b ' ends in a blank, which systemd takes away: leave it out"),
        ("Container", "Volume", "a\u00a0b", "has '\\xa0' in it, which is not printed: write what is seen"),
        ("Container", "Volume", "a\tb", "'a\\tb' has '\\t' in it, which is not printed: write what is seen"),
        ("Container", "Volume", "a:b\n", "has a newline in it, which would begin another line"),
        ("Container", "Environment", "A=two words", "'words' has to be a name and its value: NAME=VALUE;"),
        ("Container", "Environment", "A=two words", 'a value with blanks needs quotes: "A=two words"'),
        ("Service", "Environment", "=x", "'=x' has to be a name and its value: NAME=VALUE"),
        ("Container", "Label", "a", "'a' has to be a name and its value: NAME=VALUE"),
        ("Container", "Annotation", 5, "5 has to be a name and its value: NAME=VALUE"),
        ("Container", "Environment", True, "True has to be a name and its value: NAME=VALUE"),
        ("Container", "Label", "openstack-rollout.fingerprint=x", "is a label that is not yours to set"),
        ("Container", "Label", '"openstack-rollout.x=y"', "is a label that is not yours to set"),
        *(("Service", key, 488, "488 is a number: put it in quotes") for key in ("UMask",
            "StateDirectoryMode", "User")),
        *(("Container", key, 80, "80 is a number: put it in quotes") for key in ("PublishPort", "UIDMap",
            "SubGIDMap")),
        ("Service", "Restart", "sometimes", "'sometimes' is not one of no, on-success"),
        ("Service", "Restart", False, "False is what YAML makes of no, off or false: put it in quotes"),
        ("Service", "Restart", True, "has to be one of no, on-success"),
        ("Service", "Type", 5, "has to be one of notify, oneshot, not a number: 5"),
        ("Service", "Restart", ["always"], "has to be one of no, on-success"),
        ("Service", "KillMode", ["mixed"], "has to be one of mixed, control-group, not a list"),
        ("Unit", "FailureAction", "reboot", "'reboot' is not one of none"),
        ("Unit", "SuccessAction", "poweroff", "'poweroff' is not one of none"),
        ("Unit", "JobTimeoutAction", "exit", "'exit' is not one of none"),
        ("Unit", "StartLimitAction", "reboot", "'reboot' is not one of none"),
        *(("Unit", key, True, "is not yours to set") for key in ("RefuseManualStart", "RefuseManualStop")),
        ("Unit", "Conflicts", "x.service", "is not yours to set: a container stops no other unit"),
        ("Service", "RuntimeMaxSec", 5, "is not yours to set: the container runs until it is stopped"),
        *(("Container", "PodmanArgs", f"{one}=x", f"{one} is ours to set") for one in sorted(OUR_OPTIONS)),
        ("Container", "GlobalArgs", ["--log-level=debug", "--root", "/x"], "--root is ours to set"),
        ("Container", "PodmanArgs", "--x --rm", "--rm is ours to set"),
        ("Container", "PodmanArgs", '"--name=x"', "--name is ours to set"),
        ("Container", "PodmanArgs", "--label openstack-rollout.x=y",
            "a label openstack-rollout. is ours to set"),
        ("Container", "PodmanArgs", ["--label", "openstack-rollout.x=y"],
            "a label openstack-rollout. is ours"),
        ("Container", "PodmanArgs", "--label=openstack-rollout.x=y",
            "a label openstack-rollout. is ours to set"),
    ],
)  # fmt: skip
def test_values_that_would_be_something_else_on_a_node(section, key, value, said):
    found = line(section, key, value)
    assert said in found and is_clear(found)


@pytest.mark.parametrize(
    "section", ["container", "Contaner", "Socket", "X-Own", "Quadlet", "", 5, None, "Service]\n[Unit"]
)
def test_sections(section):
    (found,) = wrong("services/nova", {"quadlet": {section: {}}})
    assert is_clear(found)


@pytest.mark.parametrize(
    "quadlet",
    [
        {},
        {"Container": {}},
        {"Container": None},
        {
            "Container": {
                "SecurityLabelDisable": True,
                "Volume": ["a:b", "c:d"],
                "PidsLimit": 5,
                "Network": None,
            }
        },
        {
            "Service": {
                "TimeoutStopSec": 150,
                "ExecStartPre": "/usr/bin/mkdir -p /a /b",
                "Restart": "on-failure",
            }
        },
        {"Unit": {"After": "network-online.target"}, "Install": {"WantedBy": ["multi-user.target"]}},
        {"Container": {"Label": ["a=b"], "Environment": "A=\u00e9 B=c", "AddCapability": []}},
        {"Service": {"Type": "notify", "KillMode": "mixed", "CPUQuota": "20%"}},
        {"Container": {"Environment": ['A="two words"', '"A=two words"', "A=1 B='x y' C=", "A=b\\ c", ""]}},
        {"Container": {"Label": "a=b=c", "PodmanArgs": ["--label", "a=b", "--memory=1g"], "Exec": "a 'b c'"}},
        {
            "Service": {"Restart": "no", "UMask": "0077", "FailureAction": "none"},
            "Unit": {"StartLimitBurst": 5},
        },
        {"Container": {"PublishPort": "80:80", "User": "42436"}},
    ],
)
def test_allowed(quadlet):
    assert wrong("services/nova/quadlet", quadlet) == []


def test_a_null_is_as_if_it_was_not_said():
    assert quadlets.check({"Container": {"Network": None, "User": "x"}, "Unit": None}) == {
        "Container": {"User": "x"},
        "Unit": {},
    }
    with pytest.raises(Wrong):
        quadlets.check(["x"])


def test_the_shipped_catalogue_uses_known_keys_alone():
    for name, entry in shipped()["service_types"].items():
        assert quadlets.check(entry.get("quadlet", {})) is not None, name


def test_what_is_ours_is_what_the_module_writes():
    module = load("modules", "quadlet")
    text = module.render("c", "registry.example/c@sha256:1", health={"command": ["/bin/true"]})["text"]
    written = {
        part.split("=")[0]
        for part in text.partition("[Container]\n")[2].partition("\n\n")[0].split("\n")
        if part
    }
    assert written - {"Label"} <= OWNED["Container"].keys()
    assert module.FINGERPRINT == quadlets.FINGERPRINT
    assert all(OWNED[section].keys() <= KEYS[section] for section in OWNED)
    assert tuple(KEYS) == module._SECTIONS
