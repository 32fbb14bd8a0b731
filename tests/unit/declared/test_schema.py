"""The pillar's JSON Schema and reference page: current, whole, and in agreement with the model."""

import json
from pathlib import Path

import pytest

from openstack_rollout.declared import schema
from openstack_rollout.declared.model import Model
from openstack_rollout.vocabulary import ROLES
from tests.unit.cloud_pillar import PILLAR

REFERENCE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "pillar.md"


def test_the_schema_beside_the_pillar_is_current():
    assert (PILLAR / "schema.json").read_text(encoding="utf-8") == schema.text_of_schema()


def test_the_reference_page_is_current():
    assert REFERENCE.read_text(encoding="utf-8") == schema.reference()


def test_every_key_has_a_description():
    whole = schema.json_schema()
    definitions = whole["$defs"]
    lacking = [
        f"{name}:{key}"
        for name, part in [("openstack", whole["properties"]["openstack"]), *definitions.items()]
        for key, value in part["properties"].items()
        if not (
            value.get("description") or definitions[value["$ref"].removeprefix("#/$defs/")]["description"]
        )
    ]
    assert lacking == []
    assert all(part["description"] for part in definitions.values())
    assert set(whole["properties"]["openstack"]["properties"]) == set(Model.model_fields)


def test_unknown_keys_are_unknown_to_the_schema_too():
    whole = schema.json_schema()
    own = whole["$defs"].pop("Policies")["additionalProperties"]["anyOf"]  # those of the operator's own roles
    assert {one["$ref"].rpartition("/")[2].removesuffix("Policy").lower() for one in own} == set(ROLES)
    assert all(part["additionalProperties"] is False for part in whole["$defs"].values())
    assert whole["properties"]["openstack"]["additionalProperties"] is False


def test_every_reference_leads_somewhere():
    text = schema.text_of_schema()
    used = {part.split('"')[0] for part in text.split('"#/$defs/')[1:]}
    assert used == set(json.loads(text)["$defs"])


@pytest.mark.parametrize(
    "section", ["openstack:policies:compute", "openstack:hooks", "openstack:releases:NAME"]
)
def test_the_reference_has_a_table_for_each_section(section):
    assert f"## `{section}" in schema.reference()
