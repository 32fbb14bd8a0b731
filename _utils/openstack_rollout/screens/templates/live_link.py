"""The script of the live page, second part: its login, Salt's API, and the stream of events.

There are no cookies: the token goes with each request as a header, so that no other page can act for a user.
"""

TEXT = r"""
const QUIET = 20000;          // ms between two questions whether all is well
const ANSWERS_WITHIN = 30000; // ms
const WORKS_WITHIN = 120000;
const SPEAKS_WITHIN = 60000;  // the stream says something each 15 s, if only that it lives
const LONGEST_WAIT = 30;      // s between two tries to connect
const REDRAW = 60000;         // ms between two timelines, at least
const BASE = location.pathname.replace(/\/+$/, "").replace(/[^/]*$/, "");
const STORED = "openstack-rollout-login";

class Ended extends Error {}
class Refused extends Error {}

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

// Salt's API, for one login.
class Api {
  constructor() {
    this.login = null;
    this.password = null;  // in the memory of this page alone, where the user wants that
    try { this.login = JSON.parse(sessionStorage.getItem(STORED)); } catch { this.login = null; }
  }

  async enter(username, password, eauth, keep) {
    const answer = await this.post("login", { username, password, eauth }, ANSWERS_WITHIN);
    if (answer.status === 401) throw new Ended("Salt does not take this user and password.");
    if (!answer.ok) throw new Error(`Salt’s API answers with ${answer.status}`);
    const [login] = (await answer.json()).return;
    this.login = { token: login.token, expire: login.expire, user: login.user, eauth, perms: [].concat(login.perms) };
    this.password = keep ? password : null;
    sessionStorage.setItem(STORED, JSON.stringify(this.login));
  }

  // Log in again where the API has forgotten a login that has not ended; false where that cannot be.
  async again() {
    const { login, password } = this;
    if (!login || password === null || Date.now() / 1000 >= login.expire) return false;
    const ends = login.expire;
    await this.enter(login.user, password, login.eauth, true);
    this.login.expire = Math.min(ends, this.login.expire);
    return true;
  }

  forget() {
    this.login = this.password = null;
    sessionStorage.removeItem(STORED);
  }

  async leave() {
    try { await this.post("logout", {}, ANSWERS_WITHIN); } finally { this.forget(); }
  }

  // Whether the permissions of this login name a verb, as Salt reads them: a pattern that a name begins with.
  // It is the master that refuses; this is for the eyes.
  may(verb) {
    const named = (conditions, name) => [].concat(conditions).some((one) => {
      const pattern = typeof one === "string" ? one : Object.keys(one)[0];
      try { return new RegExp(`^(?:${pattern})`).test(name); } catch { return false; }
    });
    return Boolean(this.login) && this.login.perms.some((one) => {
      if (typeof one === "string") return ["@rollout", "@runner", "@runners"].includes(one);
      const [[kind, conditions]] = Object.entries(one);
      if (kind === "@rollout") return named(conditions, verb);
      return (kind === "@runner" || kind === "@runners") && named(conditions, `rollout.${verb}`);
    });
  }

  post(path, body, within) {
    return fetch(BASE + path, {
      method: "POST", credentials: "omit", cache: "no-store", redirect: "error",
      signal: AbortSignal.timeout(within), headers: this.headers({ "Content-Type": "application/json" }), body: JSON.stringify(body),
    });
  }

  headers(more) {
    return { Accept: "application/json", ...more, ...(this.login ? { "X-Auth-Token": this.login.token } : {}) };
  }

  async runner(client, verb, kwarg, within) {
    const full = client === "runner" ? { full_return: true } : {};
    const answer = await this.post("", [{ client, fun: `rollout.${verb}`, kwarg, ...full }], within);
    if (answer.status === 401) throw new Ended("");
    if (!answer.ok) throw new Error(`Salt’s API answers with ${answer.status}`);
    const [told] = (await answer.json()).return;
    if (client !== "runner") return told;
    const data = told.data || told;
    if (data.success === false) throw new Refused(said(data.return));
    return data.return;
  }

  async state(parts) {
    const told = await this.runner("runner", "live", { parts: parts.join(",") || [] }, WORKS_WITHIN);
    if (!told || typeof told !== "object" || told.form !== GIVEN.form) throw new Refused(typeof told === "string" ? told : "this page is of another version than the master’s: have it written anew (rollout.page), and load it again");
    return told;
  }

  // The master's events, as they come, until the stream ends: block(tag, text of the data).
  async events(signal, opened, block) {
    const answer = await fetch(`${BASE}events`, { credentials: "omit", cache: "no-store", signal, headers: this.headers({ Accept: "text/event-stream" }) });
    if (answer.status === 401) throw new Ended("");
    if (!answer.ok) throw new Error(`Salt’s API answers with ${answer.status}`);
    opened();
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "", tag = "", heard = Date.now();
    const silent = setInterval(() => { if (Date.now() - heard > SPEAKS_WITHIN) reader.cancel(); }, SPEAKS_WITHIN / 4);
    try {
      for (;;) {
        const { value, done } = await reader.read();
        if (done) throw new Error("the stream of events ended");
        heard = Date.now();
        const lines = (rest + value).split("\n");
        rest = lines.pop();
        for (const line of lines) {
          if (line.startsWith("tag: ")) tag = line.slice(5);
          else if (line.startsWith("data: ")) block(tag, line);
        }
      }
    } finally { clearInterval(silent); }
  }
}

// What a runner function said: the one line of a refusal.
function said(value) {
  if (typeof value === "string") return masked(value.trim().split("\n").at(-1));
  return masked(value && value.Error ? value.Error : "refused");
}

// Keeps a model true by the events, and tells a view of it.
class Link {
  constructor(api, model, view) {
    Object.assign(this, { api, model, view, jobs: new Set(), asked: new Map(), drawn: 0, generation: 0 });
  }

  // Connect, and connect again whenever that is lost, until the login ends.
  async run() {
    const mine = ++this.generation;
    let wait = 1, renewed = false, seen = false;
    while (mine === this.generation && this.api.login) {
      try {
        await this.connected(() => { wait = 1; renewed = false; seen = true; });
      } catch (error) {
        if (mine !== this.generation) return;
        if (error instanceof Ended) {
          if (seen && !renewed) {
            try { if (await this.api.again()) { renewed = true; continue; } } catch (other) { if (!(other instanceof Ended)) error = other; }
          }
          if (error instanceof Ended) {
            this.api.forget();
            this.view.login(seen ? "Your login has ended. Log in again." : "This login has ended, or may not see updates (rollout.live).");
            return;
          }
        }
        if (mine !== this.generation) return;
        const seconds = Math.round(wait * (0.75 + Math.random() / 2) * 10) / 10;
        this.view.lost(error instanceof Refused ? `not connected: ${error.message}` : "not connected", seconds);
        await pause(seconds * 1000);
        wait = Math.min(wait * 2, LONGEST_WAIT);
      }
    }
  }

  stop() { this.generation += 1; if (this.abort) this.abort.abort(); }

  async connected(well) {
    this.abort = new AbortController();
    let waiting = [];
    const block = (tag, line) => {
      const ours = tag.startsWith("openstack/rollout/");
      if (!ours && !this.jobs.has(tag)) return;
      const event = JSON.parse(line.slice(6));
      if (!ours) this.ended(tag, event.data);
      else if (waiting) waiting.push(event.data);
      else this.take(event.data);
    };
    try {
      let stream;
      await new Promise((opened, failed) => {
        stream = this.api.events(this.abort.signal, opened, block);
        stream.catch(failed);
        setTimeout(() => failed(new Error("no stream of events")), ANSWERS_WITHIN);
      });
      stream.catch(() => {});
      await this.whole();
      for (const event of waiting) this.take(event);
      waiting = null;
      well();
      await Promise.race([stream, this.watched()]);
    } finally {
      this.abort.abort();
      for (const { timer } of this.asked.values()) clearTimeout(timer);
      this.asked.clear();
    }
  }

  // Ask from time to time: the stream says nothing while nothing happens, nor when it is dead.
  async watched() {
    const { signal } = this.abort;
    for (;;) {
      await pause(this.model.run && this.model.run.state === "running" && !document.hidden ? QUIET : 3 * QUIET);
      if (signal.aborted) return;
      await this.summary();
    }
  }

  async summary() {
    const told = await this.api.state([]);
    await pause(2000);  // an event may still be on its way
    const missed = this.model.missed(told);
    const due = this.model.run && this.model.run.state === "running" && Date.now() - this.drawn > Math.max(REDRAW, this.model.nodes.size * 500);
    if (missed || due) return this.whole();
    this.model.told(told);
    this.view.news();
  }

  async whole() {
    this.model.told(await this.api.state(["nodes", "timeline"]));
    this.drawn = Date.now();
    this.view.news(true);
  }

  take(event) {
    const asks = this.model.take(event);
    this.view.news();
    if (asks) this.soon(asks);
  }

  // Ask once for what several events in a row want to be asked. What comes while it is asked is asked after that,
  // and after as long a time as it took: a master that has much to do is not given more by those who look on.
  soon(what, after = 1000) {
    const known = this.asked.get(what);
    if (known) { known.again = known.began > 0; return; }
    const { abort } = this, mine = { began: 0, again: false };
    mine.timer = setTimeout(async () => {
      mine.began = Date.now();
      try { await this[what](); } catch { abort.abort(); }
      if (this.asked.get(what) !== mine) return;
      this.asked.delete(what);
      if (mine.again) this.soon(what, Math.max(1000, Date.now() - mine.began));
    }, after);
    this.asked.set(what, mine);
  }

  ended(tag, data) {
    this.jobs.delete(tag);
    if (data.success === false) this.view.notice(said(data.return));
  }

  // Have the master do something. It is the master that allows or refuses it.
  async act(verb, kwarg = {}) {
    const lasts = verb === "resume";  // it ends with the run
    try {
      const told = await this.api.runner(lasts ? "runner_async" : "runner", verb, kwarg, WORKS_WITHIN);
      if (lasts) this.jobs.add(`${told.tag}/ret`);
      this.view.notice(lasts ? "Asked to go on." : told.state ? `Asked: ${verb}. The run is ${told.state}.` : `Asked: ${verb}.`);
      this.soon("summary");
    } catch (error) {
      if (error instanceof Ended) { this.view.notice(`Salt does not let ${this.api.login ? this.api.login.user : "you"} do this (rollout.${verb}).`); this.soon("summary"); }
      else this.view.notice(error instanceof Refused ? error.message : `No answer (${error.message}): look at the run before you try again.`);
    }
  }
}
"""
