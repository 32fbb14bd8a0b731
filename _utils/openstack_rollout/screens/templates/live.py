"""The frame of the live page, for Jinja2 with autoescape. What moves is put in by its script, as text."""

TEXT = """\
{% include "head" %}

<link rel="icon" href="data:,">
</head>
<body>
<a class="skip" href="#verdict">To the run</a>
<header class="top">
  <span class="brand">OpenStack rollout</span>
  <span id="link" class="link out" role="status"><span id="link-sign" aria-hidden="true">○</span> <span id="link-text">not connected</span></span>
  <span id="user"></span>
  <button id="logout" type="button" class="quiet" hidden>Log out</button>
</header>
<noscript><p>This page is live by a script: allow scripts here, or use salt-run rollout.watch.</p></noscript>
<main>
<form id="login" class="card" hidden>
  <h1>Log in</h1>
  <p id="login-why" class="note" role="alert"></p>
  <label>User <input id="login-user" name="username" autocomplete="username" required></label>
  <label>Password <input id="login-password" name="password" type="password" autocomplete="current-password" required></label>
  <label{% if backends | length == 1 %} hidden{% endif %}>By <select id="login-eauth">{% for one in backends %}<option>{{ one }}</option>{% endfor %}</select></label>
  <label class="check"><input id="login-keep" type="checkbox" checked> Log in again by itself where Salt’s API is restarted, until this login ends or the page is closed</label>
  <button type="submit" class="main">Log in</button>
</form>
<div id="page" hidden>
<section id="verdict" class="verdict open">
  <span id="sign" class="sign" aria-hidden="true"></span>
  <div class="told">
    <h1><span id="word"></span> <span id="title" class="what"></span></h1>
    <p id="line" class="line"></p>
    <p id="why" class="why"></p>
    <p id="remedy" class="remedy"></p>
    <div class="progress"><progress id="bar" max="1" value="0" aria-label="Stages of nodes that are done"></progress><span id="share" class="n"></span></div>
    <div id="actions" class="actions"></div>
    <p id="notice" class="notice" role="status"></p>
  </div>
</section>
<section id="waits" aria-labelledby="h-waits" hidden>
  <h2 id="h-waits">Why it waits</h2>
  <div id="waits-list"></div>
</section>
<section id="flight" aria-labelledby="h-flight">
  <h2 id="h-flight">In flight</h2>
  <p id="flight-none" class="note">No node is in flight.</p>
  <div class="wide" tabindex="0" role="region" aria-labelledby="h-flight"><table id="flight-table" hidden>
    <thead><tr><th>Node</th><th>Role</th><th>Stage</th><th>Step</th><th class="n">For</th><th>Also</th></tr></thead>
    <tbody id="flight-rows"></tbody>
  </table></div>
  <p id="flight-more" class="note"></p>
</section>
<section id="stages" aria-labelledby="h-stages">
  <h2 id="h-stages">Stages</h2>
  <div class="wide" tabindex="0" role="region" aria-labelledby="h-stages"><table>
    <thead><tr><th>Stage</th><th>State</th><th>Nodes</th><th class="n">Took</th><th class="n more">Estimated</th></tr></thead>
    <tbody id="stage-rows"></tbody>
  </table></div>
</section>
<section id="failures" aria-labelledby="h-failures" hidden>
  <h2 id="h-failures">Failures</h2>
  <div class="wide" tabindex="0" role="region" aria-labelledby="h-failures"><table>
    <thead><tr><th>When</th><th>Node</th><th class="more">Where</th><th>What, and what to do</th><th>Now</th></tr></thead>
    <tbody id="failure-rows"></tbody>
  </table></div>
</section>
<section id="timeline" aria-labelledby="h-timeline" hidden>
  <h2 id="h-timeline">Timeline</h2>
  <p class="note">As of <span id="timeline-at"></span>. Each row is a node, time goes to the right (UTC); the tables tell the same.</p>
  <ul id="legend" class="legend"></ul>
  <div class="wide tall" tabindex="0" role="region" aria-labelledby="h-timeline" id="drawing"></div>
</section>
<section id="nodes" aria-labelledby="h-nodes">
  <h2 id="h-nodes">Nodes</h2>
  <p class="filter"><label for="filter">Show</label> <input id="filter" type="search" placeholder="a name, a role, a state"> <span id="shown" class="note"></span></p>
  <div class="wide tall" tabindex="0" role="region" aria-labelledby="h-nodes"><table class="nodes">
    <thead><tr id="node-heads"></tr></thead>
    <tbody id="node-rows"></tbody>
  </table></div>
</section>
<section id="news" aria-labelledby="h-news">
  <h2 id="h-news">News</h2>
  <ol id="news-rows" class="news"></ol>
</section>
<section id="about" aria-labelledby="h-about">
  <h2 id="h-about">The run</h2>
  <div id="facts" class="facts"></div>
</section>
</div>
</main>
<dialog id="sure" aria-labelledby="sure-what">
  <form method="dialog">
    <h2 id="sure-what"></h2>
    <p id="sure-then"></p>
    <div class="actions"><button id="sure-no" value="no" type="submit">Leave it</button> <button id="sure-yes" value="yes" type="submit" class="danger"></button></div>
  </form>
</dialog>
<footer id="foot">All times are UTC.</footer>
<script>{{ script | safe }}</script>
</body>
</html>
"""
