"""The script of the live page, first part: what is known of a run, and what its events change of that."""

TEXT = r"""
const RUN = "-";
const LAST = new Set(["prefetch", "verify", "restore"]);
const MOST_NEWS = 60;
const SECRETS = GIVEN.secrets.map(([found, by]) => [new RegExp(found, "gi"), by.replace(/\\(\d)/g, "$$$1")]);

// What looks like a secret in a message is not shown, as in every report.
function masked(text) {
  return SECRETS.reduce((told, [found, by]) => told.replace(found, by), String(text ?? ""));
}

function clock(at) { return new Date(at * 1000).toISOString().slice(11, 19); }

// A time to the minute, with its day where that is not today.
function moment(at, now) {
  const [one, today] = [at, now].map((time) => new Date(time * 1000).toISOString());
  return one.slice(0, 10) === today.slice(0, 10) ? one.slice(11, 16) : `${one.slice(5, 10)} ${one.slice(11, 16)}`;
}

function took(seconds) {
  const all = Math.max(0, Math.round(seconds)), hours = Math.floor(all / 3600), minutes = Math.floor(all / 60) % 60;
  if (hours >= 48) return `${Math.floor(hours / 24)} d ${hours % 24} h`;
  if (hours) return `${hours} h ${minutes} min`;
  return minutes ? `${minutes} min ${all % 60} s` : `${all} s`;
}

function reasoned(reason, message) { return masked([reason, message].filter(Boolean).join(": ")); }

// A run as far as it is known: a state as rollout.live tells it, and all events since.
class Model {
  constructor() {
    this.state = null;
    this.nodes = new Map();
    this.failures = [];
    this.waits = [];
    this.news = [];
    this.newest = 0;
    this.ahead = 0;
    this.changed = new Set();
  }

  get run() { return this.state && this.state.run; }

  // Seconds since the epoch by the master's clock.
  now() { return Date.now() / 1000 + this.ahead; }

  // Take in a state. One that came with nodes replaces all that events told before.
  told(state) {
    const before = this.run, another = !before || !state.run || before.id !== state.run.id;
    this.ahead = state.now - Date.now() / 1000;
    this.state = state;
    if (another) { this.waits = []; this.news = []; this.nodes = new Map(); this.failures = []; this.newest = 0; }
    if (state.nodes) {
      this.nodes = new Map(Object.entries(state.nodes));
      this.failures = state.failures;
      this.newest = state.newest;
      this.changed = new Set(this.nodes.keys());
    }
    if (state.run && state.run.state !== "running") this.waits = [];
  }

  // Whether a summary tells of something that no event told.
  missed(summary) {
    if (!this.run || !summary.run || summary.run.id !== this.run.id) return Boolean(summary.run || this.run);
    if (summary.newest > this.newest) return true;
    if (summary.newest < this.newest) return false;
    const counts = {};
    for (const node of this.nodes.values()) {
      const state = node.state === "quarantined" ? "failed" : node.state;
      counts[state] = (counts[state] || 0) + 1;
    }
    return Object.entries(summary.counts).some(([state, count]) => counts[state] !== count);
  }

  // Take in an event. Returns what has to be asked of the master because of it: "whole", "summary" or "".
  take(event) {
    if (!this.run || event.run !== this.run.id) return event.step === "run" ? "whole" : "";
    const asks = event.node === RUN ? this.takeRun(event) : this.takeNode(event);
    return asks;
  }

  takeNode(event) {
    const node = this.nodes.get(event.node) || { at: 0, cells: {}, state: "waiting" };
    if (event.at < node.at) return "";
    this.nodes.set(event.node, node);
    this.changed.add(event.node);
    this.newest = Math.max(this.newest, event.at);
    Object.assign(node, { at: event.at, role: event.role, zone: event.zone, stage: event.stage, round: event.round });
    const wrong = { reason: event.reason, message: event.message };
    this.tell(event, `${event.stage}: ${event.node}: ${event.step} ${event.status}`);
    switch (event.status) {
      case "started":
        Object.assign(node, { state: "in_flight", step: event.step, began: event.at, slow: 0, reason: "", message: "" });
        this.waits = this.waits.filter((one) => one.nodes.length && !one.nodes.includes(event.node));
        break;
      case "succeeded":
        Object.assign(node, { step: event.step, slow: 0, reason: "", message: "" });
        if (LAST.has(event.step)) { node.state = "done"; node.cells[event.stage] = "done"; node.began = null; }
        break;
      case "skipped":
        Object.assign(node, { state: "skipped", step: "", began: null, reason: "", message: "" });
        if (node.cells[event.stage] !== "done") node.cells[event.stage] = "skipped";
        break;
      case "failed":
      case "quarantined":
        Object.assign(node, { state: event.status, step: event.step, began: null, ...wrong });
        node.cells[event.stage] = "failed";
        return "whole";
      case "slow":
        Object.assign(node, { slow: 1, ...wrong });
        break;
      default:
        Object.assign(node, wrong);
    }
    return "";
  }

  takeRun(event) {
    const run = this.run;
    if (event.at < run.latest) return "";
    if (event.step === "gate") {
      const same = (one) => one.reason === event.reason && one.message === event.message;
      if (!this.waits.some(same)) this.waits.push({ reason: event.reason, message: event.message, nodes: event.nodes, at: event.at });
      this.tell(event, `${event.stage}: waits`);
      return event.reason === "CONFIRMATION" ? "summary" : "";
    }
    Object.assign(run, { state: event.state, reason: event.reason, message: event.message });
    if (event.step === "plan") {
      this.tell({ ...event, reason: "" , message: event.changes.join("; ") }, `${event.stage}: the plan changed`);
      return "";
    }
    this.waits = [];
    if (event.step === "stage") {
      if (event.estimate) run.estimate = event.estimate;
      let stage = this.state.stages.find((one) => one.name === event.stage);
      if (!stage) this.state.stages.push(stage = { name: event.stage, took: "", estimate: "", paused: 0 });
      // The end of a prefetch has no event of its own.
      for (const other of this.state.stages) if (other.state === "running" && other !== stage) Object.assign(other, { state: "done", finished: event.at });
      if (event.status === "started") Object.assign(stage, { state: "running", started: event.at, finished: null });
      else Object.assign(stage, { state: "done", finished: event.at });
      this.tell(event, `${event.stage}: ${event.status}`);
      return "whole";
    }
    this.tell(event, `run ${run.id}: ${event.state}`);
    return "whole";
  }

  tell(event, line) {
    const said = reasoned(event.reason, event.message);
    this.news.unshift({ at: event.at, line: said ? `${line}: ${said}` : line, bad: Boolean(event.reason) });
    this.news.length = Math.min(this.news.length, MOST_NEWS);
  }

  // Of how many nodes a stage takes, how many are done with it: [done, all].
  share(stage) {
    let done = 0;
    for (const node of this.nodes.values()) {
      const here = node.state === "in_flight" && node.stage === stage;
      if (!here && (node.cells[stage] === "done" || node.cells[stage] === "skipped")) done += 1;
    }
    return [done, Math.max(done, this.state.planned[stage] || 0)];
  }
}
"""
