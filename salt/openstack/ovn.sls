# OVN's controller on this node, before everything else.
{%- from "openstack/macros.jinja" import images, containers, datapath, nothing, refused %}
{%- set node = salt["openstack_node.desired"]("ovn") %}
{%- if node.refused %}
{{ refused("ovn", node) }}
{%- elif "ovn" in node.stages %}
{{ images("ovn", node) }}
{{ containers("ovn", node) }}
{{ datapath("ovn") }}
{%- else %}
{{ nothing("ovn") }}
{%- endif %}
