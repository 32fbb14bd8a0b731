# All that the stages will need, fetched beforehand: images and package files, also those by which a service that is
# packages could go back; and the proof that containers could be started. Nothing that runs is touched.
# A run of some stages alone says which: patching the system needs no image.
{%- from "openstack/macros.jinja" import nothing, refused %}
{%- set node = salt["openstack_node.desired"]() %}
{%- if node.refused %}
{{ refused("prefetch", node) }}
{%- else %}
{%- set asked = pillar.get("openstack_rollout", {}).get("stages", node.stages) %}
{%- set images = node.services | selectattr("stage", "in", asked) | selectattr("here") | map(attribute="image") | unique | list %}
{%- set stages = node.stages | select("in", asked) | select("in", node.packages) | list %}
{%- for image in images %}
{{ ("prefetch image " ~ image) | json }}:
  container.image_present:
    - image: {{ image | json }}
    - failhard: True
{%- endfor %}
{%- for service in node.services if service.stage in asked and service.here %}
{{ ("prefetch proof of " ~ service.container) | json }}:
  container.startable:
    - container: {{ service.container | json }}
    - image: {{ service.image | json }}
    - quadlet: {{ service.quadlet | json }}
    - health: {{ service.health | json }}
    - config_files: {{ service.config_files | sort | json }}
    - legacy_units: {{ service.legacy_units | json }}
    - definition: {{ service.definition | json }}
    - failhard: True
{%- endfor %}
{%- set packaged = node.packaged | selectattr("stage", "in", asked) | rejectattr("moved_with") | list %}
{%- set moving = {} %}
{%- set sets = [] %}
{%- for service in packaged %}
{%- set newest = service.newest and salt["packaged_service.newer"](service.libraries, service.newest.depth, service.newest.kept) or {} %}
{%- do moving.update({service.name: dict(newest, **service.packages)}) %}
{%- do sets.append({"packages": moving[service.name], "stage": service.stage}) %}
{%- endfor %}
{%- for stage in stages %}
{%- do sets.append({"packages": node.packages[stage], "stage": stage}) %}
{%- endfor %}
{%- if sets %}
prefetch packages:
  package_set.downloaded:
    - sets: {{ sets | json }}
    - failhard: True
{%- endif %}
{%- for service in packaged %}
{{ ("prefetch the way back of service " ~ service.name) | json }}:
  packaged_service.kept:
    - name: {{ service.name | json }}
    - packages: {{ moving[service.name] | json }}
    - exclude: {{ node.held_back | json }}
    - failhard: True
{%- endfor %}
{%- set others = "system" in asked and "system" in node.stages and node.system.others and not salt["bootc.status"]() %}
{%- if others %}
prefetch what is newer of the system:
  system_packages.downloaded:
    - depth: {{ node.system.depth | json }}
    - kept: {{ node.system.kept | json }}
    - failhard: True
{%- endif %}
{%- set rendered = namespace(paths=[]) %}
{%- for service in node.services if service.stage in asked and service.config == "rerender" %}
{%- set rendered.paths = rendered.paths + (service.config_files | sort) %}
{%- endfor %}
{%- set run = pillar.get("openstack_rollout", {}).get("run") %}
{%- set touched = pillar.get("openstack_rollout", {}).get("moved", false) %}
{%- set moved = namespace(packages={}) %}
{%- for service in packaged %}
{%- set moved.packages = dict(moved.packages, **moving[service.name]) %}
{%- endfor %}
{%- set next = {} %}
{%- for service in node.services if service.stage in asked and service.here %}
{%- do next.update({service.container: service.image}) %}
{%- endfor %}
{#- A rollback needs what the run that it undoes has kept. #}
{%- set keeps = run and not (node.rollback | default({})) %}
{%- if keeps and next %}
prefetch the former images of the run:
  way_back.images_held:
    - name: {{ run | json }}
    - moving: {{ next | json }}
    - wanted: {{ (node.containers if node.last in asked else []) | json }}
{%- endif %}
{%- if keeps and not salt["bootc.status"]() %}
prefetch the way back of the run:
  way_back.kept:
    - name: {{ run | json }}
    - stages: {{ dict(node.packages | dictsort | selectattr("0", "in", stages)) | json }}
    - also: {{ moved.packages | json }}
    - depth: {{ (node.system.depth if others else none) | json }}
    - kept: {{ (node.system.kept if others else []) | json }}
    - exclude: {{ node.held_back | json }}
    - files: {{ rendered.paths | json }}
    - touched: {{ touched | json }}
{%- endif %}
{%- if not images and not stages and not others and not packaged and not run %}
{{ nothing("prefetch") }}
{%- endif %}
{%- endif %}
