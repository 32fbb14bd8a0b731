# The operator's page. Edit target_version, then: salt-run state.orchestrate orch.update
# Check what you wrote at any time, it touches nothing: salt-run release.check
openstack:
  # The release that every node has to be at: a file of openstack/releases/. Empty: only orch.system can run.
  target_version: ''

  # Images that replace those of the release, by image key. Where the key is a map of back ends, by back end:
  # `default` serves the back ends that neither this map nor the release names.
  # They stay as they are when target_version changes, so an update to a new release is refused until they are renewed,
  # or keep_custom_images_for says that they are meant to stay for that release.
  # By tag too: a run resolves it when it begins, for all nodes alike; what moved since is told (TAG_MOVED).
  custom_images: {}
  #  glance_api_image: registry.example/glance-api@sha256:...
  #  cinder_volume_images:
  #    default: registry.example/cinder-volume@sha256:...
  #    pure: registry.example/cinder-volume-pure@sha256:...
  # keep_custom_images_for: 1.0.1

  # Which minions have which role (compound targets; not by pillar). Every minion that has none is left alone.
  # Fourth role: storage. A role of your own says its plane, and may say a role that it is like:
  #   plane  control_plane: as controllers, one at a time, after them. data_plane: after storage, without a drain
  #   like   gateway or compute (data plane): right after that role, with its drains and its keys under policies
  # It goes under policies by its name, and where services name it among their roles.
  roles:
    controller: 'ctl*'
    gateway: 'gtw*'
    compute: 'cmp*'
  #  database: {target: 'db*', plane: control_plane}
  #  network: {target: 'net*', plane: data_plane, like: gateway}
  #  monitoring: {target: 'mon*', plane: data_plane}

  # Failure domains (compound targets), for per_zone below.
  zones: {}
  #  az1: 'cmp1 or cmp2'
  #  az2: 'cmp3 or cmp4'

  # How a role is updated. These are the defaults of each role.
  #   batch         nodes in flight together: a number, or a percentage of the role's nodes
  #   batch_undisturbing  the same where nothing is disturbed, if it is more: while images and packages are fetched,
  #                 in ovs without reload, in system without reboot; 10% (and five at least) where nothing is said
  #   max_failures  nodes that may fail before no other node starts and the run pauses: a number, or a percentage
  #   on_failure    pause; quarantine: a node that failed is set aside, and the run goes on without it; rollback: a
  #                 canary that fails goes back by itself
  #   canary        nodes that go first, and have to succeed before the rest starts
  #   soak          seconds to wait after the canaries
  #   per_zone      nodes in flight in one zone, 0: no limit
  #   drain         how workloads leave a node before it is touched: none; for gateways also ovn_failover (their
  #                 router ports go to another gateway of OVN while the switch or the system is updated) and
  #                 move_routers, for computes also live_migrate and require_empty (through OpenStack's API:
  #                 docs/explanation/drains.md),
  #                 for controllers also standby (of Pacemaker, before the system stage). Controllers: batch is 1
  #   window        when its nodes may be touched, in place of openstack:window
  #                 (docs/how-to/time-and-failures.md)
  #   silence       seconds without a sign of life after which a node counts as failed
  #   gates         queries of Prometheus and alerts of Alertmanager that have to be well before nodes go;
  #   alert_silences  alerts that are silenced for a node while it is in flight (docs/how-to/ask-the-monitoring.md)
  policies:
    controller: {batch: 1}
    gateway: {batch: 1}
    compute: {batch: 1, max_failures: 0, canary: 0, soak: 0, per_zone: 0, drain: none, silence: 60}

  # Whom gates ask, and who is told of what becomes of a run (docs/how-to/tell-people.md). Secrets by Salt's sdb alone.
  # monitoring:
  #   prometheus: {address: 'https://prometheus.example:9090', token: 'sdb://vault/monitoring/token'}
  # notifications: {to: ['sdb://vault/rollout/mail']}

  # Registries that want a login, or have mirrors (docs/how-to/registries.md). Secrets by Salt's sdb alone.
  # registries:
  #   registry.example: {username: rollout, password: 'sdb://vault/registries/rollout'}

  # Release files have to be signed, by one of these keys (docs/how-to/sign-a-release.md).
  # require_signed: true
  # release_keys: []

  # Packages that move together with the services; everything else, except Open vSwitch, waits for the system stage.
  # exclude: never moved with the services (kernel, kernel-core and openvswitch* never are).
  packages: {essential: [openstack-selinux], exclude: []}

  # exclude         packages (globs) that the system stage leaves alone
  # packages        all: what no release names moves to the newest of the repositories; release: it stays
  # depth           upgrade: what is installed, no kernels; dist_upgrade: kernels and new packages too;
  #                 security: of what upgrade moves, what mends something of security
  # kpatch          true: live patches of the running kernel instead of new kernels
  # reboot          never; when_required: nodes that need it, drained or empty, between their update and their proof;
  #                 always: every node that the stage updates. A role with reboot_occupied: true under policies is
  #                 rebooted with what is on it
  # reboot_timeout  seconds until a rebooted node has to be back
  system: {exclude: [], packages: all, depth: upgrade, kpatch: false, reboot: never, reboot_timeout: 900}

  # Commands or SLS of yours before and after the steps of a stage, on the nodes (docs/how-to/write-a-hook.md).
  hooks: {}

  # reload     false: Open vSwitch's packages are updated, the running switch stays, stale until a reload or a reboot.
  #            true: the installed one takes over, with the flows. It is never restarted.
  # userspace  that interrupts a userspace (DPDK) data path: refuse it while workloads are on the node, or accept
  ovs: {reload: false, userspace: refuse}

  # Changes to the service catalogue (openstack/services.sls), by service; any key of a type can be set.
  # A further service of a type has a name of its own, and runs beside the type's own one unless that is disabled.
  # A name that is no type, and without `type`, is a type of your own: it says image, container, roles and stage, and
  # releases may hold its image key.
  services: {}
  #  neutron-dhcp: {enabled: true}
  #  nova: {enabled: false}
  #  nova-custom: {type: nova, container: nova_compute_custom}
  #  cinder-volume-pure: {type: cinder-volume, backend: pure, container: cinder_volume_pure, enabled: true}
  #  collectd: {image: collectd_image, container: collectd, roles: [compute], stage: services, enabled: true}
