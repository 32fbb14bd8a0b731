# The service catalogue: what an update knows about each service type. Data only.
#
# Change nothing here: the operator's page overrides any key per service (openstack:services), and a release may
# bring defaults of its own (defaults: services:). From weakest to strongest, key by key:
# service_defaults, service_types, the release's defaults, openstack:services.
#
#   image         key of the release's images; a map of back ends (cinder_volume_images) is read by `backend`
#   container     name of the container, and of its unit
#   roles         where it runs
#   stage, order  when it moves: stages go ovn, control_plane, services; inside a stage by ascending order. by_plane,
#                 for what runs in both planes: control_plane on controllers, services on other nodes
#   definition    found: the container is its deployer's, and only its image changes. declared: it is as described here;
#                 that has to be complete, and no type below is: none has KOLLA_CONFIG_STRATEGY, its config.json, and
#                 the health checks that real images do not have. The operator gives the rest under openstack:services
#   start         what starts in a declared container: kolla (the image's kolla_start), or image (its own command)
#   sidecars      containers (globs) that it starts itself, of its own image: told as old until it starts them again
#   one_shot      true: it does its work and ends; only its definition gets the new image, and nothing starts it
#   config        run: only the image changes. rerender: config_files are rendered again before the container starts
#   config_files  path on the node: template. options: what the template gets
#   quadlet       sections of the quadlet unit. A host directory in Volume has to exist, or be made by ExecStartPre
#   health        command that exits 0 in a healthy container (none: it only has to run), timeout in seconds
#                 listens: false for packages whose next version gives up a port; http: the path at which packages
#                 answer HTTP (packaged.sls)
#   guard         module of a node that sees the container through its change: none; ovn_controller: no flow is lost;
#                 rabbitmq_cluster, galera, ovsdb_cluster: the other members carry the cluster before this one stops,
#                 and it is back in before the next one does; pacemaker: addresses (VIPs) leave the node first
#   alone         goes over all controllers, one at a time, before the next service begins
#   legacy_units  units of earlier tools that ran this container; removed, since two may not run it
#   enabled       only the core of a cloud is on; switch others on under openstack:services
# Most services are one mapping, wrapped.
# yamllint disable rule:indentation
openstack:
  service_defaults:
    enabled: false
    definition: found
    start: kolla
    order: 100
    config: run
    quadlet:
      Container: {Network: host}
      Service: {Restart: always}
    health: {command: [/openstack/healthcheck], timeout: 60}

  service_types:

    # -- ovn: on control plane and data plane nodes; the databases move with the control plane --------------------
    ovn:
      image: ovn_controller_image
      container: ovn_controller
      roles: [controller, gateway, compute]
      stage: ovn
      order: 10
      enabled: true
      quadlet:
        Container:
          SecurityLabelDisable: true
          Volume: ['/run/openvswitch:/run/openvswitch', '/run/ovn:/run/ovn']
        Service: {ExecStartPre: /usr/bin/mkdir -p /run/openvswitch /run/ovn}
      guard: ovn_controller
      legacy_units: [edpm_ovn_controller, tripleo_ovn_controller]

    # -- control_plane: one controller at a time; messaging, database, cache and identity go first ------------------
    # A broker and a database need their time to stop in order: killed, a member may have to copy everything.
    rabbitmq:
      image: rabbitmq_image
      container: rabbitmq
      roles: [controller]
      stage: control_plane
      order: 10
      enabled: true
      alone: true
      guard: rabbitmq_cluster
      quadlet:
        Container: {PodmanArgs: --stop-timeout=120}
        Service: {TimeoutStopSec: 150}
      health: {timeout: 300}
      legacy_units: [tripleo_rabbitmq]
    mariadb:
      image: mariadb_image
      container: mariadb
      roles: [controller]
      stage: control_plane
      order: 20
      enabled: true
      alone: true
      guard: galera
      quadlet:
        Container: {PodmanArgs: --stop-timeout=300}
        Service: {TimeoutStopSec: 330}
      health: {timeout: 600}
      legacy_units: [tripleo_mysql]
    memcached: {image: infra_memcached_image, container: memcached, roles: [controller], stage: control_plane,
      order: 30, enabled: true, alone: true, legacy_units: [tripleo_memcached]}
    keystone: {image: keystone_api_image, container: keystone, roles: [controller], stage: control_plane, order: 40,
      enabled: true, alone: true, guard: pacemaker, legacy_units: [tripleo_keystone]}
    # The databases live on the host, so that they outlive a container; /etc/ovn tells each member who it is.
    ovn-nb: &ovn_database
      image: ovn_nb_dbcluster_image
      container: ovn_nb_db
      roles: [controller]
      stage: control_plane
      order: 50
      guard: ovsdb_cluster
      quadlet:
        Container:
          SecurityLabelDisable: true
          Volume: ['/var/lib/ovn:/var/lib/ovn', '/run/ovn:/run/ovn', '/etc/ovn:/etc/ovn:ro']
        Service: {ExecStartPre: /usr/bin/mkdir -p /var/lib/ovn /run/ovn /etc/ovn}
      legacy_units: [tripleo_ovn_cluster_north_db_server]
    ovn-sb:
      <<: *ovn_database
      image: ovn_sb_dbcluster_image
      container: ovn_sb_db
      order: 60
      legacy_units: [tripleo_ovn_cluster_south_db_server]
    ovn-northd:
      <<: *ovn_database
      image: ovn_northd_image
      container: ovn_northd
      order: 70
      guard: none
      legacy_units: [tripleo_ovn_cluster_northd]
    placement: {image: placement_api_image, container: placement_api, roles: [controller], stage: control_plane,
      order: 80, enabled: true, guard: pacemaker, legacy_units: [tripleo_placement_api]}
    glance: {image: glance_api_image, container: glance_api, roles: [controller], stage: control_plane, order: 90,
      enabled: true, guard: pacemaker, legacy_units: [tripleo_glance_api]}
    cinder-api: {image: cinder_api_image, container: cinder_api, roles: [controller], stage: control_plane,
      order: 100, guard: pacemaker, legacy_units: [tripleo_cinder_api]}
    cinder-scheduler: {image: cinder_scheduler_image, container: cinder_scheduler, roles: [controller],
      stage: control_plane, order: 110, legacy_units: [tripleo_cinder_scheduler]}
    cinder-backup: {image: cinder_backup_image, container: cinder_backup, roles: [controller], stage: control_plane,
      order: 120, legacy_units: [tripleo_cinder_backup]}
    # One service a back end: name them under openstack:services, each with type, backend and container.
    cinder-volume: {image: cinder_volume_images, container: cinder_volume, roles: [controller], stage: control_plane,
      order: 130, legacy_units: [tripleo_cinder_volume]}
    neutron: {image: neutron_api_image, container: neutron_api, roles: [controller], stage: control_plane, order: 140,
      enabled: true, guard: pacemaker, legacy_units: [tripleo_neutron_api]}
    nova-api: {image: nova_api_image, container: nova_api, roles: [controller], stage: control_plane, order: 150,
      enabled: true, guard: pacemaker, legacy_units: [tripleo_nova_api]}
    nova-conductor: {image: nova_conductor_image, container: nova_conductor, roles: [controller],
      stage: control_plane, order: 160, enabled: true, legacy_units: [tripleo_nova_conductor]}
    nova-scheduler: {image: nova_scheduler_image, container: nova_scheduler, roles: [controller],
      stage: control_plane, order: 170, enabled: true, legacy_units: [tripleo_nova_scheduler]}
    nova-novnc: {image: nova_novnc_image, container: nova_novnc, roles: [controller], stage: control_plane,
      order: 180, enabled: true, guard: pacemaker, legacy_units: [tripleo_nova_vnc_proxy]}
    heat-api: {image: heat_api_image, container: heat_api, roles: [controller], stage: control_plane, order: 190,
      guard: pacemaker, legacy_units: [tripleo_heat_api]}
    heat-cfnapi: {image: heat_cfnapi_image, container: heat_cfnapi, roles: [controller], stage: control_plane,
      order: 200, guard: pacemaker, legacy_units: [tripleo_heat_api_cfn]}
    heat-engine: {image: heat_engine_image, container: heat_engine, roles: [controller], stage: control_plane,
      order: 210, legacy_units: [tripleo_heat_engine]}
    ironic-api: {image: ironic_api_image, container: ironic_api, roles: [controller], stage: control_plane,
      order: 220, guard: pacemaker, legacy_units: [tripleo_ironic_api]}
    ironic-conductor: {image: ironic_conductor_image, container: ironic_conductor, roles: [controller],
      stage: control_plane, order: 230, legacy_units: [tripleo_ironic_conductor]}
    ironic-inspector: {image: ironic_inspector_image, container: ironic_inspector, roles: [controller],
      stage: control_plane, order: 240, legacy_units: [tripleo_ironic_inspector]}
    ironic-neutron-agent: {image: ironic_neutron_agent_image, container: ironic_neutron_agent, roles: [controller],
      stage: control_plane, order: 250, legacy_units: [tripleo_ironic_neutron_agent]}
    ironic-pxe: {image: ironic_pxe_image, container: ironic_pxe, roles: [controller], stage: control_plane,
      order: 260, legacy_units: [tripleo_ironic_pxe_http, tripleo_ironic_pxe_tftp]}
    manila-api: {image: manila_api_image, container: manila_api, roles: [controller], stage: control_plane,
      order: 270, guard: pacemaker, legacy_units: [tripleo_manila_api]}
    manila-scheduler: {image: manila_scheduler_image, container: manila_scheduler, roles: [controller],
      stage: control_plane, order: 280, legacy_units: [tripleo_manila_scheduler]}
    # As cinder-volume.
    manila-share: {image: manila_share_images, container: manila_share, roles: [controller], stage: control_plane,
      order: 290, legacy_units: [tripleo_manila_share]}
    horizon: {image: horizon_image, container: horizon, roles: [controller], stage: control_plane, order: 300,
      guard: pacemaker, legacy_units: [tripleo_horizon]}
    ceilometer-central: {image: ceilometer_central_image, container: ceilometer_central, roles: [controller],
      stage: control_plane, order: 310, legacy_units: [tripleo_ceilometer_agent_central]}
    ceilometer-notification: {image: ceilometer_notification_image, container: ceilometer_notification,
      roles: [controller], stage: control_plane, order: 320, legacy_units: [tripleo_ceilometer_agent_notification]}
    ceilometer-sgcore: {image: ceilometer_sgcore_image, container: ceilometer_sgcore, roles: [controller],
      stage: control_plane, order: 330, legacy_units: [tripleo_ceilometer_sgcore]}
    ceilometer-mysqld-exporter: {image: ceilometer_mysqld_exporter_image, container: ceilometer_mysqld_exporter,
      roles: [controller], stage: control_plane, order: 340, legacy_units: [tripleo_ceilometer_mysqld_exporter]}
    aodh-api: {image: aodh_api_image, container: aodh_api, roles: [controller], stage: control_plane, order: 350,
      guard: pacemaker, legacy_units: [tripleo_aodh_api]}
    aodh-evaluator: {image: aodh_evaluator_image, container: aodh_evaluator, roles: [controller],
      stage: control_plane, order: 360, legacy_units: [tripleo_aodh_evaluator]}
    aodh-listener: {image: aodh_listener_image, container: aodh_listener, roles: [controller], stage: control_plane,
      order: 370, legacy_units: [tripleo_aodh_listener]}
    aodh-notifier: {image: aodh_notifier_image, container: aodh_notifier, roles: [controller], stage: control_plane,
      order: 380, legacy_units: [tripleo_aodh_notifier]}
    cloudkitty-api: {image: cloudkitty_api_image, container: cloudkitty_api, roles: [controller],
      stage: control_plane, order: 390, guard: pacemaker, legacy_units: [tripleo_cloudkitty_api]}
    cloudkitty-proc: {image: cloudkitty_proc_image, container: cloudkitty_proc, roles: [controller],
      stage: control_plane, order: 400, legacy_units: [tripleo_cloudkitty_proc]}
    controller-node-exporter: {image: telemetry_node_exporter_image, container: controller_node_exporter,
      roles: [controller], stage: control_plane, order: 410, legacy_units: [tripleo_controller_node_exporter]}
    controller-network-exporter: {image: openstack_network_exporter_image, container: controller_network_exporter,
      roles: [controller], stage: control_plane, order: 420, legacy_units: [tripleo_controller_network_exporter]}
    barbican-api: {image: barbican_api_image, container: barbican_api, roles: [controller], stage: control_plane,
      order: 430, guard: pacemaker, legacy_units: [tripleo_barbican_api]}
    barbican-keystone-listener: {image: barbican_keystone_listener_image, container: barbican_keystone_listener,
      roles: [controller], stage: control_plane, order: 440, legacy_units: [tripleo_barbican_keystone_listener]}
    barbican-worker: {image: barbican_worker_image, container: barbican_worker, roles: [controller],
      stage: control_plane, order: 450, legacy_units: [tripleo_barbican_worker]}
    redis: {image: infra_redis_image, container: redis, roles: [controller], stage: control_plane, order: 460,
      legacy_units: [tripleo_redis]}
    dnsmasq: {image: infra_dnsmasq_image, container: dnsmasq, roles: [controller], stage: control_plane, order: 470,
      legacy_units: [tripleo_dnsmasq]}
    octavia-api: {image: octavia_api_image, container: octavia_api, roles: [controller], stage: control_plane,
      order: 480, guard: pacemaker, legacy_units: [tripleo_octavia_api]}
    octavia-healthmanager: {image: octavia_healthmanager_image, container: octavia_healthmanager, roles: [controller],
      stage: control_plane, order: 490, legacy_units: [tripleo_octavia_health_manager]}
    octavia-housekeeping: {image: octavia_housekeeping_image, container: octavia_housekeeping, roles: [controller],
      stage: control_plane, order: 500, legacy_units: [tripleo_octavia_housekeeping]}
    octavia-worker: {image: octavia_worker_image, container: octavia_worker, roles: [controller],
      stage: control_plane, order: 510, legacy_units: [tripleo_octavia_worker]}
    octavia-rsyslog: {image: octavia_rsyslog_image, container: octavia_rsyslog, roles: [controller],
      stage: control_plane, order: 520, legacy_units: [tripleo_octavia_rsyslog]}
    designate-api: {image: designate_api_image, container: designate_api, roles: [controller], stage: control_plane,
      order: 530, guard: pacemaker, legacy_units: [tripleo_designate_api]}
    designate-central: {image: designate_central_image, container: designate_central, roles: [controller],
      stage: control_plane, order: 540, legacy_units: [tripleo_designate_central]}
    designate-mdns: {image: designate_mdns_image, container: designate_mdns, roles: [controller],
      stage: control_plane, order: 550, legacy_units: [tripleo_designate_mdns]}
    designate-producer: {image: designate_producer_image, container: designate_producer, roles: [controller],
      stage: control_plane, order: 560, legacy_units: [tripleo_designate_producer]}
    designate-worker: {image: designate_worker_image, container: designate_worker, roles: [controller],
      stage: control_plane, order: 570, legacy_units: [tripleo_designate_worker]}
    designate-backendbind9: {image: designate_backendbind9_image, container: designate_backendbind9,
      roles: [controller], stage: control_plane, order: 580, legacy_units: [tripleo_designate_backend_bind9]}
    designate-unbound: {image: designate_unbound_image, container: designate_unbound, roles: [controller],
      stage: control_plane, order: 590, legacy_units: [tripleo_unbound]}
    swift-proxy: {image: swift_proxy_image, container: swift_proxy, roles: [controller], stage: control_plane,
      order: 600, guard: pacemaker, legacy_units: [tripleo_swift_proxy]}
    watcher-api: {image: watcher_api_image, container: watcher_api, roles: [controller], stage: control_plane,
      order: 610, guard: pacemaker, legacy_units: [tripleo_watcher_api]}
    watcher-applier: {image: watcher_applier_image, container: watcher_applier, roles: [controller],
      stage: control_plane, order: 620, legacy_units: [tripleo_watcher_applier]}
    watcher-decision-engine: {image: watcher_decision_engine_image, container: watcher_decision_engine,
      roles: [controller], stage: control_plane, order: 630, legacy_units: [tripleo_watcher_decision_engine]}
    # Of projects that RHOSO does not deploy.
    octavia-driver-agent: {image: octavia_driver_agent_image, container: octavia_driver_agent, roles: [controller],
      stage: control_plane, order: 640, legacy_units: [tripleo_octavia_driver_agent]}
    designate-sink: {image: designate_sink_image, container: designate_sink, roles: [controller],
      stage: control_plane, order: 650, legacy_units: [tripleo_designate_sink]}
    manila-data: {image: manila_data_image, container: manila_data, roles: [controller], stage: control_plane,
      order: 660}
    nova-serialproxy: {image: nova_serialproxy_image, container: nova_serialproxy, roles: [controller],
      stage: control_plane, order: 670, guard: pacemaker}
    nova-spicehtml5proxy: {image: nova_spicehtml5proxy_image, container: nova_spicehtml5proxy, roles: [controller],
      stage: control_plane, order: 680, guard: pacemaker}
    gnocchi-api: {image: gnocchi_api_image, container: gnocchi_api, roles: [controller], stage: control_plane,
      order: 690, guard: pacemaker, legacy_units: [tripleo_gnocchi_api]}
    gnocchi-metricd: {image: gnocchi_metricd_image, container: gnocchi_metricd, roles: [controller],
      stage: control_plane, order: 700, legacy_units: [tripleo_gnocchi_metricd]}
    gnocchi-statsd: {image: gnocchi_statsd_image, container: gnocchi_statsd, roles: [controller],
      stage: control_plane, order: 710, legacy_units: [tripleo_gnocchi_statsd]}
    magnum-api: {image: magnum_api_image, container: magnum_api, roles: [controller], stage: control_plane,
      order: 720, guard: pacemaker}
    magnum-conductor: {image: magnum_conductor_image, container: magnum_conductor, roles: [controller],
      stage: control_plane, order: 730}
    trove-api: {image: trove_api_image, container: trove_api, roles: [controller], stage: control_plane,
      order: 740, guard: pacemaker}
    trove-conductor: {image: trove_conductor_image, container: trove_conductor, roles: [controller],
      stage: control_plane, order: 750}
    trove-taskmanager: {image: trove_taskmanager_image, container: trove_taskmanager, roles: [controller],
      stage: control_plane, order: 760}
    mistral-api: {image: mistral_api_image, container: mistral_api, roles: [controller], stage: control_plane,
      order: 770, guard: pacemaker}
    mistral-engine: {image: mistral_engine_image, container: mistral_engine, roles: [controller],
      stage: control_plane, order: 780}
    mistral-event-engine: {image: mistral_event_engine_image, container: mistral_event_engine, roles: [controller],
      stage: control_plane, order: 790}
    mistral-executor: {image: mistral_executor_image, container: mistral_executor, roles: [controller],
      stage: control_plane, order: 800}
    masakari-api: {image: masakari_api_image, container: masakari_api, roles: [controller], stage: control_plane,
      order: 810, guard: pacemaker}
    masakari-engine: {image: masakari_engine_image, container: masakari_engine, roles: [controller],
      stage: control_plane, order: 820}
    blazar-api: {image: blazar_api_image, container: blazar_api, roles: [controller], stage: control_plane,
      order: 830, guard: pacemaker}
    blazar-manager: {image: blazar_manager_image, container: blazar_manager, roles: [controller],
      stage: control_plane, order: 840}
    cyborg-api: {image: cyborg_api_image, container: cyborg_api, roles: [controller], stage: control_plane,
      order: 850, guard: pacemaker}
    cyborg-conductor: {image: cyborg_conductor_image, container: cyborg_conductor, roles: [controller],
      stage: control_plane, order: 860}
    tacker-server: {image: tacker_server_image, container: tacker_server, roles: [controller],
      stage: control_plane, order: 870, guard: pacemaker}
    tacker-conductor: {image: tacker_conductor_image, container: tacker_conductor, roles: [controller],
      stage: control_plane, order: 880}
    skyline-apiserver: {image: skyline_apiserver_image, container: skyline_apiserver, roles: [controller],
      stage: control_plane, order: 890, guard: pacemaker}
    skyline-console: {image: skyline_console_image, container: skyline_console, roles: [controller],
      stage: control_plane, order: 900, guard: pacemaker}

    # -- services: data plane nodes, in the order of the EDPM ---------------------------------------------------------
    iscsid: {image: edpm_iscsid_image, container: iscsid, roles: [compute, storage], stage: services, order: 10,
      legacy_units: [edpm_iscsid, tripleo_iscsid]}
    frr: {image: edpm_frr_image, container: frr, roles: [gateway, compute], stage: services, order: 20,
      legacy_units: [edpm_frr, tripleo_frr]}
    ovn-bgp-agent: {image: edpm_ovn_bgp_agent_image, container: ovn_bgp_agent, roles: [gateway, compute],
      stage: services, order: 30, legacy_units: [edpm_ovn_bgp_agent, tripleo_ovn_bgp_agent]}
    # The names of sidecars are TripleO's and EDPM's, then kolla-ansible's (neutron_agents_wrappers).
    neutron-metadata: {image: edpm_neutron_metadata_agent_image, container: ovn_metadata_agent, roles: [compute],
      stage: services, order: 40, enabled: true,
      sidecars: &ovn_metadata ['neutron-haproxy-ovnmeta-*', 'neutron_ovn_metadata_agent_*_ovnmeta-*'],
      legacy_units: [edpm_ovn_metadata_agent, tripleo_ovn_metadata_agent]}
    neutron-ovn: {image: edpm_neutron_ovn_agent_image, container: ovn_agent, roles: [gateway], stage: services,
      order: 50, enabled: true, sidecars: *ovn_metadata, legacy_units: [edpm_ovn_agent]}
    # Clouds whose networks are of Open vSwitch's agents instead of OVN.
    neutron-openvswitch: &neutron_agent
      image: neutron_openvswitch_agent_image
      container: neutron_ovs_agent
      roles: [gateway, compute]
      stage: services
      order: 52
      quadlet: {Container: {SecurityLabelDisable: true}}
      legacy_units: [tripleo_neutron_ovs_agent]
    neutron-l3:
      <<: *neutron_agent
      image: neutron_l3_agent_image
      container: neutron_l3_agent
      roles: [gateway]
      order: 54
      sidecars: ['neutron-haproxy-qrouter-*', 'neutron-keepalived-*', 'neutron-radvd-*', 'neutron_l3_agent_*_qrouter-*']
      legacy_units: [tripleo_neutron_l3_agent]
    multipathd: {image: edpm_multipathd_image, container: multipathd, roles: [compute, storage], stage: services,
      order: 60, legacy_units: [edpm_multipathd, tripleo_multipathd]}
    nova:
      image: nova_compute_image
      container: nova_compute
      roles: [compute]
      stage: services
      order: 70
      enabled: true
      config: rerender
      config_files: {/etc/openstack/nova/nova.conf: salt://openstack/config/nova/nova.conf.j2}
      quadlet:
        Container:
          SecurityLabelDisable: true
          Volume: ['/etc/openstack/nova:/etc/nova:ro', '/var/lib/nova:/var/lib/nova']
        Service: {ExecStartPre: /usr/bin/mkdir -p /var/lib/nova}
      legacy_units: [edpm_nova_compute, tripleo_nova_compute]
    neutron-sriov: {image: edpm_neutron_sriov_agent_image, container: neutron_sriov_agent, roles: [compute],
      stage: services, order: 80, legacy_units: [edpm_neutron_sriov_agent, tripleo_neutron_sriov_agent]}
    neutron-dhcp: {image: edpm_neutron_dhcp_agent_image, container: neutron_dhcp, roles: [gateway, compute],
      stage: services, order: 90,
      sidecars: ['neutron-dnsmasq-qdhcp-*', 'neutron-haproxy-qdhcp-*', 'neutron_dhcp_agent_*_qdhcp-*'],
      legacy_units: [edpm_neutron_dhcp_agent, tripleo_neutron_dhcp]}
    ceilometer-compute:
      image: ceilometer_compute_image
      container: ceilometer_agent_compute
      roles: [compute]
      stage: services
      order: 100
      enabled: true
      config: rerender
      config_files:
        /etc/openstack/ceilometer-compute/ceilometer.conf: salt://openstack/config/ceilometer-compute/ceilometer.conf.j2
      quadlet:
        Container:
          SecurityLabelDisable: true
          Volume: ['/etc/openstack/ceilometer-compute:/etc/ceilometer:ro']
      legacy_units: [edpm_ceilometer_agent_compute, tripleo_ceilometer_agent_compute]
    ceilometer-ipmi:
      image: ceilometer_ipmi_image
      container: ceilometer_agent_ipmi
      roles: [compute]
      stage: services
      order: 110
      config: rerender
      config_files:
        /etc/openstack/ceilometer-ipmi/ceilometer.conf: salt://openstack/config/ceilometer-compute/ceilometer.conf.j2
      quadlet:
        Container:
          SecurityLabelDisable: true
          Volume: ['/etc/openstack/ceilometer-ipmi:/etc/ceilometer:ro']
      legacy_units: [edpm_ceilometer_agent_ipmi, tripleo_ceilometer_agent_ipmi]
    node-exporter: {image: edpm_node_exporter_image, container: node_exporter, roles: [gateway, compute, storage],
      stage: services, order: 120, enabled: true, legacy_units: [edpm_node_exporter]}
    podman-exporter:
      image: edpm_podman_exporter_image
      container: podman_exporter
      roles: [gateway, compute, storage]
      stage: services
      order: 130
      quadlet:
        Container:
          SecurityLabelDisable: true
          Volume: ['/run/podman:/run/podman']
        Service: {ExecStartPre: /usr/bin/mkdir -p /run/podman}
      legacy_units: [edpm_podman_exporter]
    kepler: {image: edpm_kepler_image, container: kepler, roles: [compute], stage: services, order: 140,
      legacy_units: [edpm_kepler]}
    network-exporter:
      image: edpm_openstack_network_exporter_image
      container: openstack_network_exporter
      roles: [gateway, compute]
      stage: services
      order: 150
      quadlet:
        Container:
          SecurityLabelDisable: true
          Volume: ['/run/openvswitch:/run/openvswitch:ro', '/run/ovn:/run/ovn:ro']
        Service: {ExecStartPre: /usr/bin/mkdir -p /run/openvswitch /run/ovn}
      legacy_units: [edpm_openstack_network_exporter]
    swift-account: {image: swift_account_image, container: swift_account, roles: [storage], stage: services,
      order: 160, legacy_units: [edpm_swift_account_server, tripleo_swift_account_server]}
    swift-container: {image: swift_container_image, container: swift_container, roles: [storage], stage: services,
      order: 170, legacy_units: [edpm_swift_container_server, tripleo_swift_container_server]}
    swift-object: {image: swift_object_image, container: swift_object, roles: [storage], stage: services, order: 180,
      legacy_units: [edpm_swift_object_server, tripleo_swift_object_server]}
    logrotate-crond: {image: edpm_logrotate_crond_image, container: logrotate_crond,
      roles: [gateway, compute, storage], stage: services, order: 190,
      legacy_units: [edpm_logrotate_crond, tripleo_logrotate_crond]}

  # Known keys that no service of a node runs: a release may hold them, custom_images may not.
  auxiliary_images:
    - agent_image
    - ansibleee_image
    - apache_image
    - bootc_os_container_image
    - ironic_python_agent_image
    - ksm_image
    - net_utils_image
    - openstack_client_image
    - os_container_image
    - ovn_controller_ovs_image
