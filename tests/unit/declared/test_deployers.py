"""The tables of other deployers: whole, right, and refused by name where they are not."""

from pathlib import Path

import pytest

from openstack_rollout.declared import reading
from tests.unit import cloud_pillar
from tests.unit.declared.pillars import DEPLOYER, SMALL, is_clear, lines, wrong

NAMES = Path(__file__).parent / "deployers_names"
MODEL = cloud_pillar.model()
OWN = {entry.container for entry in MODEL.service_types.values()}
HERE = "deployers/edpm"


def listed(name):
    return (NAMES / f"{name}.txt").read_text(encoding="utf-8").split()


def places(deployer, container):
    """Where the tables say something of a container."""
    table = MODEL.deployers[deployer]
    found = ["containers"] if container in table.containers else []
    found += ["once"] if table.runs_once(container) else []
    found += ["unknown"] if container in table.unknown else []
    return found or (["own"] if container in OWN else [])


def test_the_shipped_tables_are_right():
    openstack = cloud_pillar.valid()
    assert openstack["deployers"]
    assert reading.reasons(openstack)[0] == []


@pytest.mark.parametrize(("deployer", "at_least"), [("edpm", 40), ("tripleo", 200), ("kolla", 153)])
def test_every_container_of_a_deployer_maps_or_is_named_as_unknown_once(deployer, at_least):
    names = listed(deployer)
    assert len(names) >= at_least
    assert {name: found for name in names if len(found := places(deployer, name)) != 1} == {}


def test_every_key_of_rhosos_images_is_known_renamed_or_skipped():
    table, keys = MODEL.deployers["edpm"], listed("rhoso_images")
    assert len(keys) == 92
    known = MODEL.catalogue.image_keys
    fates = {key: [key in known, key in table.image_keys, table.skips(key)] for key in keys}
    assert {key: found for key, found in fates.items() if sum(found) != 1} == {}


def test_the_names_of_images_are_those_of_rhosos_list_and_tell_their_keys():
    table = MODEL.deployers["edpm"]
    assert table.keys_of("openstack-neutron-server") == ["neutron_api_image"]
    assert table.keys_of("openstack-nova-novncproxy-rhel9") == ["nova_novnc_image"]
    assert table.keys_of("neutron-server") == table.keys_of("openstack-neutron") == []
    kolla = MODEL.deployers["kolla"]
    assert (
        kolla.keys_of("heat-api-cfn") == kolla.keys_of("ubuntu-source-heat-api-cfn") == ["heat_cfnapi_image"]
    )
    assert kolla.keys_of("mariadb-server") == ["mariadb_image"]
    assert kolla.keys_of("fluentd") == []


@pytest.mark.parametrize("deployer", MODEL.deployers)
def test_the_tables_name_no_container_that_the_deployer_does_not_have(deployer):
    table, names = MODEL.deployers[deployer], listed(deployer)
    bundles = {"haproxy-bundle"}
    assert {*table.containers, *table.unknown} - {*names} - bundles == set()


def test_units_of_a_deployer():
    kolla = MODEL.deployers["kolla"]
    assert kolla.unit_of("nova_api") == "kolla-nova_api-container.service"
    assert kolla.container_of("kolla-nova_api-container.service") == "nova_api"
    assert kolla.container_of("kolla--container.service") == ""
    assert kolla.container_of("kolla-container.service") == ""
    assert kolla.container_of("edpm_nova.service") == ""
    assert kolla.glob == "kolla-*-container.service"


def test_the_legacy_units_of_the_catalogue_are_units_that_a_deployer_has():
    """But for those of releases before these lists, and of services that none of them runs by that name."""
    units = {MODEL.deployers[name].unit_of(one) for name in ("edpm", "tripleo") for one in listed(name)}
    theirs = {
        f"{unit}.service" for entry in MODEL.service_types.values() for unit in entry.legacy_units or ()
    }
    nowhere = {unit.removesuffix(".service") for unit in theirs - units}
    assert nowhere == {
        "tripleo_ceilometer_mysqld_exporter",
        "tripleo_ceilometer_sgcore",
        "tripleo_cloudkitty_api",
        "tripleo_cloudkitty_proc",
        "tripleo_controller_network_exporter",
        "tripleo_controller_node_exporter",
        "tripleo_dnsmasq",
        "tripleo_watcher_api",
        "tripleo_watcher_applier",
        "tripleo_watcher_decision_engine",
    }


@pytest.mark.parametrize(
    ("place", "value", "line"),
    [
        ("unit", "edpm_.service", "unit: 'edpm_.service' needs {} once, for the container's name"),
        ("unit", "{}_{}.service", "unit: '{}_{}.service' needs {} once, for the container's name"),
        ("unit", "edpm_{}", "unit: 'edpm_{}': has to be a unit's name with .service, and {} for the"
                            " container's name"),
        ("unti", "x", "unti: unknown key, did you mean unit?"),
        ("containers", [], "containers: has to be a mapping of containers to service types, not a list: []"),
        ("containers/x", "nov", "containers:x: 'nov' is no known service type, did you mean nova?"),
        ("containers/x", {"type": "nov"}, "containers:x:type: 'nov' is no known service type, did you mean"
                                          " nova?"),
        ("containers/x", {"image": "nova_compute_image"}, "containers:x:type: is missing"),
        ("containers/x", {"type": "nova", "image": "nova_compute_imag"},
         "containers:x:image: 'nova_compute_imag' is no known image key, did you mean nova_compute_image?"),
        ("containers/x", {"type": "nova", "imag": 1}, "containers:x:imag: unknown key, did you mean image?"),
        ("containers/x", 5, "containers:x: 5 is a number: put it in quotes"),
        ("containers/x y", "nova", "containers:'x y': 'x y': a name has letters, digits, _, . and - only, and"
                                   " begins with a letter or a digit"),
        ("bundles/x", "nov", "bundles:x: 'nov' is no known service type, did you mean nova?"),
        ("image_keys/x", "nov", "image_keys:x: 'nov' is no known image key"),
        ("skipped", ["a b"], "skipped:0: 'a b': has to be an image key, or a glob of * and ?"),
        ("copied", {"nova_compute_image": "nov"}, "copied:nova_compute_image: 'nov' is no known image key"),
        ("copied", {"nova_compute_imag": "nova_compute_image"},
         "copied:nova_compute_imag: 'nova_compute_imag' is no known image key, did you mean"
         " nova_compute_image?"),
        ("repositories", {"nova_compute_image": "a/b"},
         "repositories:nova_compute_image: 'a/b': has to be the last part of an image's name: a-z, 0-9, ., _"
         " and -"),
        ("repository_forms", ["x-*"], "repository_forms:0: 'x-*' needs {} once, for the name of the table"),
        ("unknown", ["x", "x"], "unknown: names 'x' twice"),
        ("once", ["a/b"], "once:0: 'a/b': has to be a container's name, or a glob of * and ?"),
    ],
)  # fmt: skip
def test_a_mistake_is_refused_by_its_key(place, value, line):
    found = wrong(f"{HERE}/{place}", value, SMALL)
    assert found == [f"openstack:deployers:edpm:{line}"]
    assert all(map(is_clear, found))


def test_a_unit_is_needed():
    table = {key: value for key, value in DEPLOYER.items() if key != "unit"}
    assert lines({**SMALL, "deployers": {"x": table}}) == ["openstack:deployers:x:unit: is missing"]


def test_an_operator_takes_a_container_out_of_a_table_and_adds_one():
    openstack = cloud_pillar.valid()
    openstack["deployers"]["kolla"]["containers"] |= {"nova_metadata": None, "trove_guest": "trove-api"}
    table = cloud_pillar.model(openstack).deployers["kolla"].containers
    assert "nova_metadata" not in table and table["trove_guest"].type == "trove-api"
