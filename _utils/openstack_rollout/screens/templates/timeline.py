"""The timeline of the report as SVG, for Jinja2 with autoescape."""

TEXT = """\
{# The timeline; the patterns are drawn beside the colours, so that neither is the only sign. #}
<svg class="timeline{{ " small" if drawing.small }}" viewBox="0 0 {{ drawing.width }} {{ drawing.height }}" role="img" aria-label="Timeline of {{ rows | length }} nodes over time; the tables below tell the same">
<defs>
  {% for name, shape in [
    ("prefetch", '<circle cx="2" cy="2" r="0.9"/>'),
    ("control_plane", '<path d="M0 6L6 0"/>'),
    ("services", '<path d="M0 3H6"/>'),
    ("ovs", '<path d="M0 0L6 6"/>'),
    ("system", '<path d="M3 0V6"/>'),
    ("finish", '<path d="M0 0L6 6M0 6L6 0"/>'),
    ("drain", '<path d="M0 3H6M3 0V6"/>'),
    ("restore", '<path d="M0 6L3 3L6 6"/>'),
    ("ovn", ''), ("reboot", ''), ("failed", ''), ("rests", ''), ("pause", '<path d="M0 6L6 0"/>')] %}
  <pattern id="p-{{ name }}" width="6" height="6" patternUnits="userSpaceOnUse"><rect width="6" height="6" class="c-{{ name }}"/><g class="ink">{{ shape | safe }}</g></pattern>
  {% endfor %}
</defs>
<g transform="translate({{ drawing.labels }} 0)">
{% for bar in drawing.stages %}
<rect class="band{{ " odd" if loop.index is odd }}" x="{{ bar.x }}" y="18" width="{{ bar.width }}" height="{{ drawing.height - 18 }}"/><rect class="k-{{ bar.kind }}" x="{{ bar.x }}" y="{{ bar.y }}" width="{{ bar.width }}" height="{{ bar.height }}"/>{% if bar.width > 9 %}<text class="stage" x="{{ bar.x + bar.width / 2 }}" y="33.5" text-anchor="middle">{{ bar.kind if bar.width > 7.5 * bar.kind | length else bar.letter }}</text>{% endif +%}
{% endfor %}
{% for x, words in drawing.ticks %}
<path class="tick" d="M{{ x }} 14V{{ drawing.height }}"/><text class="time" x="{{ x }}" y="11" text-anchor="middle">{{ words }}</text>
{% endfor %}
{% for x, width in drawing.windows %}
<rect class="window" x="{{ x }}" y="14.5" width="{{ width }}" height="3.5"/>
{% endfor %}
{% for x, width in drawing.pauses %}
<rect class="pause" x="{{ x }}" y="18" width="{{ width }}" height="{{ drawing.height - 18 }}"/><text class="halt" x="{{ x + width / 2 }}" y="33.5" text-anchor="middle">{{ pauses[loop.index0].name }}</text>
{% endfor %}
</g>
{% for group in drawing.groups %}
<text class="role" x="4" y="{{ group.y + 14 }}">{{ group.role }} ({{ group.count }})</text><path class="tick" d="M0 {{ group.y + 19 }}H{{ drawing.width }}"/>
{% for row in group.rows %}
<g><title>{{ row.node }}: {{ row.state }}</title>{% if row.named %}<text class="name" x="{{ drawing.labels - 6 }}" y="{{ row.y + (row.height if row.height > 10 else 10) * 0.68 }}" text-anchor="end">{{ row.node if row.node | length < 25 else row.node[:11] ~ "…" ~ row.node[-12:] }}</text>{% endif %}<g transform="translate({{ drawing.labels }} 0)">{% for bar in row.bars %}<path class="k-{{ bar.kind }}" d="M{{ bar.x }} {{ bar.y }}h{{ bar.width }}v{{ bar.height }}h-{{ bar.width }}z"/>{% if bar.letter %}<text class="l-{{ bar.kind }}" x="{{ (bar.x + bar.width / 2) | round(1) }}" y="{{ (bar.y + bar.height / 2 + 3.5) | round(1) }}" text-anchor="middle">{{ bar.letter }}</text>{% endif %}{% endfor %}</g></g>
{% endfor %}
{% endfor %}
</svg>
"""
