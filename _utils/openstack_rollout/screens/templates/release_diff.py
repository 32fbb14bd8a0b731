"""The frame of two releases compared as HTML, for Jinja2 with autoescape."""

TEXT = """\
{% include "head" %}

</head>
<body>
<header class="verdict">
  <div>
    <h1>{{ title }}</h1>
    <p class="line">{{ line }}</p>
  </div>
</header>
<nav aria-label="Parts of this comparison">
  {% for part in parts %}
  <a href="#part{{ loop.index }}">{{ part.title }} ({{ part.rows | length }})</a>
  {% endfor %}
</nav>
<main>
{% for part in parts %}
<section id="part{{ loop.index }}" aria-labelledby="h{{ loop.index }}">
  <h2 id="h{{ loop.index }}">{{ part.title }}</h2>
  <div class="wide" tabindex="0" role="region" aria-labelledby="h{{ loop.index }}">
  <table>
    <thead><tr>{% for name in part.head %}<th>{{ name | capitalize }}</th>{% endfor %}</tr></thead>
    <tbody>
    {% for row in part.rows %}
      <tr>{% for cell in row %}<td>{{ cell }}</td>{% endfor %}</tr>
    {% endfor %}
    </tbody>
  </table>
  </div>
</section>
{% endfor %}
</main>
<footer><p>Made {{ made }} from the pillar's releases and what registries say of their images.</p></footer>
</body>
</html>
"""
