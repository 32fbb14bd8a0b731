# What is declared is compiled for the master alone (its own id ends with _master); each node gets only its share
# of it, by ext_pillar (etc/master). Look at it by
# salt 'cmp1' pillar.get openstack_node unmask=True
# From weakest to strongest: what comes later wins. Globs, so that a new release is a new file and nothing else.
base:
  '*_master':
    - openstack.services
    - openstack.packaged
    - openstack.deployers
    # Known traps, asked before services move: openstack/checks.sls. The images have to have the programs that it names.
    # - openstack.checks
    - openstack.releases*
    - openstack
