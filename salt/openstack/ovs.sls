# Open vSwitch's packages, moved without their scripts. The running switch is not touched.
{%- from "openstack/macros.jinja" import datapath, nothing %}
{%- set node = salt["openstack_node.desired"]("ovs") %}
{%- if "ovs" in node.stages %}
ovs packages:
  ovs.updated:
    - packages: {{ node.packages | json }}
    - failhard: True
{{ datapath("ovs") }}
{%- else %}
{{ nothing("ovs") }}
{%- endif %}
