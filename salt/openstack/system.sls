# Every other package: those of the release that this node has, then what is newer of all that no release names.
# Nothing reboots.
{%- from "openstack/macros.jinja" import packages, nothing %}
{%- set node = salt["openstack_node.desired"]("system") %}
{%- if "system" in node.stages %}
{%- set ordinary = dict(node, packages=node.system.packages) %}
{{ packages("system", ordinary, node.system.exclude) }}
{%- if node.system.others %}
system other packages:
  system_packages.upgraded:
    - depth: {{ node.system.depth }}
    - exclude: {{ node.system.exclude | json }}
    - kept: {{ node.system.kept | json }}
    - failhard: True
{%- endif %}
# The last: it takes effect when this job has ended.
system salt-minion:
  minion_package.renewed:
    - packages: {{ node.packages | json }}
    - depth: {{ node.system.depth }}
    - exclude: {{ node.system.kept | json }}
    - others: {{ node.system.others }}
    - failhard: True
{%- else %}
{{ nothing("system") }}
{%- endif %}
