# Every other package: those of the release that this node has, then what is newer of all that no release names; a node
# whose system is an image gets that instead. Nothing reboots.
{%- from "openstack/macros.jinja" import packages, nothing, refused %}
{%- set node = salt["openstack_node.desired"]("system") %}
{%- if node.refused %}
{{ refused("system", node) }}
{%- elif "system" not in node.stages %}
{{ nothing("system") }}
{%- elif salt["bootc.status"]() %}
{%- if node.system.os_image %}
system image:
  bootc.staged:
    - image: {{ node.system.os_image | json }}
    - failhard: True
{%- else %}
{{ nothing("system") }}
{%- endif %}
{%- else %}
{%- if not node.system.accept %}
system workloads:
  system_packages.undisturbed:
    - disruptive: {{ node.system.disruptive | json }}
    - packages: {{ node.system.packages | json }}
    - depth: {{ (node.system.depth if node.system.others else none) | json }}
    - kept: {{ node.system.kept | json }}
    - exclude: {{ node.system.exclude | json }}
    - failhard: True
{%- endif %}
{#- What services share moves with the first of them, in their stage. #}
{%- set exclude = node.system.exclude + node.system.libraries %}
{%- set ordinary = dict(node, packages=node.system.packages) %}
{{ packages("system", ordinary, exclude) }}
{%- if node.system.others %}
system other packages:
  system_packages.upgraded:
    - depth: {{ node.system.depth | json }}
    - exclude: {{ exclude | json }}
    - kept: {{ node.system.kept | json }}
    - failhard: True
{%- endif %}
{%- if node.system.kpatch %}
system live patches:
  kpatch.patched:
    - exclude: {{ node.system.exclude | json }}
    - failhard: True
{%- endif %}
system services with deleted libraries:
  stale_services.restarted:
    - failhard: True
system reboot:
  reboot_needed.reported
# The last: it takes effect when this job has ended.
system salt-minion:
  minion_package.renewed:
    - packages: {{ node.packages | json }}
    - depth: {{ node.system.depth | json }}
    - exclude: {{ node.system.kept | json }}
    - others: {{ node.system.others | json }}
    - failhard: True
{%- endif %}
