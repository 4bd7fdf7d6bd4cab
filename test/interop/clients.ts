/**
 * Every client that others wrote and that is tried here: what its interface offers, what it needs
 * from the system, and how it is made ready. None is ours, and none is changed.
 */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { after } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { WebSocket } from "undici";
import { findChromium } from "../chromium.ts";
import { makeTemporaryFolder } from "../support/temporary-folder.ts";
import { ChromiumPeers } from "./chromium-peer.ts";
import { findCommand, lacks } from "./debian.ts";
import type { Abilities, Peer } from "./peer.ts";
import { ProcessPeer } from "./process-peer.ts";
import { type SocketClass, StandardPeer } from "./standard-peer.ts";
import { WsPeer } from "./ws-peer.ts";

export interface ForeignClient {
  readonly name: string;
  readonly abilities: Abilities;
  /** Why it cannot be had here. */
  readonly missing: string | false;
  /** Builds or launches it; what comes back makes as many of it as are wanted. */
  prepare(): Promise<() => Peer>;
}

const EVERYTHING: Abilities = {
  fragments: true,
  pings: true,
  refusal: "body",
  answeredClose: true,
  uncompressed: true,
};
/** The interface that browsers have. */
const STANDARD: Abilities = { ...EVERYTHING, fragments: false, pings: false, refusal: "nothing" };

const SOURCES = fileURLToPath(new URL("../../../test/interop/peers/", import.meta.url));
const GO_SOURCES = "/usr/share/gocode";
/** Debian's, whose packages another Python that comes first in the path does not see. */
const PYTHON = "/usr/bin/python3";
/** The first build of a Go program with net/http on a machine builds its standard library too. */
const BUILD_TIMEOUT_MS = 150_000;

const run = promisify(execFile);

/** In the order in which they are made ready: what has to be built first comes first. */
export const foreignClients: readonly ForeignClient[] = [
  {
    name: "gorilla/websocket in Go",
    abilities: EVERYTHING,
    missing: lacks("gorilla/websocket", [
      ["go", "golang-go"],
      [`${GO_SOURCES}/src/github.com/gorilla/websocket`, "golang-github-gorilla-websocket-dev"],
    ]),
    prepare: buildGorillaClient,
  },
  {
    name: "Chromium",
    abilities: { ...STANDARD, refusal: "status" },
    missing: findChromium() === undefined ? "there is no Chromium" : false,
    prepare: launchBrowser,
  },
  {
    name: "libwebsockets in C",
    // RFC 7692, 6 leaves it to the sender whether a message is compressed. This client reads one
    // that is not over and over again: github.com/warmcat/libwebsockets/issues/2794.
    abilities: { ...EVERYTHING, refusal: "status", answeredClose: false, uncompressed: false },
    missing: lacks("libwebsockets", [
      ["cc", "gcc"],
      ["/usr/include/libwebsockets.h", "libwebsockets-dev"],
    ]),
    prepare: buildLibwebsocketsClient,
  },
  {
    name: "websockets in Python",
    abilities: { ...EVERYTHING, refusal: "status" },
    missing: lacks("websockets for Python", [
      [PYTHON, "python3"],
      ["/usr/lib/python3/dist-packages/websockets", "python3-websockets"],
    ]),
    prepare: async () => () => new ProcessPeer(PYTHON, [join(SOURCES, "websockets_client.py")]),
  },
  {
    name: "ws",
    abilities: EVERYTHING,
    missing: false,
    prepare: async () => () => new WsPeer(),
  },
  {
    name: "undici",
    abilities: { ...STANDARD, pings: true },
    missing: false,
    prepare: async () => () => new StandardPeer(WebSocket),
  },
  {
    name: "Node's own WebSocket",
    abilities: STANDARD,
    missing: builtInSocketClass() === undefined ? "this version of Node has none" : false,
    prepare: async () => () => new StandardPeer(builtInSocketClass() as SocketClass),
  },
];

let chromiumPeers: ChromiumPeers | undefined;
after(() => chromiumPeers?.close());

function builtInSocketClass(): SocketClass | undefined {
  return (globalThis as { WebSocket?: SocketClass }).WebSocket;
}

/** Without modules, as Debian's packages of Go sources are meant to be used; without network. */
async function buildGorillaClient(): Promise<() => Peer> {
  const program = join(makeTemporaryFolder(), "gorilla-client");
  const env = {
    ...process.env,
    ...{ GO111MODULE: "off", GOPATH: GO_SOURCES, GOFLAGS: "", GOTOOLCHAIN: "local" },
    ...{ CGO_ENABLED: "0" },
  };
  const parameters = ["build", "-o", program, join(SOURCES, "gorilla_client.go")];
  await run(findCommand("go") as string, parameters, { env, timeout: BUILD_TIMEOUT_MS });
  return () => new ProcessPeer(program);
}

async function buildLibwebsocketsClient(): Promise<() => Peer> {
  const program = join(makeTemporaryFolder(), "libwebsockets-client");
  const source = join(SOURCES, "libwebsockets_client.c");
  const parameters = ["-O1", "-Wall", "-o", program, source, "-lwebsockets", "-lpthread"];
  await run(findCommand("cc") as string, parameters, { timeout: BUILD_TIMEOUT_MS });
  return () => new ProcessPeer(program);
}

async function launchBrowser(): Promise<() => Peer> {
  const launched = await ChromiumPeers.launch(findChromium() as string);
  chromiumPeers = launched;
  return () => launched.make();
}
