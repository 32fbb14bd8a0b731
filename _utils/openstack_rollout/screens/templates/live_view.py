"""The script of the live page, third part: what is shown, and what a user does. All that comes from elsewhere
is put in as text; the page's policy lets no script make markup.
"""

TEXT = r"""
const $ = (id) => document.getElementById(id);
const MOST_SHOWN = 40;  // rows of nodes in flight
const COUNTED = { done: "done", skipped: "skipped", in_flight: "in flight", failed: "failed", quarantined: "set aside", waiting: "waiting" };
const SVG = "http://www.w3.org/2000/svg";

// An element with attributes and children; a string is a text.
function el(name, attributes = {}, ...children) {
  const one = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "onclick") one.addEventListener("click", value);
    else if (value !== null && value !== false) one.setAttribute(key, value === true ? "" : value);
  }
  one.append(...children.filter((child) => child !== null));
  return one;
}

function svg(name, attributes, ...children) {
  const one = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) one.setAttribute(key, value);
  one.append(...children);
  return one;
}

function put(id, text) { if ($(id).textContent !== text) $(id).textContent = text; }

function many(count) { return count === 1 ? "1 node" : `${count.toLocaleString("en")} nodes`; }

class View {
  constructor(api, model) {
    Object.assign(this, { api, model, rows: new Map(), heads: "", all: true, due: false, at: 0, trying: 0 });
    setInterval(() => this.tick(), 1000);
    $("login").addEventListener("submit", (event) => { event.preventDefault(); this.enter(); });
    $("logout").addEventListener("click", () => this.leave());
    $("filter").addEventListener("input", () => this.filter());
  }

  start() {
    this.link = new Link(this.api, this.model, this);
    if (!this.api.login) { this.login(""); return; }
    $("login").hidden = true;
    $("logout").hidden = false;
    put("user", this.api.login.user);
    put("link-text", "connecting");
    this.link.run();
  }

  login(why) {
    $("login").hidden = false;
    $("logout").hidden = true;
    put("user", "");
    put("login-why", why);
    this.lost("not logged in");
    $("link").className = "link out";
    $(($("login-user").value) ? "login-password" : "login-user").focus();
  }

  async enter() {
    const button = $("login").querySelector("button");
    button.disabled = true;
    put("login-why", "");
    try {
      await this.api.enter($("login-user").value, $("login-password").value, $("login-eauth").value, $("login-keep").checked);
      $("login-password").value = "";
      this.start();
    } catch (error) {
      put("login-why", error instanceof Ended ? error.message : `No answer of Salt’s API: ${error.message}`);
    } finally { button.disabled = false; }
  }

  async leave() {
    this.link.stop();
    $("page").hidden = true;
    this.model.told({ form: GIVEN.form, now: this.model.now(), run: null });
    try { await this.api.leave(); } catch { this.api.forget(); }
    this.at = 0;
    this.login("");
  }

  // Something came from the master.
  news(all = false) {
    this.at = this.model.now();
    this.trying = 0;
    this.all ||= all;
    if (this.due) return;
    this.due = true;
    requestAnimationFrame(() => { this.due = false; this.draw(); });
  }

  lost(why, seconds = 0) {
    this.trying = seconds ? Date.now() + seconds * 1000 : 0;
    document.body.classList.add("stale");
    $("link").className = "link lost";
    put("link-sign", "○");
    this.why = why;
    this.tick();
  }

  notice(text) { put("notice", text); }

  tick() {
    if (document.body.classList.contains("stale")) {
      const last = this.at ? `, last news ${clock(this.at)}` : "";
      const left = Math.ceil((this.trying - Date.now()) / 1000);
      const again = !this.trying ? "" : left > 0 ? `, trying again in ${left} s` : ", trying again";
      put("link-text", `${this.why}${last}${again}`);
    }
    const now = this.model.now();
    for (const one of document.querySelectorAll("[data-since]")) {
      const text = took(now - Number(one.dataset.since));
      if (one.textContent !== text) one.textContent = text;
    }
  }

  draw() {
    const { model } = this;
    document.body.classList.remove("stale");
    $("link").className = "link";
    put("link-sign", "●");
    put("link-text", `live, last news ${clock(this.at)}`);
    $("login").hidden = true;
    $("page").hidden = false;
    for (const id of ["stages", "nodes", "about"]) $(id).hidden = !model.run;
    if (!model.run) { this.nothing(); return; }
    this.verdict();
    this.waits();
    this.flight();
    this.stages();
    this.nodes();
    this.told();
    if (this.all) this.rest();
    this.all = false;
    this.tick();
  }

  nothing() {
    $("verdict").className = "verdict open";
    for (const [id, text] of [["sign", "–"], ["word", "No run yet"], ["title", ""], ["line", "This page shows a run as soon as one begins."], ["why", ""], ["remedy", ""], ["share", ""]]) put(id, text);
    for (const id of ["flight", "failures", "timeline", "waits", "news"]) $(id).hidden = true;
    $("actions").replaceChildren();
    $("actions").dataset.key = "";
  }

  verdict() {
    const { run, nodes, state } = this.model;
    const [sign, word, tone] = GIVEN.verdicts[run.state] || ["?", run.state, "open"];
    const counts = {};
    for (const node of nodes.values()) counts[node.state] = (counts[node.state] || 0) + 1;
    // Before its end, a node that is done is so with one stage: the bar tells how far all are.
    const over = ["completed", "completed_with_open_ends", "incomplete"].includes(run.state);
    const quiet = over ? [] : ["done", "skipped", "waiting"];
    const told = Object.entries(COUNTED).filter(([key]) => counts[key] && !quiet.includes(key)).map(([key, called]) => `${counts[key].toLocaleString("en")} ${called}`);
    const asked = run.asked ? ` (${run.asked} was asked for)` : "";
    $("verdict").className = `verdict ${tone}`;
    put("sign", sign);
    put("word", word + asked);
    put("title", masked(run.title));
    put("line", [`${many(nodes.size)}${told.length ? ": " : ""}${told.join(", ")}`, this.left()].filter(Boolean).join(" · "));
    put("why", run.state === "running" ? "" : reasoned(run.reason, run.message));
    put("remedy", run.state === "running" || !run.reason || run.reason !== this.reason() ? "" : state.run.remedy);
    let done = 0, all = 0;
    for (const stage of run.order) { const [some, of] = this.model.share(stage); done += some; all += of; }
    const part = all ? done / all : 0;
    $("bar").value = part;
    put("share", `${Math.floor(part * 100)} %`);
    document.title = `${Math.floor(part * 100)} % ${word}: ${run.title}`;
    this.actions();
  }

  // The reason that the last state told a remedy for.
  reason() { return this.remedied; }

  left() {
    const { run } = this.model, { estimate } = run;
    if (run.state !== "running" || !estimate) return "";
    const seconds = estimate.end - this.model.now();
    if (seconds <= 0) return "longer than estimated";
    return `about ${took(seconds)} left, until ${moment(estimate.end, this.model.now())}${estimate.assumed ? ", partly assumed" : ""}`;
  }

  actions() {
    const { run } = this.model;
    const wanted = [];
    const waits = ["paused", "interrupted"].includes(run.state);
    if (run.state === "running" && run.asked !== "pause") wanted.push(["pause", "Pause", "main", null]);
    if (waits) wanted.push(["resume", "Go on", "main", ["Go on with this run?", "Nodes start again as planned.", "Go on"]]);
    if (run.state === "running" || waits) wanted.push(["abort", "End the run", "danger", ["End this run for good?", "It starts nothing more, and cannot go on. Nodes keep what was done to them.", "End the run"]]);
    const may = wanted.filter(([verb]) => this.api.may(verb));
    const key = may.map(([verb]) => verb).join();
    if ($("actions").dataset.key === key) return;
    $("actions").dataset.key = key;
    $("actions").replaceChildren(...may.map(([verb, called, look, sure]) => this.button(verb, called, look, {}, sure)));
  }

  // A press is meant for the run that is shown then: the master refuses it where that is over.
  button(verb, called, look, kwarg, sure) {
    return el("button", { type: "button", class: look, "data-verb": verb, onclick: async (event) => {
      const meant = { run: this.model.run.id, ...kwarg };
      if (sure && !(await this.sure(...sure))) return;
      event.target.disabled = true;
      await this.link.act(verb, meant);
      event.target.disabled = false;
    } }, called);
  }

  sure(what, then, yes) {
    put("sure-what", what);
    put("sure-then", then);
    put("sure-yes", yes);
    const dialog = $("sure");
    dialog.returnValue = "no";
    dialog.showModal();
    return new Promise((answer) => dialog.addEventListener("close", () => answer(dialog.returnValue === "yes"), { once: true }));
  }

  waits() {
    const { model } = this, asked = model.run.state === "running" || model.run.state === "interrupted" ? model.state.questions : [];
    const others = model.waits.filter((one) => one.reason !== "CONFIRMATION");
    $("waits").hidden = !asked.length && !others.length;
    const key = JSON.stringify([asked, others]);
    if (this.waited === key) return;
    this.waited = key;
    const since = (at) => [", for ", el("span", { "data-since": at }, took(model.now() - at))];
    const leave = (node) => this.button("skip", `Leave out ${node}`, "", { node }, [`Leave ${node} out of this run?`, "It is not touched in this run any more; the run ends as incomplete.", "Leave it out"]);
    $("waits-list").replaceChildren(
      ...asked.map((one) => el("div", { class: "wait" },
        el("p", {}, "Waits for a yes", ...since(one.since)),
        el("pre", { class: "question" }, masked(one.text)),
        el("div", { class: "actions" },
          this.api.may("confirm") ? this.button("confirm", "Yes, go on", "main", { question: one.id }, null) : null,
          ...(this.api.may("skip") && one.nodes.length < 5 ? one.nodes.map(leave) : [])))),
      ...others.map((one) => el("div", { class: "wait" }, el("p", {}, reasoned(one.reason, one.message), ...since(one.at)))));
  }

  flight() {
    const flying = [...this.model.nodes].filter(([, node]) => node.state === "in_flight").sort(([, one], [, other]) => one.began - other.began);
    $("flight-none").hidden = flying.length > 0;
    $("flight").hidden = !flying.length && this.model.run.state !== "running";
    $("flight-table").hidden = !flying.length;
    put("h-flight", flying.length ? `In flight (${flying.length})` : "In flight");
    const rows = $("flight-rows");
    const shown = flying.slice(0, MOST_SHOWN);
    while (rows.children.length > shown.length) rows.lastChild.remove();
    while (rows.children.length < shown.length) rows.append(el("tr", {}, el("th", { scope: "row" }), el("td"), el("td"), el("td"), el("td", { class: "n" }), el("td")));
    shown.forEach(([name, node], index) => {
      const cells = rows.children[index].children, round = node.round ? ` (${node.round})` : "";
      [name, node.role, node.stage + round, node.step].forEach((text, at) => { if (cells[at].textContent !== text) cells[at].textContent = text; });
      cells[4].dataset.since = node.began ?? node.at;
      cells[4].textContent = took(this.model.now() - (node.began ?? node.at));
      const also = [node.slow ? "slower than as a rule" : "", reasoned(node.reason, node.message)].filter(Boolean).join("; ");
      if (cells[5].textContent !== also) cells[5].textContent = also;
    });
    put("flight-more", flying.length > shown.length ? `and ${flying.length - shown.length} more` : "");
  }

  stages() {
    const { model } = this, rows = $("stage-rows");
    const known = new Map(model.state.stages.map((one) => [one.name, one]));
    const names = model.run.order;
    if (rows.dataset.names !== names.join()) {
      rows.dataset.names = names.join();
      rows.replaceChildren(...names.map((name) => el("tr", {},
        el("th", { scope: "row" }, this.chip(name), ` ${name.replace("_", " ")}`), el("td"),
        el("td", {}, el("progress", { max: 1, value: 0, "aria-label": `Nodes done with ${name}` }), el("span", { class: "n" })),
        el("td", { class: "n" }), el("td", { class: "n more" }))));
    }
    names.forEach((name, index) => {
      const one = known.get(name), cells = rows.children[index].children, [done, all] = model.share(name);
      const going = one && one.state === "running" && one.started;
      const texts = [one ? one.state || "open" : "open", null, one && !going ? one.took : "", one ? one.estimate || "–" : "–"];
      if (going) cells[3].dataset.since = one.started + (one.paused || 0); else delete cells[3].dataset.since;
      texts.forEach((text, at) => { if (text !== null && !(at === 2 && going) && cells[at + 1].textContent !== text) cells[at + 1].textContent = text; });
      cells[2].firstChild.value = all ? done / all : 0;
      cells[2].firstChild.hidden = !all;
      const told = all ? [done, all].map((count) => count.toLocaleString("en")).join(" of ") : "–";
      if (cells[2].lastChild.textContent !== told) cells[2].lastChild.textContent = told;
    });
  }

  chip(kind) {
    return svg("svg", { class: "chip", width: 18, height: 14, "aria-hidden": "true" }, svg("rect", { width: 18, height: 14, rx: 2, class: `c-${kind}` }),
      svg("text", { x: 9, y: 11, "text-anchor": "middle", class: `l-${kind}` }, GIVEN.letters[kind] || ""));
  }

  nodes() {
    const { model } = this, names = model.run.order;
    if (this.heads !== names.join()) {
      this.heads = names.join();
      this.rows.clear();
      $("node-rows").replaceChildren();
      $("node-heads").replaceChildren(...["Node", "Role", "Zone", "State", ...names.map((name) => name.replace("_", " ")), "Why"].map((name) => el("th", { scope: "col" }, name)));
      model.changed = new Set(model.nodes.keys());
    }
    if (this.all && this.rows.size && [...this.rows.keys()].some((name) => !model.nodes.has(name))) {
      this.rows.clear();
      $("node-rows").replaceChildren();
      model.changed = new Set(model.nodes.keys());
    }
    const fresh = [];
    for (const name of model.changed) {
      let row = this.rows.get(name);
      if (!row) {
        row = el("tr", {}, el("th", { scope: "row" }, name));
        for (let at = 0; at < names.length + 4; at += 1) row.append(el("td"));
        this.rows.set(name, row);
        fresh.push(row);
      }
      this.row(row.children, model.nodes.get(name), names);
    }
    model.changed.clear();
    if (fresh.length) { $("node-rows").append(...fresh); this.filter(); }
    put("h-nodes", `Nodes (${model.nodes.size.toLocaleString("en")})`);
  }

  row(cells, node, names) {
    const set = (cell, text, look) => { if (cell.textContent !== text) cell.textContent = text; if (cell.className !== look) cell.className = look; };
    set(cells[1], node.role, "t");
    set(cells[2], node.zone || "–", "");
    set(cells[3], `${GIVEN.signs[node.state] || ""} ${COUNTED[node.state] || node.state}`, `t s-${node.state}`);
    names.forEach((name, at) => {
      const here = node.state === "in_flight" && node.stage === name, cell = node.cells[name];
      if (here) set(cells[4 + at], `▶ ${node.step}`, "t s-in_flight");
      else set(cells[4 + at], cell ? `${GIVEN.signs[cell] || ""} ${cell}` : "", `t s-${cell || "none"}`);
    });
    set(cells[4 + names.length], reasoned(node.reason, node.message), "");
  }

  filter() {
    const wanted = $("filter").value.trim().toLowerCase();
    let shown = 0;
    for (const [name, row] of this.rows) {
      const node = this.model.nodes.get(name);
      const seen = !wanted || [name, node.role, node.zone || "", COUNTED[node.state] || ""].some((text) => text.toLowerCase().includes(wanted));
      row.hidden = !seen;
      shown += seen;
    }
    put("shown", wanted ? `${shown.toLocaleString("en")} of ${many(this.rows.size)}` : "");
  }

  told() {
    const first = this.model.news[0];
    $("news").hidden = !first;
    if (this.newest === first) return;
    this.newest = first;
    $("news-rows").replaceChildren(...this.model.news.map((one) => el("li", one.bad ? { class: "bad" } : {}, el("time", {}, clock(one.at)), one.line)));
  }

  // What changes only with a whole state: failures, facts, the timeline.
  rest() {
    const { state, run, failures } = this.model;
    this.remedied = run.reason;
    put("remedy", run.state === "running" ? "" : run.remedy);
    $("failures").hidden = !failures.length;
    const leave = (one) => this.api.may("skip") && one.became === "open" && ["running", "paused", "interrupted"].includes(run.state)
      ? this.button("skip", "Leave out", "small", { node: one.node }, [`Leave ${one.node} out of this run?`, "It is not touched in this run any more; the run ends as incomplete.", "Leave it out"]) : null;
    $("failure-rows").replaceChildren(...failures.map((one) => el("tr", {}, el("td", { class: "t" }, one.at.slice(11, 19)), el("td", {}, one.node), el("td", { class: "more" }, one.where),
      el("td", {}, masked(one.outcome), one.remedy ? el("div", { class: "remedy" }, one.remedy) : null),
      el("td", { class: one.became === "open" ? "bad" : "good" }, `${one.became === "open" ? "✖" : "✔"} ${one.became} `, leave(one)))));
    $("facts").replaceChildren(...state.facts.map(([name, value]) => el("dl", {}, el("dt", {}, name), el("dd", {}, masked(value)))));
    put("foot", `openstack-rollout, run ${run.id}. All times are UTC.`);
    if (state.timeline) this.timeline(state.timeline);
    $("timeline").hidden = !state.timeline || !state.timeline.kinds.length;
  }

  timeline(drawn) {
    put("timeline-at", clock(this.model.now()));
    $("legend").replaceChildren(...drawn.kinds.map((kind) => el("li", {}, this.chip(kind), ` ${kind.replace("_", " ")}`)));
    const { width, height, labels } = drawn;
    const at = svg("g", { transform: `translate(${labels} 0)` });
    for (const [kind, x, y, wide, high, letter] of drawn.stages) {
      at.append(svg("rect", { class: `c-${kind}`, x, y, width: wide, height: high }));
      const fits = wide > 7.5 * kind.length;
      if (wide > 9) at.append(svg("text", { class: "stage", x: x + wide / 2, y: 33.5, "text-anchor": "middle" }, fits ? kind.replace("_", " ") : letter));
    }
    for (const [x, words] of drawn.ticks) at.prepend(svg("path", { class: "tick", d: `M${x} 14V${height}` }), svg("text", { class: "time", x, y: 11, "text-anchor": "middle" }, words));
    for (const [x, wide] of drawn.pauses) at.append(svg("rect", { class: "c-pause", x, y: 18, width: wide, height: height - 18 }));
    const rows = [];
    for (const group of drawn.groups) {
      rows.push(svg("text", { class: "role", x: 4, y: group.y + 14 }, `${group.role} (${group.count})`));
      for (const row of group.rows) {
        const name = row.node.length < 25 ? row.node : `${row.node.slice(0, 11)}…${row.node.slice(-12)}`;
        if (row.named) rows.push(svg("text", { class: "name", x: labels - 6, y: row.y + Math.max(row.height, 10) * 0.68, "text-anchor": "end" }, name));
        for (const [kind, x, y, wide, high, letter] of row.bars) {
          at.append(svg("path", { class: `c-${kind}`, d: `M${x} ${y}h${wide}v${high}h-${wide}z` }));
          if (letter) at.append(svg("text", { class: `l-${kind}`, x: x + wide / 2, y: y + high / 2 + 3.5, "text-anchor": "middle" }, letter));
        }
      }
    }
    $("drawing").replaceChildren(svg("svg", { class: drawn.small ? "timeline small" : "timeline", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": "Timeline of nodes over time; the tables tell the same" }, at, ...rows));
  }
}

// Another page that shows this one in a frame could have it clicked unseen.
if (window.top === window.self) new View(new Api(), new Model()).start();
"""
