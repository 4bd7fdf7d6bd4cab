/**
 * A hub's service as people write it: the part of the schema that tells carriers apart, and what
 * takes several of its keys to judge. What it becomes is in validation.ts.
 */
import { isIP } from "node:net";
import { z } from "zod";
import type { KeyPath, Mistake } from "./problem.ts";
import { text } from "./text.ts";

type Mapping = Record<string, unknown>;

export const DEFAULT_STREAM = "headgate";
export const DEFAULT_PREFIX = "headgate";
export const DEFAULT_DELIVERY = "at-most-once";

const serviceUrl = text(mistakeInServiceUrl).meta({
  examples: ["http://127.0.0.1:3000/events"],
});

const natsUrl = text(mistakeInNatsUrl).meta({ examples: ["nats://127.0.0.1:4222"] });

const filled = (what: string) =>
  text((value) => (value === "" ? `is empty; give it ${what}, or remove it` : undefined));

const stream = text((value) =>
  /^[A-Za-z0-9_-]{1,128}$/.test(value)
    ? undefined
    : "must be 1 to 128 letters, digits, underscores and hyphens",
);

const prefix = text((value) =>
  /^[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*$/.test(value) && value.length <= 128
    ? undefined
    : "must be words of letters, digits, underscores and hyphens with dots between them",
);

const tls = z.strictObject({
  ca: filled("a path")
    .describe(
      "Path of the authorities' certificates that servers are trusted by. Default: those that " +
        "Node has.",
    )
    .optional(),
  cert: filled("a path").describe("Path of our certificate, for servers that want one.").optional(),
  key: filled("a path").describe("Path of that certificate's key.").optional(),
});

/** Only for nats services. */
const natsShape = {
  servers: z
    .array(natsUrl)
    .min(1)
    .describe("More servers of the same NATS cluster, as `nats:` URLs.")
    .optional(),
  credentials: filled("a path")
    .describe("Path of a NATS credentials file; read again at each connection.")
    .optional(),
  token: filled("the token").describe("Token that NATS knows us by.").optional(),
  user: filled("the user").describe("User that NATS knows us by, with `password`.").optional(),
  password: filled("the password").describe("Password of `user`.").optional(),
  tls: tls
    .describe("Given, even as `{}`: connections to NATS must be encrypted. Paths of files.")
    .optional(),
  delivery: z
    .enum(["at-most-once", "at-least-once"])
    .describe(
      "How events travel over NATS: `at-most-once` (the default) as core NATS, " +
        "`at-least-once` into a JetStream stream.",
    )
    .optional(),
  stream: stream
    .describe(
      `Name of that stream, which is created if there is none. Default: \`${DEFAULT_STREAM}\`.`,
    )
    .optional(),
  prefix: prefix
    .describe(`What every NATS subject begins with. Default: \`${DEFAULT_PREFIX}\`.`)
    .optional(),
};

export const service = z
  .union([
    serviceUrl,
    z.strictObject({ url: serviceUrl.describe("The service's URL."), ...natsShape }),
  ])
  .describe(
    "Where events go: an `http:` or `https:` URL, a `nats:` URL, `{ url: … }` with more, or " +
      '`"echo:"`, which sends every message back.',
  );

export function isNatsUrl(url: unknown): boolean {
  return typeof url === "string" && /^nats:/i.test(url);
}

/** `hub` is not known to be valid; what is of a wrong type is the schema's to report. */
export function checkService(hub: Mapping, path: KeyPath): Mistake[] {
  const written = typeof hub.service === "object" ? ((hub.service ?? {}) as Mapping) : {};
  const url = typeof hub.service === "object" ? written.url : hub.service;
  const at = (key: string, message: string): Mistake => {
    return { path: [...path, "service", key], part: "key", message };
  };
  if (!isNatsUrl(url)) {
    return Object.keys(natsShape)
      .filter((key) => written[key] !== undefined)
      .map((key) => at(key, "is for nats services; remove it, or give url a nats: address"));
  }
  const mistakes: Mistake[] = [];
  for (const key of ["consent", "batch"]) {
    if (hub[key] !== "on") continue;
    const message = "is for http services; set it to off, or remove it";
    mistakes.push({ path: [...path, key], part: "value", message });
  }
  const [first, second] = ["credentials", "token", "user"].filter((key) => written[key]);
  if (second !== undefined) {
    mistakes.push(at(second, `is set beside ${first}; NATS is told one of them, so remove one`));
  }
  if (written.user !== undefined && written.password === undefined) {
    mistakes.push(at("user", "has no password; set password too"));
  }
  if (written.password !== undefined && written.user === undefined) {
    mistakes.push(at("password", "has no user; set user too"));
  }
  if (written.stream !== undefined && written.delivery !== "at-least-once") {
    mistakes.push(at("stream", "needs delivery: at-least-once; set that, or remove it"));
  }
  return [...mistakes, ...checkTls(written, at)];
}

function checkTls(written: Mapping, at: (key: string, message: string) => Mistake): Mistake[] {
  if (typeof written.tls !== "object" || written.tls === null) return [];
  const { cert, key } = written.tls as Mapping;
  if ((cert === undefined) !== (key === undefined)) {
    return [at("tls", "needs cert and key together; set both, or neither")];
  }
  const urls = [written.url, ...(Array.isArray(written.servers) ? written.servers : [])];
  const hosts = urls.filter((url) => URL.canParse(String(url))).map((url) => hostOf(String(url)));
  // The client library checks a certificate against a name, and has none for an address.
  const address = hosts.find((host) => isIP(host) !== 0);
  if (address === undefined) return [];
  return [at("tls", `needs servers by name, and ${address} is an address; write the host's name`)];
}

function hostOf(url: string): string {
  return new URL(url).hostname.replace(/^\[(.*)\]$/, "$1");
}

function mistakeInServiceUrl(text: string): string | undefined {
  if (text === "echo:") return undefined;
  if (isNatsUrl(text)) return mistakeInNatsUrl(text);
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(text)?.[1]?.toLowerCase();
  if (scheme !== "http" && scheme !== "https") {
    return (
      "must be an http: or https: URL, such as http://127.0.0.1:3000/events, a nats: one, " +
      'or "echo:"'
    );
  }
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:\/\//i.test(text)) {
    return "is not a URL; write it like http://127.0.0.1:3000/events";
  }
  if (url.username !== "" || url.password !== "") {
    return "holds a user name or password; remove it, and let the service check signingKeys";
  }
  if (text.includes("#")) return 'has a fragment, which is never sent; remove it from the "#" on';
  return undefined;
}

function mistakeInNatsUrl(text: string): string | undefined {
  const url = /^nats:\/\/[^/]/i.test(text) && URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || url.hostname === "") {
    return "is no nats: URL; write it like nats://127.0.0.1:4222";
  }
  if (url.username !== "" || url.password !== "") {
    return "holds a user name or password; set user and password, or token, beside url";
  }
  if (url.pathname.length > 1 || url.search !== "" || url.hash !== "") {
    return "has more than a host and a port; remove what is behind them";
  }
  return undefined;
}
