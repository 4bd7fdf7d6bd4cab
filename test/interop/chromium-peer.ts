/**
 * The foreign client that is Chromium: a page whose script has the browser's own WebSocket. What
 * a refused handshake was answered with is read from the console, where only people see it.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Browser, Page } from "playwright-core";
import { launchChromium } from "../chromium.ts";
import { type MessageKind, type Peer, Sightings } from "./peer.ts";

const PAGE = `<!doctype html><title>a client</title><script>
  let socket;
  const encode = (bytes) => {
    const pieces = [];
    for (let at = 0; at < bytes.length; at += 8192) {
      pieces.push(String.fromCharCode(...bytes.subarray(at, at + 8192)));
    }
    return btoa(pieces.join(""));
  };
  const decode = (base64) => Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  const send = {
    text: (base64) => socket.send(new TextDecoder().decode(decode(base64))),
    binary: (base64) => socket.send(decode(base64)),
  };
  function connect(url, subprotocols) {
    const opening = new WebSocket(url, subprotocols);
    let isOpen = false;
    socket = opening;
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      isOpen = true;
      const [extension] = opening.extensions.split(";");
      tell({ what: "open", subprotocol: opening.protocol, extension });
    };
    socket.onmessage = ({ data }) => {
      if (typeof data === "string") tell({ what: "text" }, encode(new TextEncoder().encode(data)));
      else tell({ what: "binary" }, encode(new Uint8Array(data)));
    };
    socket.onclose = ({ code, reason }) => isOpen && tell({ what: "closed", code, reason });
  }
</script>`;

/** The browser and where its pages come from: a browser asks before others may reach loopback. */
export class ChromiumPeers {
  readonly #browser: Browser;
  readonly #server: Server;

  private constructor(browser: Browser, server: Server) {
    this.#browser = browser;
    this.#server = server;
  }

  static async launch(executablePath: string): Promise<ChromiumPeers> {
    const server = createServer((_request, response) => {
      response.writeHead(200, { "content-type": "text/html" }).end(PAGE);
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return new ChromiumPeers(await launchChromium(executablePath), server);
  }

  make(): Peer {
    const { port } = this.#server.address() as AddressInfo;
    return new ChromiumPeer(this.#browser, `http://127.0.0.1:${port}/`);
  }

  async close(): Promise<void> {
    await this.#browser.close();
    this.#server.close();
  }
}

class ChromiumPeer implements Peer {
  readonly sightings = new Sightings();
  readonly #page: Promise<Page>;

  constructor(browser: Browser, url: string) {
    this.#page = this.#load(browser, url);
  }

  /** It offers compression whether asked to or not. */
  open(url: string, subprotocols: string[]): void {
    this.#run(`connect(${JSON.stringify(url)}, ${JSON.stringify(subprotocols)})`);
  }

  send(kind: MessageKind, payload: Buffer): void {
    this.#run(`send.${kind}("${payload.toString("base64")}")`);
  }

  sendFragments(): void {
    assert.fail("the interface of browsers sends no fragments");
  }

  ping(): void {
    assert.fail("the interface of browsers sends no pings");
  }

  close(code: number, reason: string): void {
    this.#run(`socket.close(${code}, ${JSON.stringify(reason)})`);
  }

  async stop(): Promise<void> {
    await (await this.#page).context().close();
  }

  async #load(browser: Browser, url: string): Promise<Page> {
    const page = await (await browser.newContext()).newPage();
    page.on("pageerror", (error) => this.sightings.fail(error));
    page.on("console", (message) => {
      const [, status] = /Unexpected response code: (\d+)/.exec(message.text()) ?? [];
      if (status === undefined) return;
      this.sightings.add({ what: "refused", status: Number(status), body: "" });
    });
    await page.exposeFunction("tell", (sighting: object, base64?: string) => {
      const payload = base64 === undefined ? {} : { payload: Buffer.from(base64, "base64") };
      this.sightings.add({ ...sighting, ...payload } as Parameters<Sightings["add"]>[0]);
    });
    await page.goto(url);
    return page;
  }

  /** In the order of the calls, each sent without waiting for the one before. */
  #run(script: string): void {
    this.#page
      .then((page) => page.evaluate(`void ${script}`))
      .catch((error) => this.sightings.fail(error));
  }
}
