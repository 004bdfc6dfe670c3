// One page of the system's Chromium, driven by lines of JSON: {"id", "do", ...} in, {"id", "value"}
// or {"id", "error"} out. What the page complains of (errors, broken policy) is kept and told.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

const [chromiumPath, profile] = process.argv.slice(2);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const complaints = [];

const context = await chromium.launchPersistentContext(profile, {
  executablePath: chromiumPath,
  headless: true,
  viewport: { width: 1440, height: 900 },
  acceptDownloads: true,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--host-resolver-rules=MAP *.example 127.0.0.1", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
context.setDefaultTimeout(20_000);
const page = context.pages()[0] ?? await context.newPage();
await page.addInitScript(() => {
  globalThis.brokenPolicy = [];
  addEventListener("securitypolicyviolation", (event) => {
    globalThis.brokenPolicy.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`);
  });
});
page.on("pageerror", (error) => complaints.push(`error: ${error.message}`));
page.on("console", (message) => {
  if (message.type() === "error") {
    complaints.push(`console: ${message.text()} ${message.location().url}`);
  }
});
const asked = [];
page.on("request", (request) => asked.push(request.url()));

const acts = {
  open: async ({ url }) => {
    await page.goto(url);
  },
  size: ({ width, height }) => page.setViewportSize({ width, height }),
  media: (media) => page.emulateMedia(media),
  click: ({ selector }) => page.click(selector),
  focus: ({ selector }) => page.focus(selector),
  hover: ({ selector, x, y }) => page.hover(selector, { position: { x, y } }),
  press: ({ key }) => page.keyboard.press(key),
  type: ({ text }) => page.keyboard.type(text),
  fill: ({ selector, text }) => page.fill(selector, text),
  choose: ({ selector, value }) => page.selectOption(selector, value),
  text: ({ selector }) => page.innerText(selector),
  texts: ({ selector }) => page.locator(selector).allInnerTexts(),
  count: ({ selector }) => page.locator(selector).count(),
  attribute: ({ selector, name }) => page.getAttribute(selector, name),
  evaluate: ({ script }) => page.evaluate(script),
  // Asked from outside, again and again: the page's policy forbids it to evaluate text itself.
  wait: async ({ script, ms = 20_000 }) => {
    const limit = Date.now() + ms;
    const gone = (error) => {  // a page that gives way to the next one has no answer yet
      if (!/context was destroyed|navigat/.test(error.message)) throw error;
    };
    while (!(await page.evaluate(`Boolean(${script})`).catch(gone))) {
      if (Date.now() > limit) throw new Error(`not within ${ms} ms: ${script}`);
      await new Promise((done) => setTimeout(done, 40));
    }
  },
  shot: async ({ path, full = false }) => {
    await page.screenshot({ path, fullPage: full });
  },
  download: async ({ selector, path }) => {
    const [file] = await Promise.all([page.waitForEvent("download"), page.click(selector)]);
    await file.saveAs(path);
    return file.suggestedFilename();
  },
  axe: async () => {
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() => globalThis.axe.run(document, {
      runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    }));
    return violations.map(({ id, help, nodes }) => (
      { id, help, nodes: nodes.slice(0, 5).map(
        (node) => `${node.html.slice(0, 160)} ${node.failureSummary}`) }));
  },
  complaints: async () => [
    ...complaints, ...(await page.evaluate(() => globalThis.brokenPolicy)).map((one) => `policy: ${one}`)],
  forget: async () => {
    complaints.length = asked.length = 0;
  },
  requests: async () => asked,
  close: () => context.close(),
};

process.stdout.write(`${JSON.stringify({ id: 0, value: "ready" })}\n`);
for await (const line of createInterface({ input: process.stdin })) {
  const { id, do: act, ...rest } = JSON.parse(line);
  try {
    const value = await acts[act](rest);
    process.stdout.write(`${JSON.stringify({ id, value: value ?? null })}\n`);
  } catch (error) {
    process.stdout.write(`${JSON.stringify({ id, error: String(error.message ?? error) })}\n`);
  }
  if (act === "close") break;
}
