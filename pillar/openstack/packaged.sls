# What the services of the catalogue are called where they are packages (deploy: package). Data only; an operator's
# entry under openstack:services replaces a key.
#
#   packages      globs of the packages that move with the service; what several share moves with the first of them
#   units         its units, without .service
#   health        http: the path at which it answers HTTP, whatever its port
#   agent         what Nova, Neutron or Cinder call its agent, which has to tell of itself again after a restart
#
# Debian's names are those of bookworm's archive, RedHat's those of RDO's spec files (rpm-master), both read on
# 2026-11-29. A service that is missing here has no package of its own there.
openstack:
  service_types:
    rabbitmq:
      packages: {Debian: [rabbitmq-server], RedHat: [rabbitmq-server]}
      units: {Debian: [rabbitmq-server], RedHat: [rabbitmq-server]}
    mariadb:
      packages: {Debian: ['mariadb-server*', 'mariadb-client*', mariadb-common, galera-4],
                 RedHat: ['mariadb-server*', mariadb, mariadb-common, mariadb-errmsg, galera]}
      units: {Debian: [mariadb], RedHat: [mariadb]}
    memcached:
      packages: {Debian: [memcached], RedHat: [memcached]}
      units: {Debian: [memcached], RedHat: [memcached]}
    keystone:
      health: {http: /}
      packages: {Debian: [keystone, python3-keystone], RedHat: [openstack-keystone, python3-keystone]}
      units: {Debian: [keystone], RedHat: [httpd]}
    placement:
      health: {http: /}
      packages: {Debian: [placement-api, placement-common, python3-placement],
                 RedHat: [openstack-placement-api, openstack-placement-common, python3-placement]}
      units: {Debian: [placement-api], RedHat: [httpd]}
    glance:
      health: {http: /}
      packages: {Debian: [glance-api, glance-common, python3-glance], RedHat: [openstack-glance, python3-glance]}
      units: {Debian: [glance-api], RedHat: [openstack-glance-api]}
    cinder-api:
      health: {http: /}
      packages: {Debian: [cinder-api, cinder-common, python3-cinder], RedHat: [openstack-cinder, python3-cinder]}
      units: {Debian: [cinder-api], RedHat: [openstack-cinder-api]}
    cinder-scheduler:
      agent: cinder-scheduler
      packages: {Debian: [cinder-scheduler, cinder-common, python3-cinder],
                 RedHat: [openstack-cinder, python3-cinder]}
      units: {Debian: [cinder-scheduler], RedHat: [openstack-cinder-scheduler]}
    cinder-backup:
      agent: cinder-backup
      packages: {Debian: [cinder-backup, cinder-common, python3-cinder], RedHat: [openstack-cinder, python3-cinder]}
      units: {Debian: [cinder-backup], RedHat: [openstack-cinder-backup]}
    cinder-volume:
      agent: cinder-volume
      packages: {Debian: [cinder-volume, cinder-common, python3-cinder], RedHat: [openstack-cinder, python3-cinder]}
      units: {Debian: [cinder-volume], RedHat: [openstack-cinder-volume]}
    neutron:
      health: {http: /}
      packages: {Debian: [neutron-server, neutron-api, neutron-rpc-server, neutron-common, python3-neutron],
                 RedHat: [openstack-neutron, openstack-neutron-ml2, openstack-neutron-rpc-server,
                          openstack-neutron-common, python3-neutron]}
      units: {Debian: [neutron-api, neutron-rpc-server], RedHat: [neutron-server, neutron-rpc-server]}
    nova-api:
      health: {http: /}
      packages: {Debian: [nova-api, nova-common, python3-nova],
                 RedHat: [openstack-nova-api, openstack-nova-common, python3-nova]}
      units: {Debian: [nova-api, nova-api-metadata],
              RedHat: [openstack-nova-api, openstack-nova-metadata-api, openstack-nova-os-compute-api]}
    nova-conductor:
      agent: nova-conductor
      packages: {Debian: [nova-conductor, nova-common, python3-nova],
                 RedHat: [openstack-nova-conductor, openstack-nova-common, python3-nova]}
      units: {Debian: [nova-conductor], RedHat: [openstack-nova-conductor]}
    nova-scheduler:
      agent: nova-scheduler
      packages: {Debian: [nova-scheduler, nova-common, python3-nova],
                 RedHat: [openstack-nova-scheduler, openstack-nova-common, python3-nova]}
      units: {Debian: [nova-scheduler], RedHat: [openstack-nova-scheduler]}
    nova-novnc:
      packages: {Debian: [nova-consoleproxy, nova-common, python3-nova],
                 RedHat: [openstack-nova-novncproxy, openstack-nova-common, python3-nova]}
      units: {Debian: [nova-novncproxy], RedHat: [openstack-nova-novncproxy]}
    heat-api:
      health: {http: /}
      packages: {Debian: [heat-api, heat-common, python3-heat],
                 RedHat: [openstack-heat-api, openstack-heat-common, python3-heat]}
      units: {Debian: [heat-api], RedHat: [openstack-heat-api]}
    heat-cfnapi:
      health: {http: /}
      packages: {Debian: [heat-api-cfn, heat-common, python3-heat],
                 RedHat: [openstack-heat-api-cfn, openstack-heat-common, python3-heat]}
      units: {Debian: [heat-api-cfn], RedHat: [openstack-heat-api-cfn]}
    heat-engine:
      packages: {Debian: [heat-engine, heat-common, python3-heat],
                 RedHat: [openstack-heat-engine, openstack-heat-common, python3-heat]}
      units: {Debian: [heat-engine], RedHat: [openstack-heat-engine]}
    ironic-api:
      health: {http: /}
      packages: {Debian: [ironic-api, ironic-common, python3-ironic],
                 RedHat: [openstack-ironic-api, openstack-ironic-common, python3-ironic]}
      units: {Debian: [ironic-api], RedHat: [openstack-ironic-api]}
    ironic-conductor:
      packages: {Debian: [ironic-conductor, ironic-common, python3-ironic],
                 RedHat: [openstack-ironic-conductor, openstack-ironic-common, python3-ironic]}
      units: {Debian: [ironic-conductor], RedHat: [openstack-ironic-conductor]}
    ironic-inspector:
      health: {http: /}
      packages: {Debian: [ironic-inspector]}
      units: {Debian: [ironic-inspector]}
    ironic-neutron-agent:
      packages: {Debian: [ironic-neutron-agent]}
      units: {Debian: [ironic-neutron-agent]}
    manila-api:
      health: {http: /}
      packages: {Debian: [manila-api, manila-common, python3-manila], RedHat: [openstack-manila, python3-manila]}
      units: {Debian: [manila-api], RedHat: [openstack-manila-api]}
    manila-scheduler:
      packages: {Debian: [manila-scheduler, manila-common, python3-manila],
                 RedHat: [openstack-manila, python3-manila]}
      units: {Debian: [manila-scheduler], RedHat: [openstack-manila-scheduler]}
    manila-share:
      packages: {Debian: [manila-share, manila-common, python3-manila],
                 RedHat: [openstack-manila-share, openstack-manila, python3-manila]}
      units: {Debian: [manila-share], RedHat: [openstack-manila-share]}
    ceilometer-central:
      packages: {Debian: [ceilometer-agent-central, ceilometer-common, python3-ceilometer],
                 RedHat: [openstack-ceilometer-central, openstack-ceilometer-common, python3-ceilometer]}
      units: {Debian: [ceilometer-agent-central], RedHat: [openstack-ceilometer-central]}
    ceilometer-notification:
      packages: {Debian: [ceilometer-agent-notification, ceilometer-common, python3-ceilometer],
                 RedHat: [openstack-ceilometer-notification, openstack-ceilometer-common, python3-ceilometer]}
      units: {Debian: [ceilometer-agent-notification], RedHat: [openstack-ceilometer-notification]}
    aodh-api:
      health: {http: /}
      packages: {Debian: [aodh-api, aodh-common, python3-aodh],
                 RedHat: [openstack-aodh-api, openstack-aodh-common, python3-aodh]}
      units: {Debian: [aodh-api], RedHat: [openstack-aodh-api]}
    aodh-evaluator:
      packages: {Debian: [aodh-evaluator, aodh-common, python3-aodh],
                 RedHat: [openstack-aodh-evaluator, openstack-aodh-common, python3-aodh]}
      units: {Debian: [aodh-evaluator], RedHat: [openstack-aodh-evaluator]}
    aodh-listener:
      packages: {Debian: [aodh-listener, aodh-common, python3-aodh],
                 RedHat: [openstack-aodh-listener, openstack-aodh-common, python3-aodh]}
      units: {Debian: [aodh-listener], RedHat: [openstack-aodh-listener]}
    aodh-notifier:
      packages: {Debian: [aodh-notifier, aodh-common, python3-aodh],
                 RedHat: [openstack-aodh-notifier, openstack-aodh-common, python3-aodh]}
      units: {Debian: [aodh-notifier], RedHat: [openstack-aodh-notifier]}
    cloudkitty-api:
      health: {http: /}
      packages: {Debian: [cloudkitty-api, cloudkitty-common, python3-cloudkitty]}
      units: {Debian: [cloudkitty-api]}
    cloudkitty-proc:
      packages: {Debian: [cloudkitty-processor, cloudkitty-common, python3-cloudkitty]}
      units: {Debian: [cloudkitty-processor]}
    barbican-api:
      health: {http: /}
      packages: {Debian: [barbican-api, barbican-common, python3-barbican],
                 RedHat: [openstack-barbican-api, openstack-barbican-common, python3-barbican]}
      units: {Debian: [barbican-api], RedHat: [openstack-barbican-api]}
    barbican-keystone-listener:
      packages: {Debian: [barbican-keystone-listener, barbican-common, python3-barbican],
                 RedHat: [openstack-barbican-keystone-listener, openstack-barbican-common, python3-barbican]}
      units: {Debian: [barbican-keystone-listener], RedHat: [openstack-barbican-keystone-listener]}
    barbican-worker:
      packages: {Debian: [barbican-worker, barbican-common, python3-barbican],
                 RedHat: [openstack-barbican-worker, openstack-barbican-common, python3-barbican]}
      units: {Debian: [barbican-worker], RedHat: [openstack-barbican-worker]}
    redis:
      packages: {Debian: [redis-server, redis-tools], RedHat: [redis]}
      units: {Debian: [redis-server], RedHat: [redis]}
    octavia-api:
      health: {http: /}
      packages: {Debian: [octavia-api, octavia-common, python3-octavia],
                 RedHat: [openstack-octavia-api, openstack-octavia-common, python3-octavia]}
      units: {Debian: [octavia-api], RedHat: [octavia-api]}
    octavia-healthmanager:
      packages: {Debian: [octavia-health-manager, octavia-common, python3-octavia],
                 RedHat: [openstack-octavia-health-manager, openstack-octavia-common, python3-octavia]}
      units: {Debian: [octavia-health-manager], RedHat: [octavia-health-manager]}
    octavia-housekeeping:
      packages: {Debian: [octavia-housekeeping, octavia-common, python3-octavia],
                 RedHat: [openstack-octavia-housekeeping, openstack-octavia-common, python3-octavia]}
      units: {Debian: [octavia-housekeeping], RedHat: [octavia-housekeeping]}
    octavia-worker:
      packages: {Debian: [octavia-worker, octavia-common, python3-octavia],
                 RedHat: [openstack-octavia-worker, openstack-octavia-common, python3-octavia]}
      units: {Debian: [octavia-worker], RedHat: [octavia-worker]}
    designate-api:
      health: {http: /}
      packages: {Debian: [designate-api, designate-common, python3-designate],
                 RedHat: [openstack-designate-api, openstack-designate-common, python3-designate]}
      units: {Debian: [designate-api], RedHat: [designate-api]}
    designate-central:
      packages: {Debian: [designate-central, designate-common, python3-designate],
                 RedHat: [openstack-designate-central, openstack-designate-common, python3-designate]}
      units: {Debian: [designate-central], RedHat: [designate-central]}
    designate-mdns:
      packages: {Debian: [designate-mdns, designate-common, python3-designate],
                 RedHat: [openstack-designate-mdns, openstack-designate-common, python3-designate]}
      units: {Debian: [designate-mdns], RedHat: [designate-mdns]}
    designate-producer:
      packages: {Debian: [designate-producer, designate-common, python3-designate],
                 RedHat: [openstack-designate-producer, openstack-designate-common, python3-designate]}
      units: {Debian: [designate-producer], RedHat: [designate-producer]}
    designate-worker:
      packages: {Debian: [designate-worker, designate-common, python3-designate],
                 RedHat: [openstack-designate-worker, openstack-designate-common, python3-designate]}
      units: {Debian: [designate-worker], RedHat: [designate-worker]}
    swift-proxy:
      health: {http: /}
      packages: {Debian: [swift-proxy, swift, python3-swift]}
      units: {Debian: [swift-proxy]}
    watcher-api:
      health: {http: /}
      packages: {Debian: [watcher-api, watcher-common, python3-watcher]}
      units: {Debian: [watcher-api]}
    watcher-applier:
      packages: {Debian: [watcher-applier, watcher-common, python3-watcher]}
      units: {Debian: [watcher-applier]}
    watcher-decision-engine:
      packages: {Debian: [watcher-decision-engine, watcher-common, python3-watcher]}
      units: {Debian: [watcher-decision-engine]}
    octavia-driver-agent:
      packages: {Debian: [octavia-driver-agent, octavia-common, python3-octavia],
                 RedHat: [openstack-octavia-driver-agent, openstack-octavia-common, python3-octavia]}
      units: {Debian: [octavia-driver-agent], RedHat: [octavia-driver-agent]}
    designate-sink:
      packages: {Debian: [designate-sink, designate-common, python3-designate],
                 RedHat: [openstack-designate-sink, openstack-designate-common, python3-designate]}
      units: {Debian: [designate-sink], RedHat: [designate-sink]}
    manila-data:
      packages: {Debian: [manila-data, manila-common, python3-manila], RedHat: [openstack-manila, python3-manila]}
      units: {Debian: [manila-data], RedHat: [openstack-manila-data]}
    nova-serialproxy:
      packages: {Debian: [nova-consoleproxy, nova-common, python3-nova],
                 RedHat: [openstack-nova-serialproxy, openstack-nova-common, python3-nova]}
      units: {Debian: [nova-serialproxy], RedHat: [openstack-nova-serialproxy]}
    nova-spicehtml5proxy:
      packages: {Debian: [nova-consoleproxy, nova-common, python3-nova],
                 RedHat: [openstack-nova-spicehtml5proxy, openstack-nova-common, python3-nova]}
      units: {Debian: [nova-spicehtml5proxy], RedHat: [openstack-nova-spicehtml5proxy]}
    gnocchi-api:
      health: {http: /}
      packages: {Debian: [gnocchi-api, gnocchi-common, python3-gnocchi]}
      units: {Debian: [gnocchi-api]}
    gnocchi-metricd:
      packages: {Debian: [gnocchi-metricd, gnocchi-common, python3-gnocchi]}
      units: {Debian: [gnocchi-metricd]}
    gnocchi-statsd:
      packages: {Debian: [gnocchi-statsd, gnocchi-common, python3-gnocchi]}
      units: {Debian: [gnocchi-statsd]}
    magnum-api:
      health: {http: /}
      packages: {Debian: [magnum-api, magnum-common, python3-magnum]}
      units: {Debian: [magnum-api]}
    magnum-conductor:
      packages: {Debian: [magnum-conductor, magnum-common, python3-magnum]}
      units: {Debian: [magnum-conductor]}
    trove-api:
      health: {http: /}
      packages: {Debian: [trove-api, trove-common, python3-trove]}
      units: {Debian: [trove-api]}
    trove-conductor:
      packages: {Debian: [trove-conductor, trove-common, python3-trove]}
      units: {Debian: [trove-conductor]}
    trove-taskmanager:
      packages: {Debian: [trove-taskmanager, trove-common, python3-trove]}
      units: {Debian: [trove-taskmanager]}
    mistral-api:
      health: {http: /}
      packages: {Debian: [mistral-api, mistral-common, python3-mistral]}
      units: {Debian: [mistral-api]}
    mistral-engine:
      packages: {Debian: [mistral-engine, mistral-common, python3-mistral]}
      units: {Debian: [mistral-engine]}
    mistral-event-engine:
      packages: {Debian: [mistral-event-engine, mistral-common, python3-mistral]}
      units: {Debian: [mistral-event-engine]}
    mistral-executor:
      packages: {Debian: [mistral-executor, mistral-common, python3-mistral]}
      units: {Debian: [mistral-executor]}
    masakari-api:
      health: {http: /}
      packages: {Debian: [masakari-api, masakari-common, python3-masakari]}
      units: {Debian: [masakari-api]}
    masakari-engine:
      packages: {Debian: [masakari-engine, masakari-common, python3-masakari]}
      units: {Debian: [masakari-engine]}
    neutron-metadata:
      packages: {Debian: [neutron-ovn-metadata-agent, neutron-common, python3-neutron],
                 RedHat: [openstack-neutron-ovn-metadata-agent, openstack-neutron-common, python3-neutron]}
      units: {Debian: [neutron-ovn-metadata-agent], RedHat: [neutron-ovn-metadata-agent]}
    neutron-ovn:
      packages: {RedHat: [openstack-neutron-ovn-agent, openstack-neutron-common, python3-neutron]}
      units: {RedHat: [neutron-ovn-agent]}
    neutron-openvswitch:
      agent: neutron-openvswitch-agent
      packages: {Debian: [neutron-openvswitch-agent, neutron-common, python3-neutron],
                 RedHat: [openstack-neutron-openvswitch, openstack-neutron-common, python3-neutron]}
      units: {Debian: [neutron-openvswitch-agent], RedHat: [neutron-openvswitch-agent]}
    neutron-l3:
      agent: neutron-l3-agent
      packages: {Debian: [neutron-l3-agent, neutron-common, python3-neutron],
                 RedHat: [openstack-neutron, openstack-neutron-common, python3-neutron]}
      units: {Debian: [neutron-l3-agent], RedHat: [neutron-l3-agent]}
    nova:
      agent: nova-compute
      packages: {Debian: ['nova-compute*', nova-common, python3-nova],
                 RedHat: [openstack-nova-compute, openstack-nova-common, python3-nova]}
      units: {Debian: [nova-compute], RedHat: [openstack-nova-compute]}
    neutron-sriov:
      agent: neutron-sriov-nic-agent
      packages: {Debian: [neutron-sriov-agent, neutron-common, python3-neutron],
                 RedHat: [openstack-neutron-sriov-nic-agent, openstack-neutron-common, python3-neutron]}
      units: {Debian: [neutron-sriov-agent], RedHat: [neutron-sriov-nic-agent]}
    neutron-dhcp:
      agent: neutron-dhcp-agent
      packages: {Debian: [neutron-dhcp-agent, neutron-common, python3-neutron],
                 RedHat: [openstack-neutron, openstack-neutron-common, python3-neutron]}
      units: {Debian: [neutron-dhcp-agent], RedHat: [neutron-dhcp-agent]}
    ceilometer-compute:
      packages: {Debian: [ceilometer-agent-compute, ceilometer-common, python3-ceilometer],
                 RedHat: [openstack-ceilometer-compute, openstack-ceilometer-common, python3-ceilometer]}
      units: {Debian: [ceilometer-agent-compute], RedHat: [openstack-ceilometer-compute]}
    ceilometer-ipmi:
      packages: {Debian: [ceilometer-agent-ipmi, ceilometer-common, python3-ceilometer],
                 RedHat: [openstack-ceilometer-ipmi, openstack-ceilometer-common, python3-ceilometer]}
      units: {Debian: [ceilometer-agent-ipmi], RedHat: [openstack-ceilometer-ipmi]}
