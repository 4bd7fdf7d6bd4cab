/**
 * The chat example as people use it: the real gateway, the chat service and headless Chromium
 * with two windows. What the service and the page do in detail is tested beside them.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { ChatService } from "../examples/chat/service.ts";
import { findChromium, launchChromium } from "./chromium.ts";

const gatewayProgram = fileURLToPath(new URL("../src/cli/main.js", import.meta.url));
const executablePath = findChromium();
const skip = executablePath === undefined ? "there is no Chromium" : false;
const WAIT_MS = 20_000;

let folder: string;
let browser: Browser;
let service: ChatService;
let gateway: ChildProcess;
let gatewayLog = "";
let gatewayPort: number;
let servicePort: number;
let adminUrl: string;
const pages: { page: Page; context: BrowserContext }[] = [];

before(async () => {
  if (executablePath === undefined) return;
  folder = await mkdtemp(join(tmpdir(), "headgate-chat-"));
  const [clients, admin] = await freePorts(2);
  gatewayPort = clients as number;
  adminUrl = `http://127.0.0.1:${admin}`;
  servicePort = await startService(0);
  const configuration = {
    listen: [{ address: `127.0.0.1:${gatewayPort}` }],
    hubs: {
      chat: {
        paths: ["/chat/:room"],
        service: `http://127.0.0.1:${servicePort}/events`,
        signingKeys: ["a key for this test"],
      },
    },
    admin: { address: `127.0.0.1:${admin}` },
  };
  await writeFile(join(folder, "headgate.json"), JSON.stringify(configuration));
  browser = await launchChromium(executablePath);
  await startGateway();
});

after(async () => {
  if (executablePath === undefined) return;
  // Each may be missing when `before` failed half-way.
  try {
    await browser?.close();
    if (gateway !== undefined) await stopGateway();
  } finally {
    await service?.close();
    await rm(folder, { recursive: true, force: true });
  }
});

test("two windows in one room see each other", { skip }, async () => {
  const ada = await openPage("Ada", "blue");
  await waitForPeople(ada, ["Ada"]);
  const grace = await openPage("Grace", "blue");
  await waitForPeople(grace, ["Ada", "Grace"]);
  await waitForPeople(ada, ["Ada", "Grace"]);
  await waitForLine(ada, "Grace joined");
  await closePages();
});

test("a message crosses from one window to the other, as text and not as markup", {
  skip,
}, async () => {
  const ada = await openPage("Ada", "green");
  const grace = await openPage("Grace", "green");
  const text = "<b>hello</b> & 😀 <img src=x onerror=alert(1)>";
  await say(ada, text);
  await waitForMessages(grace, ["Ada", text]);
  await waitForMessages(ada, ["Ada", text]);
  await say(grace, "hello yourself");
  await waitForMessages(ada, ["Ada", text], ["Grace", "hello yourself"]);
  assert.equal(await grace.locator("#log img, #log b").count(), 0);
  await closePages();
});

test("who comes later sees what was said before, and a reload does not lose it", {
  skip,
}, async () => {
  const ada = await openPage("Ada", "old");
  await say(ada, "said before");
  await waitForMessages(ada, ["Ada", "said before"]);
  const grace = await openPage("Grace", "old");
  await waitForMessages(grace, ["Ada", "said before"]);
  await grace.reload();
  await waitForState(grace, "live");
  await waitForMessages(grace, ["Ada", "said before"]);
  await closePages();
});

test("what is said in one room is not heard in another", { skip }, async () => {
  const ada = await openPage("Ada", "here");
  const grace = await openPage("Grace", "there");
  await say(ada, "only here");
  await waitForMessages(ada, ["Ada", "only here"]);
  await say(grace, "only there");
  await waitForMessages(grace, ["Grace", "only there"]);
  await waitForPeople(grace, ["Grace"]);
  await closePages();
});

test("leaving is shown to those who stay", { skip }, async () => {
  const ada = await openPage("Ada", "red");
  const grace = await openPage("Grace", "red");
  await waitForPeople(ada, ["Ada", "Grace"]);
  await grace.click("#leave");
  await waitForPeople(ada, ["Ada"]);
  await waitForLine(ada, "Grace left");
  assert.equal(await grace.locator("#entry").isVisible(), true);
  await closePages();
});

test("a window that is closed leaves the room as well", { skip }, async () => {
  const ada = await openPage("Ada", "closing");
  const grace = await openPage("Grace", "closing");
  await waitForPeople(ada, ["Ada", "Grace"]);
  await grace.close({ runBeforeUnload: false });
  await waitForPeople(ada, ["Ada"]);
  await closePages();
});

test("a name or room that is refused is explained", { skip }, async () => {
  const page = await newPage();
  await page.fill("#name", "\u200b");
  await page.fill("#room", "straße");
  await page.press("#room", "Enter");
  await waitForText(page, "#name-problem", /cannot be shown/);
  await waitForText(page, "#room-problem", /small letters/);
  await closePages();
});

test("a refusal by the service alone is explained too, though the handshake does not say why", {
  skip,
}, async () => {
  const page = await newPage(async (context) => {
    await context.route("**/rules.js", async (route) => {
      const rules = await (await route.fetch()).text();
      const lenient = rules.replace("NAME_LENGTH_MAX = 32", "NAME_LENGTH_MAX = 99");
      await route.fulfill({ body: lenient, contentType: "text/javascript" });
    });
  });
  await page.locator("#name").evaluate((input) => input.removeAttribute("maxlength"));
  await enter(page, "x".repeat(33), "blue");
  await waitForText(page, "#entry-problem", /too long/);
  await closePages();
});

test("a push by hand is shown as a line, whatever is in it", { skip }, async () => {
  const ada = await openPage("Ada", "kettle");
  const url = `${adminUrl}/api/hubs/chat/groups/kettle/:send`;
  for (const body of ["<i>the kettle</i> is on", '{"type":1}', "null", '{"type":"unheard-of"}']) {
    const headers = { "content-type": "text/plain" };
    const response = await fetch(url, { method: "POST", headers, body });
    assert.equal(response.status, 202);
    assert.equal(response.headers.get("headgate-matched"), "1");
  }
  await waitForLine(ada, "<i>the kettle</i> is on");
  await waitForLine(ada, "null");
  const outdated = { type: "people", version: 0, people: [], joined: "Nobody" };
  await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(outdated),
  });
  await waitForLine(ada, "Nobody joined");
  await waitForPeople(ada, ["Ada"]);
  assert.equal(await stateOf(ada), "live");
  await closePages();
});

test("a restart of the gateway is shown, and what was written meanwhile arrives once", {
  skip,
}, async () => {
  const ada = await openPage("Ada", "restart");
  const grace = await openPage("Grace", "restart");
  await say(ada, "before");
  await waitForMessages(grace, ["Ada", "before"]);
  await stopGateway();
  await waitForState(ada, "reconnecting");
  await waitForText(ada, "#status-text", /Reconnecting/);
  await waitForText(ada, "#countdown", /Reconnecting (in \d+ s|now)/);
  await say(ada, "meanwhile");
  assert.equal(await ada.locator(".message.pending").count(), 1);
  await startGateway();
  await Promise.all([waitForState(ada, "live"), waitForState(grace, "live")]);
  await waitForMessages(ada, ["Ada", "before"], ["Ada", "meanwhile"]);
  await waitForMessages(grace, ["Ada", "before"], ["Ada", "meanwhile"]);
  await waitForPeople(ada, ["Ada", "Grace"]);
  await closePages();
});

test("a restart of the service is not noticed: its messages are held and go on", {
  skip,
}, async () => {
  const ada = await openPage("Ada", "service");
  const grace = await openPage("Grace", "service");
  await say(ada, "before");
  await waitForMessages(grace, ["Ada", "before"]);
  await service.close();
  await say(ada, "meanwhile");
  assert.equal(await ada.locator(".message.pending").count(), 1);
  await startService(servicePort);
  await waitForMessages(ada, ["Ada", "before"], ["Ada", "meanwhile"]);
  await waitForMessages(grace, ["Ada", "before"], ["Ada", "meanwhile"]);
  await waitForPeople(grace, ["Ada", "Grace"]);
  assert.equal(await stateOf(ada), "live");
  await closePages();
});

async function startService(port: number): Promise<number> {
  service = new ChatService({
    hub: "chat",
    adminUrl,
    adminKey: undefined,
    gatewayPort,
    signingKeys: ["a key for this test"],
    returnGraceMs: 3000,
    log: (sentence) => process.stdout.write(`# chat: ${sentence}\n`),
  });
  return service.listen(port);
}

async function startGateway(): Promise<void> {
  gatewayLog = "";
  const { NO_COLOR: _, ...env } = process.env;
  gateway = spawn(
    process.execPath,
    [gatewayProgram, "start", "--config", join(folder, "headgate.json")],
    { stdio: ["ignore", "pipe", "pipe"], env },
  );
  for (const stream of [gateway.stdout, gateway.stderr]) {
    stream?.on("data", (chunk) => {
      gatewayLog = (gatewayLog + String(chunk)).slice(-20_000);
    });
  }
  const deadlineMs = Date.now() + WAIT_MS;
  while (!(await isReady())) {
    const isOver = gateway.exitCode !== null || Date.now() > deadlineMs;
    assert.ok(!isOver, `the gateway does not become ready:\n${gatewayLog}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

async function isReady(): Promise<boolean> {
  try {
    const response = await fetch(`http://127.0.0.1:${gatewayPort}/readyz`);
    await response.arrayBuffer();
    return response.ok;
  } catch {
    // Not listening yet.
    return false;
  }
}

async function stopGateway(): Promise<void> {
  if (gateway.exitCode !== null) return;
  const ended = once(gateway, "exit");
  gateway.kill("SIGTERM");
  assert.deepEqual(await ended, [0, null], gatewayLog);
}

/** All open at once, so that no two are the same. */
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports: number[] = [];
  for (const server of servers) {
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    ports.push((server.address() as AddressInfo).port);
  }
  for (const server of servers) server.close();
  return ports;
}

/** In a context of its own: another browser, as far as the page can tell. */
async function newPage(prepare?: (context: BrowserContext) => Promise<void>): Promise<Page> {
  const context = await browser.newContext();
  await prepare?.(context);
  const page = await context.newPage();
  page.setDefaultTimeout(WAIT_MS);
  page.on("pageerror", (error) => assert.fail(`the page threw: ${error.stack}`));
  await page.goto(`http://localhost:${servicePort}/`);
  pages.push({ page, context });
  return page;
}

async function openPage(name: string, room: string): Promise<Page> {
  const page = await newPage();
  await enter(page, name, room);
  await waitForState(page, "live");
  await waitForText(page, "#people-count", /\d/);
  return page;
}

async function enter(page: Page, name: string, room: string): Promise<void> {
  await page.fill("#name", name);
  await page.fill("#room", room);
  await page.press("#room", "Enter");
}

async function closePages(): Promise<void> {
  await Promise.all(pages.splice(0).map(({ context }) => context.close()));
}

async function say(page: Page, text: string): Promise<void> {
  await page.fill("#text", text);
  await page.press("#text", "Enter");
}

async function stateOf(page: Page): Promise<string | null> {
  return page.locator("#chat").getAttribute("data-state");
}

function waitForState(page: Page, state: string): Promise<void> {
  return eventually(() => stateOf(page), state);
}

function waitForText(page: Page, selector: string, pattern: RegExp): Promise<void> {
  const read = async () => pattern.test((await page.locator(selector).textContent()) ?? "");
  return eventually(read, true, `${selector} should match ${pattern}`);
}

function waitForPeople(page: Page, names: string[]): Promise<void> {
  return eventually(() => page.locator(".person:not(.away) .person-name").allTextContents(), names);
}

function waitForLine(page: Page, line: string): Promise<void> {
  const read = async () => (await page.locator(".line").allTextContents()).includes(line);
  return eventually(read, true, `there should be a line "${line}"`);
}

/** All that is accepted, in order, as [name, text]. */
function waitForMessages(page: Page, ...messages: [string, string][]): Promise<void> {
  return eventually(
    () =>
      page
        .locator(".message")
        .evaluateAll((rows) =>
          rows.map((row) => [
            row.querySelector(".author")?.textContent ?? "",
            (row.classList.contains("pending") ? "pending: " : "") +
              (row.querySelector(".text")?.textContent ?? ""),
          ]),
        ),
    messages,
  );
}

/** Reads until it is what it should be; fails with the difference when it does not become so. */
async function eventually<T>(read: () => Promise<T>, wanted: T, sentence?: string): Promise<void> {
  const deadlineMs = Date.now() + WAIT_MS;
  for (;;) {
    const value = await read();
    try {
      assert.deepEqual(value, wanted, sentence);
      return;
    } catch (difference) {
      if (Date.now() > deadlineMs) throw difference;
    }
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}
