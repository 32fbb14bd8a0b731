"""Single mistakes in a valid pillar, and the line that each is refused by: (path, value, line)."""

from tests.unit.declared.pillars import GOOD, MISSING

BATCH = "is not allowed: give a number of nodes from 1, or a percentage from 1% to 100%"
NAME = "has letters, digits, _, . and - only, and begins with a letter or a digit"
WAIT = "give auto, keep, or a number of milliseconds from 0 to 300000"
STAGES = "ovn, control_plane, services, ovs, system"
FRACTION = "put it in quotes (YAML reads 1.10 as 1.1)"

MISTAKES = [
    ("polices", {}, "polices: unknown key, did you mean policies?"),
    ("Policies", {}, "Policies: unknown key, did you mean policies?"),
    ("name", 5, "name: 5 is a number: put it in quotes"),
    ("policies", [], "policies: has to be a mapping, not a list: []"),
    ("policies/computes", {}, "policies:computes: unknown role, did you mean compute?"),
    ("policies/compute/bach", 1, "policies:compute:bach: unknown key, did you mean batch?"),
    ("policies/compute/batch", 0, f"policies:compute:batch: 0 {BATCH}"),
    ("policies/compute/batch", -1, f"policies:compute:batch: -1 {BATCH}"),
    ("policies/compute/batch", "150%", f"policies:compute:batch: '150%' {BATCH}"),
    ("policies/compute/batch", "0%", f"policies:compute:batch: '0%' {BATCH}"),
    ("policies/compute/batch", "many", f"policies:compute:batch: 'many' {BATCH}"),
    ("policies/compute/batch", 1.5, f"policies:compute:batch: 1.5 {BATCH}"),
    ("policies/compute/batch", True, f"policies:compute:batch: True {BATCH}"),
    (
        "policies/controller/batch",
        "50%",
        "policies:controller:batch: '50%' is not allowed: controllers go one at a time, set 1",
    ),
    (
        "policies/compute/canary",
        -1,
        "policies:compute:canary: -1 is not allowed: give a number from 0 to 10000",
    ),
    (
        "policies/compute/soak",
        "1m",
        "policies:compute:soak: has to be a whole number from 0 to 2592000, not a string: '1m'",
    ),
    (
        "policies/compute/soak",
        float("nan"),
        "policies:compute:soak: has to be a whole number from 0 to 2592000, not nan",
    ),
    (
        "policies/compute/soak",
        1.5,
        "policies:compute:soak: has to be a whole number from 0 to 2592000, not a fraction: 1.5",
    ),
    (
        "policies/compute/silence",
        0,
        "policies:compute:silence: 0 is not allowed: give a number from 1 to 2592000",
    ),
    (
        "policies/controller/drain",
        "stanby",
        "policies:controller:drain: 'stanby' is not one of none, standby, did you mean standby?",
    ),
    (
        "policies/compute/drain",
        "live_migrat",
        "policies:compute:drain: 'live_migrat' is not one of none, require_empty, live_migrate,"
        " did you mean live_migrate?",
    ),
    (
        "policies/compute/drain",
        "non",
        "policies:compute:drain: 'non' is not one of none, require_empty, live_migrate",
    ),
    (
        "policies/compute/unmovable",
        "colt",
        "policies:compute:unmovable: 'colt' is not one of fail, skip, cold, leave",
    ),
    ("policies/gateway/migrate_back", True, "policies:gateway:migrate_back: unknown key"),
    (
        "policies/compute/migrate_back",
        "yes",
        "policies:compute:migrate_back: has to be true or false, not a string: 'yes'",
    ),
    (
        "policies/compute/migrations_per_host",
        0,
        "policies:compute:migrations_per_host: 0 is not allowed: give a number from 1 to 10000",
    ),
    (
        "policies/compute/drain_before",
        ["sytem"],
        f"policies:compute:drain_before:0: 'sytem' is not one of {STAGES}, did you mean system?",
    ),
    ("cloud", 5, "cloud: 5 is a number: put it in quotes"),
    ("opencontrail", "no", "opencontrail: has to be true or false, not a string: 'no'"),
    ("verification", {"enable": True}, "verification:enable: unknown key, did you mean enabled?"),
    ("roles", {}, "roles: names no role, give a target for one of controller, gateway, compute, storage"),
    ("roles", None, "roles: names no role, give a target for one of controller, gateway, compute, storage"),
    (
        "roles/contoller",
        "x*",
        "roles:contoller: unknown role, did you mean controller? A role of your own says its plane:"
        " {target: ..., plane: control_plane or data_plane}",
    ),
    (
        "roles/edge",
        {"target": "x*"},
        "roles:edge: unknown role. A role of your own says its plane:"
        " {target: ..., plane: control_plane or data_plane}",
    ),
    ("roles/edge", {"plane": "data_plane"}, "roles:edge:target: is missing"),
    (
        "roles/edge",
        {"target": "x*", "plane": "data"},
        "roles:edge:plane: 'data' is not one of control_plane, data_plane",
    ),
    (
        "roles/edge",
        {"target": "x*", "plan": "data_plane"},
        "roles:edge:plan: unknown key, did you mean plane?",
    ),
    (
        "roles/edge",
        {"target": "x* and", "plane": "data_plane"},
        "roles:edge:target: 'x* and': 'and' has nothing after it",
    ),
    (
        "roles/edge",
        {"target": "x*", "plane": "control_plane", "like": "gateway"},
        "roles:edge:like: is for roles of the data plane, others go as controllers",
    ),
    (
        "roles/compute",
        {"target": "cmp*", "plane": "data_plane"},
        "roles:compute:plane: compute is a known role: its target is all to say",
    ),
    ("roles/compute", None, "roles:compute: has to be a string, not nothing"),
    (
        "roles/a b",
        {"target": "x*", "plane": "data_plane"},
        f"roles:'a b': 'a b': a role's name {NAME}",
    ),
    ("roles/compute", ["cmp1"], "roles:compute: has to be a string, not a list: ['cmp1']"),
    (
        "roles/compute",
        "cmp* and I@role:x",
        "roles:compute: 'cmp* and I@role:x': 'I@role:x' matches by pillar (I@, J@), which the pillar"
        " itself cannot depend on",
    ),
    ("zones/az1", "", "zones:az1: has to be a string, not an empty string"),
    ("hooks/systen", {}, "hooks:systen: unknown stage, did you mean system?"),
    ("hooks/system/before_aply", [], "hooks:system:before_aply: unknown moment, did you mean before_apply?"),
    (
        "system/reboot",
        "sometimes",
        "system:reboot: 'sometimes' is not one of never, when_required, always",
    ),
    ("system/depth", "full", "system:depth: 'full' is not one of upgrade, dist_upgrade, security"),
    ("system/exclude", "kernel", "system:exclude: has to be a list, not a string: 'kernel'"),
    ("ovs/userspace", "acept", "ovs:userspace: 'acept' is not one of refuse, accept"),
    ("ovs/userspace", True, "ovs:userspace: True is not one of refuse, accept"),
    ("ovs/reload", "no", "ovs:reload: has to be true or false, not a string: 'no'"),
    ("ovn", {"wait_before_claer": 1}, "ovn:wait_before_claer: unknown key, did you mean wait_before_clear?"),
    *(
        ("ovn", {"wait_before_clear": value}, f"ovn:wait_before_clear: {value!r} is not allowed: {WAIT}")
        for value in ("automatic", "8000", "8s", -1, 300_001, 1.5, True, [8000])
    ),
    ("packages/essentials", [], "packages:essentials: unknown key, did you mean essential?"),
    ("packages/essential", [7], "packages:essential:0: 7 is a number: put it in quotes"),
    (
        "services/novas",
        {},
        "services:novas: 'novas' is no known service type, did you mean nova? Give its type, or image,"
        " container, roles, stage for a type of its own",
    ),
    (
        "services/fluentd",
        {"image": "fluentd_image", "container": "fluentd", "type": None},
        "services:fluentd: 'fluentd' is no known service type. Give its type, or roles, stage too for a type"
        " of its own",
    ),
    (
        "services/mine",
        {"type": "nove"},
        "services:mine:type: 'nove' is no known service type, did you mean nova?",
    ),
    (
        "services/nova",
        {"type": "glance"},
        "services:nova:type: nova is a service type itself: name a service of glance otherwise",
    ),
    ("services/nova", {"imag": "x"}, "services:nova:imag: unknown key, did you mean image?"),
    (
        "services/nova",
        {"image": "nova_comput_image"},
        "services:nova:image: 'nova_comput_image' is no known image key, did you mean nova_compute_image?",
    ),
    (
        "services/nova",
        {"roles": ["computer"]},
        "services:nova:roles:0: 'computer' is not one of controller, gateway, compute, storage,"
        " did you mean compute?",
    ),
    (
        "services/nova",
        {"roles": []},
        "services:nova:roles: is empty: a service has a role, enabled: false switches it off",
    ),
    (
        "services/nova",
        {"stage": "ovs"},
        "services:nova:stage: 'ovs' is not one of ovn, control_plane, services, by_plane, did you mean ovn?",
    ),
    (
        "services/ovn",
        {"guard": "nope"},
        "services:ovn:guard: 'nope' is not one of none, ovn_controller, rabbitmq_cluster, galera,"
        " ovsdb_cluster, pacemaker",
    ),
    (
        "services/nova",
        {"one_shot": True},
        "services:nova:one_shot: is for definition: found alone, a container of ours is kept running",
    ),
    (
        "services/nova",
        {"container": "cron"},
        "services:nova:container: 'cron' is the name of a unit of the system, which is not ours to replace",
    ),
    (
        "services/nova",
        {"container": "openvswitch_db", "definition": "found"},
        "services:nova:container: 'openvswitch_db' is Open vSwitch's: a new image would interrupt the data"
        " path, it is left alone",
    ),
    (
        "services/nova",
        {"sidecars": ["a b"]},
        "services:nova:sidecars:0: 'a b': has to be a container's name or a glob",
    ),
    ("services/nova", {"config": "update"}, "services:nova:config: 'update' is not one of run, rerender"),
    (
        "services/nova",
        {"enabled": "yes"},
        "services:nova:enabled: has to be true or false, not a string: 'yes'",
    ),
    ("services/nova", {"container": "a b"}, f"services:nova:container: 'a b': a container's name {NAME}"),
    (
        "services/nova",
        {"quadlet": {"Containers": {}}},
        "services:nova:quadlet:Containers: unknown section, did you mean Container?",
    ),
    (
        "services/nova",
        {"config_files": {"nova.conf": "salt://a"}},
        "services:nova:config_files:nova.conf: 'nova.conf': has to be an absolute path of a file, of letters,"
        " digits and _.+@%=:,~- only",
    ),
    (
        "services/nova",
        {"config_files": {"/nova.conf": "/a"}},
        "services:nova:config_files:/nova.conf: '/a': has to be a salt:// address of a file, of letters,"
        " digits and _.+@%=:,~- only",
    ),
    (
        "services/nova",
        {"health": {"timeout": 0}},
        "services:nova:health:timeout: 0 is not allowed: give a number from 1 to 86400",
    ),
    (
        "services/nova",
        {"roles": ["controller"]},
        "services:nova:stage: services is for data plane roles, on a controller use control_plane,"
        " on both by_plane",
    ),
    (
        "services/keystone",
        {"roles": ["compute"]},
        "services:keystone:stage: control_plane is for roles of the control plane alone, by_plane is"
        " for both planes",
    ),
    (
        "services/glance",
        {"config": "rerender"},
        "services:glance:config_files: is empty, config: rerender has nothing to render",
    ),
    (
        "services/glance",
        {"container": "keystone"},
        "services:glance:container: 'keystone' is the container of keystone too, which is enabled as well:"
        " disable keystone or glance, or give one another container",
    ),
    ("service_types", MISSING, "service_types: is missing, assign openstack.services in pillar/top.sls"),
    ("service_types", None, "service_types: is empty, assign openstack.services in pillar/top.sls"),
    ("service_types", {}, "service_types: is empty, assign openstack.services in pillar/top.sls"),
    ("service_types", [], "service_types: has to be a mapping, not a list: []"),
    (
        "service_types/x",
        {"container": "x", "roles": ["compute"], "stage": "services"},
        "service_types:x:image: is missing",
    ),
    (
        "custom_images/nova_compute",
        GOOD,
        "custom_images:nova_compute: unknown image key, did you mean nova_compute_image?",
    ),
    ("custom_images/net_utils_image", GOOD, "custom_images:net_utils_image: no service of a node uses it"),
    (
        "custom_images/nova_compute_image",
        "nova compute",
        "custom_images:nova_compute_image: 'nova compute': has to begin with a registry, "
        "such as registry.example/",
    ),
    (
        "custom_images/nova_compute_image",
        "registry.example/x@sha256:12",
        "custom_images:nova_compute_image: 'registry.example/x@sha256:12': "
        "the digest has to be sha256: and 64 hexadecimal digits",
    ),
    (
        "custom_images/nova_compute_image",
        "registry.example/nova",
        "custom_images:nova_compute_image: 'registry.example/nova': needs a digest or a tag",
    ),
    (
        "custom_images/nova_compute_image",
        1,
        "custom_images:nova_compute_image: 1 is a number: put it in quotes",
    ),
    (
        "custom_images/cinder_volume_images",
        "x",
        "custom_images:cinder_volume_images: has to be a mapping of back ends, such as default, to images,"
        " not a string: 'x'",
    ),
    (
        "custom_images/cinder_volume_images",
        {"pure": "registry.example/X:1"},
        "custom_images:cinder_volume_images:pure: 'registry.example/X:1': 'X' is not a repository's name",
    ),
    ("prune/keep", ["9.9.9"], "prune:keep:0: '9.9.9' is not a release; the catalogue has 1.0.0, 1.0.1"),
    ("prune/kep", [], "prune:kep: unknown key, did you mean keep?"),
    ("keep_custom_images_for", 1.0, f"keep_custom_images_for: 1.0 is a number: {FRACTION}"),
    ("releases", ["1.0.0"], "releases: has to be a mapping, not a list: ['1.0.0']"),
    (
        "releases/1.0.1",
        ["images"],
        "releases:1.0.1: has to be a mapping with images and packages, not a list: ['images']",
    ),
    ("releases/1.0.1", None, "releases:1.0.1: has to be a mapping with images and packages, not nothing"),
    (
        "releases",
        {"2025.1-ubuntu-noble": {}, "2025.1-ubuntu-jammy": {}},
        "releases:2025.1-ubuntu-noble: is 2025.1-ubuntu-jammy or 2025.1-ubuntu-noble newer? Their names do"
        " not tell: give the newer one's release follows: with the other's version, or give both an order:",
    ),
    (
        "releases/1..2",
        {},
        "releases:1..2: '1..2' has two dots in a row: a release's name is part of the names of files",
    ),
    ("releases/init", {}, "releases:init: 'init' is the name of the catalogue's own file: add to it"),
    ("releases/1.0.1/follow", "1.0.0", "releases:1.0.1:follow: unknown key, did you mean follows?"),
    (
        "releases/1.0.1/order",
        "2",
        "releases:1.0.1:order: has to be a whole number from 0 to 1000000000, not a string: '2'",
    ),
    ("releases/1.0.1/image", {}, "releases:1.0.1:image: unknown key, did you mean images?"),
    (
        "releases/1.0.1/images/nova_comput_image",
        GOOD,
        "releases:1.0.1:images:nova_comput_image: unknown image key, did you mean nova_compute_image?",
    ),
    (
        "releases/1.0.1/images/nova_compute_image",
        MISSING,
        "releases:1.0.1:images:nova_compute_image: is missing, service nova needs it",
    ),
    (
        "releases/1.0.1/images/nova_compute_image",
        "registry.example/nova:1",
        "releases:1.0.1:images:nova_compute_image: has no digest (salt-run release.pin)",
    ),
    (
        "releases/1.0.0/images/nova_compute_image",
        "nova:",
        "releases:1.0.0:images:nova_compute_image: 'nova:': has to begin with a registry, "
        "such as registry.example/",
    ),
    (
        "releases/1.0.1/packages",
        ["curl"],
        "releases:1.0.1:packages: has to be a mapping of packages to versions, not a list: ['curl']",
    ),
    ("releases/1.0.1/packages/curl", 7.76, f"releases:1.0.1:packages:curl: 7.76 is a number: {FRACTION}"),
    (
        "releases/1.0.1/packages/curl",
        {"Redhat": "1"},
        "releases:1.0.1:packages:curl:Redhat: unknown os_family, did you mean RedHat?",
    ),
    (
        "releases/1.0.1/defaults",
        {"services": {"glanc": {}}},
        "releases:1.0.1:defaults:services:glanc: 'glanc' is no known service type, did you mean glance?",
    ),
    ("releases/1.0.1/notes", "read me", "releases:1.0.1:notes: has to be a list, not a string: 'read me'"),
    (
        "releases/1.0.1/checks",
        [{"service": "rabbit", "call": "rabbitmq_cluster.feature_flags"}],
        "releases:1.0.1:checks:0:service: 'rabbit' is no known service type, did you mean rabbitmq?",
    ),
    (
        "releases/1.0.1/checks",
        [{"service": "rabbitmq", "call": "system.reboot"}],
        "releases:1.0.1:checks:0:call: 'system.reboot' is no check, there is rabbitmq_cluster.feature_flags,"
        " rabbitmq_cluster.stable_flags, openstack_status.upgrade_check",
    ),
    (
        "checks",
        [
            {
                "service": "placement",
                "call": "openstack_status.upgrade_check",
                "arguments": {"program": "rm -rf"},
            }
        ],
        "checks:0:arguments:program: 'rm -rf' is no program such as nova-status",
    ),
    ("target_version", 1.0, f"target_version: 1.0 is a number: {FRACTION}"),
    ("target_version", 0, "target_version: 0 is a number: put it in quotes"),
    (
        "target_version",
        False,
        "target_version: False is what YAML makes of no, off or false: put it in quotes",
    ),
    (
        "target_version",
        "1.0.2",
        "target_version: '1.0.2' is not a release, did you mean 1.0.1? The catalogue has 1.0.0, 1.0.1",
    ),
    (
        "target_version",
        "1.0.1 ",
        "target_version: '1.0.1 ' is not a release, did you mean 1.0.1? The catalogue has 1.0.0, 1.0.1",
    ),
    (
        "target_version",
        "1.0.1\u200b",
        "target_version: '1.0.1\\u200b' is not a release, did you mean 1.0.1? The catalogue has 1.0.0, 1.0.1",
    ),
    (
        "target_version",
        "newest",
        "target_version: 'newest' is not a release. The catalogue has 1.0.0, 1.0.1",
    ),
    ("target_version", "", "target_version: is not set, the catalogue has 1.0.0, 1.0.1"),
    ("target_version", None, "target_version: is not set, the catalogue has 1.0.0, 1.0.1"),
]
