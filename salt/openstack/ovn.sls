# OVN's controller on this node, before everything else. How long a new one keeps the flows that it finds is set before
# one is started, and looked at again by what that took.
{%- from "openstack/macros.jinja" import images, services, datapath, nothing, refused %}
{%- macro wait(what, node, again) %}
{%- set ovn = node.ovn | default({"wait_before_clear": "keep", "back": none}) %}
{%- set asked = ovn.back is not none or ovn.wait_before_clear != "keep" %}
{%- set sized = ovn.back is none and ovn.wait_before_clear == "auto" %}
{%- for service in node.services + node.packaged if service.guard == "ovn_controller" and (sized if again else asked) %}
{{ (what ~ " of " ~ service.name) | json }}:
  ovn_wait.at_setting:
    - wait: {{ ovn.wait_before_clear | json }}
    - container: {{ (service.units[0] if service.own is defined else service.container) | json }}
    - back: {{ ovn.back | json }}
    - again: {{ again | json }}
    - failhard: True
{%- endfor %}
{%- endmacro %}
{%- set node = salt["openstack_node.desired"]("ovn") %}
{%- if node.refused %}
{{ refused("ovn", node) }}
{%- elif "ovn" in node.stages %}
{{ images("ovn", node) }}
{{ wait("ovn wait before clear", node, False) }}
{{ services("ovn", node) }}
{{ wait("ovn wait before clear anew", node, True) }}
{{ datapath("ovn") }}
{%- else %}
{{ nothing("ovn") }}
{%- endif %}
