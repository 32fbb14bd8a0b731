{#- A message to a chat, or to whatever takes JSON, of the runs that pause or end.

In the master's configuration:

    rollout_secrets: {driver: env}        # any driver of sdb; with this one, WEBHOOK is in the master's environment
    reactor:
      - openstack/rollout/*/-/-/run: [/srv/openstack-rollout/etc/reactor/webhook.sls]

Salt's own event of the call (salt/run/…/new) has the address in it, for whoever reads all events of the master.
#}
{%- if data['status'] in ('paused', 'incomplete', 'aborted', 'succeeded') %}
{%- set run = 'rollback %s of run %s'|format(data['run'], data['rollback']) if data['rollback'] else 'run ' ~ data['run'] %}
{%- set text = '%s: %s'|format(run, data['state']) %}
{%- if data['reason'] %}
{%- set text = '%s, %s: %s'|format(text, data['reason'], data['message']) %}
{%- elif data['message'] %}
{%- set text = '%s: %s'|format(text, data['message']) %}
{%- endif %}
tell of the run:
  runner.http.query:
    - args:
      - url: {{ salt['sdb.get']('sdb://rollout_secrets/WEBHOOK', strict=True)|yaml_dquote }}
      - method: POST
      - header_dict: {Content-Type: application/json}
      - data: {{ {'text': text}|json|yaml_dquote }}
{%- endif %}
