"use strict";
// The page shows what the server says, and asks for nothing but that. All texts are set as
// text, never as markup.
const $ = (id) => document.getElementById(id);
const rows = new Map(); // of the list, by the run's number
let chosen = 0; // the run that is looked at
let source; // of events
let toldBefore = null; // of the chosen run: what has been said

function make(tag, cls, text) {
  const e = document.createElement(tag);
  if (cls) e.className = cls;
  if (text !== undefined) e.textContent = text;
  return e;
}
function set(id, text) {
  if ($(id).textContent !== text) $(id).textContent = text;
}
function count(n) {
  return n.toLocaleString("en");
}
function span(s) {
  if (s <= 0) return "0 s";
  if (s < 1e-6) return (s * 1e9).toFixed(0) + " ns";
  if (s < 1e-3) return digits(s * 1e6) + " µs";
  if (s < 1) return digits(s * 1e3) + " ms";
  if (s < 90) return digits(s) + " s";
  const m = Math.floor(s / 60);
  if (m < 90) return m + " min " + Math.round(s % 60) + " s";
  return Math.floor(m / 60) + " h " + (m % 60) + " min";
}
function digits(x) {
  return x >= 100 ? x.toFixed(0) : x >= 10 ? x.toFixed(1) : x.toFixed(2);
}
function rate(x) {
  return (x >= 100 ? count(Math.round(x)) : digits(x)) + "/s";
}
function bytes(n) {
  return n < 1e6 ? digits(n / 1e3) + " kB" : n < 1e9 ? digits(n / 1e6) + " MB" : digits(n / 1e9) + " GB";
}
function far(r) {
  const of = r.total < 0 ? count(r.completed) + " done, more may come" : count(r.completed) + " of " + count(r.total);
  return of + (r.known > 0 ? ", " + count(r.known) + " known before" : "") + (r.failed > 0 ? ", " + count(r.failed) + " failed" : "");
}

// The list of runs.
function showRun(r) {
  let row = rows.get(r.id);
  if (!row) {
    const item = make("li");
    const link = make("a");
    link.href = "#run-" + r.id;
    row = { item, link, title: make("span", "title"), state: make("span"), far: make("span", "far") };
    link.append(row.title, row.state, row.far);
    item.append(link);
    rows.set(r.id, row);
    $("runs").prepend(item);
    $("none").hidden = true;
  }
  row.title.textContent = r.name;
  row.title.title = r.name;
  row.state.textContent = r.state;
  row.state.className = r.state;
  row.far.textContent = far(r) + " · " + span(r.elapsed_s);
}
function mark() {
  for (const [id, row] of rows) {
    if (id === chosen) row.link.setAttribute("aria-current", "true");
    else row.link.removeAttribute("aria-current");
  }
}

// One run.
function fact(list, term, text) {
  const box = make("div");
  box.append(make("dt", "", term), make("dd", "", text));
  list.push(box);
}
function table(id, lines) {
  $(id).replaceChildren(
    ...lines.map((line) => {
      const tr = make("tr");
      line.forEach((text, i) => {
        const cell = make(i === 0 ? "th" : "td", "", text);
        if (i === 0) cell.scope = "row";
        tr.append(cell);
      });
      return tr;
    }),
  );
}
function showDetail(r) {
  $("nothing").hidden = true;
  $("detail").hidden = false;
  set("name", r.name + (r.function && r.function !== r.name ? " (" + r.function + ")" : ""));
  set("plan", r.plan);
  if (r.total < 0) $("bar").removeAttribute("value");
  else $("bar").value = r.total > 0 ? r.completed / r.total : 1;
  let state = far(r);
  if (r.state === "running" && r.remaining_s > 0) state += ", ends in about " + span(r.remaining_s);
  if (r.state !== "running") state += ", " + r.state + " after " + span(r.elapsed_s);
  set("far", state);
  set("means", (r.state === "running" ? "Bound now: " : "Bound for most of its time: ") + r.means);
  set("change", "Faster by: " + r.change);
  facts(r);
  calls(r);
  policies(r);
  table("changes", r.changes.toReversed().map((c) => [span(c.at_s), count(c.limit), c.reason]));
  const warnings = r.warnings.map((w) => make("li", "", "Warning: " + w));
  if (r.error) warnings.push(make("li", "failed", "Error: " + r.error));
  $("warnings").replaceChildren(...warnings);
  chart("chart-flight", r.points, [["in_flight", "s1"], ["limit", "s2"]], count);
  chart("chart-goodput", r.points, [["goodput", "s1"]], rate);
  chart("chart-latency", r.points, [["p50", "s1"], ["p99", "s2"]], span, true);
  say(r.told);
}
function facts(r) {
  const list = [];
  fact(list, "Items", rate(r.rate_per_s));
  fact(list, "Elapsed", span(r.elapsed_s));
  fact(list, "In flight", count(r.in_flight));
  fact(list, "Limit", count(r.limit));
  fact(list, "Waiting", count(r.held));
  fact(list, "Retried", count(r.calls.retried));
  fact(list, "Median", span(r.calls.p50_s));
  fact(list, "99 %", span(r.calls.p99_s));
  $("facts").replaceChildren(...list);
}
function calls(r) {
  const c = r.calls;
  const lines = [["went well", count(c.ok)]];
  for (const [n, text] of [
    [c.overloaded, "refused by the service, or it had no room"],
    [c.timed_out, "timed out"],
    [c.refused, "refused by a policy within the function"],
    [c.panicked, "panicked"],
    [c.other, "failed otherwise"],
    [c.not_made, "not made: a policy refused"],
  ])
    if (n > 0) lines.push([text, count(n)]);
  table("calls", lines);
}
function policies(r) {
  const lines = new Map();
  for (const w of r.waits) lines.set(w.kind + "\n" + w.name, [label(w), "", count(w.calls) + ", " + span(w.total_s / Math.max(1, w.calls)) + " each"]);
  for (const s of r.policies) {
    const line = lines.get(s.kind + "\n" + s.name) || [label(s), "", "none yet"];
    line[1] = s.state + (s.left_s > 0 ? ", " + span(s.left_s) + " more" : "");
    lines.set(s.kind + "\n" + s.name, line);
  }
  table("waits", [...lines.values()]);
}
function label(p) {
  return p.name === p.kind ? p.kind : p.name + " (" + p.kind + ")";
}
function say(told) {
  if (toldBefore !== null)
    for (const what of told.slice(Math.max(0, told.lastIndexOf(toldBefore) + 1))) set("told", what);
  toldBefore = told.length > 0 ? told[told.length - 1] : "";
}

// A chart: 400 × 160 units, the same time axis for all.
const box = { w: 400, h: 160, left: 52, right: 8, top: 10, bottom: 22 };
function svg(tag, attributes, text) {
  const e = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v);
  if (text !== undefined) e.textContent = text;
  return e;
}
function step(most) {
  if (most > 90) for (const s of [30, 60, 120, 300, 600, 1800, 3600, 7200, 14400, 43200, 86400]) if (most / s <= 5) return s;
  return decimal(most);
}
function decimal(most) {
  const power = Math.pow(10, Math.floor(Math.log10(most / 3)));
  return [1, 2, 5, 10].map((k) => k * power).find((s) => most / s <= 4);
}
// A time of the axis; its ticks are round.
function round(t) {
  if (t < 120) return Number(t.toPrecision(3)) + " s";
  return t < 7200 ? Number((t / 60).toPrecision(3)) + " min" : Number((t / 3600).toPrecision(3)) + " h";
}
// gaps: where nothing was measured there is no point.
function chart(id, points, series, write, gaps) {
  const target = $(id);
  const end = points.length > 0 ? points[points.length - 1].t : 1;
  const highest = Math.max(...points.flatMap((p) => series.map(([k]) => p[k])), 0) || 1;
  const dy = decimal(highest);
  const top = Math.ceil(highest / dy) * dy;
  const x = (t) => (box.left + (t / end) * (box.w - box.left - box.right)).toFixed(1);
  const y = (v) => (box.h - box.bottom - (v / top) * (box.h - box.top - box.bottom)).toFixed(1);
  const parts = [];
  for (let v = 0; v <= top * 1.001; v += dy) {
    parts.push(svg("line", { class: "grid", x1: box.left, x2: box.w - box.right, y1: y(v), y2: y(v) }));
    parts.push(svg("text", { x: box.left - 4, y: Number(y(v)) + 4, "text-anchor": "end" }, write(v)));
  }
  const dt = step(end);
  for (let t = 0; t <= end; t += dt) {
    parts.push(svg("line", { class: "grid", x1: x(t), x2: x(t), y1: box.top, y2: box.h - box.bottom }));
    parts.push(svg("text", { x: x(t), y: box.h - 6, "text-anchor": t === 0 ? "start" : t + dt / 2 > end ? "end" : "middle" }, round(t)));
  }
  for (const [key, cls] of series) {
    const drawn = gaps ? points.filter((p) => p[key] > 0) : points;
    parts.push(svg("polyline", { class: cls, points: drawn.map((p) => x(p.t) + "," + y(p[key])).join(" ") }));
  }
  target.setAttribute("viewBox", "0 0 " + box.w + " " + box.h);
  const last = points[points.length - 1];
  const said = last ? series.map(([k]) => k.replace("_", " ") + " " + write(last[k])).join(", ") : "no data yet";
  target.setAttribute("aria-label", "Latest: " + said + "; the highest is " + write(highest) + ".");
  target.replaceChildren(...parts);
}

// What comes.
function take(event) {
  const n = JSON.parse(event.data);
  set("connection", "live");
  set("process", "heap " + bytes(n.process.heap_bytes) + ", " + count(n.process.goroutines) + " goroutines");
  for (const r of n.runs) showRun(r);
  for (const id of n.gone) {
    rows.get(id)?.item.remove();
    rows.delete(id);
  }
  if (n.run) showDetail(n.run);
  if (!chosen && n.runs.length > 0) choose(n.runs[n.runs.length - 1].id);
  mark();
}
function choose(id) {
  chosen = id;
  toldBefore = null;
  connect();
  mark();
}
function connect() {
  if (source) source.close();
  source = new EventSource("events" + (chosen ? "?run=" + chosen : ""));
  source.onmessage = take;
  const mine = source;
  mine.onerror = () => {
    set("connection", "not connected: what is shown is old");
    // What the server refuses, a browser does not ask for again.
    if (mine.readyState === EventSource.CLOSED)
      setTimeout(() => {
        if (mine === source) connect();
      }, 5000);
  };
}
function follow() {
  const m = /^#run-(\d+)$/.exec(location.hash);
  if (!m) return false;
  choose(Number(m[1]));
  return true;
}
addEventListener("hashchange", () => {
  if (follow()) $("run").focus();
});
if (!follow()) connect();
