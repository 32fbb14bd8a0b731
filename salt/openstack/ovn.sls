# OVN's controller on this node, before everything else.
{%- from "openstack/macros.jinja" import images, containers, nothing %}
{%- set node = salt["openstack_node.desired"]("ovn") %}
{%- if "ovn" in node.stages %}
{{ images("ovn", node) }}
{{ containers("ovn", node) }}
{%- else %}
{{ nothing("ovn") }}
{%- endif %}
