# A data plane node's essential packages, then its services in the catalogue's order.
{%- from "openstack/macros.jinja" import images, packages, containers, nothing %}
{%- set node = salt["openstack_node.desired"]("services") %}
{%- if "services" in node.stages %}
{{ images("services", node) }}
{{ packages("services", node, node.exclude) }}
{{ containers("services", node) }}
{%- else %}
{{ nothing("services") }}
{%- endif %}
