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
const seen = { open: false, service: false, points: 0 };

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
for (let i = 0; i < 40 && !(seen.open && seen.service && i > 4); i++) {
  const page = views[0][1];
  const now = await page.evaluate(() => ({
    means: document.getElementById("means").textContent,
    policies: document.getElementById("waits").textContent,
    points: document.querySelector("#chart-goodput polyline")?.getAttribute("points") ?? "",
  }));
  if (now.means.includes("do not raise throughput")) seen.service = true;
  if (now.means.includes('circuit breaker "search" is open') && !seen.open) {
    seen.open = true;
    must(now.policies.includes("search (circuitbreaker)") && now.policies.includes("open"), "the breaker is in the table: " + now.policies);
    for (const [name, view] of views) await audit(view, "outage-" + name);
  }
  seen.points = Math.max(seen.points, now.points.split(" ").length);
  await new Promise((r) => setTimeout(r, 500));
}
must(seen.open, "the page has not shown that the breaker was open");
must(seen.service, "the page has not shown that the service binds the run");
must(seen.points > 5, "the chart has " + seen.points + " points");
for (const [name, view] of views) await audit(view, name);

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
