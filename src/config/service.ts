/**
 * A hub's service as people write it: the part of the schema that tells carriers apart, and what
 * takes several of its keys to judge. What it becomes is in validation.ts.
 */
import { isIP } from "node:net";
import { z } from "zod";
import type { KeyPath, Mistake } from "./problem.ts";
import { text } from "./text.ts";

/** Instances of one service: upstreams/link/ dials no more. */
const LINKS_MAX = 64;
/** Of `sun_path`, without its final zero (unix(7)). */
const UNIX_PATH_BYTES_MAX = 107;

type Mapping = Record<string, unknown>;

export const DEFAULT_STREAM = "headgate";
export const DEFAULT_PREFIX = "headgate";
export const DEFAULT_DELIVERY = "at-most-once";

const serviceUrl = text(mistakeInServiceUrl).meta({
  examples: ["http://127.0.0.1:3000/events"],
});

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

const serversShape = {
  servers: z
    .array(text(mistakeInServer).meta({ examples: ["nats://127.0.0.1:4222"] }))
    .min(1)
    .describe(
      "More servers of the same NATS cluster, as `nats:` URLs, or more instances of the same " +
        "service, as `link:` or `link+unix:` URLs.",
    )
    .optional(),
};

/** Only for nats services. */
const natsShape = {
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
    z.strictObject({
      url: serviceUrl.describe("The service's URL."),
      ...serversShape,
      ...natsShape,
    }),
  ])
  .describe(
    "Where events go: an `http:` or `https:` URL, a `link:` or `link+unix:` one, a `nats:` URL, " +
      '`{ url: … }` with more, or `"echo:"`, which sends every message back.',
  );

export function isNatsUrl(url: unknown): boolean {
  return typeof url === "string" && /^nats:/i.test(url);
}

export function isLinkUrl(url: unknown): boolean {
  return typeof url === "string" && /^link(?:\+unix)?:/i.test(url);
}

/** `hub` is not known to be valid; what is of a wrong type is the schema's to report. */
export function checkService(hub: Mapping, path: KeyPath): Mistake[] {
  const written = typeof hub.service === "object" ? ((hub.service ?? {}) as Mapping) : {};
  const url = typeof hub.service === "object" ? written.url : hub.service;
  const at = (key: string, message: string): Mistake => {
    return { path: [...path, "service", key], part: "key", message };
  };
  const mistakes = [...checkServers(url, written, path), ...checkHttpOnly(url, hub, path)];
  if (!isNatsUrl(url)) {
    const strays = Object.keys(natsShape)
      .filter((key) => written[key] !== undefined)
      .map((key) => at(key, "is for nats services; remove it, or give url a nats: address"));
    return [...mistakes, ...strays];
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

function checkServers(url: unknown, { servers }: Mapping, path: KeyPath): Mistake[] {
  // Without a url it is that which is said to be missing.
  if (servers === undefined || url === undefined) return [];
  const place = [...path, "service", "servers"];
  if (!isNatsUrl(url) && !isLinkUrl(url)) {
    const message = "is for nats and link services; remove it, or give url such an address";
    return [{ path: place, part: "key", message }];
  }
  if (!Array.isArray(servers)) return [];
  if (isLinkUrl(url) && new Set([url, ...servers]).size > LINKS_MAX) {
    const message = `makes more than ${LINKS_MAX} instances, which no worker links to; remove some`;
    return [{ path: place, part: "value", message }];
  }
  return [...servers.entries()]
    .filter(([, server]) => (isNatsUrl(url) ? isLinkUrl(server) : isNatsUrl(server)))
    .map(([index]) => ({
      path: [...place, index],
      part: "value",
      message: "is no address of the kind that url has; a service is reached in one way",
    }));
}

function checkHttpOnly(url: unknown, hub: Mapping, path: KeyPath): Mistake[] {
  if (!isNatsUrl(url) && !isLinkUrl(url)) return [];
  const message = "is for http services; set it to off, or remove it";
  return ["consent", "batch"]
    .filter((key) => hub[key] === "on")
    .map((key) => ({ path: [...path, key], part: "value", message }));
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
  if (isLinkUrl(text)) return mistakeInLinkUrl(text);
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(text)?.[1]?.toLowerCase();
  if (scheme !== "http" && scheme !== "https") {
    return (
      "must be an http: or https: URL, such as http://127.0.0.1:3000/events, a link:, " +
      'link+unix: or nats: one, or "echo:"'
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

function mistakeInServer(text: string): string | undefined {
  if (isLinkUrl(text)) return mistakeInLinkUrl(text);
  if (isNatsUrl(text)) return mistakeInNatsUrl(text);
  if (/^links:/i.test(text)) return "is a links: URL, which is not built yet; use link:";
  return "is no nats:, link: or link+unix: URL; write it like the one of url";
}

function mistakeInLinkUrl(text: string): string | undefined {
  if (/^link\+unix:/i.test(text)) {
    const path = /^link\+unix:\/\/(\/[^?#%]+)$/i.exec(text)?.[1];
    if (path === undefined) {
      return "is no path of a Unix socket; write it like link+unix:///run/service.sock";
    }
    const bytes = Buffer.byteLength(path);
    if (bytes <= UNIX_PATH_BYTES_MAX) return undefined;
    return `is a path of ${bytes} bytes, and a Unix socket's has ${UNIX_PATH_BYTES_MAX} at most`;
  }
  const url = /^link:\/\/[^/]/i.test(text) && URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || url.hostname === "" || url.port === "" || url.port === "0") {
    return "is no link: URL; write it with a host and a port, like link://127.0.0.1:7000";
  }
  if (url.hostname.includes("%")) {
    return "has a host with characters that no name has; write it in ASCII, or an address";
  }
  if (url.username !== "" || url.password !== "") {
    return "holds a user name or password; remove it, and let the service check signingKeys";
  }
  if (url.pathname.length > 1 || url.search !== "" || url.hash !== "") {
    return "has more than a host and a port; remove what is behind them";
  }
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
