# OVN's controller on this node, before everything else.
{%- from "openstack/macros.jinja" import images, services, datapath, nothing, refused %}
{%- set node = salt["openstack_node.desired"]("ovn") %}
{%- if node.refused %}
{{ refused("ovn", node) }}
{%- elif "ovn" in node.stages %}
{{ images("ovn", node) }}
{{ services("ovn", node) }}
{{ datapath("ovn") }}
{%- else %}
{{ nothing("ovn") }}
{%- endif %}
