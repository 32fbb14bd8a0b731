"""The pillar that a survey writes: valid, the same every time, and at its own release at once."""

import pytest
import yaml

from openstack_rollout.declared import facts as node_facts
from openstack_rollout.declared import found_pillar, reading, survey, targets
from openstack_rollout.declared.comparison import Comparison
from openstack_rollout.declared.share import Place
from tests.unit import cloud_pillar
from tests.unit.declared.found import answer, container, local, of, told

MODEL = cloud_pillar.model()
VERSION = "0.0.1"


def cloud(deployer):
    """Answers of a small cloud that a deployer made."""
    if deployer == "edpm":
        compute = [
            "nova_compute",
            "ovn_controller",
            "ovn_metadata_agent",
            "node_exporter",
            "nova_nvme_cleaner",
        ]
        return {
            **{f"compute-{one}": [of("edpm", name) for name in compute] for one in range(3)},
            "networker-0": [of("edpm", name) for name in ("ovn_controller", "ovn_agent", "frr")],
        }
    if deployer == "kolla":
        control = [
            "keystone",
            "glance_api",
            "nova_api",
            "nova_metadata",
            "neutron_server",
            "rabbitmq",
            "mariadb",
            "ovn_nb_db",
            "ovn_controller",
            "cinder_volume",
            "fluentd",
            "prometheus_node_exporter",
            "magnum_api",
        ]
        compute = ["nova_compute", "ovn_controller", "neutron_ovn_metadata_agent", "prometheus_node_exporter"]
        return {
            **{f"control{one}": [of("kolla", name) for name in control] for one in (1, 2, 3)},
            **{f"compute{one}": [of("kolla", name) for name in compute] for one in (1, 2)},
        }
    control = [
        "keystone",
        "glance_api",
        "nova_api",
        "nova_metadata",
        "nova_conductor",
        "neutron_api",
        "iscsid",
        "ovn_controller",
        "swift_object_server",
        "swift_object_expirer",
        "swift_proxy",
        "heat_api_cfn",
    ]
    images = {"swift_object_expirer": "swift-proxy", "swift_proxy": "swift-proxy"}
    bundle = {"galera-bundle-podman-0": container("mariadb")}
    compute = ["nova_compute", "iscsid", "ovn_controller"]
    return {
        "ctl1": [*(of("tripleo", name, images.get(name)) for name in control), bundle],
        "ctl2": [*(of("tripleo", name, images.get(name)) for name in control)],
        **{f"cmp{one}": [of("tripleo", name) for name in compute] for one in (1, 2)},
    }


def written(answers, silent=None, declared=None, model=MODEL):
    """(records, texts, the pillar as the master would compile it)."""
    records = survey.survey(model, told(**answers), silent or {}, declared or {})
    texts = found_pillar.files(model, records, VERSION)
    return records, texts, found_pillar.merged(cloud_pillar.valid(), texts)


def is_meant(name, target):
    """Whether a written target means a node, as Salt would say."""
    return any(
        name in word[2:].split(",") if word.startswith("L@") else name.startswith(word.removesuffix("*"))
        for word in target.split(" or ")
    )


@pytest.mark.parametrize("deployer", ["edpm", "kolla", "tripleo"])
def test_it_is_a_valid_pillar_and_every_node_is_at_the_release_as_found(deployer):
    answers = cloud(deployer)
    records, _, openstack = written(answers)
    problems, model = reading.reasons(openstack)
    assert problems == []
    assert model.target_version == VERSION
    assert model.system.packages == "release"  # else an update to what was found would update the system
    for name, read in told(**answers).items():
        roles = tuple(role for role, target in model.targets.items() if is_meant(name, target))
        assert sorted(roles) == sorted(records["nodes"][name]["roles"])
        containers = {
            container: {
                "running": True,
                "healthy": None,
                "image_id": one.image_id,
                "digests": [reference.rpartition("@")[2] for reference in one.digests],
                "labels": {},
                "unit": one.unit,
            }
            for container, one in read.containers.items()
        }
        carried = {
            container: {
                "carrier": "podman_command",
                "unit": one.unit or "",
                "image": one.image,
                "masked": False,
            }
            for container, one in read.containers.items()
        }
        where = Place(roles)
        facts = cloud_pillar.facts_at(
            openstack, VERSION, where, name, containers=containers, carried=carried, packages={}
        )
        compared = Comparison(model).compare(node_facts.read(name, facts), roles, None)
        assert compared.deployed == VERSION, compared.stages
        assert compared.open(["ovn", "control_plane", "services"]) == []


@pytest.mark.parametrize("deployer", ["edpm", "kolla", "tripleo"])
def test_what_was_found_is_in_it_or_named_in_it(deployer):
    records, texts, openstack = written(cloud(deployer))
    page = texts[found_pillar.PAGE]
    enabled = {name: one for name, one in openstack["services"].items() if one["enabled"]}
    assert all(one["definition"] == "found" for one in enabled.values())
    assert {*enabled} == {*records["services"]}
    for name in records["unmapped"]:
        assert f"# no service: {name} (" in page


def test_only_what_differs_from_the_type_is_said_of_a_service():
    _, _, openstack = written(cloud("tripleo"))
    services = openstack["services"]
    assert services["nova"] == {"enabled": True, "definition": "found"}
    assert services["heat-cfnapi"] == {"enabled": True, "definition": "found", "container": "heat_api_cfn"}
    assert services["nova-metadata"] == {
        "type": "nova-api",
        "enabled": True,
        "definition": "found",
        "guard": "none",
        "container": "nova_metadata",
    }
    assert services["swift-object-expirer"]["image"] == "swift_proxy_image"
    assert services["mariadb"] == {"enabled": True, "definition": "found", "container": "galera-bundle"}


def test_a_helper_of_a_guarded_service_has_no_guard_and_waits_for_nobody():
    answers = {"ctl1": [of("tripleo", "keystone"), of("tripleo", "keystone_cron", "keystone")]}
    cron = written(answers)[2]["services"]["keystone-cron"]
    assert cron["guard"] == "none" and cron["alone"] is False


def test_a_second_service_of_a_guarded_type_on_other_nodes_keeps_its_guard():
    answers = {"ctl1": [of("tripleo", "keystone"), {"galera-bundle-podman-0": container("mariadb")}]}
    answers["ctl2"] = [of("kolla", "keystone"), of("kolla", "mariadb")]
    services = written(answers)[2]["services"]
    both = [one for name, one in services.items() if "mariadb" in (name, one.get("type"))]
    assert len(both) == 2 and not any("guard" in one or "alone" in one for one in both)


def test_no_target_means_a_node_that_nobody_asked():
    records = survey.survey(MODEL, told(**cloud("kolla")), {}, {}) | {"unasked": ["cmp7"]}
    texts = found_pillar.files(MODEL, records, VERSION)
    openstack = found_pillar.merged(cloud_pillar.valid(), texts)
    assert not any(is_meant("cmp7", target) for target in openstack["roles"].values())


def test_a_node_whose_id_no_target_can_name_is_left_out_and_named():
    answers = cloud("kolla")
    answers["cmp[1]"] = next(iter(answers.values()))
    _, texts, openstack = written(answers)
    assert reading.reasons(openstack)[0] == []
    assert "left out, a target cannot name them: cmp[1]" in texts[found_pillar.PAGE]


def test_of_a_service_on_some_nodes_of_its_role_the_others_are_named():
    answers = {
        "ctl1": [of("kolla", "keystone"), of("kolla", "cinder_backup")],
        "ctl2": [of("kolla", "keystone")],
    }
    _, texts, openstack = written(answers)
    assert openstack["services"]["cinder-backup"] == {"definition": "found", "enabled": True}
    assert "# cinder-backup: runs on ctl1, not on ctl2" in texts[found_pillar.PAGE]


def test_an_image_of_no_registry_and_a_node_with_another_image_are_named():
    answers = {
        "cmp1": [of("edpm", "nova_compute"), of("edpm", "frr", **local())],
        "cmp2": [of("edpm", "nova_compute"), of("edpm", "frr", **local())],
        "cmp3": [of("edpm", "nova_compute", letter="b"), of("edpm", "frr", **local())],
    }
    _, texts, openstack = written(answers)
    release = texts[found_pillar.release_path(VERSION)]
    assert "# not in here: frr runs localhost/own:1 on cmp1, cmp2, cmp3, which no registry has" in release
    assert f"# cmp3 runs sha256:{'b' * 64} instead" in release
    assert reading.reasons(openstack)[0] == [] and "frr" not in openstack["services"]


def test_silent_nodes_and_nodes_without_a_role_are_named():
    answers = {"cmp1": [of("edpm", "nova_compute")], "mon1": [{"web": container("web")}]}
    _, texts, _ = written(answers, silent={"cmp2": ("NODE_SILENT", "no sign of life")})
    page = texts[found_pillar.PAGE]
    assert "# cmp2 did not answer, it is not in here: NODE_SILENT" in page
    assert "# without a role, nothing on it is known: mon1" in page


def test_the_same_survey_writes_the_same_files_in_whatever_order_nodes_answered():
    answers = cloud("kolla")
    backwards = dict(reversed(answers.items()))
    assert written(answers)[1] == written(backwards)[1]


def test_roles_that_are_declared_keep_their_target():
    answers = {"a": [of("edpm", "nova_compute")], "b": [of("edpm", "nova_compute")]}
    roles = {"compute": "G@role:compute", "edge": {"target": "b*", "plane": "data_plane", "like": "compute"}}
    model = cloud_pillar.model(roles=roles)
    _, _, openstack = written(answers, declared={"a": ["compute"], "b": ["edge"]}, model=model)
    assert openstack["roles"] == roles
    assert reading.reasons(openstack)[0] == []
    assert openstack["services"]["nova"]["roles"] == ["compute", "edge"]


def test_a_type_of_the_operators_own_is_named_and_left_to_its_page():
    own = {"trove-guest": {"image": "trove_guest_image", "container": "trove_guest", "roles": ["compute"],
                           "stage": "services"}}  # fmt: skip
    model = cloud_pillar.model(services=own)
    answers = {"cmp1": answer("cmp1", of("edpm", "nova_compute"), of("edpm", "trove_guest"))}
    _, texts, openstack = written(answers, model=model)
    assert "# trove-guest: a type of your own: keep what your page says of it" in texts[found_pillar.PAGE]
    assert reading.reasons(openstack)[0] == []


@pytest.mark.parametrize(
    "said", ["{{ salt['cmd.run']('touch /tmp/x') }}", "x\nopenstack: {}", "{% raw %}", "\u202e"]
)
def test_what_a_node_says_is_neither_yaml_nor_a_template(said):
    foreign = {"web": container("web", image=said, digests=[])}
    unheard = of("edpm", "frr", image=said, digests=[])
    answers = {"cmp1": answer("cmp1", of("edpm", "nova_compute"), foreign, unheard)}
    _, texts, openstack = written(answers, silent={"cmp2": ("NODE_ERROR", said)})
    for text in texts.values():
        assert text.startswith("#!yaml\n") and "{{" not in text and "{%" not in text and text.isascii()
    assert next(iter(openstack["services"])) == "nova"
    assert [*yaml.safe_load(texts[found_pillar.PAGE])] == ["openstack"]


@pytest.mark.parametrize(
    ("nodes", "others", "target"),
    [
        (["cmp1", "cmp2"], ["ctl1"], "cmp*"),
        (["cmp1", "cmp2"], ["cmp3"], "L@cmp1,cmp2"),
        (["cmp2", "cmp10"], ["cmp1"], "L@cmp2,cmp10"),
        (["compute-0.example.org", "compute-1.example.org"], ["controller-0.example.org"], "compute-*"),
        (["compute-0", "computehci-0"], ["ctl1"], "compute-* or computehci-*"),
        (["compute0"], ["computehci0"], "L@compute0"),
        (["cmp1", "alpha"], ["beta"], "cmp* or L@alpha"),
        (["a1"], ["b1"], "L@a1"),
        (["10.0.0.1"], [], "L@10.0.0.1"),
    ],
)
def test_targets_of_nodes(nodes, others, target):
    assert found_pillar.target_of(nodes, others) == target
    assert targets.problem(target) == ""
    assert all(is_meant(one, target) for one in nodes) and not any(is_meant(one, target) for one in others)
