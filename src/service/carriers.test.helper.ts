/**
 * One service over each carrier, for tests of what handlers mean: requests and frames are made by
 * hand, as the gateway makes them.
 */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { after } from "node:test";
import { TEXT } from "../core/opcode.ts";
import {
  ACKNOWLEDGE,
  ANSWER_BINARY,
  ANSWER_TEXT,
  CONNECT_ANSWER,
  CONNECTED,
  DISCONNECTED,
  REJECT,
  STATE,
} from "../link/frame.ts";
import { decodeAttribute } from "./attribute.ts";
import { asBatch, asRequest, type Told } from "./http/requests.test.helper.ts";
import { LinkPeer, messageFrame } from "./link/link-peer.test.helper.ts";
import { createService, type Service, type ServiceOptions } from "./service.ts";

export const NONCE = "AAAAAAAAAAA";

export interface Result {
  kind: "taken" | "held" | "failed" | "refused";
  reply?: { isText: boolean; bytes: Buffer };
  state?: string;
}

export interface ConnectResult {
  status: number;
  body: string;
  state: string;
}

/** One connection, as its gateway sees it; it stops at an event that failed. */
export interface Driver {
  /** Results of what was handled: fewer than the events when one failed. */
  tell(...events: Told[]): Promise<Result[]>;
}

export interface Stage {
  service: Service;
  errors: Error[];
  connect(connectionId: string, body: object): Promise<ConnectResult>;
  open(connectionId: string, facts?: { userId?: string; state?: string }): Driver;
}

export interface Carrier {
  name: string;
  /** With these results nothing behind the event is handled before it, if at all. */
  stopsAt: readonly Result["kind"][];
  /** Messages can set the state of their connection. */
  keepsState: boolean;
  /** Why it cannot be had here. */
  skip: string | false;
  set(options?: Partial<ServiceOptions>): Promise<Stage>;
}

const running = new Set<Server>();
after(() => {
  for (const server of running) server.close().closeAllConnections();
});

export function createWatched(options: Partial<ServiceOptions>): {
  service: Service;
  errors: Error[];
} {
  const errors: Error[] = [];
  const onError = (error: Error) => errors.push(error);
  return { service: createService({ hub: "chat", onError, ...options }), errors };
}

export async function serve(handler: Parameters<typeof createServer>[1]): Promise<string> {
  const server = createServer(handler as never);
  running.add(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/events`;
}

const kinds: Record<number, Result["kind"]> = { 400: "refused", 500: "failed", 503: "held" };

function kindOf(status: number): Result["kind"] {
  return status < 300 ? "taken" : (kinds[status] ?? "refused");
}

async function connectOverHttp(url: string, connectionId: string, body: object) {
  const told = { name: "connect", body: JSON.stringify(body) } as const;
  const response = await fetch(url, asRequest({ connectionId }, told));
  const state = decodeAttribute(response.headers.get("ce-connectionstate") ?? "");
  return { status: response.status, body: await response.text(), state };
}

async function readResult(response: Response): Promise<Result> {
  const result: Result = { kind: kindOf(response.status) };
  const bytes = Buffer.from(await response.arrayBuffer());
  if (result.kind !== "taken") return result;
  const isText = response.headers.get("content-type")?.startsWith("text/") ?? false;
  if (bytes.length > 0) result.reply = { isText, bytes };
  const state = response.headers.get("ce-connectionstate");
  if (state !== null) result.state = decodeAttribute(state);
  return result;
}

const PROMISES = {
  stopsAt: ["held", "failed", "refused"],
  keepsState: true,
  skip: false,
} as const;

const http: Carrier = {
  name: "HTTP",
  ...PROMISES,
  async set(options = {}) {
    const { errors, service } = createWatched(options);
    const url = await serve(service.httpHandler());
    const open: Stage["open"] = (connectionId, { state = "", userId = "" } = {}) => ({
      async tell(...events) {
        const results: Result[] = [];
        let connectionState = state;
        for (const told of events) {
          const facts = { connectionId, userId, connectionState };
          const result = await readResult(await fetch(url, asRequest(facts, told)));
          results.push(result);
          connectionState = result.state ?? connectionState;
          if (result.kind !== "taken") break;
        }
        return results;
      },
    });
    return { service, errors, open, connect: (id, body) => connectOverHttp(url, id, body) };
  },
};

interface BatchEntry {
  status: number;
  data?: string;
  data_base64?: string;
  datacontenttype?: string;
  connectionstate?: string;
}

function readEntry(entry: BatchEntry): Result {
  const result: Result = { kind: kindOf(entry.status) };
  const { connectionstate, data, data_base64: base64, datacontenttype = "" } = entry;
  const bytes = base64 === undefined ? Buffer.from(data ?? "") : Buffer.from(base64, "base64");
  if (bytes.length > 0) result.reply = { isText: datacontenttype.startsWith("text/"), bytes };
  if (connectionstate !== undefined) result.state = connectionstate;
  return result;
}

const batch: Carrier = {
  name: "a batch",
  ...PROMISES,
  async set(options = {}) {
    const { errors, service } = createWatched(options);
    const url = await serve(service.httpHandler());
    const open: Stage["open"] = (connectionId, { state = "", userId = "" } = {}) => ({
      async tell(...events) {
        const facts = { connectionId, userId, connectionState: state };
        const response = await fetch(url, asBatch(facts, events));
        // Whatever is no batch's answer stands for the first event of each connection.
        if (response.status !== 200) return [{ kind: kindOf(response.status) }];
        return ((await response.json()) as BatchEntry[]).map(readEntry);
      },
    });
    return { service, errors, open, connect: (id, body) => connectOverHttp(url, id, body) };
  },
};

const rejections: Record<number, Result["kind"]> = { 1: "held", 2: "failed", 3: "refused" };

/** The results of one channel, out of the frames that came for it. */
function readChannel(peer: LinkPeer, channel: number): Result[] {
  const results: Result[] = [];
  let state: { state?: string } = {};
  for (const frame of peer.of(ACKNOWLEDGE, ANSWER_TEXT, ANSWER_BINARY, REJECT, STATE)) {
    if (frame.channel !== channel) continue;
    if (frame.type === STATE) {
      state = { state: frame.connectionState };
    } else if (frame.type === REJECT) {
      results.push({ kind: rejections[frame.kind] as Result["kind"] });
    } else if (frame.type === ACKNOWLEDGE) {
      for (let index = 0; index < frame.events; index += 1) {
        results.push({ kind: "taken", ...(index === 0 ? state : {}) });
      }
      state = {};
    } else {
      const bytes = Buffer.from(frame.bytes.subarray(frame.start, frame.end));
      const reply = { isText: frame.type === ANSWER_TEXT, bytes };
      results.push({ kind: "taken", reply, ...state });
      state = {};
    }
  }
  return results;
}

function frameOf(channel: number, told: Told) {
  if (told.name === "connected") return { type: CONNECTED, channel, timeMs: 1 } as const;
  if (told.name === "message") {
    const { opcode, payload } = told;
    return messageFrame(channel, told.number, opcode === TEXT ? payload.toString() : payload);
  }
  const { code, reason } = JSON.parse((told as { body: string }).body);
  return { type: DISCONNECTED, channel, timeMs: 1, code, reason } as const;
}

const link: Carrier = {
  name: "a link",
  ...PROMISES,
  async set(options = {}) {
    const { errors, service } = createWatched(options);
    const { port } = await service.listenLink(0);
    const peer = await LinkPeer.open(port as number);
    after(() => service.close());
    let channels = 0;
    let requests = 0;
    const open: Stage["open"] = (connectionId, facts = {}) => {
      channels += 1;
      const channel = channels;
      peer.open(channel, connectionId, facts);
      return {
        async tell(...events) {
          const before = readChannel(peer, channel).length;
          peer.send(...events.map((told) => frameOf(channel, told)));
          const results = () => readChannel(peer, channel).slice(before);
          const isDone = () =>
            results().length === events.length ||
            results().some(({ kind }) => kind !== "taken") ||
            peer.isClosed;
          await peer.until(isDone, "results");
          return results();
        },
      };
    };
    const connect: Stage["connect"] = async (connectionId, body) => {
      requests += 1;
      const request = requests;
      peer.connect(request, connectionId, body);
      const isIt = () => peer.of(CONNECT_ANSWER).some((each) => each.request === request);
      await peer.until(isIt, "a CONNECT-ANSWER");
      const answer = peer.of(CONNECT_ANSWER).find((each) => each.request === request);
      if (answer === undefined) throw new Error("the answer is gone");
      const { bytes, connectionState: state, end, start, status } = answer;
      return { status, body: Buffer.from(bytes.subarray(start, end)).toString(), state };
    };
    return { service, errors, open, connect };
  },
};

export const carriers: readonly Carrier[] = [http, batch, link];
