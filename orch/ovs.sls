{% from "orch/asked.jinja" import asked with context %}
# One stage, alone or as a part of orch/update.sls.
ovs:
  salt.runner:
    - name: rollout.run
    - stage: ovs
    - failhard: True
    {{ asked() }}
