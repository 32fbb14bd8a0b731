{% from "orch/asked.jinja" import asked with context %}
# One stage, alone or as a part of orch/update.sls.
system:
  salt.runner:
    - name: rollout.run
    - stage: system
    - failhard: True
    {{ asked() }}
