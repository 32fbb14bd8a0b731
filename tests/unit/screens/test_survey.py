"""The tables of a survey: a line for what is alike, and every node that needs to be looked at by name."""

import pytest

from openstack_rollout.declared import survey as records
from openstack_rollout.screens import survey
from tests.unit import cloud_pillar
from tests.unit.declared.found import DEAD, MASKED, RUNNING, answer, container, local, of, packaged, told

MODEL = cloud_pillar.model()


def shown(silent=None, **answers):
    return survey.text(records.survey(MODEL, told(**answers), silent or {}, {}))


def test_containers_that_are_alike_are_one_line_with_their_number():
    text = shown(
        cmp1=[of("edpm", "nova_compute"), of("edpm", "frr")],
        cmp2=[of("edpm", "nova_compute")],
        ctl1=[of("tripleo", "keystone")],
    )
    first, second = text.split("\n\n")[:2]
    assert first.splitlines()[0] == "compute (guessed): cmp1, cmp2"
    rows = [line.split() for line in first.splitlines()[2:]]
    row = next(row for row in rows if row[0] == "nova_compute")
    assert row[1:4] == ["edpm", "edpm_nova_compute.service", "podman"]
    assert row[4:] == ["registry.example/nova-compute:18.0", "sha256:aaaaaaaaaaaa", "nova", "2/2"]
    assert any(row[0] == "frr" and row[-1] == "1/2" for row in rows)
    assert second.splitlines()[0] == "controller (guessed): ctl1"


@pytest.mark.parametrize(
    ("containers", "said"),
    [
        ([of("kolla", "nova_libvirt")], "(no type)"),
        ([{"nova_compute": container()}], "nova (not touched)"),
        ([of("edpm", "nova_compute_init", running=False)], "(ran once)"),
        ([{"galera-bundle-podman-0": container()}], "mariadb (Pacemaker)"),
        ([of("edpm", "frr", running=False)], "frr (stopped)"),
        (
            [of("edpm", "ovn_metadata_agent"), {"neutron-haproxy-ovnmeta-1": container(letter="b")}],
            "(of ovn_metadata_agent, old)",
        ),
    ],
)
def test_what_is_no_service_is_said_in_its_line(containers, said):
    assert said in shown(cmp1=containers)


def test_all_that_needs_to_be_looked_at_has_a_heading_and_its_nodes():
    units = {"tripleo_x.service": DEAD, "tripleo_y.service": MASKED}
    text = shown(
        silent={"cmp4": ("NODE_SILENT", "no sign of life")},
        cmp1=answer("cmp1", of("edpm", "nova_compute"), of("edpm", "frr", **local()), units=units),
        cmp2=[of("edpm", "nova_compute", letter="b", definition="registry.example/nova-compute:next")],
        cmp3=answer("cmp3", of("edpm", "nova_compute"), {"web": container("web")}, trouble=["docker: away"]),
    )
    for lines in (
        "Maps to nothing:\n  web (other, registry.example/web:18.0) on cmp3",
        "Runs on some nodes of a role, not on others:\n  frr: cmp1, not cmp2, cmp3",
        "Runs two images:\n  nova_compute_image: sha256:aaaaaaaaaaaa on cmp1, cmp3 (taken),"
        " sha256:bbbbbbbbbbbb on cmp2",
        "cannot be part of a release:\n  frr: localhost/own:1 on cmp1",
        "Would start another image than it runs:\n  cmp2: nova_compute: registry.example/nova-compute:next",
        "Two installers on one node:\n  cmp1: edpm (2 containers, 0 units), tripleo (0 containers, 1 units)",
        "Units that do not run:\n  cmp1: tripleo_x.service is dead\n  cmp1: tripleo_y.service is masked",
        "Could not be told:\n  cmp3: docker: away",
        "No answer:\n  cmp4: NODE_SILENT: no sign of life",
    ):
        assert lines in text


def test_what_there_is_not_has_no_heading():
    assert ":\n" not in shown(cmp1=[of("edpm", "nova_compute")]).partition("\n")[2]


def test_a_node_without_containers_and_a_survey_without_nodes():
    assert shown(cmp1=[]) == "no role: cmp1\nno containers"
    assert survey.text(records.survey(MODEL, {}, {}, {})) == "no node answered"


def test_what_was_written_and_whom_nobody_asked_is_said():
    found = {**records.survey(MODEL, {}, {}, {}), "left_out": ["mon1"], "written": ["/srv/found/x.sls"]}
    text = survey.text(found)
    assert text.endswith("Written:\n  /srv/found/x.sls") and "mon1" in text


def test_services_that_are_packages_have_a_table_of_their_own():
    model = cloud_pillar.model(cloud_pillar.packaged(cloud_pillar.valid()))
    units = {"keystone": DEAD, "memcached": RUNNING}
    answers = {
        "ctl1": packaged("ctl1", ["keystone", "memcached"], units),
        "ctl2": packaged("ctl2", ["memcached"], ["memcached"], containers=[of("kolla", "keystone")]),
        "ctl3": packaged("ctl3", ["memcached"], ["memcached"], keystone="2-0"),
    }
    answers["ctl2"]["packages"] |= packaged("ctl2", [], [], keystone="2-0")["packages"]
    text = survey.text(records.survey(model, told(**answers), {}, {}))
    rows = [" ".join(line.split()) for line in text.splitlines()]
    assert "SERVICE TYPE UNITS PACKAGES BUILT BY NODES" in rows
    assert "keystone keystone.service (inactive) keystone 2-1 Debian OpenStack 1/3" in rows
    assert "memcached memcached.service memcached 2-1 Debian OpenStack 3/3" in rows
    both = "Runs in containers and is packages:\n  keystone: container on ctl2, packages on ctl1"
    versions = "Has two versions of a package:\n  keystone: 2-0 on ctl2, ctl3 (taken), 2-1 on ctl1"
    assert both in text and versions in text


def test_what_runs_in_both_ways_on_one_node_is_told_with_its_key():
    model = cloud_pillar.model(cloud_pillar.packaged(cloud_pillar.valid()))
    answers = {"ctl1": packaged("ctl1", ["keystone"], ["keystone"], containers=[of("kolla", "keystone")])}
    text = survey.text(records.survey(model, told(**answers), {}, {}))
    said = "keystone: runs in a container and as packages on ctl1"
    assert f"(openstack:services:NAME:deploy), and is not:\n  {said}" in text
