// The scenes of the browser: node pages.mjs NODE_MODULES SOCKET
//
// A small proxy in here gives the daemon's socket file a port, and can be silent when a scene wants that.

import assert from "node:assert/strict";
import { rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import { createRequire } from "node:module";
import net from "node:net";
import { dirname, join } from "node:path";

const [modules, socket] = process.argv.slice(2);
const { chromium } = createRequire(join(modules, "from-here.js"))("playwright-core");
const broken = join(dirname(socket), "broken");

const PATIENCE = 30000;
const HEADLESS = [
  "--headless=new",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--disable-dev-shm-usage",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

const proxy = { silent: false, refused: () => {}, open: new Set() };
const base = `http://127.0.0.1:${await listen(net.createServer(forward))}`;
const foreign = await listen(http.createServer(foreignPage));
const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: HEADLESS });

for (const scene of [
  buttons,
  failures,
  rolling,
  all,
  live,
  silence,
  hiddenPages,
  manyProcesses,
  tails,
  withoutScript,
  wrongAction,
  injection,
  otherSites,
  phones,
]) {
  const begun = Date.now();
  await scene();
  console.log(`${scene.name}: ${Date.now() - begun} ms`);
}
await browser.close();
process.exit(0);

// The stage.

function listen(server) {
  return new Promise((ready) => server.listen(0, "127.0.0.1", () => ready(server.address().port)));
}

function forward(client) {
  if (proxy.silent) return client.destroy();
  const daemon = net.connect(socket);
  for (const end of [client, daemon]) {
    proxy.open.add(end);
    end.on("error", () => {});
    end.on("close", () => {
      proxy.open.delete(end);
      client.destroy();
      daemon.destroy();
    });
  }
  daemon.on("data", (bytes) => bytes.toString("latin1", 0, 12) === "HTTP/1.1 403" && proxy.refused());
  client.pipe(daemon).pipe(client);
}

/** A page of somebody else; what it does is its path. */
function foreignPage(request, answer) {
  const target = `${base}/index.html?action=stop&amp;processname=web`;
  const bodies = {
    "/link": `<a id="go" href="${target}">go</a>`,
    "/quiet": `<meta name="referrer" content="no-referrer"><a id="go" href="${target}">go</a>`,
    "/form": `<form method="post" action="${target}"><button id="go">go</button></form>`,
    "/image": `<button id="go">go</button><script>
      go.onclick = () => { new Image().src = "${target}".replace("&amp;", "&"); };</script>`,
    "/fetch": `<button id="go">go</button><script>
      go.onclick = () => fetch("${target}".replace("&amp;", "&"), { method: "POST", mode: "no-cors" });</script>`,
  };
  answer.writeHead(200, { "Content-Type": "text/html" });
  answer.end(`<!DOCTYPE html>${bodies[request.url] ?? ""}`);
}

async function rpc(method, ...params) {
  const values = params.map((text) => `<param><value><string>${text}</string></value></param>`).join("");
  const body = `<methodCall><methodName>${method}</methodName><params>${values}</params></methodCall>`;
  return (await fetch(`${base}/RPC2`, { method: "POST", body })).text();
}

async function pidOf(name) {
  return (await rpc("supervisor.getProcessInfo", name)).match(/<name>pid<\/name>\s*<value><int>(\d+)/)[1];
}

/** A fresh page; what the browser complains about fails the scene at its end. */
async function open(path, options = {}) {
  const context = await browser.newContext({ locale: "en-US", viewport: { width: 1280, height: 800 }, ...options });
  context.setDefaultTimeout(PATIENCE);
  const page = await context.newPage();
  page.complaints = [];
  page.on("pageerror", (error) => page.complaints.push(error.message));
  page.on("console", (line) => line.type() === "error" && page.complaints.push(line.text()));
  if (path) await page.goto(base + path);
  return page;
}

async function close(page) {
  assert.deepEqual(page.complaints, []);
  await page.context().close();
}

function row(page, name) {
  return page.locator(`tr[data-name="${name}"]`);
}

function inState(page, name, state) {
  return page.locator(`tr[data-name="${name}"][data-state="${state}"]`).waitFor();
}

function press(page, name, label) {
  return row(page, name).getByRole("button", { name: label, exact: true }).click();
}

function told(page, text) {
  return page.locator("#message").filter({ hasText: text }).waitFor();
}

/** Marks the document; the mark is gone if the page was loaded anew. */
function mark(page) {
  return page.evaluate(() => (window.marked = true));
}

function isMarked(page) {
  return page.evaluate(() => window.marked === true);
}

/** As if the reader came back to the page: it looks at once, and the scene need not wait. */
function comeBack(page) {
  return page.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));
}

// The scenes.

/** The password in the address is what some bookmarks have; here nobody asks for it. */
async function buttons() {
  const page = await open();
  await page.goto(base.replace("//", "//user:password@"));
  await mark(page);
  await press(page, "web", "Stop");
  await told(page, "Process web stopped");
  await inState(page, "web", "STOPPED");
  assert.equal(await row(page, "web").locator(".statusnominal").textContent(), "stopped");
  await press(page, "web", "Start");
  await told(page, "Process web started");
  await inState(page, "web", "RUNNING");
  const pid = await pidOf("web");
  await press(page, "web", "Restart");
  await told(page, "Process web restarted");
  assert.notEqual(await pidOf("web"), pid);
  await row(page, "web").filter({ hasText: `pid ${await pidOf("web")}` }).waitFor();
  await press(page, "web", "Clear Log");
  await told(page, "Log for web cleared");
  await press(page, "odd:<s>&x", "Restart");
  await told(page, "Process odd:<s>&x restarted");
  assert.ok(await isMarked(page));
  await close(page);
}

async function failures() {
  const page = await open("/");
  writeFileSync(broken, "");
  await press(page, "flaky", "Restart");
  await told(page, "ERROR: Process flaky: spawn error");
  await page.locator("#message.error").waitFor();
  await inState(page, "flaky", "FATAL");
  rmSync(broken);
  await press(page, "flaky", "Start");
  await told(page, "Process flaky started");
  await page.locator("#message:not(.error)").waitFor();
  await close(page);
}

/** One process after the other; where one fails, the page says so for as long as that is the last word. */
async function rolling() {
  const page = await open("/");
  const roll = async () => {
    page.once("dialog", (dialog) => dialog.accept());
    await page.getByRole("button", { name: "pair:*", exact: true }).click();
    await told(page, "Rolling restart of pair:* has begun");
  };
  const summary = (text) => page.locator("#summary").filter({ hasText: text }).waitFor();
  await page.getByText("Rolling restart", { exact: true }).click();
  assert.equal(await page.locator("details.rolling button").count(), 2);
  const second = await pidOf("pair:1");
  writeFileSync(broken, "");
  await roll();
  await summary("rolling restart 1 failed: pair:0: it is FATAL");
  rmSync(broken);
  assert.equal(await pidOf("pair:1"), second);
  await press(page, "pair:0", "Start");
  await inState(page, "pair:0", "RUNNING");
  await roll();
  await page.locator("#summary").filter({ hasNotText: "rolling restart" }).waitFor();
  await row(page, "pair:1").filter({ hasNotText: `pid ${second},` }).waitFor();
  await close(page);
}

async function all() {
  const page = await open("/");
  const stopAll = page.getByRole("button", { name: "Stop All" });
  page.once("dialog", (dialog) => dialog.dismiss());
  await stopAll.click();
  assert.ok(await page.locator("#message").isHidden());
  assert.notEqual(await pidOf("web"), "0");
  page.once("dialog", (dialog) => dialog.accept());
  await stopAll.click();
  await told(page, /^All stopped at \w{3} \w{3} +\d+ \d\d:\d\d:\d\d \d{4}$/);
  await inState(page, "web", "STOPPED");
  await inState(page, "odd:<s>&x", "STOPPED");
  await rpc("supervisor.startProcess", "web");
  await close(page);
}

async function live() {
  const page = await open("/");
  await mark(page);
  await inState(page, "web", "RUNNING");
  const uptime = await row(page, "web").locator(".desc").textContent();
  await row(page, "web").locator(".desc").filter({ hasNotText: uptime }).waitFor();
  await rpc("supervisor.stopProcess", "web");
  await inState(page, "web", "STOPPED");
  await rpc("supervisor.startProcess", "web");
  await rpc("supervisor.removeProcessGroup", "odd");
  await comeBack(page);
  await inState(page, "web", "RUNNING");
  await row(page, "odd:<s>&x").waitFor({ state: "detached" });
  await rpc("supervisor.addProcessGroup", "odd");
  await comeBack(page);
  await row(page, "odd:<s>&x").waitFor();
  assert.ok(await isMarked(page));
  await close(page);
}

async function silence() {
  const page = await open("/");
  await mark(page);
  assert.ok(await page.locator("#offline").isHidden());
  proxy.silent = true;
  for (const end of proxy.open) end.destroy();
  await comeBack(page);
  await page.locator("#offline").waitFor();
  proxy.silent = false;
  await comeBack(page);
  await page.locator("#offline").waitFor({ state: "hidden" });
  assert.ok(await isMarked(page));
  await page.context().close();
}

/** A page that nobody sees asks nothing; one that is seen again asks at once. Its clock is in our hands. */
async function hiddenPages() {
  const page = await open();
  const asked = () => page.waitForResponse((answer) => answer.url().endsWith("/status.json"));
  let requests = 0;
  page.on("request", (request) => (requests += request.url().endsWith("/status.json") ? 1 : 0));
  await page.clock.install({ time: 0 });
  await page.goto(`${base}/`);
  await page.clock.pauseAt(3600000);
  const see = (state) =>
    page.evaluate((state) => {
      Object.defineProperty(document, "visibilityState", { configurable: true, get: () => state });
      document.dispatchEvent(new Event("visibilitychange"));
    }, state);
  await see("hidden");
  await page.waitForLoadState("networkidle");
  const before = requests;
  await page.clock.runFor(60000);
  assert.equal(requests, before);
  await Promise.all([asked(), see("visible")]);
  await close(page);
}

async function manyProcesses() {
  const page = await open("/");
  assert.equal(await page.locator("tr[data-name]").count(), 205);
  assert.equal(await page.locator("#summary").textContent().then((text) => /\d+ stopped · \d+ running/.test(text)), true);
  await page.locator("#filter").fill("MANY_01");
  assert.equal(await page.locator("tr[data-name]:visible").count(), 10);
  await press(page, "many:many_013", "Start");
  await told(page, "Process many:many_013 started");
  await inState(page, "many:many_013", "RUNNING");
  assert.equal(await page.locator("tr[data-name]:visible").count(), 10);
  await page.locator("#filter").press("Enter");
  await page.locator("#filter").fill("");
  assert.equal(await page.locator("tr[data-name]:visible").count(), 205);
  await close(page);
}

async function tails() {
  const page = await open("/");
  await row(page, "web").getByRole("link", { name: "web", exact: true }).click();
  const log = page.locator("#tail");
  await log.filter({ hasText: "<b>hello</b>" }).waitFor();
  assert.equal(await log.locator("b").count(), 0);
  await mark(page);
  await rpc("supervisor.sendProcessStdin", "web", "later\n");
  await log.filter({ hasText: "later" }).waitFor();
  await rpc("supervisor.clearProcessLogs", "web");
  await comeBack(page);
  await log.filter({ hasNotText: "later" }).waitFor();
  assert.ok(await isMarked(page));
  const opened = page.context().waitForEvent("page");
  await page.getByRole("link", { name: "Tail -f Stdout" }).click();
  const stream = await opened;
  await rpc("supervisor.sendProcessStdin", "web", "streamed\n");
  await stream.getByText("streamed").waitFor();
  await stream.close();
  await rpc("supervisor.stopProcess", "web");
  await rpc("supervisor.startProcess", "web");
  await page.getByRole("link", { name: "Stderr", exact: true }).click();
  await log.filter({ hasText: "complaint" }).waitFor();
  await page.getByRole("link", { name: "All processes" }).click();
  await row(page, "web").waitFor();
  await close(page);
}

async function withoutScript() {
  const page = await open("/", { javaScriptEnabled: false });
  await press(page, "web", "Stop");
  await page.waitForURL(`${base}/?message=Process%20web%20stopped`);
  await told(page, "Process web stopped");
  await inState(page, "web", "STOPPED");
  await press(page, "web", "Start");
  await told(page, "Process web started");
  await page.getByRole("link", { name: "Refresh" }).click();
  await told(page, "Page refreshed at ");
  await page.context().close();
}

async function wrongAction() {
  const page = await open();
  assert.equal((await page.goto(`${base}/index.html?action=nonsense`)).status(), 500);
  await page.goto(`${base}/index.html?action=start&processname=nobody`);
  await told(page, "No such process named nobody");
  await page.locator("#message.error").waitFor();
  const address = "/index.html?processname=web&action=stop";
  const refused = await fetch(base + address, { method: "POST", headers: { Origin: "http://proxy" } });
  const body = await refused.text();
  await page.route(base + address, (route) => route.fulfill({ status: 403, contentType: "text/html", body }));
  await press(page, "web", "Stop");
  await told(page, "Nothing was changed. If you want this, do it on the status page.");
  await page.context().close();
}

async function injection() {
  const text = "<img src=x onerror=\"document.title='taken'\">";
  const page = await open(`/?message=${encodeURIComponent(text)}`);
  assert.equal(await page.locator("#message").textContent(), text);
  assert.equal(await page.title(), "Supervisor Status");
  const run = await page.evaluate(() => {
    const script = document.createElement("script");
    script.textContent = "window.taken = true";
    document.body.append(script);
    return window.taken === true;
  });
  assert.ok(!run, "the policy lets scripts of others run");
  await page.context().close();
}

/** Ends with the daemon's next refusal. The browser does not tell of each: it keeps some answers to itself. */
function refusal(what) {
  return new Promise((done, fail) => {
    const patience = setTimeout(() => fail(new Error(`${what} was not refused`)), PATIENCE);
    proxy.refused = () => done(clearTimeout(patience));
  });
}

/** Another port of the same host and another host are both another site. */
async function otherSites() {
  const page = await open();
  const pid = await pidOf("web");
  for (const host of ["127.0.0.1", "localhost"]) {
    for (const way of ["link", "quiet", "form", "image", "fetch"]) {
      await page.goto(`http://${host}:${foreign}/${way}`);
      const refused = refusal(`${host} ${way}`);
      await page.locator("#go").click();
      await refused;
      assert.equal(await pidOf("web"), pid, `${host} ${way}`);
    }
  }
  await page.goto(`http://localhost:${foreign}/form`);
  await page.locator("#go").click();
  await page.getByText("page of another site").waitFor();
  await page.context().close();
}

async function phones() {
  for (const locale of ["en-US", "zh-CN"]) {
    for (const width of [320, 390]) {
      const phone = { locale, viewport: { width, height: 700 }, isMobile: true, hasTouch: true };
      const page = await open("/?message=Process%20web%20started", phone);
      const words = locale === "zh-CN" ? ["zh-CN", "运行中", "停止"] : ["en", "running", "Stop"];
      assert.equal(await page.locator("html").getAttribute("lang"), words[0]);
      assert.equal(await row(page, "web").locator(".statusrunning").textContent(), words[1]);
      await fits(page, `/ ${locale} ${width}`);
      await row(page, "web").getByRole("button", { name: words[2], exact: true }).tap();
      await inState(page, "web", "STOPPED");
      await rpc("supervisor.startProcess", "web");
      for (const path of ["/tail.html?processname=many:many_013&limit=99999", "/tail.html"]) {
        await page.goto(base + path);
        await fits(page, `${path} ${locale} ${width}`);
      }
      await close(page);
    }
  }
}

/** Nothing reaches beyond the screen, and what is touched is large enough for a finger. */
async function fits(page, what) {
  const found = await page.evaluate(() => {
    const width = document.documentElement.clientWidth;
    const touched = [...document.querySelectorAll("a, button, input")].filter((element) => element.checkVisibility());
    const bad = (element) => {
      const { height, left, right } = element.getBoundingClientRect();
      return height < 43.5 || left < 0 || right > width + 0.5;
    };
    return { beyond: document.documentElement.scrollWidth - width, bad: touched.filter(bad).map((e) => e.outerHTML) };
  });
  assert.deepEqual(found, { beyond: 0, bad: [] }, what);
}
