# Known traps of updates, asked on every node whose service is about to move, whatever the release: each is a function
# of the node that only reads, and each line that it returns refuses the update (RELEASE_CHECK) before anything is
# touched. Data only. pillar/top.sls assigns it where it is wanted; the operator's page replaces the list as a whole
# (openstack:checks), and a release adds its own (checks).
#
# Asked without being named here: that ovn-match-northd-version is off, without which ovn-controller waits for northd
# with its flows as they were (SET_BY_OPERATOR).
openstack:
  checks:
    # A newer RabbitMQ does not start while a flag that is stable is off.
    - {service: rabbitmq, call: rabbitmq_cluster.stable_flags}
    # Cells that are mapped, services no older than the next release speaks with, placement's version.
    - {service: nova-conductor, call: openstack_status.upgrade_check, arguments: {program: nova-status}}
    # Incomplete consumers, missing root providers.
    - {service: placement, call: openstack_status.upgrade_check, arguments: {program: placement-status}}
    - {service: cinder-api, call: openstack_status.upgrade_check, arguments: {program: cinder-status}}
    - {service: neutron, call: openstack_status.upgrade_check, arguments: {program: neutron-status}}
