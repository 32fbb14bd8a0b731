"""Large pillars: the time is linear in what was written, and short; values are cut."""

import time

import pytest

from openstack_rollout.declared import reading, warnings
from tests.unit.cloud_pillar import NEW, valid
from tests.unit.declared.pillars import is_clear, lines

ENOUGH = 4  # seconds of CPU, for what takes less than one


def releases(count):
    openstack = valid()
    images = openstack["releases"][NEW]["images"]
    openstack["releases"] = {
        f"1.0.{number}": {
            "images": {
                key: dict(value) if isinstance(value, dict) else value for key, value in images.items()
            },
            "packages": {f"package{one}": f"{one}-{number}" for one in range(20)},
            "defaults": {"services": {"glance": {"order": number % 1000, "options": {"a": number}}}},
        }
        for number in range(count)
    }
    openstack["target_version"] = "1.0.1"
    return openstack


def services(count):
    openstack = valid()
    openstack["services"] = {
        f"v{one}": {"type": "cinder-volume", "backend": f"b{one}", "container": f"v{one}", "enabled": True}
        for one in range(count)
    }
    return openstack


def misspelt(count):
    openstack = valid()
    openstack |= {f"polices{one}": 1 for one in range(count)}
    openstack["services"] = {
        "nova": {"quadlet": {"Container": {f"Netwrok{one}": "x" for one in range(count)}}}
    }
    openstack["custom_images"] = {f"nova_compute_imag{one}": "x" for one in range(count)}
    openstack["roles"] |= {f"comput{one}": "x" for one in range(count)}
    openstack["policies"]["compute"] |= {f"bach{one}": 1 for one in range(count)}
    return openstack


def wrong_types(count):
    openstack = valid()
    description = {"image": "nova_compute_image", "container": "c", "roles": ["compute"], "stage": "services"}
    openstack["service_types"] |= {f"nova{one}": description for one in range(count)}
    openstack["services"] = {f"v{one}": {"type": f"nov{one}"} for one in range(count)}
    return openstack


def same_container(count):
    openstack = services(count)
    for entry in openstack["services"].values():
        entry["container"] = "one"
    return openstack


def shared_options(count):
    openstack = services(count)
    options = {f"k{one}": {"a": 1, "b": 2} for one in range(2000)}
    openstack["service_types"]["cinder-volume"]["options"] = options
    for entry in openstack["services"].values():
        entry["options"] = options
    return openstack


def zones(count):
    openstack = valid()
    openstack["zones"] = {f"z{one}": "*" if one % 2 else f"cmp{one}" for one in range(count)}
    return openstack


def cpu(work):
    begun = time.process_time()
    result = work()
    return time.process_time() - begun, result


def whole(openstack):
    found, model = reading.reasons(openstack)
    return found, list(warnings.of(model)) if model else []


@pytest.mark.parametrize(
    ("made", "count"),
    [
        (releases, 1000),
        (services, 5000),
        (misspelt, 2000),
        (wrong_types, 5000),
        (same_container, 5000),
        (shared_options, 5000),
        (zones, 5000),
    ],
)
def test_it_takes_moments_and_no_more_than_its_size(made, count):
    small, large = made(count // 4), made(count)
    for_small, _ = cpu(lambda: whole(small))
    for_large, found = cpu(lambda: whole(large))
    assert for_large < ENOUGH
    assert for_large < 12 * max(for_small, 0.05)  # 16 times as long by squares
    assert all(is_clear(line) for _, line in found[0])


def bomb(depth=10):
    value = ["x"] * 10
    for _ in range(depth):
        value = [value] * 10
    return value


def mapping_bomb(depth=10):
    value = {"a": "x"}
    for _ in range(depth):
        value = {str(number): value for number in range(10)}
    return value


@pytest.mark.parametrize("made", [bomb, mapping_bomb])
@pytest.mark.parametrize(
    "path",
    [
        "services/nova/options", "services/nova/quadlet", "services/nova/roles", "services/nova/config_files",
        "services/nova/health", "services/nova/legacy_units", "services/nova", "services", "service_types",
            "releases",
        f"releases/{NEW}", f"releases/{NEW}/notes", f"releases/{NEW}/packages", f"releases/{NEW}/images",
        f"releases/{NEW}/migrations", f"releases/{NEW}/checks", "hooks", "hooks/system/before_apply",
            "policies/compute/batch",
        "custom_images", "roles", "zones", "name", "target_version", "auxiliary_images", "system/exclude",
    ],
)  # fmt: skip
def test_aliases_that_stand_for_billions_cost_moments(made, path):
    from tests.unit.declared.pillars import changed

    openstack = changed(path, {"a": made()} if path.endswith("options") else made())
    took, found = cpu(lambda: lines(openstack))
    assert found and all(map(is_clear, found)) and took < ENOUGH


def test_a_value_that_holds_itself_is_refused():
    around = {"a": 1}
    around["b"] = around
    openstack = valid()
    openstack["services"] = {"nova": {"options": around}}
    assert lines(openstack) == [
        "openstack:services:nova:options: is more than 16 levels deep, or holds itself"
    ]


LARGE = ["x" * 10**6, ["x" * 10**6] * 5, {"x" * 10**6: 1}, b"x" * 10**6, 10**100_000]


@pytest.mark.parametrize("value", LARGE, ids=["text", "list", "mapping", "bytes", "number"])
def test_a_large_value_is_cut(value):
    for path in ("name", "target_version", "roles", "hooks", "zones"):
        openstack = valid()
        openstack[path] = value
        assert all(len(line) < 400 for line in lines(openstack)) and lines(openstack)
