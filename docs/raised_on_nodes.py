"""When the reasons of one node's work are given, and what was touched by then: a part of raised.py."""

from __future__ import annotations

from typing import NamedTuple

NOTHING = "Nothing."
BEFORE_RUN = "Nothing: no run was opened."
LEFT_OUT = (
    f"{BEFORE_RUN} Where the budget of its role allows, the node is left out and named, and the others go on."
)
STEP_ONLY = "The node that failed, up to the step that the message names. Nodes that were in flight finished."
KEPT = "Nothing on this node: it runs what it ran before."


class Raised(NamedTuple):
    """When a reason is given, and what was touched by then. Neither can be derived from the code."""

    when: str
    touched: str


ON_NODES = {
    "CONTAINER_EXITED": Raised(
        "A container ended instead of running.",
        "That container. What ran before is started again, unless `on_failure: leave`.",
    ),
    "SERVICE_FAILED": Raised(
        "The unit of a service that is packages does not start, ends again, or does not listen where it did;"
        " or its agent does not tell OpenStack of itself.",
        "That service: its packages are brought back to what they were, and it is started again; the message"
        " says where that failed. One whose agent is silent stays at the new version.",
    ),
    "CONTAINER_UNHEALTHY": Raised(
        "A container runs and did not become healthy in time.",
        "That container. What ran before is started again, unless `on_failure: leave`.",
    ),
    "CONTAINER_FOREIGN": Raised(
        "A service is `declared`, and somebody else's container, quadlet or unit has the name.",
        "Nothing on this node: what is there goes on.",
    ),
    "UNIT_MASKED": Raised(
        "Somebody has masked the unit of a container that would have to be started again.", KEPT
    ),
    "DEFINITION_REFUSED": Raised(
        "The node cannot start the next container: its generator makes no unit of the quadlet, podman does"
        " not create it, its image cannot be read, or the storage is full. Or Pacemaker starts the unit of a"
        " service that is packages.",
        "Nothing: it is asked before any guard acts.",
    ),
    "DEFINITION_CHANGED": Raised(
        "With the new image more than the image of a `found` container would differ.", KEPT
    ),
    "OVN_NOT_CAUGHT_UP": Raised(
        "The southbound database does not answer, or a new ovn-controller lacks flows or ports.",
        "Before the change: nothing. After it: ovn-controller; its previous image is started again.",
    ),
    "RELEASE_CHECK": Raised("A node is not yet what the release asks for.", LEFT_OUT),
    "QUORUM_AT_RISK": Raised(
        "A cluster cannot spare a member now.",
        "Nothing was stopped. What was done to let clients leave is taken back.",
    ),
    "VIRTUAL_ADDRESS_AT_RISK": Raised(
        "An address that keepalived holds for several nodes is on none of them, or on more than one, and"
        " stays so for a minute: before a run, before a node that shares it goes, and at the end.",
        "Before a run nothing. Later: nodes that are done stay done, no other starts.",
    ),
    "BARE_METAL_BUSY": Raised(
        "The Ironic conductor of a node still works on bare metal nodes after bare_metal_timeout; stopped"
        " now, it would fail their deployment or cleaning.",
        "Nothing on this node: its conductor runs on.",
    ),
    "WORK_IN_HAND": Raised(
        "Octavia or Cinder still works on something after work_timeout, and a service of the node has it in"
        " hand, or may have: stopped now, it would leave it in error, or pending for ever.",
        "Nothing on this node: its services run on.",
    ),
    "CEPH_AT_RISK": Raised(
        "Ceph is not whole, or says that a node's daemons may not stop, and no recovery moves.",
        "Nothing was taken down, and no flag was set.",
    ),
    "CEPH_UNREACHABLE": Raised(
        "Ceph does not answer, has no manager, or does not know what runs on a node.",
        "Nothing was taken down. A node that is away keeps its `noout`.",
    ),
    "MEMBERS_AWAY": Raised(
        "A member was changed and is back in its cluster, but others of it are not, such as by a power loss"
        " meanwhile.",
        "That one member, which stays as it is: the cluster cannot spare it for the way back.",
    ),
    "QUORUM_NOT_RESTORED": Raised(
        "A member did not come back into its cluster, also not on its previous image.",
        "That one member. No other controller is touched.",
    ),
    "CLIENT_FAILED": Raised(
        "A cluster could not be asked: the client in the container is missing, may not log in, or does not"
        " trust the server's certificate.",
        "Before a change: nothing. After it: that one member, which has its previous image again.",
    ),
    "LIMIT_REACHED": Raised(
        "A cluster lets no more clients in. Also named beside a drain that failed, for a quota of Nova or"
        " Neutron, or a network without addresses; and by the live page, for what the master's events carry.",
        "Before a change: nothing. After it: that one member, which has its previous image again.",
    ),
    "COPY_UNDER_WAY": Raised(
        "A member feeds another one, or is fed: to stop either would have the copy begin again.", NOTHING
    ),
    "COPY_STALLED": Raised(
        "A member copies what it needs, and the copy did not move for as long as its health limit allows.",
        "That one member runs its new image and copies. Nothing is put back: that would copy anew.",
    ),
    "SET_BY_OPERATOR": Raised(
        "A setting of the operator's own has a cluster or a chassis wait, or hides whether it is whole.",
        NOTHING,
    ),
    "SCHEMA_BEHIND": Raised(
        "OVN's database has an older schema than its servers' image, and could not be converted.",
        "That one server, which has its previous image again; the data is as before.",
    ),
    "RESOURCE_STUCK": Raised(
        "A resource of Pacemaker, an address or a keepalived does not leave the node, or has failed.",
        "That controller. Its bans are lifted; `workload.drained` shows a standby that stays.",
    ),
    "NO_TURN": Raised(
        "A controller did not get its turn from the master.", "No further container of that controller."
    ),
    "DATAPATH_BROKEN": Raised(
        "Something of the data path that worked before a change does not work after it.",
        "The node's switch or ovn-controller. The record of what worked before stays.",
    ),
    "NODE_OCCUPIED": Raised(
        "A reload, a reboot or a disruptive package would disturb workloads that are on the node. In an event"
        " of a gate: why nodes go one at a time.",
        "Before a reload or a disruptive package: nothing. Before a reboot: the packages moved, the node did"
        " not go down.",
    ),
    "OVS_FAILED": Raised(
        "Open vSwitch, or its database, did not do what was asked of it.",
        "The switch's packages, perhaps. The message says whether the old switch goes on.",
    ),
    "APPLY_FAILED": Raised("A state failed for a reason that has no word of its own.", STEP_ONLY),
    "BOOT_NOT_READY": Raised(
        "The next boot of a node would not start its newest kernel: the boot loader's default entry is"
        " another one, its kernel or initial RAM disk is missing, or /boot has no room for what comes.",
        "Before a drain: nothing. Before a reboot: the packages moved, the node did not go down, and stays"
        " drained if it was.",
    ),
    "REBOOT_WITHOUT_EFFECT": Raised(
        "After a reboot the node needs one for the same reason, e.g. the old kernel was booted again.",
        "The node is up and in service again. Further runs do not reboot it for that reason.",
    ),
    "REBOOT_TIMEOUT": Raised(
        "A rebooted node is not back whole within `reboot_timeout`.",
        "The node is updated and was rebooted. It stays drained if it was.",
    ),
    "HOOK_FAILED": Raised("A hook or a migration failed, or took too long.", STEP_ONLY),
    "NOT_AT_RELEASE": Raised(
        "A node was measured after its update, and differs from its release or is not healthy.",
        "The node went through the step `apply`.",
    ),
}
