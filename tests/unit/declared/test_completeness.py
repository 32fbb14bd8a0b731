"""Whether a definition of the catalogue could start a real image."""

from __future__ import annotations

import pytest

from openstack_rollout.declared import completeness, reading
from openstack_rollout.declared.model import Model
from tests.unit.cloud_pillar import NEW, shipped, valid

FULL = {
    "Environment": ["KOLLA_CONFIG_STRATEGY=COPY_ALWAYS"],
    "Volume": ["/x.json:/var/lib/kolla/config_files/config.json:ro", "/checks/nova:/openstack:ro,z"],
}
CHECK = {"command": ["/openstack/healthcheck"], "timeout": 60}


def lacks(container, **keys):
    entry = {"definition": "declared", "start": "kolla", "quadlet": {"Container": container}, "health": CHECK}
    return completeness.lacks(entry | keys)


CONFIG, PLACE = "/var/lib/kolla/config_files/config.json", "/var/lib/kolla/config_files"


@pytest.mark.parametrize(
    "container",
    [
        FULL,
        {**FULL, "Environment": 'A=b "KOLLA_CONFIG_STRATEGY=COPY_ONCE"'},
        {**FULL, "Volume": [f"/etc/kolla/nova/:{PLACE}/:ro", "/checks:/openstack/healthcheck"]},
        {**FULL, "Volume": [], "Mount": [f"type=bind,dst={PLACE}", "type=bind,target=/openstack"]},
        {"Exec": "bash -c true", "Volume": FULL["Volume"]},
    ],
)  # fmt: skip
def test_a_full_definition_lacks_nothing(container):
    assert lacks(container) == []


@pytest.mark.parametrize(
    ("container", "said"),
    [
        ({**FULL, "Environment": ["X_KOLLA_CONFIG_STRATEGY=1"]}, ["has no KOLLA_CONFIG_STRATEGY"]),
        ({**FULL, "Volume": ["/x:/openstack"]}, [f"Volume has nothing at {CONFIG}"]),
        ({**FULL, "Volume": ["/x:/var/lib/kolla"]}, ["Volume has nothing at /openstack, where"]),
        ({}, ["Environment", "config.json", "/openstack"]),
    ],
)  # fmt: skip
def test_what_is_missing_is_named(container, said):
    found = lacks(container)
    assert len(found) == len(said) and all(one in line for one, line in zip(said, found, strict=True))


def test_an_image_that_starts_by_itself_and_a_found_container_need_nothing():
    assert lacks({}, start="image") == [] == lacks({}, definition="found")
    assert lacks({**FULL, "Volume": FULL["Volume"][:1]}, health={"command": []}) == []


def test_no_type_that_is_shipped_is_complete():
    for name, service in Model.model_validate(shipped()).catalogue.services().items():
        entry = {"definition": "declared", "start": service.start, "quadlet": service.quadlet}
        assert completeness.lacks(entry | {"health": service.health.model_dump()}), name


def declared(**nova):
    openstack = valid()
    openstack["service_defaults"] |= {"definition": "found", "start": "kolla"}
    openstack["services"] = {"nova": {"definition": "declared", **nova}}
    return [line for _, line in reading.reasons(openstack)[0]]


def test_using_an_incomplete_type_as_declared_is_refused_with_what_is_missing():
    (line,) = declared()
    assert line.startswith(
        "openstack:services:nova:definition: declared, but such a container could not start"
    )
    assert "KOLLA_CONFIG_STRATEGY" in line and "definition: found" in line
    assert declared(quadlet={"Container": FULL}) == []
    assert declared(start="image") == []
    assert declared(enabled=False) == []


def test_configuration_of_a_found_service_is_its_deployers_unless_asked_for():
    openstack = valid()
    openstack["service_defaults"] |= {"definition": "found"}
    assert openstack["service_types"]["nova"]["config"] == "rerender"
    service = Model.model_validate(openstack).catalogue.services(NEW)["nova"]
    assert (service.definition, service.config) == ("found", "run")
    openstack["services"] = {"nova": {"config": "rerender"}}
    assert Model.model_validate(openstack).catalogue.services(NEW)["nova"].config == "rerender"
