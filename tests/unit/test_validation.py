"""Bad input is refused by one line that names the pillar key."""

import copy

import pytest

from openstack_rollout import validation
from openstack_rollout.errors import RolloutError
from tests.unit.cloud_pillar import NEW, OLD, digest, shipped, valid

GOOD = f"registry.example/x@{digest(NEW)}"
MISSING = object()


def changed(path, value):
    openstack = valid()
    *parents, last = path.split("/")
    place = openstack
    for key in parents:
        place = place.setdefault(key, {})
    if value is MISSING:
        del place[last]
    else:
        place[last] = value
    return openstack


def test_a_valid_pillar_has_no_problem_and_no_warning():
    assert validation.problems(valid()) == []
    assert validation.warnings(valid()) == []
    assert validation.checked({"openstack": valid(), "other": 1}) == valid()


def test_the_pillar_as_shipped_asks_for_a_release():
    with pytest.raises(RolloutError) as error:
        validation.validate(shipped())
    assert error.value.reason == "EMPTY_CATALOGUE"


BATCH = "is not allowed: give a number of nodes from 1, or a percentage from 1% to 100%"


@pytest.mark.parametrize(
    ("path", "value", "line"),
    [
        ("polices", {}, "polices: unknown key, did you mean policies?"),
        ("name", 5, "name: 5 is a number: put it in quotes"),
        ("policies", [], "policies: has to be a mapping, not a list"),
        ("policies/computes", {}, "policies:computes: unknown role, did you mean compute?"),
        ("policies/compute/bach", 1, "policies:compute:bach: unknown key, did you mean batch?"),
        ("policies/compute/batch", 0, f"policies:compute:batch: 0 {BATCH}"),
        ("policies/compute/batch", -1, f"policies:compute:batch: -1 {BATCH}"),
        ("policies/compute/batch", "150%", f"policies:compute:batch: 150% {BATCH}"),
        ("policies/compute/batch", "0%", f"policies:compute:batch: 0% {BATCH}"),
        ("policies/compute/batch", "many", f"policies:compute:batch: many {BATCH}"),
        ("policies/compute/batch", 1.5, f"policies:compute:batch: 1.5 {BATCH}"),
        ("policies/compute/batch", True, f"policies:compute:batch: True {BATCH}"),
        ("policies/compute/batch", None, f"policies:compute:batch: None {BATCH}"),
        (
            "policies/controller/batch",
            "50%",
            "policies:controller:batch: 50% is not allowed: controllers go one at a time, set 1",
        ),
        ("policies/compute/canary", -1, "policies:compute:canary: -1 is not allowed: give a number from 0"),
        ("policies/compute/soak", "1m", "policies:compute:soak: has to be a whole number, not a string"),
        (
            "releases/1.0.1/checks",
            [{"service": "rabbit", "call": "rabbitmq_cluster.feature_flags"}],
            "releases:1.0.1:checks:0:service: rabbit is no known service type, did you mean rabbitmq?",
        ),
        (
            "releases/1.0.1/checks",
            [{"service": "rabbitmq", "call": "feature flags"}],
            "releases:1.0.1:checks:0:call: feature flags has to be a function of the node, module.function",
        ),
        ("policies/compute/silence", 0, "policies:compute:silence: 0 is not allowed: give a number from 1"),
        (
            "policies/controller/drain",
            "stanby",
            "policies:controller:drain: stanby is not one of none, standby, did you mean standby?",
        ),
        (
            "policies/compute/drain",
            "live_migrat",
            "policies:compute:drain: live_migrat is not one of none, require_empty, live_migrate,"
            " did you mean live_migrate?",
        ),
        (
            "policies/compute/unmovable",
            "colt",
            "policies:compute:unmovable: colt is not one of fail, skip, cold, leave, did you mean cold?",
        ),
        (
            "policies/gateway/migrate_back",
            True,
            "policies:gateway:migrate_back: unknown key",
        ),
        (
            "policies/compute/migrate_back",
            "yes",
            "policies:compute:migrate_back: has to be true or false, not a string",
        ),
        (
            "policies/compute/migrations_per_host",
            0,
            "policies:compute:migrations_per_host: 0 is not allowed: give a number from 1",
        ),
        (
            "policies/compute/drain_before",
            ["sytem"],
            "policies:compute:drain_before: sytem is no known stage, did you mean system?",
        ),
        ("cloud", 5, "cloud: 5 is a number: put it in quotes"),
        ("opencontrail", "no", "opencontrail: has to be true or false, not a string"),
        ("verification", {"enable": True}, "verification:enable: unknown key, did you mean enabled?"),
        ("roles", {}, "roles: names no role, give a target for one of controller, gateway, compute, storage"),
        ("roles/contoller", "x*", "roles:contoller: unknown role, did you mean controller?"),
        ("roles/compute", ["cmp1"], "roles:compute: has to be a string, not a list"),
        (
            "roles/compute",
            "cmp* and I@role:x",
            "roles:compute: cmp* and I@role:x matches by pillar (I@, J@), which the pillar "
            "itself cannot depend on",
        ),
        ("zones/az1", "", "zones:az1: has to be a string, not an empty string"),
        (
            "system/reboot",
            "sometimes",
            "system:reboot: sometimes is not one of never, when_required, always",
        ),
        ("system/depth", "full", "system:depth: full is not one of upgrade, dist_upgrade"),
        ("system/exclude", "kernel", "system:exclude: has to be a list, not a string"),
        ("ovs/userspace", "acept", "ovs:userspace: acept is not one of refuse, accept, did you mean accept?"),
        ("ovs/userspace", True, "ovs:userspace: True is not one of refuse, accept"),
        ("ovs/reload", "no", "ovs:reload: has to be true or false, not a string"),
        ("packages/essentials", [], "packages:essentials: unknown key, did you mean essential?"),
        ("packages/essential", [7], "packages:essential:0: 7 is a number: put it in quotes"),
        ("services/novas", {}, "services:novas: novas is no known service type, did you mean nova?"),
        (
            "services/mine",
            {"type": "nove"},
            "services:mine:type: nove is no known service type, did you mean nova?",
        ),
        ("services/nova", {"imag": "x"}, "services:nova:imag: unknown key, did you mean image?"),
        (
            "services/nova",
            {"roles": ["computer"]},
            "services:nova:roles: computer is no known role, did you mean compute?",
        ),
        (
            "services/nova",
            {"stage": "ovs"},
            "services:nova:stage: ovs is not one of ovn, control_plane, services, did you mean ovn?",
        ),
        (
            "services/ovn",
            {"guard": "ovn"},
            "services:ovn:guard: ovn is not one of none, ovn_controller, rabbitmq_cluster, galera,"
            " ovsdb_cluster, pacemaker",
        ),
        ("services/nova", {"config": "update"}, "services:nova:config: update is not one of run, rerender"),
        ("services/nova", {"enabled": "yes"}, "services:nova:enabled: has to be true or false, not a string"),
        (
            "services/nova",
            {"container": "a b"},
            "services:nova:container: a b: a container's name has letters, digits, _, . and - only",
        ),
        (
            "services/nova",
            {"quadlet": {"Containers": {}}},
            "services:nova:quadlet:Containers: unknown section, did you mean Container?",
        ),
        (
            "services/nova",
            {"config_files": {"nova.conf": "salt://a"}},
            "services:nova:config_files:nova.conf: has to be an absolute path",
        ),
        (
            "services/nova",
            {"config_files": {"/nova.conf": "/a"}},
            "services:nova:config_files:/nova.conf: /a has to be a salt:// address",
        ),
        (
            "services/nova",
            {"health": {"timeout": 0}},
            "services:nova:health:timeout: 0 is not allowed: give a number from 1",
        ),
        (
            "services/nova",
            {"roles": ["controller"]},
            "services:nova:stage: services is for data plane roles, on a controller use control_plane",
        ),
        (
            "services/keystone",
            {"roles": ["compute"]},
            "services:keystone:stage: control_plane is for the role controller alone",
        ),
        (
            "services/glance",
            {"config": "rerender"},
            "services:glance:config_files: is empty, config: rerender has nothing to render",
        ),
        (
            "services/glance",
            {"container": "keystone"},
            "service_types:keystone:container: keystone is the container of glance too",
        ),
        ("service_types", MISSING, "service_types: is missing, assign openstack.services in pillar/top.sls"),
        (
            "service_types/x",
            {"container": "x", "roles": ["compute"], "stage": "services"},
            "service_types:x:image: is missing",
        ),
        (
            "custom_images/nova_compute",
            GOOD,
            "custom_images:nova_compute: unknown image key, did you mean nova_compute_image?",
        ),
        (
            "custom_images/net_utils_image",
            GOOD,
            "custom_images:net_utils_image: no service of a node uses it",
        ),
        (
            "custom_images/nova_compute_image",
            "nova compute",
            "custom_images:nova_compute_image: nova compute: has to begin with a registry, "
            "such as registry.example/",
        ),
        (
            "custom_images/nova_compute_image",
            "registry.example/x@sha256:12",
            "custom_images:nova_compute_image: registry.example/x@sha256:12: "
            "the digest has to be sha256: and 64 hexadecimal digits",
        ),
        (
            "custom_images/nova_compute_image",
            1,
            "custom_images:nova_compute_image: 1 is not an image reference",
        ),
        (
            "custom_images/cinder_volume_images",
            GOOD,
            "custom_images:cinder_volume_images: has to be a mapping of back ends, such as "
            "default, to images",
        ),
        (
            "custom_images/cinder_volume_images",
            {"pure": "registry.example/X:1"},
            "custom_images:cinder_volume_images:pure: registry.example/X:1: X is not a repository's name",
        ),
        ("keep_custom_images_for", 1.0, "keep_custom_images_for: 1.0 is a number: put it in quotes"),
        ("releases", ["1.0.0"], "releases: has to be a mapping, not a list"),
        ("releases/1.0.1", ["images"], "releases:1.0.1: has to be a mapping with images and packages"),
        ("releases/1.0.1", None, "releases:1.0.1: has to be a mapping with images and packages"),
        ("releases/next", {}, "releases:next: next is not a version"),
        ("releases/1.0.1/image", {}, "releases:1.0.1:image: unknown key, did you mean images?"),
        (
            "releases/1.0.1/images/nova_comput_image",
            GOOD,
            "releases:1.0.1:images:nova_comput_image: unknown image key, did you mean nova_compute_image?",
        ),
        (
            "releases/1.0.1/images/nova_compute_image",
            MISSING,
            "releases:1.0.1:images:nova_compute_image: is missing, service nova needs it",
        ),
        (
            "releases/1.0.1/images/nova_compute_image",
            "registry.example/nova:1",
            "releases:1.0.1:images:nova_compute_image: has no digest (salt-run release.pin)",
        ),
        (
            "releases/1.0.0/images/nova_compute_image",
            "nova:",
            "releases:1.0.0:images:nova_compute_image: nova:: has to begin with a registry, "
            "such as registry.example/",
        ),
        ("releases/1.0.1/packages", ["curl"], "releases:1.0.1:packages: has to be a mapping, not a list"),
        (
            "releases/1.0.1/packages/curl",
            7.76,
            "releases:1.0.1:packages:curl: 7.76 is a number: put it in quotes",
        ),
        (
            "releases/1.0.1/packages/curl",
            {"Redhat": "1"},
            "releases:1.0.1:packages:curl:Redhat: unknown os_family, did you mean RedHat?",
        ),
        (
            "releases/1.0.1/defaults",
            {"services": {"glanc": {}}},
            "releases:1.0.1:defaults:services:glanc: unknown service type, did you mean glance?",
        ),
        ("releases/1.0.1/notes", "read me", "releases:1.0.1:notes: has to be a list, not a string"),
        ("target_version", 1.0, "target_version: 1.0 is a number: put it in quotes"),
        (
            "target_version",
            "1.0.2",
            "target_version: 1.0.2 is not a release, did you mean 1.0.1? The catalogue has 1.0.0, 1.0.1",
        ),
        (
            "target_version",
            "newest",
            "target_version: newest is not a release. The catalogue has 1.0.0, 1.0.1",
        ),
        ("target_version", "", "target_version: is not set, the catalogue has 1.0.0, 1.0.1"),
        ("target_version", None, "target_version: is not set, the catalogue has 1.0.0, 1.0.1"),
    ],
)
def test_one_mistake_is_one_line_with_its_key(path, value, line):
    assert validation.problems(changed(path, value)) == [f"openstack:{line}"]


@pytest.mark.parametrize(
    "value", [None, 1, 1.5, True, "", "text", [], [1], {}, {"x": 1}, {1: {2: [3]}}, [{"a": []}]]
)
def test_nonsense_anywhere_is_a_line_and_never_a_traceback(value):
    assert isinstance(validation.problems(value), list)
    for path in _paths(valid()):
        assert all(isinstance(line, str) for line in validation.problems(changed(path, value)))


def _paths(openstack, depth=3):
    """Some key of each kind, at each level."""
    wanted = {
        "": list(openstack),
        "service_types": ["nova", "ovn"],
        "service_types/nova": list(openstack["service_types"]["nova"]),
        "service_types/nova/quadlet": ["Container"],
        "service_types/nova/health": ["command", "timeout"],
        "service_defaults": list(openstack["service_defaults"]),
        "services": ["nova", "mine"],
        "policies": ["compute"],
        "roles": ["compute"],
        "releases": [NEW, OLD],
        f"releases/{NEW}": ["images", "packages", "defaults", "notes"],
        f"releases/{NEW}/images": ["nova_compute_image", "cinder_volume_images"],
        f"releases/{NEW}/defaults": ["services"],
        "custom_images": ["nova_compute_image", "cinder_volume_images"],
        "system": ["exclude", "depth", "reboot"],
        "packages": ["essential", "exclude"],
        "ovs": ["reload"],
    }
    return [f"{place}/{key}".lstrip("/") for place, keys in wanted.items() for key in keys]


def test_all_mistakes_are_found_and_the_first_is_raised():
    openstack = changed("policies/compute/batch", 0)
    openstack["roles"]["contoller"] = "x"
    openstack["ovs"]["reload"] = "yes"
    assert len(validation.problems(openstack)) == 3
    with pytest.raises(RolloutError) as error:
        validation.validate(openstack)
    assert error.value.reason == "INVALID_PILLAR"
    assert error.value.message == (
        "openstack:roles:contoller: unknown role, did you mean controller?"
        " (and 2 more: salt-run release.check)"
    )


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        ("target_version", "9", "UNKNOWN_TARGET"),
        ("target_version", "", "UNKNOWN_TARGET"),
        ("releases", {}, "EMPTY_CATALOGUE"),
        ("target_version", 1.0, "INVALID_PILLAR"),
    ],
)
def test_the_reason_of_a_refusal(path, value, reason):
    with pytest.raises(RolloutError) as error:
        validation.validate(changed(path, value))
    assert error.value.reason == reason
    assert "\n" not in error.value.message


def test_a_pillar_without_openstack_or_that_did_not_render():
    with pytest.raises(RolloutError, match="INVALID_PILLAR: openstack: is missing from the pillar"):
        validation.checked({})
    errors = ["SLS 'openstack.releases.1_0_1' does not render to a dictionary"]
    assert validation.problems(valid(), errors) == [f"pillar file openstack.releases.1_0_1: {errors[0]}"]


def test_warnings():
    openstack = valid()
    openstack["custom_images"] = {
        "glance_api_image": "registry.example/glance:hotfix",
        "heat_api_image": GOOD,
    }
    openstack["services"] = {"volume-pure": {"type": "cinder-volume", "backend": "pure"}}
    openstack["releases"][OLD]["images"]["nova_compute_image"] = "registry.example/nova:1"
    assert validation.problems(openstack) == []
    assert validation.warnings(openstack) == [
        "openstack:custom_images:glance_api_image: has no digest, nodes may get different images",
        "openstack:custom_images:heat_api_image: no enabled service uses it",
        "openstack:services:volume-pure: is not enabled, set enabled: true to run it",
        "openstack:releases:1.0.0: 1 images without digest (salt-run release.pin)",
    ]


def test_custom_images_left_over_from_the_old_target_are_refused():
    openstack = valid()
    openstack["custom_images"] = {"glance_api_image": GOOD, "cinder_volume_images": {"pure": GOOD}}
    tracked = {"version": OLD, "custom_images": copy.deepcopy(openstack["custom_images"])}
    with pytest.raises(RolloutError) as error:
        validation.check_custom_images(openstack, tracked)
    assert error.value.reason == "CUSTOM_IMAGES_UNCHANGED"
    assert error.value.message == (
        "openstack:custom_images: all are still those of 1.0.0: cinder_volume_images:pure, glance_api_image"
    )
    validation.check_custom_images(openstack | {"keep_custom_images_for": NEW}, tracked)
    with pytest.raises(RolloutError):
        validation.check_custom_images(openstack | {"keep_custom_images_for": OLD}, tracked)
    validation.check_custom_images(openstack, None)
    validation.check_custom_images(openstack, tracked | {"version": NEW})
    validation.check_custom_images(openstack | {"custom_images": {}}, tracked)
    openstack["custom_images"]["glance_api_image"] = GOOD.replace("b", "c")
    validation.check_custom_images(openstack, tracked)


def test_a_downgrade_is_refused_with_its_nodes():
    openstack = changed("target_version", OLD)
    validation.check_direction(openstack, {"cmp1": OLD, "cmp2": None})
    with pytest.raises(RolloutError) as error:
        validation.check_direction(openstack, {"cmp1": OLD, "cmp2": NEW})
    assert error.value.reason == "DOWNGRADE_REFUSED"
    assert error.value.nodes == ("cmp2",)
    assert "1.0.0 would be a downgrade, cmp2 is at 1.0.1" in error.value.message
