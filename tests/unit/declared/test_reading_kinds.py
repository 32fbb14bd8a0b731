"""Kinds of input that once passed and failed late, on a node in the middle of a run: each is refused here."""

import pytest

from openstack_rollout.declared import reading
from openstack_rollout.declared.problems import shown
from tests.unit.cloud_pillar import NEW, OLD
from tests.unit.declared.pillars import GOOD, SMALL, changed, is_clear, wrong

BLANKS = [
    "",
    " ",
    " x",
    "x ",
    "x\n",
    "\tx",
    "x y",
    "x\u2003y",
    "\u200bx",
    "x\u202ey",
    "x\u00a0",
    "x\0",
    "\ufeffx",
]
NOT_STRINGS = [True, False, 0, 5, 1.1, float("nan"), float("inf"), 10**400, 10**6000, b"x", {"a": "b"}, ["x"]]
PATHS = [
    "", "/", "/etc/", "etc/x", "./x", "/../../etc/shadow", "/etc/../etc/shadow", "/etc/./x", "//etc/x",
    "/etc//x",
    "/etc/x\nevil:", "/etc/a: b", "/etc/a #b", "/etc/\u200bx", "/etc/x\0", "/etc/..", "~/x", "/etc/{a}",
    "/proc/x",
    "/etc/" + "x" * 300, "/x" * 3000, "/x" * 257, "/etc/a'b", '/etc/a"b', "/etc/ x", "/etc/x ", "C:\\x",
    "/etc", "/usr", "/var", "/opt", "/home", "/root", "/boot", "/srv", "/proc", "/sys", "/dev", "/tmp",
        "/var/lib",
    "/boot/x", "/sys/x", "/dev/x", "/run/systemd/x", "/etc/systemd/system/x.service", "/etc/systemd",
    "/etc/containers/systemd/x", "/etc/salt/minion", "/etc/ssh/sshd_config", "/root/.ssh/authorized_keys",
    "/etc/pam.d/su", "/etc/sudoers.d/x", "/var/lib/openstack-rollout/x", "/etc/passwd", "/etc/shadow",
    "/etc/group", "/etc/gshadow", "/etc/sudoers", "/etc/fstab", "/etc/machine-id",
]  # fmt: skip
SOURCES = [
    "", "salt://", "salt:///x", "salt://../x", "salt://a/../../x", "salt://../../etc/shadow",
    "salt://a/./b", "salt://a/",
    "salt://a//b", "salt://x\nevil:\n  cmd.run:\n    - name: touch /tmp/x", "salt://a b", "salt://a#b",
    "http://x/y", "/x",
    "salt://.", "salt://?saltenv=base", "salt:x", "salt://a: b", "salt://\u202ex", "salt://..", "salt://a\\b",
]  # fmt: skip
CONTAINERS = [
    *BLANKS, "sshd", "ssh", "openvswitch", "openvswitch-x", "ovs-vswitchd", "ovsdb-server",
    "systemd-journald",
    "systemd-networkd", "salt-minion", "salt-master", "dbus", "dbus-broker", "NetworkManager", "chronyd",
    "firewalld",
    "crond", "podman", "docker", "libvirtd", "virtqemud", "pacemaker", "corosync", "auditd", "polkit",
    "keystone-legacy",
    "x-legacy", "sshd.service", "nova.service", "x.socket", "x" * 65, "x" * 300, "-x", "--all", ".x",
    "../x", "a/b", "a:b",
    "*", "a;b", "a\nb", "$(x)", "x@1", "\u00e9", "multi-user", "kdump", "rescue",
    "target", "tgtd", "ldconfig", "ptp4l", "lldpd", "teamd", "autofs", "iscsi", "sanlock", "wdmd",
        "certmonger",
    "blkmapd", "netavark-dhcp-proxy", "os-net-config", "driverctl", "zincati", "afterburn", "raid-check",
        "sysstat",
    "wickedd", "edpm-container-shutdown", "nvmf-autoconnect", "SSHD", "Systemd-Journald", "networkmanager",
    "cloud-init", "network-online", "user-runtime-dir", "chronyd", "docker", "dev-hugepages", "var-lib-nfs",
]  # fmt: skip
UNITS = [
    "../../../tmp/x", "--all", "*", "a b", "sshd.service", "sshd", "x.service", "systemd-*", "openvswitch",
    "a/b", "",
    "x\n", "\u200bx", "salt-minion", "nova_compute", "glance_api", "x" * 100, "rabbitmq", "user@1000",
    "getty@tty1",
]  # fmt: skip
VERSIONS = [
    "", ">=", ">= ", ">=1 && reboot", ">1.0", ">1", "<=1.0", "<1", "==1.0", "=1.0", "!=1", "~>1.0", "~=1",
    "7.*", "*",
    "7.x", "latest", "newest", "present", "any", " 1.0", "1.0 ", "1.0\n", "-y", "--allowerasing",
    "7.76; reboot", "1,0",
    ">=>=1", ">= 1.0", "1.0 2.0", "1.0\u200b", "$(x)", "1.0|2.0", "\u0661.0", ">=\n1", "1" * 200, "[1-9]",
    "1?",
]  # fmt: skip
PACKAGES = [
    "*", "kernel*", "--allowerasing", "-y", " curl ", "curl ", "", "cu rl", "curl\u200b", "curl\n",
    "\u202ecurl",
    "curl=1", "curl>1", "curl;x", "@group", "/usr/bin/curl", "a/b", "cur?", "[ab]", "x" * 200, "curl,wget",
    "\u00e9",
]  # fmt: skip
GLOBS = [
    "",
    " ",
    "kernel *",
    "-x",
    "--all",
    "ker nel",
    "a\nb",
    "\u200b*",
    "a,b",
    "a;b",
    "/x",
    "[]",
    "a[!]",
    "[z-a]",
    "a]b[",
    "[a",
    "a]",
    "@x",
    7,
    None,
]
RELEASES = [
    "1.0.2 ", " 1.0.2", "1.0.2\n", "1.0.2\u2003", "1.0.2\u200b", "", "next", "1.0.2;x", "../1.0", "1.0/2",
    "-1.0", "1 0",
    "1!1.0", "1.0:2", "x" * 100, "1.0.*", "latest", "1.0.1.0", "v1.0.1", "\u0661.0",
]  # fmt: skip
OPTIONS = [
    {1: "x"}, {None: 1}, {False: 1}, {"a": {5: 1}}, {"a": [{True: 1}]}, {"a": float("nan")}, {"a": 10**30},
    {"a": b"x"},
    {"a": {1, 2}}, {"a": "\ud800"}, {"a": ["x"] * 20_000}, {"a": "x" * 2_000_000}, {"a": object()}, [], "x",
    5,
    *({"a": f"x{one}"} for one in ("\0", "\x07", "\x1b", "\x7f", "\x85", "\x9f", "\u2028", "\u2029",
        "\ufffe", "\uffff")),
    *({f"x{one}": 1} for one in ("\0", "\t", "\n", "\r", "\x7f", "\x85", "\u2028", "\u2029", "\uffff",
        "\ud800")),
    {"x" * 513: 1}, {'"' * 300: 1}, {"a": 1e-07}, {"a": [1e16]}, {"a": float("-inf")},
]  # fmt: skip
NUMBERS = [-1, 10**7, 10**12, 10**400, 10**6000, 1.5, float("nan"), float("inf"), "1", "", True, [1], {}]
BOUNDED = [
    "policies/compute/soak", "policies/compute/silence", "policies/compute/canary",
    "policies/compute/max_failures",
    "policies/compute/per_zone", "policies/compute/timeout_per_gib", "policies/compute/migrations_per_host",
    "policies/gateway/router_timeout", "policies/gateway/routers_at_once", "policies/gateway/return_timeout",
    "system/reboot_timeout", "packages/lock_timeout", "verification/timeout", "services/nova/order",
    "services/nova/health/timeout", "service_defaults/order",
]  # fmt: skip
REFERENCES = [
    "registry.example/x", "registry.example/x:", f" {GOOD}", f"{GOOD} ",
    f"{GOOD}\n", "--x",
    "registry.example/x@sha256:" + "A" * 64, "docker://" + GOOD, GOOD.replace("/x", "/\u200bx"),
    "registry.example/" + "x" * 9000, GOOD.replace("example/", "example:65536/"), GOOD.replace("example/",
        "example:0/"),
    GOOD.replace("registry.", "registry.."), GOOD.replace("registry.", "registry-."),
]  # fmt: skip


def hook(**changes):
    found = {"name": "one", "command": ["/bin/true"], **changes}
    return [{key: value for key, value in found.items() if value is not ...}]


HOOKS = [
    hook(command=[]), hook(command=...), hook(command=None), hook(sls="a"), hook(command=""),
    hook(command="/bin/true"),
    hook(command=["systemctl restart x"]), hook(command=["a; b"]), hook(command=["a|b"]),
    hook(command=["$(x)"]),
    hook(command=["/bin/true", ""]), hook(command=["/bin/true", 5]), hook(command=["/bin/true", None]),
    hook(command=[None]),
    hook(command=["/bin/true", *["x"] * 100]), *(hook(command=[one]) for one in ["~/x", "a=b", "foo/bar",
        "/", ".",
        "..", "/etc/", "{{x}}", "/bin/../x", "./x", "//x", "/bin/{x}", "a:b", "\u00e9"]),
    hook(command=["-x"]), hook(command=["a\0b"]), hook(command=["/bin/true", "a\x1bb"]),
    hook(command={"a": "b"}),
    hook(command=..., sls="../../../etc/x"), hook(command=..., sls="--config-dir=/tmp"),
    hook(command=..., sls="a/b"),
    hook(command=..., sls="a.sls b"), hook(command=..., sls=""), hook(command=..., sls="a..b"),
    hook(command=..., sls=".a"),
    hook(command=..., sls="a\n"), hook(command=..., sls=["a"]), hook(command=..., sls="*"),
    hook(command=..., sls="a,b"),
    hook(name=...), hook(name=""), hook(name=" x"), hook(name="x" * 65), hook(name="x\ny"), hook(name=5),
    hook(name="-x"),
    hook() + hook(), hook() + hook(name="two") + hook(), hook(nodes="E@["), hook(nodes=""),
    hook(nodes="a and"),
    hook(nodes="N@x"), hook(nodes=["a"]), hook(timeout=0), hook(timeout=10**30), hook(timeout="5"),
    hook(timeout=1.5),
    hook(on_failure="ignore"), hook(on_failure="goon"), hook(on_failure=True), hook(when="x"),
    {"name": "x"}, ["x"], [None], "x",
]  # fmt: skip
CALLS = [
    {"call": "system.reboot"}, {"call": "cmd.run", "arguments": {"cmd": "x"}},
    {"call": "rabbitmq_cluster.may_stop"},
    {"call": "nope.nope"}, {"call": ""}, {"call": 5}, {"call": None}, {"call": ["x"]},
    {"call": "rabbitmq_cluster.feature_flag"},
    {"arguments": {"enable": ["x"]}}, {"arguments": {"container": "x"}}, {"arguments": {5: ["x"]}},
    {"arguments": {None: 1}},
    {"arguments": {"enabled": "x"}}, {"arguments": {"enabled": [5]}}, {"arguments": {"enabled": ["--x"]}},
    {"arguments": []},
    {"arguments": {"enabled": []}}, {"arguments": {"enabled": ["a b"]}}, {"service": "nope"},
    {"service": 5}, {"service": None},
    {"arguments": {"enabled": [""]}}, {"arguments": {}}, {"arguments": None}, {},
        {"arguments": {"enabled": None}},
    {"service": "nova", "arguments": {"enabled": ["x"]}}, {"arguments": {"enabled": ["x"] * 101}},
    {"arguments": {"enabled": ["x" * 65]}}, {"arguments": {"enabled": ["."]}},
]  # fmt: skip

REFUSED = [
    *(("service_types", value) for value in [{}, None, [], "x", 5]),
    *(("services/nova/config_files", {path: "salt://x"}) for path in PATHS),
    *(("services/nova/config_files", {"/etc/x": source}) for source in SOURCES),
    *(("services/nova/config_files", {key: "salt://x"}) for key in (None, 5, True)),
    *(("services/nova/config_files", {"/etc/x": value}) for value in NOT_STRINGS),
    *(("services/nova/container", name) for name in [*CONTAINERS, *NOT_STRINGS]),
    *(("services/nova/legacy_units", [unit]) for unit in [*UNITS, *NOT_STRINGS]),
    *(("services/nova/options", value) for value in OPTIONS),
    *(("services/nova/health", {"command": value}) for value in [["a b"], ["a", "b\nc"], ["a", "b\\"], [5],
        "x", ["-x"], [""]]),
    *(("services/nova/roles", value) for value in [[], ["compute", "compute"], [None], ["*"], "compute", {}]),
    *(("services", {name: {"type": "nova", "container": "c"}}) for name in ["x:glance", "x\ny", "-x", "", 5,
        False, None, "a b"]),
    *((f"releases/{NEW}/packages", {"curl": version}) for version in [*VERSIONS, *NOT_STRINGS, None]),
    *((f"releases/{NEW}/packages", {"curl": {"RedHat": version}}) for version in [*VERSIONS, 5, None]),
    *((f"releases/{NEW}/packages", {name: "1"}) for name in [*PACKAGES, False, 7, None, 1.1]),
    *(("system/exclude", [glob]) for glob in GLOBS),
    *(("packages/essential", [glob]) for glob in GLOBS),
    *(("ignore_services", [glob]) for glob in GLOBS),
    *(("system/disruptive", [glob]) for glob in GLOBS),
    *(("releases", {OLD: {}, NEW: {}, name: {}}) for name in [*RELEASES, 1.0, 5, None, True]),
    *(("zones", {zone: "*"}) for zone in [*BLANKS, False, True, None, 1, 1.1, "-x", "a:b", "x" * 65]),
    *(("zones", {"az1": target}) for target in [*NOT_STRINGS, None, ""]),
    *((path, number) for path in BOUNDED for number in NUMBERS),
    *(("hooks/system/before_apply", value) for value in HOOKS),
    *((f"releases/{NEW}/migrations", [{**one,
        "stage": "system"} for one in value]) for value in HOOKS if type(value) is list
      and all(isinstance(one, dict) for one in value)),
    (f"releases/{NEW}/migrations", hook()),
    (f"releases/{NEW}/migrations", hook(stage="sytem")),
    *((f"releases/{NEW}/checks", [{"service": "rabbitmq", "call": "rabbitmq_cluster.feature_flags",
        **call}]) for call in CALLS),
    *(("custom_images/nova_compute_image", value) for value in [*REFERENCES, *NOT_STRINGS, None]),
    *(("custom_images/cinder_volume_images", {name: GOOD}) for name in [*BLANKS, "-x", 5, None, False]),
    *(("custom_images", {key: GOOD}) for key in ["", None, 5, "nova", "os_container_image"]),
    *(("name", value) for value in [*BLANKS, *NOT_STRINGS]),
    *(("cloud", value) for value in [*BLANKS, *NOT_STRINGS]),
    *(("verification/flavor", value) for value in ["", " x", "x\n", "x\u200b", "x" * 300, 5]),
    *((f"releases/{NEW}/notes", [value]) for value in ["", "x\x1b[31m", "x\u202e", 5, None]),
    *(("target_version", value) for value in [1.0, 0, False, True, [], {}, "1.0.1\n", "1.0.1\u2003",
        "x" * 10**6]),
]  # fmt: skip


def _escaped(path, value):
    """Whether a value passes, or is refused in another place or by a line that is not clear."""
    found = wrong(path, value, SMALL)
    at_its_key = [line.startswith(f"openstack:{path.replace('/', ':')}") for line in found]
    return not found or not all(at_its_key) or not all(map(is_clear, found))


@pytest.mark.parametrize("path", sorted({path for path, _ in REFUSED}))
def test_it_is_refused_by_clear_lines_at_its_key(path):
    values = [value for one, value in REFUSED if one == path]
    assert [shown(value) for value in values if _escaped(path, value)] == []


@pytest.mark.parametrize(
    "changes",
    [
        {"glance": {"container": "keystone"}},
        {"glance": {"config": "rerender"}},
        {"keystone": {"stage": "services"}},
        {"nova": {"roles": ["controller"]}},
        {"nova": {"roles": []}},
        {"nova": {"container": "sshd"}},
        {"heat-api": {"enabled": True, "container": "keystone"}},
        {"nova": {"container": "ovn_controller"}},
        {"nova": {"type": "glance"}},
    ],
)
@pytest.mark.parametrize("version", [OLD, NEW])
def test_the_defaults_of_every_release_are_checked_as_merged(version, changes):
    (line,) = wrong(f"releases/{version}/defaults", {"services": changes})
    assert line.startswith(f"openstack:releases:{version}:defaults:services:{next(iter(changes))}:")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("services/nova/config_files", {"/etc/openstack/nova/nova.conf": "salt://a/b-c.j2?saltenv=base"}),
        ("services/nova/options", {"DEFAULT": {"debug": False, "x": [1, 2.5, None, {"a": "b\nc"}]}}),
        *(
            ("services/nova/container", name)
            for name in ["nova_compute.2-x", "docker-registry", "cloud-kitty", "cloudkitty", "cloudkitty-api",
                "ovs-agent", "salt-exporter", "snmpd-exporter", "network-exporter", "dev-api", "varnish",
                    "tango",
                "chrony_exporter", "user-api", "system-api", "iscsid", "multipathd"]
        ),
        ("services/nova/options", {"x" * 512: "a\tb\r\n", "\U0001f600" * 512: 1,
            "\u00e9": [1.5e-07, 1.5, 100.0, "1e-07"]}),
        ("services/nova/config_files", {"/etc/openstack/x": "salt://x", "/opt/x/y": "salt://x",
            "/srv/x": "salt://x",
            "/etc/passwd.d/x": "salt://x", "/root/x": "salt://x", "/etc/sshx": "salt://x"}),
        *(("hooks/system/before_apply", hook(command=[one])) for one in ["true", "/bin/true", "7z", "g++",
            "a.b_c"]),
        ("hooks/system/before_apply", hook(command=["/bin/true", *["x"] * 99])),
        ("services/nova/legacy_units", ["edpm_nova_compute", "tripleo-x.y"]),
        *(
            (f"releases/{NEW}/packages", {"curl": version})
            for version in ["1", "1.0-1.el9", "0:1.0", "1:2.17.0~rc1-1", "7.88.1-10+deb12u12",
                ">=3.5.1-3.el9", ">=1:2",
                            "5.14.0-503.el9", "1.0^git1", "v1.2"]
        ),
        *((f"releases/{NEW}/packages", {name: "1"}) for name in ["curl", "openvswitch3.5", "libstdc++",
            "libc6:i386", "_x"]),
        ("ignore_services", ["wiki*", "some@1.service", "java", "[a-c]*", "grafana_1"]),
        ("system/exclude", ["kernel*", "lib?irt", "[a-c]*", "*-openvswitch", "curl"]),
        ("releases/1.1.0rc1", {}),
        ("releases/2024.1.post1", {}),
        ("zones", {"no": "cmp1", "1": "cmp2", "az-1.b": "cmp3"}),
        ("hooks/system/before_apply", hook(nodes="cmp* and not cmp1", timeout=60, on_failure="go_on")),
        ("hooks/system/before_apply", hook(command=["/bin/sh", "-c", "a; b\nc"])),
        ("hooks/system/before_apply", hook(command=..., sls="my.own_sls-2")),
        ("hooks", {"system": {"before_apply": hook(), "after_apply": hook()}}),
        (f"releases/{NEW}/migrations", hook(stage="ovn") + hook(stage="ovn", name="move the cache")),
        (
            f"releases/{NEW}/checks",
            [{"service": "rabbitmq", "call": "rabbitmq_cluster.feature_flags",
                "arguments": {"enabled": ["khepri_db"]}}],
        ),
        ("custom_images/nova_compute_image", GOOD.replace("@", ":tag@")),
        ("custom_images/cinder_volume_images", {"default": GOOD, "pure-1": GOOD}),
        (f"releases/{OLD}/images/nova_compute_image", "registry.example:5000/a/b:1"),
        (f"releases/{NEW}/notes", ["Read me.\nAnd read \u00e9."]),
        ("policies/compute/batch", "100%"),
        ("policies/compute/batch", 10_000),
        ("verification/image", "Cirros 0.6 (tests)"),
    ],
)  # fmt: skip
def test_it_is_allowed(path, value):
    assert reading.reasons(changed(path, value))[0] == []
