"""Bad input is refused by one line that names the pillar key."""

import pytest

from openstack_rollout.declared import reading, warnings
from openstack_rollout.declared.model import Model
from openstack_rollout.errors import RolloutError
from tests.unit.cloud_pillar import NEW, OLD, shipped, valid
from tests.unit.declared.mistakes import MISTAKES
from tests.unit.declared.pillars import GOOD, changed, is_clear, lines, wrong


def test_a_valid_pillar_has_no_problem_and_no_warning():
    found, model = reading.reasons(valid())
    assert found == []
    assert list(warnings.of(model)) == []
    assert reading.read({"openstack": valid(), "other": 1}).target_version == NEW


def test_the_pillar_as_shipped_asks_for_a_release_and_for_nothing_else():
    assert [reason for reason, _ in reading.reasons(shipped())[0]] == ["EMPTY_CATALOGUE"]
    assert isinstance(reading.read({"openstack": shipped()}), Model)


@pytest.mark.parametrize(("path", "value", "line"), MISTAKES)
def test_one_mistake_is_one_line_with_its_key(path, value, line):
    assert wrong(path, value) == [f"openstack:{line}"]


@pytest.mark.parametrize(
    ("path", "null"),
    [
        ("policies/compute/batch", None),
        ("policies/compute", None),
        ("policies", None),
        ("packages/essential", None),
        ("system/disruptive", None),
        ("system", None),
        ("custom_images", None),
        ("hooks", {"system": None}),
        ("hooks", {"system": {"before_apply": None}}),
        ("services/nova", None),
        ("services/nova", {"quadlet": {"Container": {"Network": None}, "Service": None}}),
        ("releases/1.0.1/defaults", {"services": {"glance": None}}),
        ("releases/1.0.1/notes", None),
        ("name", None),
    ],
)
def test_null_where_a_default_is_meant_is_the_default(path, null):
    found, model = reading.reasons(changed(path, null))
    assert found == []
    assert model.policies.compute.batch == 1
    assert model.packages.essential == ["openstack-selinux"]
    assert model.system.disruptive == ["qemu*", "libvirt*"]


def test_all_mistakes_are_found_and_the_first_is_raised():
    openstack = changed("policies/compute/batch", 0)
    openstack["roles"]["contoller"] = "x"
    openstack["ovs"]["reload"] = "yes"
    openstack["services"] = {"glance": {"container": "keystone"}, "nova": {}}
    openstack["releases"][NEW]["images"]["nope"] = GOOD
    openstack["releases"][NEW]["packages"] = {"curl": "latest", "*": "1"}
    assert len(lines(openstack)) == 7
    with pytest.raises(RolloutError) as error:
        reading.read({"openstack": openstack})
    assert error.value.reason == "INVALID_PILLAR"
    assert error.value.message == (
        "openstack:roles:contoller: unknown role, did you mean controller? A role of your own says its plane:"
        " {target: ..., plane: control_plane or data_plane} (and 6 more: salt-run release.check)"
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
        reading.read({"openstack": changed(path, value)}, target_needed=True)
    assert error.value.reason == reason
    assert "\n" not in error.value.message


def test_whoever_needs_no_target_may_go_without():
    assert reading.read({"openstack": changed("target_version", "")}).target_version == ""
    with pytest.raises(RolloutError, match="UNKNOWN_TARGET"):
        reading.read({"openstack": changed("target_version", "9")})


def test_a_pillar_without_openstack_or_that_did_not_render():
    with pytest.raises(RolloutError, match="INVALID_PILLAR: openstack: is missing from the pillar"):
        reading.read({})
    errors = ["SLS 'openstack.releases.1_0_1' does not render to a dictionary\nat all"]
    assert lines(valid(), render_errors=errors) == [
        "pillar file openstack.releases.1_0_1:"
        " SLS 'openstack.releases.1_0_1' does not render to a dictionary at all"
    ]


@pytest.mark.parametrize(
    "key", ["openstak", "Openstack", "opnstack", "openstacks", "open-stack", "openstack "]
)
def test_a_misspelt_top_is_named(key):
    openstack = valid()
    del openstack["roles"]
    with pytest.raises(RolloutError, match=r"unknown key, did you mean openstack\?"):
        reading.read({key: {"roles": {"compute": "*"}}, "openstack": openstack})


@pytest.mark.parametrize(
    "key", ["openstack_node", "openstack_rollout", "stack", "ceph", 5, None, "openstack-secrets"]
)
def test_other_tops_are_somebody_elses(key):
    assert reading.read({key: {}, "openstack": valid()})


@pytest.mark.parametrize("value", [None, True, "text", [1], {1: {2: [3]}}])
def test_nonsense_anywhere_is_a_line_and_never_a_traceback(value):
    assert all(map(is_clear, lines(value)))
    for path in _paths(valid()):
        assert all(map(is_clear, wrong(path, value)))


def _paths(openstack):
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
        f"releases/{NEW}": ["images", "packages", "defaults", "notes", "checks", "migrations"],
        f"releases/{NEW}/images": ["nova_compute_image", "cinder_volume_images"],
        f"releases/{NEW}/defaults": ["services"],
        "custom_images": ["nova_compute_image", "cinder_volume_images"],
        "system": ["exclude", "depth", "reboot"],
        "packages": ["essential", "exclude"],
        "ovs": ["reload"],
        "hooks": ["system"],
    }
    return [f"{place}/{key}".lstrip("/") for place, keys in wanted.items() for key in keys]


@pytest.mark.parametrize(
    ("path", "value", "line"),
    [
        ("auxiliary_images", [5], "auxiliary_images:0: 5 is a number: put it in quotes"),
        ("services/foo", [], "services:foo: has to be a mapping, not a list: []"),
        ("service_types/nova", None, "service_types:nova: has to be a mapping, not nothing"),
        ("service_types/nova/image", 5, "service_types:nova:image: 5 is a number: put it in quotes"),
        ("service_types/nova/image", None, "service_types:nova:image: is missing"),
    ],
)
def test_what_only_follows_is_not_said(path, value, line):
    assert wrong(path, value) == [f"openstack:{line}"]


def test_an_image_key_that_another_layer_gives_hides_no_unknown_one():
    openstack = changed("service_types/nova/image", None)
    openstack["services"] = {"nova": {"image": "keystone_api_image"}}
    openstack["releases"][NEW]["images"]["nope"] = GOOD
    assert f"openstack:releases:{NEW}:images:nope: unknown image key" in lines(openstack)
