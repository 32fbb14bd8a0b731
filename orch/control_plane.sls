{% from "orch/asked.jinja" import asked with context %}
# One stage, alone or as a part of orch/update.sls.
control_plane:
  salt.runner:
    - name: rollout.run
    - stage: control_plane
    - failhard: True
    {{ asked() }}
