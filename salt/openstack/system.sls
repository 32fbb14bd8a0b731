# Every other package of the release that this node has. Nothing reboots.
{%- from "openstack/macros.jinja" import packages, nothing %}
{%- set node = salt["openstack_node.desired"]("system") %}
{%- if "system" in node.stages %}
{{ packages("system", node, node.system_exclude) }}
{%- else %}
{{ nothing("system") }}
{%- endif %}
