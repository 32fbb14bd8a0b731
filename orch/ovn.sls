{% from "orch/asked.jinja" import asked with context %}
# One stage, alone or as a part of orch/update.sls.
ovn:
  salt.runner:
    - name: rollout.run
    - stage: ovn
    - failhard: True
    {{ asked() }}
