"""Copies of what an update cannot give back: what is declared of them, and what nodes tell of theirs."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from openstack_rollout.declared import told
from openstack_rollout.declared.amounts import Count, Gib, Seconds
from openstack_rollout.declared.base import Strict
from openstack_rollout.declared.names import CONFIG_PATH
from openstack_rollout.declared.told import Name as _Name
from openstack_rollout.declared.told import Text as _Text
from openstack_rollout.declared.told import Told as _Record

Kind = Literal["galera", "ovn", "rabbitmq", "files"]
#: Those of a cluster: one member has all of it.
OF_CLUSTERS: dict[str, str] = {"galera": "galera", "ovn": "ovsdb_cluster", "rabbitmq": "rabbitmq_cluster"}

#: The form of the answer; a node whose modules have another one needs saltutil.sync_all.
SCHEMA = 1
_WHAT = "what it keeps of backups is"


class Backup(Strict):
    """Copies of what an update cannot give back, proven, on the nodes themselves."""

    before: bool = False
    """Whether each update takes one, before it touches a node."""
    of: list[Kind] = ["galera", "ovn", "rabbitmq", "files"]
    """What of: Galera's databases, OVN's northbound and southbound, RabbitMQ's definitions (one controller
    keeps them), and /etc of each node that the update moves."""
    keep: Count = 3
    """How many of them a node keeps."""
    key_file: Annotated[str, CONFIG_PATH] | None = None
    """A file of the nodes with a passphrase, which root alone may read: backups are encrypted with it."""
    dump_below_gib: Gib = 20
    """GiB of databases up to which they are dumped, which can be restored by a command; larger ones are
    copied by mariabackup."""
    timeout: Seconds = 14_400
    """Seconds that a node may take."""


class Part(_Record):
    """A part of a backup, as of node/backup_store.Part."""

    file: _Name
    bytes: int
    sha256: _Name
    how: _Name
    proven: _Text
    encrypted: bool


class BackedUp(_Record):
    """What a node keeps of backups: name → part → what it is. said: what was done. clients: from where some
    were connected to a database that was restored all the same.
    """

    schema_: Literal[1] = Field(alias="schema")
    backups: dict[_Name, dict[_Name, Part]] = {}
    said: _Text = ""
    clients: list[_Name] = []


def read(node: str, answer: object) -> BackedUp:
    """What a node's answer says. Raises RolloutError FACTS_INVALID."""
    return told.read(node, answer, BackedUp, SCHEMA, _WHAT)
