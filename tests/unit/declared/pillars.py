"""Changes of a valid pillar, for tests of what is refused and of what is not."""

import copy

from openstack_rollout.declared import reading
from tests.unit.cloud_pillar import NEW, digest, valid

GOOD = f"registry.example/x@{digest(NEW)}"
MISSING = object()


HOOK = {
    "name": "one",
    "command": ["/bin/true", "-x"],
    "timeout": 5,
    "on_failure": "go_on",
    "nodes": "cmp* or ctl*",
}
DEPLOYER = {
    "unit": "edpm_{}.service",
    "labels": {"managed_by": "edpm_ansible", "kolla_version": "*"},
    "local_registries": ["cluster.common.tag"],
    "containers": {"nova_init": "nova", "expirer": {"type": "glance", "image": "nova_compute_image"}},
    "bundles": {"galera-bundle": "rabbitmq"},
    "once": ["*_init"],
    "unknown": ["tgtd"],
    "image_keys": {"theirs": "nova_compute_image"},
    "skipped": ["test_image"],
    "copied": {"glance_api_image": "nova_compute_image"},
    "repositories": {"nova_compute_image": "nova-compute"},
    "repository_forms": ["*-source-{}"],
}
CHECK = {
    "service": "rabbitmq",
    "call": "rabbitmq_cluster.feature_flags",
    "arguments": {"enabled": ["khepri_db"]},
}


def small():
    """A valid pillar in which every key says something, with few services."""
    openstack = valid()
    kept = ("nova", "rabbitmq", "cinder-volume", "glance")
    openstack["service_types"] = {name: openstack["service_types"][name] for name in kept}
    images = {entry["image"] for entry in openstack["service_types"].values()}
    openstack["auxiliary_images"] = ["os_container_image"]
    openstack["deployers"] = {"edpm": DEPLOYER}
    release = {
        "images": {key: {"default": GOOD} if key.endswith("images") else GOOD for key in sorted(images)},
        "packages": {"curl": {"RedHat": "1.0-1.el9", "Debian": ">=1"}, "vim": "1"},
        "defaults": {"services": {"glance": {"options": {"a": {"b": [1]}}}}},
        "migrations": [{**HOOK, "stage": "ovn"}],
        "notes": ["Read me."],
        "checks": [CHECK],
    }
    openstack |= {
        "name": "lab",
        "cloud": "lab",
        "keep_custom_images_for": NEW,
        "checks": [CHECK],
        "custom_images": {"nova_compute_image": GOOD, "cinder_volume_images": {"pure": GOOD}},
        "zones": {"az1": "cmp1", "az2": "L@cmp2,cmp3"},
        "verification": {"enabled": True, "image": "cirros", "timeout": 60},
        "hooks": {"system": {"before_apply": [HOOK], "after_apply": [{"name": "two", "sls": "own.sls"}]}},
        "services": {
            "volume": {"type": "cinder-volume", "backend": "pure", "container": "volume", "enabled": True},
            "nova": {
                "config_files": {"/etc/x/y.conf": "salt://x/y.j2"},
                "options": {"a": {"b": 1}},
                "health": {"command": ["/bin/true"], "timeout": 5},
                "legacy_units": ["old_nova"],
                "quadlet": {
                    "Container": {"Volume": ["a:b"], "PidsLimit": 5},
                    "Service": {"Restart": "always"},
                },
            },
        },
        "releases": {"1.0.0": {}, NEW: release},
    }
    return openstack


#: The same for many tests; nobody changes it.
SMALL = small()


def changed(path, value, start=None):
    """A valid pillar (or another one) with one change; path: keys with / between them."""
    openstack = copy.deepcopy(start) if start else valid()
    *parents, last = path.split("/")
    place = openstack
    for key in parents:
        place = place.setdefault(key, {})
    if value is MISSING:
        del place[last]
    else:
        place[last] = value
    return openstack


def lines(openstack, **options):
    """What is wrong with a pillar."""
    return [line for _, line in reading.reasons(openstack, **options)[0]]


def wrong(path, value, start=None):
    """What is wrong with a valid pillar (or another one) after one change."""
    return lines(changed(path, value, start))


def is_clear(line):
    """Whether a line is one that a terminal shows as it is."""
    return line.isascii() and line.isprintable() and len(line) < 2000
