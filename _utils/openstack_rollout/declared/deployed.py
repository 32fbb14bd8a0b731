"""What a node tells of its containers and their deployers (deployed.report), as the master accepts it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from openstack_rollout.declared import told
from openstack_rollout.declared.told import Lines, Name, Names, Text, Told

#: The form of the answer; a node whose module has another one needs saltutil.sync_all.
SCHEMA = 2

Engine = Literal["podman", "docker_engine"]


class UnitState(Told):
    """A unit: whether it is loaded or masked, whether it runs, whether it starts at boot, and its type."""

    load: Text
    active: Text
    sub: Text
    enabled: Text
    type: Text


class Container(Told):
    """A container: its engine, whether it runs, the reference, id and digests of its image.

    labels: those that name a deployer. unit, unit_state: what starts it, None where nothing is known to.
    carrier: the module that knows how it is run, "" where none does. definition: the reference of the image
    that it would be started with, where a carrier knows it.
    """

    engine: Engine
    running: bool
    exit_code: int
    created: Text
    image: Text
    image_id: Text
    digests: Names
    labels: dict[Name, Text]
    unit: Text | None
    unit_state: UnitState | None
    carrier: Text
    definition: Text


class Package(Told):
    """An installed package: its versions, and who built it."""

    versions: Names
    vendor: Text


class Deployed(Told):
    """What is deployed on a node.

    engines: the version of each. managed: containers whose quadlets are ours. units: those that deployers
    have names for, with or without a container, and those of services that may be packages. packages: those
    of such services. trouble: what could not be told.
    """

    schema_: Literal[2] = Field(alias="schema")
    id: Name
    os_family: Name
    engines: dict[Engine, Text]
    containers: dict[Name, Container]
    managed: Names
    units: dict[Name, UnitState]
    packages: dict[Name, Package]
    trouble: Lines


def read(node: str, answer: Any) -> Deployed:
    """What is deployed, in a node's answer.

    node (str): the minion whose answer it is. Raises RolloutError FACTS_INVALID that says what is wrong.
    """
    return told.read(node, answer, Deployed, SCHEMA, "its deployed containers are")
