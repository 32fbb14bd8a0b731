"""What a node tells of itself, as the master accepts it: records of known names, types and sizes.

A node may be out of date, broken, or in wrong hands: what it answers is checked here once, and a node whose
answer is none is a failed node, whatever it says.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from openstack_rollout.declared import told
from openstack_rollout.declared.problems import shown
from openstack_rollout.declared.told import Lines as _Lines
from openstack_rollout.declared.told import Name as _Name
from openstack_rollout.declared.told import Names as _Names
from openstack_rollout.declared.told import Text as _Text
from openstack_rollout.declared.told import Told as _Record
from openstack_rollout.vocabulary import MOST_ROLES, ROLES, Stage

#: The form of facts; a node whose modules have another one needs saltutil.sync_all.
SCHEMA = 5
_WHAT = "its facts are"

_Versions = dict[_Name, _Name]


class Container(_Record):
    """A container: whether it runs and is healthy (None: not known), the id and the digests of its image, the
    labels of those who deploy, and its unit. exit_code: with which it ended last, None: not known. names: of
    its image, with a digest.
    """

    running: bool
    healthy: bool | None
    image_id: _Text
    digests: _Names
    labels: dict[_Name, _Text]
    unit: _Text | None
    exit_code: int | None = None
    names: _Names = Field(default_factory=list)


class Carried(_Record):
    """How a container is run: the carrier that knows it, its unit (masked: nothing may start it), the image
    that its definition names, and the digests of it where that image is local.
    """

    carrier: _Name
    unit: _Text
    image: _Text
    digests: _Names = Field(default_factory=list)
    masked: bool


class VirtualAddresses(_Record):
    """The addresses that a keepalived of the node may hold, and whether it holds them; whether it runs.
    unknown: why that cannot be told.
    """

    addresses: dict[_Name, bool] = Field(default_factory=dict)
    running: bool = False
    unknown: _Text = ""


class Packaged(_Record):
    """A service that is packages. here: whether any of its own is installed. units: those that the node has,
    and their state. stale: packages that are newer than what its units run. newer: libraries that no release
    names, at the version that they would be brought to.
    """

    here: bool
    units: dict[_Name, Literal["active", "inactive", "disabled", "masked"]]
    stale: _Names
    newer: _Versions = Field(default_factory=dict)


class Unit(_Record):
    """The switch's service."""

    unit: _Name
    enabled: bool
    active: bool


class Switch(_Record):
    """Open vSwitch: the version that runs, the one that is installed, and whether they differ."""

    running: _Text | None
    installed: _Text | None
    stale: bool


class Stay(_Record):
    """A newer version of a package that stays. by: the line of the lock, the pin, the setting, the package
    that would replace it, the phase.
    """

    version: _Name
    cause: Literal["hold", "versionlock", "pin", "exclude", "replaced", "phased", "dependencies"]
    by: _Text = ""


class Newer(_Record):
    """What the repositories have of packages that no release names; unknown: why that cannot be told."""

    upgrade: _Versions = Field(default_factory=dict)
    install: _Versions = Field(default_factory=dict)
    remove: _Names = Field(default_factory=list)
    held: _Versions = Field(default_factory=dict)
    stays: dict[_Name, Stay] = Field(default_factory=dict)
    unknown: _Text = ""


class Offered(_Record):
    """What the repositories have that is newer of packages that a release wants at the newest; what stays all
    the same, and why it cannot be told.
    """

    upgrade: _Versions = Field(default_factory=dict)
    stays: dict[_Name, Stay] = Field(default_factory=dict)
    unknown: _Text = ""


class Unfinished(_Record):
    """What a killed transaction left half done: the versions of packages that are installed more than once,
    from the oldest on, those that are not whole, and why it cannot be told.
    """

    doubles: dict[_Name, _Names] = Field(default_factory=dict)
    half: _Versions = Field(default_factory=dict)
    unknown: _Text = ""


class Bootc(_Record):
    """The images of a bootc host."""

    booted: _Text
    digest: _Text | None
    staged: _Text | None


class Missing(_Record):
    """The files that an entry of the boot loader names, and that are not there, or empty."""

    kernel: _Names
    initramfs: _Names


class Room(_Record):
    """Bytes of the file system of /boot: what is free, and what another kernel needs."""

    free: int
    need: int


class NextBoot(_Record):
    """What the next boot starts.

    loader: grub, bls (entries of the Boot Loader Specification), or grubby (what it alone knows). unknown:
    why it cannot be told. entry, release: the default entry and its kernel. wanted: the newest kernel, ""
    where any will do.
    """

    loader: Literal["grub", "bls", "grubby", ""]
    unknown: _Text
    entry: _Text
    release: _Text
    wanted: _Text
    missing: Missing
    room: Room | None


class OvnWait(_Record):
    """What ovn_wait.found of a chassis tells."""

    have: _Text
    theirs: _Text
    longest: int | None
    flows: int | None
    by_itself: bool


class Due(_Record):
    """A migration that the node has not done."""

    name: _Name
    stage: Stage


class Checked(_Record):
    """What a check of the release said; no line is a check that passed."""

    service: _Name
    call: _Name
    lines: _Lines


class Facts(_Record):
    """What a node is.

    target, roles: of its share. packaged: the services of its share that are packages. managed: containers
    whose quadlets are ours. carried: those that a carrier knows to run. images: the references of its
    share that are local. packages: the versions of those it watches. floors: whether each is met, as its
    package manager says. stateful: what serves data, by kind. pending: containers whose change was begun
    and not finished. settings: by container, what an operator has set for which another image of it would
    wait. next_boot: None where the policy reboots nothing. ovn_wait: None on a node that is no chassis, and
    where nobody asks.
    """

    schema_: Literal[5] = Field(alias="schema")
    id: _Name
    target: _Text
    roles: Annotated[list[_Name], Field(max_length=MOST_ROLES)]
    os_family: _Name
    boot_id: _Text
    containers: dict[_Name, Container]
    managed: _Names
    carried: dict[_Name, Carried]
    packaged: dict[_Name, Packaged]
    images: _Names
    packages: dict[_Name, _Names]
    floors: dict[_Name, dict[_Name, bool]]
    held: _Names
    newer: Newer
    offered: Offered
    unfinished: Unfinished
    openvswitch: Unit | None
    switch: Switch | None
    datapath: _Lines
    reboot: _Lines
    reboot_without_effect: _Lines
    next_boot: NextBoot | None
    stateful: dict[_Name, _Names]
    virtual_addresses: VirtualAddresses
    bootc: Bootc | None
    minion: Literal["none", "waiting", "done", "failed"]
    configuration: _Lines
    live_patches: _Versions
    migrations: Annotated[list[Due], Field(max_length=1000)]
    pending: _Names
    legacy_units: dict[_Name, _Names]
    checks: Annotated[list[Checked], Field(max_length=1000)]
    settings: dict[_Name, _Lines]
    ovn_wait: OvnWait | None = None

    def meets(self, name: str, floor: str) -> bool:
        """Whether a package meets a floor, as the node's package manager says."""
        return self.floors.get(name, {}).get(floor, False)


def virtual_addresses(answer: Any) -> VirtualAddresses | None:
    """What a node's answer tells of the addresses that it shares; None where that is nonsense."""
    try:
        return VirtualAddresses.model_validate(answer)
    except ValidationError:
        return None


def read(node: str, answer: Any, roles: Collection[str] = ROLES) -> Facts:
    """The facts in a node's answer.

    node (str): the minion whose answer it is. roles: those of the cloud. Raises RolloutError FACTS_INVALID
    that says what is wrong.
    """
    facts = told.read(node, answer, Facts, SCHEMA, _WHAT)
    if not set(facts.roles) <= set(roles) or len(set(facts.roles)) < len(facts.roles):
        raise told.invalid(node, _WHAT, f"roles: {shown(facts.roles)} are not of {', '.join(roles)}")
    return facts
