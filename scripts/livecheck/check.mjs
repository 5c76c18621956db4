// Looks at the live page as a browser does, light and dark, narrow and wide, while a run goes
// through a change of its service and an outage: that it shows them, that it fits, that no rule
// of accessibility is broken (axe-core), that nothing is loaded from elsewhere and the console
// stays empty. Pictures are left in the directory that is given.
//
//   node check.mjs http://127.0.0.1:1234/amorsize/ chromium pictures
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import puppeteer from "puppeteer-core";

const [url, program, pictures] = process.argv.slice(2);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const browser = await puppeteer.launch({ executablePath: program, args: ["--no-sandbox", "--disable-gpu"] });
const problems = [];
const patience = 60000; // ms; a busy machine may need them

function must(holds, what) {
  if (!holds) problems.push(what);
}

async function open(width, scheme) {
  const page = await browser.newPage();
  await page.setBypassCSP(true); // for axe alone: the page's own policy is tested by the Go tests
  await page.setViewport({ width, height: 1000 });
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
  page.on("console", (m) => problems.push(`console at ${width} ${scheme}: ${m.text()}`));
  page.on("pageerror", (e) => problems.push(`error at ${width} ${scheme}: ${e.message}`));
  page.on("request", (r) => must(r.url().startsWith(url), `${r.url()} is asked for`));
  await page.goto(url);
  await page.waitForFunction(() => [...document.querySelectorAll("#runs .title")].some((e) => e.textContent === "night crawl"), { timeout: 20000, polling: 200 });
  await page.evaluate(() => [...document.querySelectorAll("#runs a")].find((a) => a.textContent.includes("night crawl")).click());
  await page.waitForFunction(() => document.getElementById("name").textContent.startsWith("night crawl"), { polling: 200 });
  return page;
}

async function audit(page, name) {
  await page.evaluate(axe);
  const found = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  for (const v of found.violations)
    problems.push(`axe, ${name}: ${v.id}: ${v.help}: ${v.nodes.map((n) => n.html.slice(0, 120) + " " + n.failureSummary).join(" | ")}`);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  must(wide <= 0, `${name}: the page is ${wide} wider than the window`);
  await page.screenshot({ path: path.join(pictures, name + ".png"), fullPage: true });
}

const views = [];
for (const [width, scheme] of [[360, "light"], [360, "dark"], [1440, "light"], [1440, "dark"], [1920, "light"]])
  views.push([`${width}-${scheme}`, await open(width, scheme)]);

// service tells the run's service how many slots it has; with none it is down.
async function service(slots) {
  const answer = await fetch(new URL(`/service/${slots}`, url), { method: "POST" });
  must(answer.ok, `service/${slots}: ${answer.status}`);
}

// shown waits until the first view says so, and tells the others to show it too.
async function shown(words) {
  const said = (words) => document.getElementById("means").textContent.includes(words);
  try {
    for (const [, page] of views) await page.waitForFunction(said, { timeout: patience, polling: 200 }, words);
  } catch {
    must(false, `the page has not said: ${words}`);
  }
}

await service(8);
await shown("do not raise throughput");
await service(0);
await shown('circuit breaker "search" is open');
for (const [name, page] of views) await audit(page, "outage-" + name);
const outage = await views[0][1].evaluate(() => ({
  policies: document.getElementById("waits").textContent,
  points: document.querySelector("#chart-goodput polyline")?.getAttribute("points") ?? "",
}));
must(outage.policies.includes("search (circuitbreaker)") && outage.policies.includes("open"), "the breaker is in the table: " + outage.policies);
const points = outage.points.split(" ").length;
must(points > 5, `the chart has ${points} points`);
await service(8);
for (const [name, page] of views) await audit(page, name);

// By the keyboard alone: to the list, into a run, whose heading is then what is read.
const page = views[2][1];
await page.bringToFront();
await page.evaluate(() => document.querySelector("#runs a").focus());
await page.keyboard.press("Tab");
await page.keyboard.press("Enter");
await page.waitForFunction(() => document.activeElement.id === "run" && document.querySelectorAll("#runs [aria-current]").length === 1, { polling: 200 });
const names = await page.evaluate(() => [...document.querySelectorAll("#runs li")].map((e) => e.textContent));
must(names.length >= 33, `${names.length} runs are listed`);
must(names.some((n) => n.includes("one that fails") && n.includes("failed")), "the run that failed is listed as that");
must(names.some((n) => n.includes("resumed, second part")), "the run that went on is listed");
await audit(page, "keyboard");
await browser.close();
for (const p of new Set(problems)) console.log(p);
console.log(`${views.length} views, ${problems.length} problems`);
process.exit(problems.length > 0 ? 1 : 0);
