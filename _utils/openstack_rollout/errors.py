"""The words under which an update is refused or pauses, and the one exception that carries them.

Reasons are a fixed list, as in Ceph's upgrade: operators alert on the word and read the remedy.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_SHOWN = 5  # names in a line; of more, the number is given
#: What a terminal obeys instead of showing it: tools colour what they say, and a node may say anything.
_OBEYED = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"
    r"|([\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069])"
)

REASONS = {
    "INVALID_PILLAR": "Correct the pillar key that the message names, then run again.",
    "UNKNOWN_TARGET": "Set openstack:target_version to a release of the catalogue (salt-run release.list).",
    "EMPTY_CATALOGUE": "Add a release file under pillar/openstack/releases/.",
    "RELEASE_REFUSED": (
        "Correct the source of the release that the message names, or leave a name of it out (skip=); then"
        " import again: nothing was written."
    ),
    "RELEASE_INCOMPLETE": (
        "Add the images that the message names to the release, or disable their services in the pillar; then"
        " salt-run release.check."
    ),
    "BUNDLE_INCOMPLETE": (
        "Run salt-run release.bundle again where the registries are: it fetches what is missing or damaged;"
        " then bring the folder here anew."
    ),
    "DOWNGRADE_REFUSED": (
        "Set openstack:target_version to the deployed release or a newer one, or say of the releases which is"
        " newer. To undo a run: salt-run rollout.rollback."
    ),
    "ROLLED_BACK": (
        "Set openstack:target_version to the release that the nodes went back to, or to another one. To go to"
        " the same one again: salt-run rollout.end_rollback."
    ),
    "IRREVERSIBLE": (
        "Nothing was touched. Mend forward: a newer release, or a hotfix (openstack:custom_images). Or leave"
        " the nodes, or the stages, that the message names out (limit, stages)."
    ),
    "BACKUP_FAILED": (
        "Mend what the message says, then run again (salt-run rollout.resume): the backup is taken before the"
        " first node. Or set openstack:backup:before to false."
    ),
    "BACKUP_NOT_RESTORED": (
        "Do what the message says, then have it restored again (salt-run rollout.restore_backup): what is"
        " back already comes once more."
    ),
    "CUSTOM_IMAGES_UNCHANGED": (
        "Renew openstack:custom_images, or name this target in openstack:keep_custom_images_for."
    ),
    "PREFLIGHT_REFUSED": (
        "Do what the message says of the condition; or accept it for this run, where that is allowed"
        " (accept=NAME, salt-run rollout.preflight tells)."
    ),
    "TAG_MOVED": (
        "Nothing has to be done: the next run takes what the tag is now. Write a digest where the image shall"
        " stay as it is."
    ),
    "TAG_UNRESOLVED": (
        "Begin a run (salt-run rollout.run), which resolves tags for all nodes; or write a digest in place of"
        " the tag."
    ),
    "RUN_IN_PROGRESS": "Wait for the run that holds the lock, or stop it (salt-run rollout.pause).",
    "LOCK_LOST": (
        "Look at the run on the master whose process has the lock (salt-run rollout.status). Where nobody has"
        " it, run again: it goes on by measuring."
    ),
    "RUN_UNFINISHED": (
        "Go on with that run (salt-run rollout.resume), or end it (salt-run rollout.abort); then run again."
    ),
    "TARGET_CHANGED": (
        "Undo the edit. Or go on with what is declared now: run again; for another target_version, end the"
        " run under way first (salt-run rollout.abort)."
    ),
    "STAGE_OUT_OF_ORDER": (
        "Run the stages that the message names first, or have the limit take the nodes in that it names."
    ),
    "NO_NODES": "Correct the target that the message names, or accept the minions' keys.",
    "NODE_SILENT": "Bring the node or its salt-minion back, then run again.",
    "NODE_REBOOTED": "Find out who rebooted the node, then run again: it goes on by measuring.",
    "KEY_DENIED": (
        "If the node was installed anew, or has a new key: salt-key -d NODE, then salt-key -a NODE, and run"
        " again. Else find out who uses its name."
    ),
    "STEP_TIMEOUT": (
        "Find out on the node what the step waited for, or raise the limit that the message names; then run"
        " again."
    ),
    "SLOW": (
        "Nothing is ended for that. See on the node what the step works on; it is ended at its limit"
        " (openstack:policies:ROLE:limits)."
    ),
    "NODE_ERROR": "Read the node's message, mend it, then run again.",
    "SHARE_VERSION": "Run salt NODE saltutil.sync_all, then run again.",
    "FACTS_INVALID": (
        "Run salt NODE saltutil.sync_all; if it stays, look at what the node answers: the message names it."
    ),
    "REGISTRY_UNREACHABLE": "Bring the registry back, then run again.",
    "REGISTRY_LOGIN": (
        "Give the registry that the message names its login in openstack:registries, or mend the one that is"
        " there; or log the node in (podman login, docker login, or a credential helper). Then run again."
    ),
    "REGISTRY_RATE_LIMIT": (
        "Wait until the registry allows pulls again, log in, or mirror the images; then run again."
    ),
    "REGISTRY_CERTIFICATE": (
        "Have the node trust the registry's certificate, or tell its engine that this registry has no TLS;"
        " look at the node's clock; then run again."
    ),
    "PROXY_LOGIN": (
        "Give what pulls or fetches its login for the proxy, or have it ask without one (no_proxy); then run"
        " again."
    ),
    "IMAGE_MISSING": "Correct the digest in the release file, or push the image.",
    "IMAGE_DAMAGED": (
        "Remove the image that the message names on the node (podman rmi, docker rmi; podman system check"
        " finds what else is damaged), then run again: it is pulled anew. If it comes damaged, push it anew."
    ),
    "IMAGE_PULL_FAILED": "Pull the image on the node by hand to see why, then run again.",
    "PACKAGE_DOWNLOAD_FAILED": "Check the node's package repositories, then run again.",
    "REPOSITORY_BROKEN": "Bring the node's package repository back that the message names, then run again.",
    "REPOSITORY_LOGIN": (
        "Give the node what its package repository lets in (a subscription, a login, a client's certificate"
        " that is valid), then run again."
    ),
    "REPOSITORY_CERTIFICATE": (
        "Have the node trust the certificate of its package repository, renew one that has expired, and look"
        " at the node's clock; then run again."
    ),
    "CLOCK_DISAGREES": (
        "Set the node's clock (chronyc tracking); if it is right, renew the package repository or mirror that"
        " the message names; then run again."
    ),
    "SIGNATURE_WRONG": (
        "Find out why none of the keys signed it that should have (the node's own, or those of openstack:"
        "registries or openstack:release_keys, as the message says), have it signed, then run again."
    ),
    "PACKAGE_LOCKED": "End what holds the package manager's lock, as the message says, then run again.",
    "DISK_FULL": "Make room on the node's file system that the message names, then run again.",
    "MINION_FAILED": "Read journalctl -u openstack-rollout-minion on the node, then run again.",
    "PACKAGE_FAILED": "Read the package manager's message, mend the node, then run again.",
    "PACKAGE_REMOVAL": (
        "Decide on the package that the message says would go: remove it yourself, or exclude what needs it"
        " gone (openstack:system:exclude); then run again."
    ),
    "CONTAINER_EXITED": "Read the container's journal on the node (journalctl -u), then run again.",
    "SERVICE_FAILED": (
        "Read the journal of the unit, or of the agent, on the node (journalctl -u), then run again."
    ),
    "CONTAINER_UNHEALTHY": "Read the container's journal on the node (journalctl -u), then run again.",
    "CONTAINER_FOREIGN": (
        "Say definition: found for its service, so that only its image changes; or remove what the message"
        " names yourself, then run again."
    ),
    "UNIT_MASKED": (
        "Unmask the unit that the message names (systemctl unmask), or disable its service in the pillar;"
        " then run again: nothing was touched."
    ),
    "DEFINITION_REFUSED": (
        "Mend what the message names, in the container's definition or on the node, then run again; nothing"
        " was touched."
    ),
    "DEFINITION_CHANGED": (
        "Have the container's deployer create it with the new image: as it is, it could only be created"
        " otherwise; then run again."
    ),
    "OVN_NOT_CAUGHT_UP": (
        "Mend what the chassis waits for, as the message says (database, flows, ports), then run again."
    ),
    "RELEASE_CHECK": "Do what the message says, then run again; nothing was touched.",
    "QUORUM_AT_RISK": "Bring back the members that the message names, then run again; nothing was stopped.",
    "VIRTUAL_ADDRESS_AT_RISK": (
        "Have keepalived hold the address that the message names on exactly one node (its log, VRRP between"
        " the nodes), or name it in openstack:ignore_addresses; then run again."
    ),
    "BARE_METAL_BUSY": (
        "Wait until Ironic is done with the nodes that the message names (openstack baremetal node show), or"
        " raise openstack:policies:ROLE:bare_metal_timeout; then run again."
    ),
    "WORK_IN_HAND": (
        "Wait until that is done which the message names (openstack volume show, loadbalancer show), or raise"
        " openstack:policies:ROLE:work_timeout, or set it to 0; then run again."
    ),
    "CEPH_AT_RISK": (
        "Bring back what the message names (ceph health detail), then run again; nothing was taken down."
    ),
    "CEPH_UNREACHABLE": (
        "Let Ceph be asked on a node of the cloud (a quorum, an active manager, an administrator's key or a"
        " monitor there), as the message says; then run again."
    ),
    "MEMBERS_AWAY": "Bring back the members that the message names, then run again.",
    "QUORUM_NOT_RESTORED": "Bring the member that the message names back into its cluster, then run again.",
    "CLIENT_FAILED": (
        "Mend what the message names of the node's own client (program, login, Erlang's cookie, certificate),"
        " then run again;"
        " it says nothing of the service itself."
    ),
    "LIMIT_REACHED": (
        "Raise the limit that the message names (a quota, the addresses of a network, max_connections), or"
        " free what fills it (FLUSH HOSTS for a blocked host); then run again."
    ),
    "COPY_UNDER_WAY": "Wait until the copy that the message names is done, then run again.",
    "COPY_STALLED": (
        "See why the copy that the message names does not go on (its donor, the network, the disk); once it"
        " is done, run again."
    ),
    "SET_BY_OPERATOR": (
        "Take back the setting that the message names for the time of the update, or do what else it says;"
        " then run again."
    ),
    "SCHEMA_BEHIND": "Convert the database that the message names (ovsdb-client convert), then run again.",
    "RESOURCE_STUCK": (
        "Mend what keeps the resource that the message names (pcs resource cleanup RESOURCE), then run again."
    ),
    "NO_TURN": (
        "Let the controller that has the turn finish (salt-run controller_turn.status), or let nodes ask the"
        " master for it (peer_run in etc/master); then run again."
    ),
    "DATAPATH_BROKEN": (
        "Bring back what the message names, or accept its loss (salt NODE datapath.forget), then run again."
    ),
    "NODE_OCCUPIED": (
        "Drain the node (a drain policy, or by hand), or accept it: openstack:ovs:userspace for a reload,"
        " openstack:policies:ROLE:reboot_occupied for a reboot; name an unknown service that keeps nothing in"
        " openstack:ignore_services; then run again."
    ),
    "OVS_FAILED": "Check the Open vSwitch service on the node, then run again.",
    "APPLY_FAILED": "Read the failed state's comment, mend the node, then run again.",
    "BOOT_NOT_READY": (
        "Mend what the message names (default entry: grubby --set-default, grub-set-default; initial RAM"
        " disk: dracut, update-initramfs; room: /boot), or accept the kernel that boots (salt NODE"
        " reboot_needed.dismiss); then run again."
    ),
    "REBOOT_WITHOUT_EFFECT": (
        "Find out why it is so after a reboot too (the boot loader's default entry, room in /boot) and mend"
        " it; then salt NODE reboot_needed.forget, and run again."
    ),
    "REBOOT_TIMEOUT": "Bring the node back: the message says what is missing; then run again.",
    "HOOK_FAILED": "Mend what the operator's hook or the release's migration says, then run again.",
    "NOT_AT_RELEASE": "The node is not what the release wants: read the differences, then run again.",
    "NO_SPARE": "Bring a healthy spare for the node back, or set the drain policy of its role to none.",
    "DRAIN_FAILED": "Mend what the message names, then run again: the drain goes on where it stopped.",
    "RESTORE_FAILED": "Mend what the message names, then salt-run workload.restore NODE, or run again.",
    "STILL_DRAINED": "Mend the node, then salt-run workload.restore NODE, or run again.",
    "SERVERS_UNMOVABLE": (
        "Give the servers that are named a host which may take them, or move them yourself, or change the"
        " policy; then run again."
    ),
    "CLOUD_CHECK_FAILED": "The cloud did not do what the message names: mend it, then run again.",
    "MESSAGE_BUS_SILENT": (
        "Bring back the service that did not answer, or the message bus between (rabbitmqctl cluster_status);"
        " then run again."
    ),
    "API_UNREACHABLE": "Bring the API that the message names back, then run again.",
    "OVN_UNREACHABLE": "Bring the OVN database that the message names back, then run again.",
    "LIBRARY_MISSING": (
        "Install what the message names, a library for the master's Python (salt-pip install NAME), then run"
        " again."
    ),
    "WRONG_ARGUMENT": "Correct the argument that the message names.",
    "WINDOW_CLOSED": (
        "Wait for the window (salt-run rollout.resume wait=True, or Salt's scheduler), or change the one that"
        " the message names, then run again."
    ),
    "WINDOW_TOO_SHORT": (
        "Make the window that the message names longer, or have the nodes take less time (no drain, smaller"
        " steps); then run again."
    ),
    "CALENDAR_UNREADABLE": "Bring the calendar back that the message names, or mend it; then run again.",
    "ALERT_FIRING": (
        "Mend what the alert that the message names says; or silence it in Alertmanager, where it may be"
        " so; then go on with salt-run rollout.resume."
    ),
    "ANALYSIS_FAILED": (
        "Mend what the query that the message names measures, or correct the gate in the pillar; then go on"
        " with salt-run rollout.resume."
    ),
    "ANALYSIS_INCONCLUSIVE": (
        "Have the monitoring tell what the message names (the server, its certificate, the login, the query),"
        " or correct the gate in the pillar; then go on with salt-run rollout.resume."
    ),
    "SILENCE_FAILED": (
        "Nothing is stopped for that. Silence the node's alerts in Alertmanager by hand; a silence that could"
        " not be removed ends by itself."
    ),
    "FAILURE_BUDGET": "Mend the nodes that failed, then run again.",
    "PAUSED_BY_OPERATOR": "Go on with salt-run rollout.resume.",
    "GATED": "Look at what is done, then go on with salt-run rollout.resume.",
    "CONFIRMATION": (
        "Look at what comes (salt-run rollout.status), then say yes (salt-run rollout.confirm), leave a node"
        " out (salt-run rollout.skip NODE), or stop (salt-run rollout.pause)."
    ),
    "NOTHING_ASKED": "Look at what the run does (salt-run rollout.status).",
    "SKIPPED_BY_OPERATOR": "Take the node in with a run of its own (salt-run rollout.run limit=NODE).",
    "INTERRUPTED": "Run again to go on from there.",
    "ABORTED": "Ended on request; run again to start anew.",
    "JOURNAL_DAMAGED": (
        "Drop what cannot be read (salt-run rollout.repair), then run again: it goes on by measuring."
    ),
    "JOURNAL_FAILED": (
        "Make room in the master's cache directory, or give Salt access to it; of a cache that masters share,"
        " bring its server back. Then run again: it goes on by measuring."
    ),
    "CACHE_UNFIT": "Set `cache: localfs`, or `redis` where masters share it, in the master's configuration.",
    "JOURNAL_VERSION": (
        "End the run, or restore the node, with the version that wrote it; or forget the runs, which keeps"
        " what is drained: salt-run cache.flush openstack/rollout/runs."
    ),
    "NOT_ACCEPTED": (
        "Look at what the run did (salt-run rollout.report), then accept it (salt-run rollout.accept)."
    ),
    "NO_RUN": "Start one: salt-run rollout.run.",
    "INTERNAL_ERROR": (
        "Report it with the traceback in the master's log; running again goes on from what is measured."
    ),
}


#: Reasons of failures that pass by themselves, as a rule: what failed is tried again, a few times. The record
#: of a failure may say otherwise of itself.
TRANSIENT = frozenset(
    (
        "REGISTRY_UNREACHABLE",
        "REGISTRY_RATE_LIMIT",
        "PACKAGE_DOWNLOAD_FAILED",
        "REPOSITORY_BROKEN",
        "PACKAGE_LOCKED",
        "API_UNREACHABLE",
        "NODE_SILENT",
    )
)


class RolloutError(Exception):
    """An update, or a part of it, that cannot go on.

    reason (str): a word of REASONS. message (str): what is wrong and where. nodes: the minion ids concerned.
    """

    def __init__(self, reason: str, message: str, nodes: Iterable[str] = ()):
        if reason not in REASONS:
            raise ValueError(f"{reason} is not one of the named reasons")
        self.reason = reason
        self.message = message
        self.nodes = tuple(nodes)
        super().__init__(f"{reason}: {message}")

    @property
    def remedy(self) -> str:
        """What an operator does about it (str)."""
        return REASONS[self.reason]

    def reword(self, message: str, nodes: Iterable[str]) -> None:
        """Say it otherwise, of other nodes; what else the error knows stays."""
        self.message, self.nodes = message, tuple(nodes)
        self.args = (f"{self.reason}: {message}",)


def one_line(text: str, reason: str = "", limit: int = 400) -> str:
    """A message fit for one line, without the reason that stands before it anyway.

    Of a longer one both ends stay, more of the last: tools say first what they did, and last why it failed.
    """
    line = " ".join(_OBEYED.sub(lambda found: " " if found[1] else "", text).split())
    prefix, found, rest = line.partition(f"{reason}: ")
    if reason and found and len(prefix) < 40:
        line = rest
    if len(line) <= limit:
        return line
    first = limit // 3
    return f"{line[:first]} … {line[len(line) - (limit - first - 3) :]}"


def some(names: Sequence[str]) -> str:
    """The first of some names, and how many more there are."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def stale_switch(running: str | None, installed: str | None) -> str:
    """What runs of a stale switch beside what is installed. The versions may be the same: of packages that
    went back, or were installed again, and of a database server alone that is stale.
    """
    if running and running == installed:
        since = "but its programs were replaced on disk since they started"
        return f"{running} runs and is the version on disk, {since}"
    runs = f"{running} runs" if running else "what runs does not tell its version"
    return f"{runs}, {installed} is installed"
