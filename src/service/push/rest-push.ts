/**
 * Pushes over the gateway's REST API, as docs/rest-api.md has it, on connections that are kept.
 * Nothing is tried again: whether a push may come twice is for its caller to say.
 */
import {
  Agent as HttpAgent,
  type IncomingMessage,
  request as requestHttp,
  validateHeaderValue,
} from "node:http";
import { Agent as HttpsAgent, request as requestHttps } from "node:https";
import { urlToHttpOptions } from "node:url";
import { HeadgateError } from "../../core/error.ts";
import { TEXT } from "../../core/opcode.ts";
import type { Call, PushCarrier, PushResult } from "./push.ts";

export interface RestPushOptions {
  /** The admin listener: http://127.0.0.1:8001 */
  url: string;
  /** One of the gateway's admin keys, where it has any. */
  key?: string;
  hub: string;
  callTimeoutMs: number;
  callsMax: number;
}

/** Connections to the gateway; further calls wait for one of them. */
const CONNECTIONS_MAX = 64;
/** Of an answer: counts stand in headers, and errors are short. */
const ANSWER_BYTES_MAX = 65_536;

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly text: string;
}

export class RestPush implements PushCarrier {
  readonly #options: RestPushOptions;
  readonly #base: URL;
  readonly #prefix: string;
  readonly #agent: HttpAgent;
  #underWay = 0;

  constructor(options: RestPushOptions) {
    this.#options = options;
    this.#base = readUrl(options.url);
    this.#prefix = this.#base.pathname.replace(/\/$/, "");
    const isTls = this.#base.protocol === "https:";
    const kept = { keepAlive: true, maxSockets: CONNECTIONS_MAX };
    this.#agent = isTls ? new HttpsAgent(kept) : new HttpAgent(kept);
  }

  async call(call: Call): Promise<PushResult> {
    const { callsMax } = this.#options;
    if (this.#underWay >= callsMax) {
      const message = `${callsMax} pushes are under way; wait for some of them.`;
      throw new HeadgateError("HG_PUSH_BUSY", message);
    }
    this.#underWay += 1;
    try {
      return resultOf(call, await this.#exchange(call));
    } finally {
      this.#underWay -= 1;
    }
  }

  close(): void {
    this.#agent.destroy();
  }

  #exchange(call: Call): Promise<Answer> {
    const [method, path] = routeOf(call, this.#options.hub);
    const { payload } = call;
    const headers: Record<string, string> = { "content-length": `${payload?.bytes.length ?? 0}` };
    const { key } = this.#options;
    if (key !== undefined) headers.authorization = `Bearer ${key}`;
    if (payload !== undefined) {
      headers["content-type"] = payload.opcode === TEXT ? "text/plain" : "application/octet-stream";
    }
    if (call.pushId !== "") headers["headgate-push-id"] = checkId(call.pushId);
    const send = this.#base.protocol === "https:" ? requestHttps : requestHttp;
    // Not by way of a URL: it would take a user named ".." for a step up.
    const to = { ...urlToHttpOptions(this.#base), path: `${this.#prefix}${path}` };
    return new Promise((resolve, reject) => {
      const signal = AbortSignal.timeout(this.#options.callTimeoutMs);
      const fail = (cause: Error) => reject(this.#unanswered(`${method} ${path}`, cause));
      const options = { ...to, method, headers, agent: this.#agent, signal };
      const request = send(options, (response) => {
        readAnswer(response).then(resolve, fail);
      });
      request.on("error", fail);
      request.end(payload?.bytes);
    });
  }

  #unanswered(what: string, cause: Error): HeadgateError {
    const { origin } = this.#base;
    return new HeadgateError(
      "HG_PUSH_UNANSWERED",
      `${what}: no answer from ${origin}. It may have been done all the same: give a push a ` +
        "pushId and send it again.",
      { cause },
    );
  }
}

function readUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === "http:" || url?.protocol === "https:") return url;
  throw new HeadgateError(
    "HG_PUSH_INVALID",
    `push.url is "${text}", and must be the gateway's admin address: http://127.0.0.1:8001`,
  );
}

async function readAnswer(response: IncomingMessage): Promise<Answer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > ANSWER_BYTES_MAX) throw new Error(`more than ${ANSWER_BYTES_MAX} bytes came`);
    chunks.push(chunk);
  }
  const text = Buffer.concat(chunks).toString();
  return { status: response.statusCode ?? 0, headers: response.headers, text };
}

function checkId(pushId: string): string {
  try {
    validateHeaderValue("headgate-push-id", pushId);
    return pushId;
  } catch (cause) {
    const message = "This cannot be pushed: its pushId does not fit into a header; use ASCII.";
    throw new HeadgateError("HG_PUSH_INVALID", message, { cause });
  }
}

const kinds = { connection: "connections", user: "users", group: "groups" } as const;

function routeOf(call: Call, hub: string): [method: string, path: string] {
  const { argument, excluded, name, target, verb } = call;
  const hubPath = `/api/hubs/${encodeURIComponent(hub)}`;
  const ofTarget = target === "all" ? "" : `/${kinds[target]}/${segment(name)}`;
  const path = `${hubPath}${ofTarget}`;
  switch (verb) {
    case "send":
      return ["POST", `${path}/:send${queryOf(excluded, "")}`];
    case "close":
      if (target === "connection") return ["DELETE", `${path}${queryOf([], argument)}`];
      return ["POST", `${path}/:closeConnections${queryOf(excluded, argument)}`];
    case "join":
    case "leave": {
      const method = verb === "join" ? "PUT" : "DELETE";
      const group = `/groups/${segment(argument)}`;
      if (target === "user") return [method, `${path}${group}`];
      return [method, `${hubPath}${group}${ofTarget}`];
    }
    case "leave-all":
      return ["DELETE", `${path}/groups`];
    case "exists":
      return ["HEAD", path];
  }
}

function segment(name: string): string {
  return encodeURIComponent(name.toWellFormed());
}

function queryOf(excluded: readonly string[], reason: string): string {
  const query = new URLSearchParams();
  for (const id of excluded) query.append("excluded", id);
  if (reason !== "") query.set("reason", reason);
  const text = query.toString();
  return text === "" ? "" : `?${text}`;
}

/** Errors by which the API says that there was nobody: a count of 0 elsewhere. */
const NOBODY = ["ConnectionNotFound", "UserNotFound", "NotFound"];

function resultOf(call: Call, { headers, status, text }: Answer): PushResult {
  const partial = headers["headgate-partial"] === "true";
  if (status >= 200 && status < 300) {
    const matched = call.verb === "exists" ? 1 : Number(headers["headgate-matched"] ?? 0);
    return { matched, dropped: Number(headers["headgate-dropped"] ?? 0), partial };
  }
  const code = String(headers["x-ms-error-code"] ?? "");
  if (status === 404 && NOBODY.includes(code)) return { matched: 0, dropped: 0, partial };
  const said = text === "" ? "" : ` ${text.slice(0, 500)}`;
  throw new HeadgateError(
    status === 503 ? "HG_PUSH_UNANSWERED" : "HG_PUSH_REFUSED",
    `The gateway answered ${status} ${code} to a ${call.verb}.${said}`,
  );
}
