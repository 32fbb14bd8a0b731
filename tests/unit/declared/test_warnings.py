"""Warnings: what a valid pillar may still surprise with."""

import pytest

from openstack_rollout.declared import reading, warnings
from tests.unit.cloud_pillar import NEW, OLD, valid
from tests.unit.declared.pillars import GOOD, changed

TWO_ROLES = "a node of two roles gets the services of both"
VOLUME = {"type": "cinder-volume", "container": "cinder_pure", "backend": "pure", "enabled": True}


def warned(openstack):
    found, model = reading.reasons(openstack)
    assert found == []
    return [line.removeprefix("openstack:") for line in warnings.of(model)]


def test_a_pillar_with_several():
    openstack = valid()
    openstack["custom_images"] = {"heat_api_image": GOOD}
    openstack["services"] = {"volume-pure": {"type": "cinder-volume", "backend": "pure"}}
    openstack["releases"][OLD]["images"]["nova_compute_image"] = "registry.example/nova:1"
    assert warned(openstack) == [
        "custom_images:heat_api_image: no enabled service uses it",
        "services:volume-pure: is not enabled, set enabled: true to run it",
        "releases:1.0.0: 1 images without digest (salt-run release.pin)",
    ]


@pytest.mark.parametrize(
    ("path", "value", "line"),
    [
        ("policies/compute/per_zone", 1, "policies:compute:per_zone: has no effect without openstack:zones"),
        ("policies/compute/soak", 60, "policies:compute:soak: has no effect without canary"),
        (
            "policies/compute",
            {"groups": {"rack1": "cmp1"}, "group_max_failures": {"rack1": "10%"}},
            "policies:compute:group_max_failures: has no effect while max_failures, of all its nodes, is 0",
        ),
        (
            "policies/compute/migrate_back",
            True,
            "policies:compute:migrate_back: has no effect while drain is none",
        ),
        (
            "policies/gateway/drain_before",
            ["system"],
            "policies:gateway:drain_before: has no effect while drain is none",
        ),
        (
            "services/glance",
            {"backend": "pure"},
            "services:glance:backend: 'pure' has no effect: glance_api_image is one image",
        ),
        ("services/glance", {"guard": "galera"},
            "services:glance:guard: galera knows nothing of glance, whose guard is pacemaker"),
        ("services/heat-engine", {"guard": "rabbitmq_cluster", "enabled": True},
         "services:heat-engine:guard: rabbitmq_cluster knows nothing of heat-engine, whose guard is none"),
        ("keep_custom_images_for", "9.9", "keep_custom_images_for: '9.9' is not a release, it has no effect"),
        ("roles/compute", "*", f"roles:compute: '*' means the nodes of controller, gateway too: {TWO_ROLES}"),
        ("roles/compute", "gtw*", f"roles:compute: has the nodes of gateway too: {TWO_ROLES}"),
        (
            "zones",
            {"a": "cmp1 or cmp2", "b": "cmp1  or cmp2"},
            "zones:b: has the nodes of a too: a node is in the first zone alone",
        ),
    ],
)  # fmt: skip
def test_each(path, value, line):
    assert warned(changed(path, value)) == [line]


def test_a_custom_image_of_a_back_end_that_no_service_has():
    openstack = changed(
        "custom_images", {"cinder_volume_images": {"pure": GOOD, "netapp": GOOD, "default": GOOD}}
    )
    openstack["services"] = {"volume": VOLUME}
    assert warned(openstack) == [
        "custom_images:cinder_volume_images:netapp: no enabled service has this back end"
    ]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("policies/compute", {"groups": {"a": "cmp1"}, "group_max_failures": {"a": 1}, "max_failures": "5%"}),
        ("policies/compute", {"groups": {"a": "cmp1"}, "group_max_failures": {"a": 0}}),
        ("policies/compute", {"drain": "live_migrate", "migrate_back": True, "canary": 1, "soak": 60}),
        ("services/glance", {"guard": "none"}),
        ("services/glance", {"guard": "pacemaker"}),
        ("services", {"heat-api": {"order": 5}}),
        ("keep_custom_images_for", NEW),
        ("roles", {"compute": "*"}),
        ("custom_images/glance_api_image", GOOD),
    ],
)
def test_what_has_an_effect_is_no_surprise(path, value):
    assert warned(changed(path, value)) == []


def test_a_back_end_that_something_names_is_no_surprise():
    openstack = changed("services", {"volume": VOLUME})
    assert warned(openstack) == [
        "services:volume:backend: 'pure' is neither in cinder_volume_images of 1.0.1 nor in custom_images,"
        " the image of default serves it"
    ]
    openstack["releases"][NEW]["images"]["cinder_volume_images"]["pure"] = GOOD
    assert warned(openstack) == []


HOOK = {"name": "one", "command": ["/bin/true"]}


@pytest.mark.parametrize(
    ("stage", "moment", "changes", "why"),
    [
        ("system", "before_drain", {}, "no role is drained before system"),
        ("ovn", "after_restore", {"policies": {"compute": {"drain": "live_migrate"}}},
            "no role is drained before ovn"),
        ("services", "before_drain", {"policies": {"controller": {"drain": "standby"}}},
            "no role is drained before services"),
        ("ovn", "before_reboot", {}, "only system reboots"),
        ("system", "after_reboot", {"system": {"reboot": "never"}}, "system:reboot is never"),
        ("system", "before_drain", {"policies": {"compute": {"drain": "live_migrate"}}}, ""),
        ("system", "after_reboot", {"system": {"reboot": "always"}}, ""),
        ("ovn", "before_apply", {}, ""),
    ],
)  # fmt: skip
def test_hooks_of_moments_that_never_come(stage, moment, changes, why):
    openstack = changed("hooks", {stage: {moment: [HOOK]}}) | changes
    line = f"hooks:{stage}:{moment}: never runs (one): {why}"
    assert warned(openstack) == ([line] if why else [])
