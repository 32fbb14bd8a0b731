# The order of a rollback, and nothing else: the states of the update, gone through backwards.
# pillar='{run: …, limit: …, stages: …, accept: …}'; each may lack. A null is no answer to what was left out.
include:
  - orch.system
  - orch.ovs
  - orch.services
  - orch.control_plane
  - orch.ovn

begin:
  salt.runner:
    - name: rollout.begin_rollback
    - pillar_keys: {{ pillar | list | json }}
{%- for key, argument in {"run": "run_id", "limit": "limit", "stages": "stages", "accept": "accept"}.items() if key in pillar %}
    - {{ argument }}: {{ ("" if pillar[key] is none else pillar[key]) | json }}
{%- endfor %}
    - failhard: True

finish:
  salt.runner:
    - name: rollout.finish
    - failhard: True
    - require:
      - salt: ovn

extend:
  system:
    salt:
      - require:
        - salt: begin
  ovs:
    salt:
      - require:
        - salt: system
  services:
    salt:
      - require:
        - salt: ovs
  control_plane:
    salt:
      - require:
        - salt: services
  ovn:
    salt:
      - require:
        - salt: control_plane
