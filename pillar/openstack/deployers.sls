# What other deployers call their units and containers, and what these are here. A survey reads it
# (salt-run rollout.survey). Data only. Change nothing here: the operator's page adds to it, key by key, under
# openstack:deployers.
#
#   unit              name of a container's unit; {} stands for the container's name
#   labels            labels that its containers have and nobody else's; * is any value
#   local_registries  names that it gives images on a node; no registry has them
#   containers        container: service type of services.sls, or {type, image} where it runs another type's image.
#                     Left out are those that are called as services.sls calls them. Of several of one type, the first
#                     is the service itself, and the others help it
#   bundles           Pacemaker bundle: service type; its containers are called BUNDLE-podman-N
#   once              globs of containers that do something once and end
#   unknown           containers that no service type fits: they are told, and never touched
#   image_keys        its image keys that are called otherwise in a release here
#   skipped           globs of its image keys that no release here has
#   copied            image key: the one whose image it has, where a list of images has none for it
#   repositories      image key: the last part of the name of its image in a registry
#   repository_forms  how else it calls them; {} stands for that name, * for anything
# The last four are read by salt-run release.import alone.
# yamllint disable rule:line-length
openstack:
  deployers:

    # -- Red Hat OpenStack Services on OpenShift, edpm-ansible -------------------------------------------------
    edpm:
      unit: edpm_{}.service
      labels: {managed_by: edpm_ansible}
      containers:
        bgp_ovn_controller: {type: ovn-bgp-agent, image: ovn_controller_image}
        nb_db_server: {type: ovn-bgp-agent, image: ovn_nb_dbcluster_image}
        neutron_dhcp_agent: neutron-dhcp
        northd: {type: ovn-bgp-agent, image: ovn_northd_image}
        nova_nvme_cleaner: nova
        sb_db_server: {type: ovn-bgp-agent, image: ovn_sb_dbcluster_image}
        swift_account_server: swift-account
        swift_account_auditor: swift-account
        swift_account_reaper: swift-account
        swift_account_replicator: swift-account
        swift_container_server: swift-container
        swift_container_auditor: swift-container
        swift_container_replicator: swift-container
        swift_container_updater: swift-container
        swift_object_server: swift-object
        swift_object_auditor: swift-object
        swift_object_expirer: {type: swift-object, image: swift_proxy_image}
        swift_object_replicator: swift-object
        swift_object_updater: swift-object
        rsync: swift-object
      once: ['*_init', nova_statedir_owner]
      unknown: [cyborg_agent]
      image_keys:
        cinder_volume_image: cinder_volume_images
        manila_share_image: manila_share_images
      skipped:
        - '*_operator_manager_image'
        - openstack_must_gather_image
        - test_ansibletest_image
        - test_horizontest_image
        - test_tempest_image
        - test_tobiko_image
      copied:
        edpm_openstack_network_exporter_image: openstack_network_exporter_image
        infra_dnsmasq_image: neutron_api_image
      repositories: &openstack_repositories
        agent_image: openstack-baremetal-operator-agent
        ansibleee_image: openstack-ansibleee-runner
        aodh_api_image: openstack-aodh-api
        aodh_evaluator_image: openstack-aodh-evaluator
        aodh_listener_image: openstack-aodh-listener
        aodh_notifier_image: openstack-aodh-notifier
        apache_image: httpd-24
        barbican_api_image: openstack-barbican-api
        barbican_keystone_listener_image: openstack-barbican-keystone-listener
        barbican_worker_image: openstack-barbican-worker
        ceilometer_central_image: openstack-ceilometer-central
        ceilometer_compute_image: openstack-ceilometer-compute
        ceilometer_ipmi_image: openstack-ceilometer-ipmi
        ceilometer_mysqld_exporter_image: mysqld_exporter
        ceilometer_notification_image: openstack-ceilometer-notification
        ceilometer_sgcore_image: sg-core
        cinder_api_image: openstack-cinder-api
        cinder_backup_image: openstack-cinder-backup
        cinder_scheduler_image: openstack-cinder-scheduler
        cinder_volume_images: openstack-cinder-volume
        cloudkitty_api_image: openstack-cloudkitty-api
        cloudkitty_proc_image: openstack-cloudkitty-processor
        designate_api_image: openstack-designate-api
        designate_backendbind9_image: openstack-designate-backend-bind9
        designate_central_image: openstack-designate-central
        designate_mdns_image: openstack-designate-mdns
        designate_producer_image: openstack-designate-producer
        designate_unbound_image: openstack-unbound
        designate_worker_image: openstack-designate-worker
        edpm_frr_image: openstack-frr
        edpm_iscsid_image: openstack-iscsid
        edpm_kepler_image: kepler
        edpm_logrotate_crond_image: openstack-cron
        edpm_multipathd_image: openstack-multipathd
        edpm_neutron_dhcp_agent_image: openstack-neutron-dhcp-agent
        edpm_neutron_metadata_agent_image: openstack-neutron-metadata-agent-ovn
        edpm_neutron_ovn_agent_image: openstack-neutron-ovn-agent
        edpm_neutron_sriov_agent_image: openstack-neutron-sriov-agent
        edpm_node_exporter_image: node-exporter
        edpm_ovn_bgp_agent_image: openstack-ovn-bgp-agent
        edpm_podman_exporter_image: prometheus-podman-exporter
        glance_api_image: openstack-glance-api
        heat_api_image: openstack-heat-api
        heat_cfnapi_image: openstack-heat-api-cfn
        heat_engine_image: openstack-heat-engine
        horizon_image: openstack-horizon
        infra_memcached_image: openstack-memcached
        infra_redis_image: openstack-redis
        ironic_api_image: openstack-ironic-api
        ironic_conductor_image: openstack-ironic-conductor
        ironic_inspector_image: openstack-ironic-inspector
        ironic_neutron_agent_image: openstack-ironic-neutron-agent
        ironic_pxe_image: openstack-ironic-pxe
        ironic_python_agent_image: ironic-python-agent
        keystone_api_image: openstack-keystone
        ksm_image: kube-state-metrics
        manila_api_image: openstack-manila-api
        manila_scheduler_image: openstack-manila-scheduler
        manila_share_images: openstack-manila-share
        mariadb_image: openstack-mariadb
        net_utils_image: openstack-netutils
        neutron_api_image: openstack-neutron-server
        neutron_l3_agent_image: openstack-neutron-l3-agent
        neutron_openvswitch_agent_image: openstack-neutron-openvswitch-agent
        nova_api_image: openstack-nova-api
        nova_compute_image: openstack-nova-compute
        nova_conductor_image: openstack-nova-conductor
        nova_novnc_image: openstack-nova-novncproxy
        nova_scheduler_image: openstack-nova-scheduler
        octavia_api_image: openstack-octavia-api
        octavia_healthmanager_image: openstack-octavia-health-manager
        octavia_housekeeping_image: openstack-octavia-housekeeping
        octavia_rsyslog_image: openstack-rsyslog
        octavia_worker_image: openstack-octavia-worker
        openstack_client_image: openstack-openstackclient
        openstack_network_exporter_image: openstack-network-exporter
        os_container_image: edpm-hardened-uefi
        ovn_controller_image: openstack-ovn-controller
        ovn_controller_ovs_image: openstack-ovn-base
        ovn_nb_dbcluster_image: openstack-ovn-nb-db-server
        ovn_northd_image: openstack-ovn-northd
        ovn_sb_dbcluster_image: openstack-ovn-sb-db-server
        placement_api_image: openstack-placement-api
        rabbitmq_image: openstack-rabbitmq
        swift_account_image: openstack-swift-account
        swift_container_image: openstack-swift-container
        swift_object_image: openstack-swift-object
        swift_proxy_image: openstack-swift-proxy-server
        watcher_api_image: openstack-watcher-api
        watcher_applier_image: openstack-watcher-applier
        watcher_decision_engine_image: openstack-watcher-decision-engine
      repository_forms: ['{}-rhel*']

    # -- TripleO (Red Hat OpenStack Platform 16 and 17), tripleo-ansible ---------------------------------------
    tripleo:
      unit: tripleo_{}.service
      labels: {managed_by: tripleo_ansible}
      local_registries: [cluster.common.tag]
      containers:
        aodh_api_cron: aodh-api
        ceilometer_agent_central: ceilometer-central
        ceilometer_agent_notification: ceilometer-notification
        cinder_api_cron: cinder-api
        designate_backend_bind9: designate-backendbind9
        glance_api_cron: glance
        glance_api_internal: glance
        heat_api_cfn: heat-cfnapi
        heat_api_cron: heat-api
        ironic_inspector_dnsmasq: ironic-inspector
        ironic_pxe_http: ironic-pxe
        ironic_pxe_tftp: ironic-pxe
        keystone_cron: keystone
        manila_api_cron: manila-api
        mysql: mariadb
        neutron_metadata_agent: neutron-metadata
        neutron_server_tls_proxy: neutron
        nova_api_cron: nova-api
        nova_manager: nova-conductor
        nova_metadata: nova-api
        nova_migration_target: nova
        nova_vnc_proxy: nova-novnc
        octavia_driver_agent: {type: octavia-driver-agent, image: octavia_api_image}
        octavia_health_manager: octavia-healthmanager
        ovn_cluster_north_db_server: ovn-nb
        ovn_cluster_northd: ovn-northd
        ovn_cluster_south_db_server: ovn-sb
        ovn_north_db_server: ovn-nb
        ovn_south_db_server: ovn-sb
        redis_tls_proxy: redis
        swift_account_server: swift-account
        swift_account_auditor: swift-account
        swift_account_reaper: swift-account
        swift_account_replicator: swift-account
        swift_container_server: swift-container
        swift_container_auditor: swift-container
        swift_container_replicator: swift-container
        swift_container_sharder: swift-container
        swift_container_updater: swift-container
        swift_object_server: swift-object
        swift_object_auditor: swift-object
        swift_object_expirer: {type: swift-object, image: swift_proxy_image}
        swift_object_replicator: swift-object
        swift_object_updater: swift-object
        swift_proxy_tls_proxy: swift-proxy
        swift_recon_cron: swift-object
        swift_rsync: swift-object
        unbound: designate-unbound
      bundles:
        galera-bundle: mariadb
        openstack-cinder-backup: cinder-backup
        openstack-cinder-volume: cinder-volume
        openstack-manila-share: manila-share
        ovn-dbs-bundle: ovn-nb
        rabbitmq-bundle: rabbitmq
        redis-bundle: redis
      once:
        - '*_bootstrap'
        - '*_config'
        - '*_data_ownership'
        - '*_db_sync'
        - '*_ensure_default_cells'
        - '*_fix_perms'
        - '*_init_*'
        - '*_upgrade'
        - '*_upgrade_db'
        - '*_wait_bundle'
        - '*_wait_for_*'
        - barbican_api_create_*
        - barbican_api_*_rfs
        - barbican_api_*_keys
        - barbican_api_rewrap_pkeks
        - barbican_api_secret_store_sync
        - configure_cms_options
        - container-puppet-*
        - create_*
        - designate_pool_manage
        - ironic_inspector_get_ipa
        - neutron_ovs_bridge
        - nova_statedir_owner
        - nova_virtlogd_wrapper
        - set_swift_secret
        - setup_ovs_manager
        - swift_copy_rings
        - swift_setup_srv
      unknown:
        - clustercheck
        - collectd
        - eswitchd
        - etcd
        - haproxy
        - haproxy-bundle
        - haproxy_edge
        - liquidio_compute_service
        - metrics_qdr
        - neutron_mlnx_agent
        - nova_libvirt
        - nova_virtlogd
        - nova_virtnodedevd
        - nova_virtproxyd
        - nova_virtqemud
        - nova_virtsecretd
        - nova_virtstoraged
        - novajoin_notifier
        - novajoin_server
        - openvswitch_dpdk_netcontrold
        - qdrouterd
        - rsyslog
      image_keys:
        ContainerAodhApiImage: aodh_api_image
        ContainerAodhEvaluatorImage: aodh_evaluator_image
        ContainerAodhListenerImage: aodh_listener_image
        ContainerAodhNotifierImage: aodh_notifier_image
        ContainerBarbicanApiImage: barbican_api_image
        ContainerBarbicanKeystoneListenerImage: barbican_keystone_listener_image
        ContainerBarbicanWorkerImage: barbican_worker_image
        ContainerCeilometerCentralImage: ceilometer_central_image
        ContainerCeilometerComputeImage: ceilometer_compute_image
        ContainerCeilometerIpmiImage: ceilometer_ipmi_image
        ContainerCeilometerNotificationImage: ceilometer_notification_image
        ContainerCinderApiImage: cinder_api_image
        ContainerCinderBackupImage: cinder_backup_image
        ContainerCinderSchedulerImage: cinder_scheduler_image
        ContainerCinderVolumeImage: cinder_volume_images
        ContainerCrondImage: edpm_logrotate_crond_image
        ContainerDesignateApiImage: designate_api_image
        ContainerDesignateBackendBIND9Image: designate_backendbind9_image
        ContainerDesignateCentralImage: designate_central_image
        ContainerDesignateMDNSImage: designate_mdns_image
        ContainerDesignateProducerImage: designate_producer_image
        ContainerDesignateSinkImage: designate_sink_image
        ContainerDesignateWorkerImage: designate_worker_image
        ContainerFrrImage: edpm_frr_image
        ContainerGlanceApiImage: glance_api_image
        ContainerGnocchiApiImage: gnocchi_api_image
        ContainerGnocchiMetricdImage: gnocchi_metricd_image
        ContainerGnocchiStatsdImage: gnocchi_statsd_image
        ContainerHeatApiCfnImage: heat_cfnapi_image
        ContainerHeatApiImage: heat_api_image
        ContainerHeatEngineImage: heat_engine_image
        ContainerHorizonImage: horizon_image
        ContainerIronicApiImage: ironic_api_image
        ContainerIronicConductorImage: ironic_conductor_image
        ContainerIronicInspectorImage: ironic_inspector_image
        ContainerIronicNeutronAgentImage: ironic_neutron_agent_image
        ContainerIronicPxeImage: ironic_pxe_image
        ContainerIscsidImage: edpm_iscsid_image
        ContainerKeystoneImage: keystone_api_image
        ContainerManilaApiImage: manila_api_image
        ContainerManilaSchedulerImage: manila_scheduler_image
        ContainerManilaShareImage: manila_share_images
        ContainerMemcachedImage: infra_memcached_image
        ContainerMultipathdImage: edpm_multipathd_image
        ContainerMysqlImage: mariadb_image
        ContainerNeutronApiImage: neutron_api_image
        ContainerNeutronDHCPImage: edpm_neutron_dhcp_agent_image
        ContainerNeutronL3AgentImage: neutron_l3_agent_image
        ContainerNeutronMetadataImage: edpm_neutron_metadata_agent_image
        ContainerNeutronSriovImage: edpm_neutron_sriov_agent_image
        ContainerNovaApiImage: nova_api_image
        ContainerNovaComputeImage: nova_compute_image
        ContainerNovaConductorImage: nova_conductor_image
        ContainerNovaSchedulerImage: nova_scheduler_image
        ContainerNovaVncProxyImage: nova_novnc_image
        ContainerOctaviaApiImage: octavia_api_image
        ContainerOctaviaDriverAgentImage: octavia_driver_agent_image
        ContainerOctaviaHealthManagerImage: octavia_healthmanager_image
        ContainerOctaviaHousekeepingImage: octavia_housekeeping_image
        ContainerOctaviaRsyslogImage: octavia_rsyslog_image
        ContainerOctaviaWorkerImage: octavia_worker_image
        ContainerOpenvswitchImage: neutron_openvswitch_agent_image
        ContainerOvnBgpAgentImage: edpm_ovn_bgp_agent_image
        ContainerOvnControllerImage: ovn_controller_image
        ContainerOvnMetadataImage: edpm_neutron_metadata_agent_image
        ContainerOvnNbDbImage: ovn_nb_dbcluster_image
        ContainerOvnNorthdImage: ovn_northd_image
        ContainerOvnSbDbImage: ovn_sb_dbcluster_image
        ContainerPlacementImage: placement_api_image
        ContainerRabbitmqImage: rabbitmq_image
        ContainerRedisImage: infra_redis_image
        ContainerSwiftAccountImage: swift_account_image
        ContainerSwiftContainerImage: swift_container_image
        ContainerSwiftObjectImage: swift_object_image
        ContainerSwiftProxyImage: swift_proxy_image
        ContainerUnboundImage: designate_unbound_image
      skipped: [Container*ConfigImage]
      repositories:
        <<: *openstack_repositories
        designate_sink_image: openstack-designate-sink
        gnocchi_api_image: openstack-gnocchi-api
        gnocchi_metricd_image: openstack-gnocchi-metricd
        gnocchi_statsd_image: openstack-gnocchi-statsd
        octavia_driver_agent_image: openstack-octavia-driver-agent

    # -- kolla-ansible -----------------------------------------------------------------------------------------
    kolla:
      unit: kolla-{}-container.service
      labels: {kolla_version: '*'}
      containers:
        ceilometer_compute: ceilometer-compute
        ceilometer_ipmi: ceilometer-ipmi
        cloudkitty_processor: cloudkitty-proc
        cron: logrotate-crond
        designate_backend_bind9: designate-backendbind9
        heat_api_cfn: heat-cfnapi
        ironic_tftp: ironic-pxe
        neutron_dhcp_agent: neutron-dhcp
        neutron_metadata_agent: neutron-metadata
        neutron_openvswitch_agent: neutron-openvswitch
        neutron_ovn_agent: neutron-ovn
        neutron_server: neutron
        neutron_ovn_maintenance_worker: neutron
        neutron_ovn_metadata_agent: neutron-metadata
        neutron_periodic_worker: neutron
        neutron_rpc_server: neutron
        nova_metadata: nova-api
        nova_novncproxy: nova-novnc
        nova_super_conductor: nova-conductor
        octavia_health_manager: octavia-healthmanager
        prometheus_mysqld_exporter: ceilometer-mysqld-exporter
        prometheus_node_exporter: node-exporter
        prometheus_openstack_network_exporter: network-exporter
        watcher_engine: watcher-decision-engine
      once: ['bootstrap_*', '*_bootstrap']
      unknown:
        - collectd
        - cyborg_agent
        - etcd
        - fluentd
        - grafana
        - hacluster_corosync
        - hacluster_pacemaker
        - hacluster_pacemaker_remote
        - haproxy
        - haproxy_ssh
        - ironic_dnsmasq
        - ironic_http
        - ironic_prometheus_exporter
        - ironic_pxe_filter
        - keepalived
        - keystone_fernet
        - keystone_httpd
        - keystone_ssh
        - kolla_toolbox
        - letsencrypt_lego
        - letsencrypt_webserver
        - masakari_hostmonitor
        - masakari_instancemonitor
        - neutron_bgp_dragent
        - neutron_eswitchd
        - neutron_infoblox_ipam_agent
        - neutron_metering_agent
        - neutron_mlnx_agent
        - neutron_ovn_vpn_agent
        - nova_compute_ironic
        - nova_libvirt
        - nova_ssh
        - opensearch
        - opensearch_dashboards
        - openvswitch_db
        - openvswitch_vswitchd
        - ovn_sb_db_relay
        - ovsdpdk_db
        - ovsdpdk_vswitchd
        - prometheus_alertmanager
        - prometheus_blackbox_exporter
        - prometheus_cadvisor
        - prometheus_elasticsearch_exporter
        - prometheus_libvirt_exporter
        - prometheus_memcached_exporter
        - prometheus_openstack_exporter
        - prometheus_server
        - prometheus_valkey_exporter
        - proxysql
        - tgtd
        - valkey_sentinel
        - valkey_server
      repositories:
        aodh_api_image: aodh-api
        aodh_evaluator_image: aodh-evaluator
        aodh_listener_image: aodh-listener
        aodh_notifier_image: aodh-notifier
        barbican_api_image: barbican-api
        barbican_keystone_listener_image: barbican-keystone-listener
        barbican_worker_image: barbican-worker
        blazar_api_image: blazar-api
        blazar_manager_image: blazar-manager
        ceilometer_central_image: ceilometer-central
        ceilometer_compute_image: ceilometer-compute
        ceilometer_ipmi_image: ceilometer-ipmi
        ceilometer_mysqld_exporter_image: prometheus-mysqld-exporter
        ceilometer_notification_image: ceilometer-notification
        cinder_api_image: cinder-api
        cinder_backup_image: cinder-backup
        cinder_scheduler_image: cinder-scheduler
        cinder_volume_images: cinder-volume
        cloudkitty_api_image: cloudkitty-api
        cloudkitty_proc_image: cloudkitty-processor
        cyborg_api_image: cyborg-api
        cyborg_conductor_image: cyborg-conductor
        designate_api_image: designate-api
        designate_backendbind9_image: designate-backend-bind9
        designate_central_image: designate-central
        designate_mdns_image: designate-mdns
        designate_producer_image: designate-producer
        designate_sink_image: designate-sink
        designate_worker_image: designate-worker
        edpm_iscsid_image: iscsid
        edpm_logrotate_crond_image: cron
        edpm_multipathd_image: multipathd
        edpm_neutron_dhcp_agent_image: neutron-dhcp-agent
        edpm_neutron_metadata_agent_image: neutron-metadata-agent
        edpm_neutron_ovn_agent_image: neutron-ovn-agent
        edpm_neutron_sriov_agent_image: neutron-sriov-agent
        edpm_node_exporter_image: prometheus-node-exporter
        edpm_openstack_network_exporter_image: prometheus-openstack-network-exporter
        glance_api_image: glance-api
        gnocchi_api_image: gnocchi-api
        gnocchi_metricd_image: gnocchi-metricd
        gnocchi_statsd_image: gnocchi-statsd
        heat_api_image: heat-api
        heat_cfnapi_image: heat-api-cfn
        heat_engine_image: heat-engine
        horizon_image: horizon
        infra_memcached_image: memcached
        infra_redis_image: redis
        ironic_api_image: ironic-api
        ironic_conductor_image: ironic-conductor
        ironic_inspector_image: ironic-inspector
        ironic_neutron_agent_image: ironic-neutron-agent
        ironic_pxe_image: ironic-pxe
        keystone_api_image: keystone
        magnum_api_image: magnum-api
        magnum_conductor_image: magnum-conductor
        manila_api_image: manila-api
        manila_data_image: manila-data
        manila_scheduler_image: manila-scheduler
        manila_share_images: manila-share
        mariadb_image: mariadb-server
        masakari_api_image: masakari-api
        masakari_engine_image: masakari-engine
        mistral_api_image: mistral-api
        mistral_engine_image: mistral-engine
        mistral_event_engine_image: mistral-event-engine
        mistral_executor_image: mistral-executor
        neutron_api_image: neutron-server
        neutron_l3_agent_image: neutron-l3-agent
        neutron_openvswitch_agent_image: neutron-openvswitch-agent
        nova_api_image: nova-api
        nova_compute_image: nova-compute
        nova_conductor_image: nova-conductor
        nova_novnc_image: nova-novncproxy
        nova_scheduler_image: nova-scheduler
        nova_serialproxy_image: nova-serialproxy
        nova_spicehtml5proxy_image: nova-spicehtml5proxy
        octavia_api_image: octavia-api
        octavia_driver_agent_image: octavia-driver-agent
        octavia_healthmanager_image: octavia-health-manager
        octavia_housekeeping_image: octavia-housekeeping
        octavia_worker_image: octavia-worker
        ovn_controller_image: ovn-controller
        ovn_nb_dbcluster_image: ovn-nb-db-server
        ovn_northd_image: ovn-northd
        ovn_sb_dbcluster_image: ovn-sb-db-server
        placement_api_image: placement-api
        rabbitmq_image: rabbitmq
        skyline_apiserver_image: skyline-apiserver
        skyline_console_image: skyline-console
        swift_account_image: swift-account
        swift_container_image: swift-container
        swift_object_image: swift-object
        swift_proxy_image: swift-proxy-server
        tacker_conductor_image: tacker-conductor
        tacker_server_image: tacker-server
        trove_api_image: trove-api
        trove_conductor_image: trove-conductor
        trove_taskmanager_image: trove-taskmanager
        watcher_api_image: watcher-api
        watcher_applier_image: watcher-applier
        watcher_decision_engine_image: watcher-engine
      repository_forms: ['*-source-{}', '*-binary-{}']
