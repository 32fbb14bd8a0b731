{% from "orch/asked.jinja" import asked with context %}
# The order of an update, and nothing else: what happens in a stage is the rollout runner's affair.
include:
  - orch.ovn
  - orch.control_plane
  - orch.services
  - orch.ovs
  - orch.system

begin:
  salt.runner:
    - name: rollout.begin
    - failhard: True
    {{ asked() }}

finish:
  salt.runner:
    - name: rollout.finish
    - failhard: True
    - require:
      - salt: system

extend:
  ovn:
    salt:
      - require:
        - salt: begin
  control_plane:
    salt:
      - require:
        - salt: ovn
  services:
    salt:
      - require:
        - salt: control_plane
  ovs:
    salt:
      - require:
        - salt: services
  system:
    salt:
      - require:
        - salt: ovs
