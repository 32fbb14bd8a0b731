"""Services that a survey finds as packages: which types, on which roles, at which versions; its pillar."""

from __future__ import annotations

import json

import pytest

from openstack_rollout.declared import facts as node_facts
from openstack_rollout.declared import found_pillar, reading, survey, warnings
from openstack_rollout.declared.comparison import Comparison
from openstack_rollout.declared.found_packages import Packaged
from openstack_rollout.declared.share import Place
from openstack_rollout.node.packages import matches
from tests.unit import cloud_pillar
from tests.unit.declared.found import DEAD, FAILED, MASKED, RUNNING, answer, of, packaged, told
from tests.unit.declared.test_found_pillar import is_meant

PILLAR = cloud_pillar.packaged(cloud_pillar.valid())
MODEL = cloud_pillar.model(PILLAR)
VERSION = "0.0.1"
OFF = DEAD | {"enabled": "disabled"}
CONTROL = {
    "Debian": (
        ["keystone", "python3-keystone", "nova-api", "nova-scheduler", "nova-common", "python3-nova",
         "mariadb-server", "mariadb-server-core", "galera-4", "memcached"],
        ["keystone", "nova-api", "nova-scheduler", "mariadb", "memcached"],
    ),
    "RedHat": (
        ["openstack-keystone", "python3-keystone", "openstack-nova-api", "openstack-nova-scheduler",
         "openstack-nova-common", "python3-nova", "mariadb-server", "mariadb", "galera", "memcached"],
        ["httpd", "openstack-nova-api", "openstack-nova-scheduler", "mariadb", "memcached"],
    ),
}  # fmt: skip


def surveyed(model=MODEL, declared=None, **answers):
    found = survey.survey(model, told(**answers), {}, declared or {})
    json.dumps(found)  # plain data
    return found


def written(model=MODEL, shipped=PILLAR, declared=None, **answers):
    """(records, texts, the pillar as the master would compile it), which has to be valid."""
    records = surveyed(model, declared, **answers)
    texts = found_pillar.files(model, records, VERSION)
    openstack = found_pillar.merged(shipped, texts)
    assert reading.reasons(openstack)[0] == []
    return records, texts, openstack


def types(one):
    """The types that are packages on a node that answers so."""
    return list(surveyed(node1=one)["nodes"]["node1"]["packaged"])


@pytest.mark.parametrize("family", ["Debian", "RedHat"])
def test_a_type_is_there_with_its_package_and_its_unit(family):
    names, units = CONTROL[family]
    found = surveyed(ctl1=packaged("ctl1", names, units, family))
    assert {*found["nodes"]["ctl1"]["packaged"]} == {
        "keystone", "nova-api", "nova-scheduler", "mariadb", "memcached",
    }  # fmt: skip
    assert found["roles"] == {"controller": ["ctl1"]} and found["nodes"]["ctl1"]["guessed"]


@pytest.mark.parametrize(
    ("state", "there"),
    [(RUNNING, True), (FAILED, True), (DEAD, True), (RUNNING | {"enabled": "disabled"}, True), (OFF, False),
     (FAILED | {"enabled": "disabled"}, False), (MASKED, False), (RUNNING | {"load": "not-found"}, False)],
)  # fmt: skip
def test_its_unit_runs_or_is_enabled(state, there):
    assert types(packaged("node1", ["keystone"], {"keystone": state})) == (["keystone"] if there else [])


def test_packages_that_others_share_are_none_of_its_own():
    """One unit (httpd) serves several types; the libraries of one come with another."""
    placement = ["openstack-placement-api", "openstack-placement-common", "python3-placement", "python3-nova"]
    assert types(packaged("node1", placement, ["httpd"], "RedHat")) == ["placement"]
    assert types(packaged("node1", ["nova-common", "python3-nova"], ["nova-api"])) == []
    assert types(packaged("node1", [], ["keystone"])) == []
    # Where no package of a type is its own, its unit tells.
    assert types(packaged("node1", ["openstack-cinder"], ["openstack-cinder-api"], "RedHat")) == [
        "cinder-api"
    ]


def test_the_names_of_another_family_are_none():
    assert types(packaged("node1", ["openstack-keystone", "keystone"], ["httpd"], "Debian")) == []
    assert types(packaged("node1", ["keystone"], ["keystone"], "Suse")) == []


def test_a_node_is_asked_for_all_packages_and_units_that_tell():
    asked = Packaged(MODEL)
    for names, units in CONTROL.values():
        assert all(matches(name, asked.globs) for name in names)
        assert {f"{unit}.service" for unit in units} <= set(asked.units)
    assert Packaged(cloud_pillar.model()).globs == []  # a master without openstack.packaged


def test_what_runs_in_a_container_is_no_package_and_both_at_once_are_told():
    keystone = packaged("ctl1", ["keystone"], ["keystone"], containers=[of("kolla", "keystone")])
    records, texts, openstack = written(ctl1=keystone)
    assert records["services"]["keystone"]["deploy"] == "container"
    assert openstack["services"]["keystone"] == {"enabled": True, "definition": "found"}
    assert records["both"]["keystone"]["at_once"] == ["ctl1"]
    line = "# openstack:services:keystone:deploy: ctl1 runs it in a container and as packages"
    assert line in texts[found_pillar.PAGE]


def test_the_unit_of_a_container_is_no_unit_of_packages():
    unit = {"keystone.service": RUNNING}
    container = {"web": of("kolla", "web")["web"] | {"unit": "keystone.service"}}
    found = answer("ctl1", container, os_family="Debian", units=unit)
    found["packages"] = packaged("ctl1", ["keystone"], [])["packages"]
    assert surveyed(ctl1=found)["nodes"]["ctl1"]["packaged"] == {}


def at_its_release(openstack, answers):
    """Compare what each node told with the pillar that was written of it: nothing differs."""
    model = reading.reasons(openstack)[1]
    for name, read in told(**answers).items():
        roles = tuple(role for role, target in model.targets.items() if is_meant(name, target))
        containers = {
            container: {
                "running": one.running, "healthy": None, "image_id": one.image_id, "labels": {},
                "digests": [reference.rpartition("@")[2] for reference in one.digests], "unit": one.unit,
            }
            for container, one in read.containers.items()
        }  # fmt: skip
        carried = {
            container: {"carrier": "podman_api", "unit": one.unit or "", "image": one.image, "masked": False}
            for container, one in read.containers.items()
        }
        where = Place(roles, None, read.os_family)
        told_facts = cloud_pillar.facts_at(
            openstack, VERSION, where, name, containers=containers, carried=carried,
            packages={package: list(one.versions) for package, one in read.packages.items()},
        )  # fmt: skip
        wanted = Comparison(model)._of(VERSION, where)
        told_facts["packaged"] = {
            service["name"]: {
                "here": any(matches(package, service["own"]) for package in read.packages),
                "units": {
                    unit: read.units[unit].active for unit in service["units"] if unit in read.units
                },
                "stale": [],
            }
            for service in wanted["packaged"]
        }  # fmt: skip
        compared = Comparison(model).compare(node_facts.read(name, told_facts), roles, None)
        assert compared.deployed == VERSION, compared.stages
        assert compared.open(compared.stages) == [], name


@pytest.mark.parametrize("family", ["Debian", "RedHat"])
def test_every_node_is_at_the_release_as_found(family):
    """Packaged controllers and containerised computes, which have packages of the services too."""
    names, units = CONTROL[family]
    compute = [of("kolla", "nova_compute"), of("kolla", "ovn_controller")]
    answers = {f"ctl{one}": packaged(f"ctl{one}", names, units, family) for one in (1, 2, 3)}
    for one in ("cmp1", "cmp2"):
        answers[one] = packaged(one, ["python3-nova"], [], family, containers=compute)
    records, texts, openstack = written(**answers)
    assert records["roles"] == {"controller": ["ctl1", "ctl2", "ctl3"], "compute": ["cmp1", "cmp2"]}
    assert openstack["services"]["nova-api"] == {"enabled": True, "deploy": "package"}
    assert openstack["services"]["nova"] == {"enabled": True, "definition": "found"}
    packages = openstack["releases"][VERSION]["packages"]
    assert packages == dict.fromkeys(sorted(names), "2-1")
    assert openstack["releases"][VERSION]["images"].keys() == {"nova_compute_image", "ovn_controller_image"}
    assert records["both"] == {} and "instead" not in texts[found_pillar.release_path(VERSION)]
    at_its_release(openstack, answers)


def test_a_cloud_of_packages_alone_needs_no_image():
    answers = {"ctl1": packaged("ctl1", *CONTROL["Debian"])}
    _, _, openstack = written(**answers)
    assert openstack["releases"][VERSION]["images"] == {}
    at_its_release(openstack, answers)


@pytest.mark.parametrize(
    ("first", "second"), [("ctl1", "cmp1"), ("ctl1", "ctl2")], ids=["on two roles", "on nodes of one role"]
)
def test_a_type_that_is_packages_here_and_a_container_there_is_two_services(first, second):
    role = {"ctl1": ["controller"], "ctl2": ["controller"], "cmp1": ["compute"]}
    answers = {
        first: packaged(first, ["neutron-l3-agent", "neutron-common"], ["neutron-l3-agent"]),
        second: answer(second, of("kolla", "neutron_l3_agent"), os_family="Debian"),
    }
    records, texts, openstack = written(**answers, declared={first: role[first], second: role[second]})
    services = openstack["services"]
    assert services["neutron-l3"]["definition"] == "found"
    own = services["neutron-l3-packages"]
    assert (own["type"], own["deploy"], own["roles"]) == ("neutron-l3", "package", ["controller"])
    line = f"openstack:services:neutron-l3:deploy: container on {second}, package on {first}: two services"
    assert line in texts[found_pillar.PAGE]
    assert records["both"]["neutron-l3"]["roles"] == []
    # Which would have the container's service disabled for the other one.
    assert not any("runs beside" in one for one in warnings.of(reading.reasons(openstack)[1]))
    at_its_release(openstack, answers)


def test_where_a_container_of_ours_would_come_to_packages_the_key_is_named():
    ours = of("kolla", "keystone")
    ours["keystone"]["labels"] = {"openstack-rollout.owner": "x"}
    answers = {"ctl1": packaged("ctl1", ["keystone"], ["keystone"]), "ctl2": answer("ctl2", ours)}
    _, texts, _ = written(**answers)
    line = (
        "# openstack:services:keystone:deploy: ctl1 has packages where role controller has a container of"
        " ours: give these nodes a role of their own"
    )
    assert line in texts[found_pillar.PAGE]


def test_versions_that_differ_between_nodes_are_told_by_name_and_the_most_frequent_is_taken():
    names, units = ["keystone"], ["keystone"]
    answers = {
        "ctl1": packaged("ctl1", names, units),
        "ctl2": packaged("ctl2", names, units),
        "ctl3": packaged("ctl3", [], units, keystone="2-0"),
        "mon1": packaged("mon1", [], [], keystone="1-9"),  # has the package, and not the service
    }
    records, texts, openstack = written(**answers)
    assert records["packages"]["keystone"] == {
        "Debian": {"version": "2-1", "nodes": ["ctl1", "ctl2"], "others": {"1-9": ["mon1"], "2-0": ["ctl3"]}}
    }
    assert openstack["releases"][VERSION]["packages"] == {"keystone": "2-1"}
    release = texts[found_pillar.release_path(VERSION)]
    assert "# ctl3 has keystone 2-0 instead" in release and "# mon1 has keystone 1-9 instead" in release
    for first, second in (("2-1", "2-0"), ("2-0", "2-1")):  # as many of each: the same from survey to survey
        found = surveyed(
            ctl1=packaged("ctl1", [], units, keystone=first),
            ctl2=packaged("ctl2", [], units, keystone=second),
        )
        assert found["packages"]["keystone"]["Debian"]["version"] == "2-0"


def test_versions_are_by_family_where_the_nodes_are_of_several():
    answers = {
        "ctl1": packaged("ctl1", *CONTROL["Debian"]),
        "ctl2": packaged("ctl2", *CONTROL["RedHat"], family="RedHat", version="1-1.el9"),
    }
    _, _, openstack = written(**answers)
    packages = openstack["releases"][VERSION]["packages"]
    assert packages["python3-nova"] == {"Debian": "2-1", "RedHat": "1-1.el9"}
    assert packages["keystone"] == {"Debian": "2-1"}
    at_its_release(openstack, answers)


def test_what_no_release_can_hold_is_named_and_left_out():
    found = packaged("ctl1", ["keystone"], ["keystone"], python3_keystone="{{ odd }}")
    _, texts, openstack = written(ctl1=found)
    assert openstack["releases"][VERSION]["packages"] == {"keystone": "2-1"}
    assert "# not in here, on ctl1: python3-keystone" in texts[found_pillar.release_path(VERSION)]
    for version in ("odd version", "newest", ">=1"):
        found = packaged("ctl1", [], ["keystone"], keystone=version)
        assert written(ctl1=found)[2]["releases"][VERSION]["packages"] == {}


def test_names_of_the_operators_own_stay_with_the_service():
    own = {
        "packages": {"Debian": ["my-keystone"]},
        "units": {"Debian": ["apache2"]},
        "libraries": {"Debian": ["python3-oslo*"]},
    }
    shipped = {**PILLAR, "services": {"keystone": own}}
    answers = {"ctl1": packaged("ctl1", ["my-keystone"], ["apache2"])}
    _, _, openstack = written(cloud_pillar.model(shipped), shipped, **answers)
    entry = openstack["services"]["keystone"]
    assert entry["deploy"] == "package" and entry["libraries"] == own["libraries"]
    assert entry["packages"]["Debian"] == ["my-keystone"] and entry["units"]["Debian"] == ["apache2"]
    at_its_release(openstack, answers)


def test_a_service_on_some_nodes_of_its_role_names_the_others():
    answers = {
        "ctl1": packaged("ctl1", ["keystone", "memcached"], ["keystone", "memcached"]),
        "ctl2": packaged("ctl2", ["keystone"], ["keystone"]),
    }
    records, texts, openstack = written(**answers)
    assert records["services"]["memcached"]["missing"] == ["ctl2"]
    assert "# memcached: runs on ctl1, not on ctl2" in texts[found_pillar.PAGE]
    at_its_release(openstack, answers)


def test_who_built_them_is_told():
    found = surveyed(ctl1=packaged("ctl1", ["keystone"], ["keystone"]))["services"]["keystone"]
    assert (found["vendors"], found["deployers"]) == (["Debian OpenStack"], [])
