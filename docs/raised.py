"""When each reason is given, and what was touched by then, for the page of reasons.

Neither can be derived from the code, so it is written here; tests/unit/test_docs.py asks for a line of each.
"""

from __future__ import annotations

from raised_on_nodes import BEFORE_RUN, KEPT, LEFT_OUT, NOTHING, ON_NODES, STEP_ONLY, Raised

RAISED = {
    "INVALID_PILLAR": Raised(
        "A pillar key is unknown, has a wrong value, or does not render; or the master hands out no shares.",
        "Nothing. In a run under way: nodes that are done stay done, no other starts.",
    ),
    "UNKNOWN_TARGET": Raised("The target is not set, or is no release of the catalogue.", BEFORE_RUN),
    "EMPTY_CATALOGUE": Raised("There is no release at all.", BEFORE_RUN),
    "RELEASE_REFUSED": Raised(
        "A source of releases is none, names an image twice with different references, or a malformed one; or"
        " nothing tells where its release stands in the catalogue's order.",
        NOTHING,
    ),
    "BUNDLE_INCOMPLETE": Raised(
        "A bundle of a release's images lacks some of their bytes, or has others; or it lacks the signatures"
        " that openstack:registries wants.",
        "Nothing: no image was copied to the mirror.",
    ),
    "RELEASE_INCOMPLETE": Raised(
        "An imported release has no image for an enabled service. Where output= was given, it is written.",
        NOTHING,
    ),
    "DOWNGRADE_REFUSED": Raised(
        "A node runs a newer release than the target, or one of which nothing tells whether it is newer.",
        LEFT_OUT,
    ),
    "ROLLED_BACK": Raised(
        "An update, or a stage, was asked for, and nodes are held at what they were before it by a rollback.",
        NOTHING,
    ),
    "IRREVERSIBLE": Raised(
        "A rollback was asked for of what cannot go back: a migration that ran, what is declared"
        " irreversible, a kernel in use, a package that is nowhere any more, nodes that a later run moved.",
        BEFORE_RUN,
    ),
    "BACKUP_FAILED": Raised(
        "A backup could not be taken, or proven; or its key cannot be used.",
        "Before an update: no node.",
    ),
    "BACKUP_NOT_RESTORED": Raised(
        "A part of a backup was not restored, or not all of it: it is not whole, its key cannot be used,"
        " clients are connected to the database.",
        "What the message says: nothing, or some of that part.",
    ),
    "CUSTOM_IMAGES_UNCHANGED": Raised(
        "The target is a new one, and all custom images are still those of the last update.", BEFORE_RUN
    ),
    "PREFLIGHT_REFUSED": Raised(
        "A condition of `rollout.preflight` refuses that has no reason of its own, and was not accepted.",
        BEFORE_RUN,
    ),
    "TAG_MOVED": Raised(
        "The registry has another digest for the tag of a custom image than it had when the last run began."
        " rollout.status and rollout.plan tell it; no run is refused for it.",
        NOTHING,
    ),
    "TAG_UNRESOLVED": Raised(
        "A state is applied by hand, and a custom image has a tag that no run has resolved yet.", NOTHING
    ),
    "RUN_IN_PROGRESS": Raised(
        "A live process has the lock; on masters that share one, also a process of another host, until its"
        " time ran out.",
        NOTHING,
    ),
    "LOCK_LOST": Raised(
        "The lock that masters share went to another process while this one was held up, or could not be"
        " renewed in time.",
        "What is under way on nodes goes on there. This process starts nothing more, and writes nothing.",
    ),
    "RUN_UNFINISHED": Raised(
        "A run of other stages is paused, or its process is gone; this one would have closed it.", NOTHING
    ),
    "TARGET_CHANGED": Raised(
        "The target was edited while a run to another one is unfinished; or its release, or services, while"
        " one to it was under way.",
        "Nothing by this call. What the run had done before stays.",
    ),
    "STAGE_OUT_OF_ORDER": Raised(
        "A stage was asked for, and one that must precede it is not done; or is not done on nodes outside of"
        " the limit that must go before those inside.",
        NOTHING,
    ),
    "NO_NODES": Raised(
        "A role, a zone or an argument matches no accepted minion, or a role or zone names one that is none.",
        NOTHING,
    ),
    "NODE_SILENT": Raised(
        "A node did not answer, or gave no sign of life for `silence` seconds.",
        "At the first measurement: nothing. In a step: unknown, the step may have ended on the node; the next"
        " run measures it.",
    ),
    "NODE_REBOOTED": Raised(
        "A node failed a step, and runs another boot than when it was measured; the run had not rebooted it.",
        "Unknown: the step was cut off. The next run measures the node.",
    ),
    "KEY_DENIED": Raised(
        "A node does not answer, and a minion of its name was turned away: its key is not the accepted one.",
        "Nothing on this node.",
    ),
    "SLOW": Raised(
        "A step of a node takes more than three times what it took there as a rule, and more than 30 s. Told"
        " by an event and `rollout.status`; the run goes on.",
        NOTHING,
    ),
    "NODE_ERROR": Raised("A node could not do what it was asked, for a reason that has no word.", STEP_ONLY),
    "SHARE_VERSION": Raised(
        "A node's modules are of another version of this program than the master's.",
        "Nothing on this node.",
    ),
    "STEP_TIMEOUT": Raised(
        "A step took longer than `limits` of its role's policy allows, and was ended.",
        "What the step had done so far. A package transaction that was under way goes on to its end; a"
        " container that was being changed is put right by the next run.",
    ),
    "FACTS_INVALID": Raised(
        "What a node reports of itself is not of the expected form.",
        "At the first measurement: nothing. In the step `verify`: the node went through the step `apply`.",
    ),
    "REGISTRY_UNREACHABLE": Raised(
        "The registry did not answer the master, or did not answer a node; or nothing of an image came to a"
        " node for `openstack:pulls:stall_timeout` seconds.",
        "Asked by the master: nothing. In the step `prefetch`: nothing that runs.",
    ),
    "REGISTRY_LOGIN": Raised(
        "The registry wants another login than the node, or the master, has; or the one that"
        " `openstack:registries` names cannot be read.",
        "Asked by the master: nothing. " + KEPT,
    ),
    "REGISTRY_RATE_LIMIT": Raised(
        "The registry allows no more pulls; it was asked again for some minutes.", KEPT
    ),
    "REGISTRY_CERTIFICATE": Raised(
        "The node does not trust the registry's certificate, it is not valid by the node's clock, or the"
        " registry has none.",
        KEPT,
    ),
    "PROXY_LOGIN": Raised("The proxy before a registry, or a package repository, wants a login.", KEPT),
    "IMAGE_MISSING": Raised(
        "The registry has no such image, or has another digest.",
        "Asked by the master: nothing. On a node: nothing that runs.",
    ),
    "IMAGE_DAMAGED": Raised(
        "Files of an image on the node are missing, also after it was removed and pulled once more; what came"
        " of it could not be unpacked; or what a registry tells the master of it makes no sense.",
        KEPT,
    ),
    "IMAGE_PULL_FAILED": Raised("A node could not pull an image, or bootc could not stage one.", KEPT),
    "PACKAGE_DOWNLOAD_FAILED": Raised("Package files could not be fetched.", KEPT),
    "REPOSITORY_BROKEN": Raised("A package repository cannot be read.", KEPT),
    "REPOSITORY_LOGIN": Raised("A package repository does not let the node in.", KEPT),
    "REPOSITORY_CERTIFICATE": Raised(
        "The node does not trust a package repository's certificate, or it is not valid by the node's clock.",
        KEPT,
    ),
    "CLOCK_DISAGREES": Raised(
        "By the node's clock, what a package repository says of itself has expired, or is not valid yet.",
        KEPT,
    ),
    "SIGNATURE_WRONG": Raised(
        "A package, a repository or an image is not signed by a key of the node; an image by none of those"
        " that `openstack:registries` wants; or a release file by none of `openstack:release_keys`.",
        "Asked by the master, or a release file: nothing. " + KEPT,
    ),
    "PACKAGE_LOCKED": Raised(
        "Somebody, who is named, held the package manager's lock for longer than `lock_timeout`.",
        "Nothing by this transaction.",
    ),
    "DISK_FULL": Raised(
        "A file system has no room for the packages, for an image, for one more container or its records.",
        "Usually nothing: package managers look first, and room is asked for before anything stops."
        " The next run measures the node.",
    ),
    "MINION_FAILED": Raised(
        "Salt's own packages did not move, or another version answers than is installed.",
        "All other packages of the node are updated. Salt's may be.",
    ),
    "PACKAGE_FAILED": Raised(
        "The package manager failed, or did not reach the wanted versions.",
        "What the package manager did; the next run measures it, mends what is half done, and goes on.",
    ),
    "PACKAGE_REMOVAL": Raised(
        "A package would have to go that the plan does not name; or one has gone.",
        "Nothing where it would have to go: that is known before the transaction.",
    ),
    **ON_NODES,
    "NO_SPARE": Raised(
        "There is no healthy node to take over what a node carries, or no room on it.",
        "Nothing on that node.",
    ),
    "DRAIN_FAILED": Raised(
        "Workloads could not be moved off a node.",
        "Some may have been moved. They are brought back, unless the node had been drained before.",
    ),
    "RESTORE_FAILED": Raised(
        "What was moved off a node did not come back in time.",
        "The node is updated. What is still away is in the journal (`workload.drained`).",
    ),
    "STILL_DRAINED": Raised(
        "All is at the release, and a node is left drained because it is not healthy.",
        "Everything else is done.",
    ),
    "SERVERS_UNMOVABLE": Raised(
        "A compute has servers that cannot be moved, and the policy says to leave such a node out.",
        "Nothing on that node. It does not count against the budget.",
    ),
    "CLOUD_CHECK_FAILED": Raised(
        "At the end of an update the cloud could not boot a server or make a router.",
        "All nodes are updated. What the message names of the trial may be left in its project.",
    ),
    "MESSAGE_BUS_SILENT": Raised(
        "A service of OpenStack got no answer of another one over the message bus: named beside a drain that"
        " failed.",
        "What the drain or restore had done by then is in the journal.",
    ),
    "API_UNREACHABLE": Raised(
        "An API of OpenStack stayed away for too long.",
        "What the drain or restore had done by then is in the journal.",
    ),
    "OVN_UNREACHABLE": Raised(
        "OVN's northbound database did not answer a drain.",
        "What the drain or restore had done by then is in the journal.",
    ),
    "LIBRARY_MISSING": Raised("The master lacks a library, or the program skopeo, that this needs.", NOTHING),
    "INTERNAL_ERROR": Raised(
        "An error of this program, or of what it stands on, e.g. the disk of the master.",
        "In a run: nodes in flight go on, no other starts; the next run waits for them.",
    ),
    "WRONG_ARGUMENT": Raised("A command was given an argument that makes no sense.", NOTHING),
    "WINDOW_CLOSED": Raised(
        "The next node is not expected to end before the window of its role closes (or it is closed).",
        "Nodes that are done stay done, those that were in flight finished. No other started.",
    ),
    "WINDOW_TOO_SHORT": Raised(
        "The next node is not expected to end in any window of the 400 days to come.",
        "Nodes that are done stay done, those that were in flight finished. No other started.",
    ),
    "CALENDAR_UNREADABLE": Raised(
        "The calendar of a window cannot be read, or is none, when a node is about to start.",
        "Nodes that are done stay done, those that were in flight finished. No other started.",
    ),
    "ALERT_FIRING": Raised(
        "A gate of a role (openstack:policies:ROLE:gates) found an alert that fires: before the run, before"
        " more nodes went, or while canaries soaked.",
        "Before the run: nothing. Else nodes that were in flight finished, no other started.",
    ),
    "ANALYSIS_FAILED": Raised(
        "A gate of a role found a value of its query that is not good, oftener than its `failure_limit`.",
        "As for ALERT_FIRING.",
    ),
    "ANALYSIS_INCONCLUSIVE": Raised(
        "A gate of a role told nothing within its `timeout`: no data, NaN, a server that does not answer, or"
        " answers what makes no sense. Where that cannot pass by itself (a login that is refused, a query"
        " that is none), at once.",
        "As for ALERT_FIRING.",
    ),
    "SILENCE_FAILED": Raised(
        "A silence of a node's alerts (openstack:policies:ROLE:alert_silences) could not be made, prolonged"
        " or removed. It is told by an event; no run stops for it.",
        NOTHING,
    ),
    "FAILURE_BUDGET": Raised(
        "The run went to its end, and nodes within the budget had failed on the way.",
        "All other nodes are updated. The run's state is `incomplete`.",
    ),
    "PAUSED_BY_OPERATOR": Raised(
        "`rollout.pause` was asked for, or Ctrl-C typed once.", "Nodes in flight finished, no other started."
    ),
    "GATED": Raised(
        "The run has come as far as it was asked to go (`until`), or a group is done (`pause_after: group`).",
        "What it was asked for is done; nothing is in flight.",
    ),
    "CONFIRMATION": Raised(
        "The run waits for an operator's yes (`confirm`), or a node rests at a breakpoint (`break`); it"
        " goes on by itself once it has it.",
        "What was confirmed before. Of what it asks for: nothing.",
    ),
    "NOTHING_ASKED": Raised("A yes was given, and the run waits for none, or for another one.", NOTHING),
    "SKIPPED_BY_OPERATOR": Raised(
        "An operator had a run leave the node out (`rollout.skip`).",
        "Nothing on this node from then on; the run goes on without it, and ends as incomplete.",
    ),
    "INTERRUPTED": Raised(
        "salt-run was stopped (Ctrl-C twice); of a run, its process is gone.",
        "Jobs that were started on nodes go on; the next run waits for them.",
    ),
    "ABORTED": Raised(
        "`rollout.abort` was asked for, or another orchestration took the run's place.",
        "Nodes in flight finished. Healthy nodes that the run had drained are restored.",
    ),
    "JOURNAL_DAMAGED": Raised(
        "A record of the journal is empty or garbage, e.g. after a power cut of the master.", NOTHING
    ),
    "JOURNAL_FAILED": Raised(
        "The journal cannot be written: the master's file system is full, or read-only; or the server of a"
        " cache that masters share does not answer.",
        "Nodes in flight finish by themselves; no other starts.",
    ),
    "CACHE_UNFIT": Raised("The master's cache has a driver that cannot hold a journal: etcd.", NOTHING),
    "JOURNAL_VERSION": Raised("The journal was written by another version.", NOTHING),
    "NOT_ACCEPTED": Raised(
        "Nodes are asked to remove what nobody needs, and the last run that moved them is not accepted.",
        NOTHING,
    ),
    "NO_RUN": Raised("There is no run to pause, resume, abort or report.", NOTHING),
}
