{% from "orch/asked.jinja" import asked with context %}
# One stage, alone or as a part of orch/update.sls.
services:
  salt.runner:
    - name: rollout.run
    - stage: services
    - failhard: True
    {{ asked() }}
