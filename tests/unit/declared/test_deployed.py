"""What a node tells of its containers: it is that, or a refusal that names the node."""

import copy

import pytest

from openstack_rollout.declared import deployed
from openstack_rollout.errors import RolloutError
from tests.unit.declared.found import answer, of

WHOLE = answer("cmp1", of("edpm", "nova_compute"))


def refused(told, node="cmp1"):
    with pytest.raises(RolloutError) as error:
        deployed.read(node, told)
    assert error.value.reason == "FACTS_INVALID" and error.value.nodes == (node,)
    assert error.value.message.startswith(f"{node}: its deployed containers are not what a node tells: ")
    return error.value.message


def test_a_whole_answer_is_read():
    found = deployed.read("cmp1", WHOLE)
    assert found.containers["nova_compute"].unit == "edpm_nova_compute.service"
    assert found.model_dump(by_alias=True) == WHOLE


@pytest.mark.parametrize("told", [None, "not available", [], WHOLE | {"schema": 0}, {**WHOLE, "id": "cmp2"}])
def test_another_answer(told):
    refused(told)


@pytest.mark.parametrize("key", sorted(WHOLE))
def test_a_key_that_is_missing(key):
    assert key in refused({name: value for name, value in WHOLE.items() if name != key})


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("containers", "nova_compute", "environment"), ["OS_PASSWORD=x"]),
        (("containers", "nova_compute", "engine"), "rkt"),
        (("containers", "nova_compute", "running"), "yes"),
        (("containers", "nova_compute", "digests"), "sha256:0"),
        (("containers", "nova_compute", "labels"), {"a": {}}),
        (("containers", "nova_compute", "unit_state"), "active"),
        (("engines",), {"rkt": "1"}),
        (("units",), []),
        (("trouble",), ["x" * 5000]),
    ],
)
def test_a_value_of_the_wrong_kind_is_named(path, value):
    told = copy.deepcopy(WHOLE)
    place = told
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    assert path[0] in refused(told)
