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
#   skipped           its image keys that no release here has
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
        - openstack_must_gather_image
        - test_ansibletest_image
        - test_horizontest_image
        - test_tempest_image
        - test_tobiko_image

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
