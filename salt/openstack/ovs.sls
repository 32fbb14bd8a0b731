# Open vSwitch's packages, moved without their scripts. The running switch is at most reloaded, where the operator wants it.
{%- from "openstack/macros.jinja" import datapath, nothing, refused %}
{%- set node = salt["openstack_node.desired"]("ovs") %}
{%- if node.refused %}
{{ refused("ovs", node) }}
{%- elif "ovs" in node.stages %}
ovs packages:
  ovs.updated:
    - packages: {{ node.packages | json }}
    - reload: {{ node.ovs.reload | json }}
    - userspace: {{ node.ovs.userspace | json }}
    - failhard: True
{{ datapath("ovs") }}
{%- else %}
{{ nothing("ovs") }}
{%- endif %}
