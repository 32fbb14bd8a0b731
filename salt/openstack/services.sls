# A data plane node's essential packages, then its services in the catalogue's order.
{%- from "openstack/macros.jinja" import images, packages, services, nothing, refused %}
{%- set node = salt["openstack_node.desired"]("services") %}
{%- if node.refused %}
{{ refused("services", node) }}
{%- elif "services" in node.stages %}
{{ images("services", node) }}
{{ packages("services", node, node.exclude) }}
{{ services("services", node) }}
{%- else %}
{{ nothing("services") }}
{%- endif %}
