# A controller's essential packages, then its services in the catalogue's order.
{%- from "openstack/macros.jinja" import images, packages, services, nothing, refused %}
{%- set node = salt["openstack_node.desired"]("control_plane") %}
{%- if node.refused %}
{{ refused("control_plane", node) }}
{%- elif "control_plane" in node.stages %}
{{ images("control_plane", node) }}
{{ packages("control_plane", node, node.exclude) }}
{{ services("control_plane", node) }}
{%- else %}
{{ nothing("control_plane") }}
{%- endif %}
