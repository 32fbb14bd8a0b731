"""The frame of the report as HTML, for Jinja2 with autoescape."""

TEXT = """\
{% include "head" %}

</head>
<body>
<a class="skip" href="#verdict">To the verdict</a>
<header id="verdict" class="verdict {{ verdict.tone }}">
  <span class="sign" aria-hidden="true">{{ verdict.sign }}</span>
  <div>
    <h1>{{ verdict.word }} <span class="what">{{ title }}</span></h1>
    <p class="line">{{ verdict.line }}</p>
    {% if run.reason %}
    <p class="why"><strong>{{ run.reason }}</strong>: {{ run.message }}</p>
    <p class="remedy">{{ verdict.remedy }}</p>
    {% elif run.message %}
    <p class="why">{{ run.message }}</p>
    {% endif %}
  </div>
</header>
<nav aria-label="Parts of this report">
  <a href="#stages">Stages</a>
  <a href="#timeline">Timeline</a>
  {% if pauses %}<a href="#pauses">Pauses ({{ pauses | length }})</a>{% endif +%}
  <a href="#failures">Failures ({{ failures | length }})</a>
  <a href="#left">What is left ({{ left | length }})</a>
  <a href="#nodes">Nodes ({{ rows | length }})</a>
  <a href="#versions">Versions</a>
  {% if felt %}<a href="#guests">What the guests felt ({{ felt.gaps | length }} {{ "gap" if felt.gaps | length == 1 else "gaps" }})</a>{% endif +%}
  {% if silences %}<a href="#silences">Silenced alerts ({{ silences | length }})</a>{% endif +%}
  <a href="#people">Who and what was accepted</a>
</nav>
<main>
<section aria-label="The run">
  <dl class="facts">
    {% for name, value in facts %}
    <div><dt>{{ name }}</dt><dd>{{ value }}</dd></div>
    {% endfor %}
  </dl>
</section>

<section id="stages" aria-labelledby="h-stages">
  <h2 id="h-stages">Stages</h2>
  {% if stages %}
  <div class="wide" tabindex="0" role="region" aria-labelledby="h-stages">
  <table>
    <thead><tr><th>Stage</th><th>State</th><th>Nodes</th><th class="n">Took</th><th class="n">Estimated</th><th class="n">Beside it</th>
      <th>Took <span class="key solid"></span> and estimated <span class="key outline"></span></th></tr></thead>
    <tbody>
    {% for one in stages %}
    <tr><th scope="row"><svg class="chip" width="18" height="14" aria-hidden="true"><rect width="18" height="14" rx="2" class="k-{{ one.name }}"/><text x="9" y="11" text-anchor="middle">{{ one.letter }}</text></svg> {{ one.name }}</th>
      <td>{{ one.state or "open" }}</td><td>{{ one.nodes }}</td><td class="n">{{ one.took }}</td>
      <td class="n">{{ one.estimate or "–" }}</td><td class="n">{{ one.beside or "–" }}</td>
      <td><svg width="{{ bars + 4 }}" height="18" aria-hidden="true"><rect x="1" y="2" width="{{ "%.1f" | format([one.bar, 1] | max) }}" height="14" class="k-{{ one.name }}"/>{% if one.expected is not none %}<rect x="1" y="2" width="{{ "%.1f" | format([one.outline, 1] | max) }}" height="14" class="estimate"/>{% endif %}</svg></td></tr>
    {% endfor %}
    </tbody>
  </table>
  </div>
  {% else %}
  <p>No stage was begun.</p>
  {% endif %}
</section>

<section id="timeline" aria-labelledby="h-timeline">
  <h2 id="h-timeline">Timeline</h2>
  {% if rows %}
  <p class="note">Each row is a node, time goes to the right (UTC). The letters say what the colours do{% if drawing.small %}; where rows are small, the stage is the one that stands above. Hold the pointer over a row for its name{% endif %}. Pauses longer than a part of the run are drawn short. The same is in the tables below.</p>
  <ul class="legend">
    {% for kind, letter, called in legend %}
    <li><svg width="22" height="16" aria-hidden="true"><rect width="22" height="16" rx="2" class="k-{{ kind }}"/><text x="11" y="12" text-anchor="middle" class="l-{{ kind }}">{{ letter }}</text></svg> {{ called }}</li>
    {% endfor %}
    {% if windows %}<li><svg width="22" height="16" aria-hidden="true"><rect y="6" width="22" height="4" class="window"/></svg> a window was open, where the line above the stages is</li>{% endif +%}
    {% if pauses %}<li><svg width="22" height="16" aria-hidden="true"><rect width="22" height="16" class="pause"/></svg> the run stood still (P1, …){{ ", its window was closed (W1, …)" if "WINDOW_CLOSED" in run.pauses | map(attribute="reason") }}</li>{% endif +%}
  </ul>
  <div class="wide{{ " tall" if drawing.small }}" tabindex="0" role="region" aria-labelledby="h-timeline">
  {% include "timeline" %}

  </div>
  {% else %}
  <p>No node was touched.</p>
  {% endif %}
</section>

{% if pauses %}
<section id="pauses" aria-labelledby="h-pauses">
  <h2 id="h-pauses">Pauses</h2>
  <table>
    <thead><tr><th>Pause</th><th>From</th><th>To</th><th class="n">For</th><th>Why</th></tr></thead>
    <tbody>
    {% for one in pauses %}
    <tr><th scope="row">{{ one.name }}</th><td class="t">{{ one.from }}</td><td class="t">{{ one.to }}</td><td class="n">{{ one.took or "–" }}</td><td>{{ one.why }}</td></tr>
    {% endfor %}
    </tbody>
  </table>
</section>
{% endif %}

{% if windows %}
<section id="windows" aria-labelledby="h-windows">
  <h2 id="h-windows">Windows in which nodes could start</h2>
  <table>
    <thead><tr><th>From</th><th>To</th><th>Roles</th></tr></thead>
    <tbody>
    {% for since, until, roles in windows %}
    <tr><td class="t">{{ since }}</td><td class="t">{{ until }}</td><td>{{ roles }}</td></tr>
    {% endfor %}
    </tbody>
  </table>
</section>
{% endif %}

<section id="failures" aria-labelledby="h-failures">
  <h2 id="h-failures">Failures</h2>
  {% if failures %}
  <table>
    <thead><tr><th>When</th><th>Node</th><th>Where</th><th>What, and what to do</th><th>Now</th></tr></thead>
    <tbody>
    {% for one in failures %}
    <tr><td class="t">{{ one.at }}</td><td>{{ one.node }}</td><td>{{ one.where }}</td><td>{{ one.outcome }}{% if one.remedy %}<div class="remedy">{{ one.remedy }}</div>{% endif %}</td>
      <td class="{{ "bad" if one.became == "open" else "good" }}">{{ "✖" if one.became == "open" else "✔" }} {{ one.became }}</td></tr>
    {% endfor %}
    </tbody>
  </table>
  {% else %}
  <p>None.</p>
  {% endif %}
  {% if slow %}
  <h3>Far slower than as a rule</h3>
  <table>
    <thead><tr><th>Node</th><th>Step</th><th class="n">Took</th><th class="n">As a rule</th></tr></thead>
    <tbody>
    {% for node, place, took, usual in slow %}
    <tr><td>{{ node }}</td><td>{{ place }}</td><td class="n">{{ took }}</td><td class="n">{{ usual }}</td></tr>
    {% endfor %}
    </tbody>
  </table>
  {% endif %}
</section>

{% if felt %}
<section id="guests" aria-labelledby="h-guests">
  <h2 id="h-guests">What the guests felt</h2>
  {% for line in felt.lines %}
  <p class="note">{{ line }}</p>
  {% endfor %}
  {% if felt.rows %}
  <div class="wide" tabindex="0" role="region" aria-labelledby="h-guests">
  <table>
    <thead><tr>{% for name in felt.head %}<th>{{ name }}</th>{% endfor %}</tr></thead>
    <tbody>
    {% for row in felt.rows %}
    <tr><th scope="row">{{ row[0] }}</th>{% for cell in row[1:] %}<td>{{ cell or "–" }}</td>{% endfor %}</tr>
    {% endfor %}
    </tbody>
  </table>
  </div>
  {% endif %}
  {% if felt.gaps %}
  <h3 id="h-gaps">Gaps, and what they are put down to</h3>
  <div class="wide" tabindex="0" role="region" aria-labelledby="h-gaps">
  <table>
    <thead><tr>{% for name in felt.gaps_head %}<th>{{ name }}</th>{% endfor %}</tr></thead>
    <tbody>
    {% for row in felt.gaps %}
    <tr><th scope="row">{{ row[0] }}</th><td class="t">{{ row[1] }}</td>{% for cell in row[2:] %}<td>{{ cell }}</td>{% endfor %}</tr>
    {% endfor %}
    </tbody>
  </table>
  </div>
  {% else %}
  <p>No gap was seen.</p>
  {% endif %}
</section>
{% endif %}

<section id="left" aria-labelledby="h-left">
  <h2 id="h-left">What is left</h2>
  {% if left %}
  <table>
    <thead><tr><th>What</th><th class="n">Nodes</th><th>Which</th></tr></thead>
    <tbody>
    {% for line, nodes in left %}
    <tr><td>{{ line }}</td><td class="n">{{ nodes | length }}</td><td>{{ nodes | join(", ") }}</td></tr>
    {% endfor %}
    </tbody>
  </table>
  {% else %}
  <p>Nothing: no stale switch, no reboot that is due, no node set aside or left out, as far as nodes were measured.</p>
  {% endif %}
</section>

<section id="nodes" aria-labelledby="h-nodes">
  <h2 id="h-nodes">Nodes</h2>
  {% if rows %}
  <div class="wide" tabindex="0" role="region" aria-labelledby="h-nodes">
  <table class="nodes">
    <thead><tr><th>Node</th><th>Role</th><th>Zone</th><th>State</th><th>Before</th><th>After</th><th>Versions changed</th><th>Began</th><th>Ended</th><th class="n">In steps</th><th>Also</th></tr></thead>
    <tbody>
    {% for one in rows %}
    <tr><th scope="row">{{ one.name }}</th><td class="t">{{ one.role }}</td><td>{{ one.zone or "–" }}</td><td class="t s-{{ one.state }}">{{ one.sign }} {{ one.told }}</td><td>{{ one.before }}</td><td>{{ one.after }}</td><td class="t">{% if one.set %}<a href="#{{ one.set }}">{{ one.set }}</a>: {{ one.changed }}{% else %}–{% endif %}</td><td class="t">{{ one.began or "–" }}</td><td class="t">{{ one.ended or "–" }}</td><td class="n">{{ one.took or "–" }}</td><td>{{ one.extra }}{% if one.why %}{{ "; " if one.extra }}{{ one.why }}{% endif %}</td></tr>
    {% endfor %}
    </tbody>
  </table>
  </div>
  {% else %}
  <p>No node was touched.</p>
  {% endif %}
</section>

<section id="versions" aria-labelledby="h-versions">
  <h2 id="h-versions">Versions before and after</h2>
  {% if not sets %}
  <p>None was written down.</p>
  {% endif %}
  {% for one in sets %}
  <h3 id="{{ one.name }}">{{ one.name }}: {{ named(one.nodes) }}</h3>
  <table class="versions">
    <thead><tr><th>What</th><th>Name</th><th>Before</th><th>After</th><th>Differs</th></tr></thead>
    <tbody>
    {% for kind, subject, have, want, differs in one.rows %}
    <tr{% if not differs %} class="same"{% endif %}><td>{{ kind }}</td><th scope="row">{{ subject }}</th><td>{{ have }}</td><td>{{ want }}</td><td>{{ "changed" if differs else "the same" }}</td></tr>
    {% endfor %}
    </tbody>
  </table>
  {% endfor %}
</section>

{% if silences %}
<section id="silences" aria-labelledby="h-silences">
  <h2 id="h-silences">Alerts that were silenced</h2>
  <table>
    <thead><tr><th>Node</th><th>Alerts</th><th>From</th><th>To</th><th>Silence</th></tr></thead>
    <tbody>
    {% for node, name, since, until, identity in silences %}
    <tr><td>{{ node }}</td><td>{{ name }}</td><td class="t">{{ since }}</td><td class="t">{{ until }}</td><td>{{ identity }}</td></tr>
    {% endfor %}
    </tbody>
  </table>
</section>
{% endif %}

<section id="people" aria-labelledby="h-people">
  <h2 id="h-people">Who, and what was accepted</h2>
  {% if people %}
  <table>
    <thead><tr><th>What</th><th>Who and when</th></tr></thead>
    <tbody>
    {% for what, who in people %}
    <tr><td>{{ what }}</td><td>{{ who }}</td></tr>
    {% endfor %}
    </tbody>
  </table>
  {% else %}
  <p>Nobody was written down.</p>
  {% endif %}
  {% if not run.accepted %}
  <p>Nothing had to be accepted.</p>
  {% endif %}
  {% if conditions %}
  <h3>Seen before the run</h3>
  <table>
    <thead><tr><th>Condition</th><th>Verdict</th><th>What was seen</th></tr></thead>
    <tbody>
    {% for name, verdict, seen in conditions %}
    <tr><th scope="row">{{ name }}</th><td>{{ verdict }}</td><td>{% for line in seen %}<div>{{ line }}</div>{% endfor %}</td></tr>
    {% endfor %}
    </tbody>
  </table>
  {% endif %}
</section>
</main>
<footer>openstack-rollout, run {{ run.id }}. Made {{ made }} from the run's journal; all times are UTC.</footer>
</body>
</html>
"""
