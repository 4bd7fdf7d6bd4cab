/**
 * The configuration as people write it: one schema for its type, its validation, the editor's
 * JSON Schema and the reference page. What needs two keys to judge is in cross-checks.ts.
 */
import { z } from "zod";
import {
  budgetShape,
  gatewayLimitShape,
  hubLimitShape,
  unbuiltGatewayLimitShape,
  unbuiltHubLimitShape,
} from "./limits.ts";
import { parseListenAddress } from "./listen-address.ts";
import { parsePathPattern } from "./path-pattern.ts";
import { service } from "./service.ts";
import { text } from "./text.ts";

export const DEFAULT_LISTEN = "0.0.0.0:8000";
export const DEFAULT_ADMIN = "127.0.0.1:8001";

const WORKERS_MAX = 256;

/** Names travel in the subjects of brokers and in paths, so they are plain. */
export const HUB_NAME = /^[A-Za-z][A-Za-z0-9_-]{0,127}$/;

const listenAddress = text((value) => {
  const address = parseListenAddress(value);
  return typeof address === "string" ? address : undefined;
}).meta({ examples: ["127.0.0.1:8000"] });

const pathPattern = text((value) => {
  const pattern = parsePathPattern(value);
  return typeof pattern === "string" ? pattern : undefined;
}).meta({ examples: ["/chat"] });

/** A key travels in an Authorization header. */
const key = text((value) => {
  if (value === "") return "is empty; give it a long random value";
  if (/^[\x21-\x7e]+$/.test(value)) return undefined;
  return "holds spaces or characters outside ASCII, which a header cannot carry; choose another";
});

const signingKey = text((value) =>
  value === "" ? "is empty; give it a long random value, which the service knows too" : undefined,
);

const origin = text(mistakeInOrigin).meta({ examples: ["https://app.example"] });

const gatewayName = text((value) =>
  /^[\x21-\x7e]{1,255}$/.test(value)
    ? undefined
    : "must be 1 to 255 visible ASCII characters, such as gateway.example",
);

const listener = z.strictObject({
  address: listenAddress
    .describe(
      'IP address and port, such as `127.0.0.1:8000`, `"[::]:8000"` or `:8000`; port ' +
        "0 takes a free one.",
    )
    .default(DEFAULT_LISTEN),
  serve: z
    .array(z.literal("clients"))
    .min(1)
    .describe("What is served there.")
    .default(["clients"]),
});

/** A hub inherits what it does not set, so its keys are optional and have no defaults. */
const hubLimits = z.strictObject(withoutDefaults({ ...hubLimitShape, ...unbuiltHubLimitShape }));

const hub = z.strictObject({
  paths: z
    .array(pathPattern)
    .min(1)
    .describe(
      "Paths that clients connect to; a segment `:name` matches anything and reaches " +
        "the service as a parameter. Default: `/client/hubs/` and the hub's name.",
    )
    .optional(),
  service,
  auth: z
    .strictObject({
      connect: z
        .boolean()
        .describe(
          "Whether the service is asked before a client is let in. Default: true; " +
            'false for `"echo:"`.',
        )
        .optional(),
    })
    .describe("Who is let in.")
    .prefault({}),
  origins: z
    .array(origin)
    .describe(
      "Web origins that may connect, such as `https://app.example`, or `*` for all. " +
        "Default: the same host name, whatever the port.",
    )
    .optional(),
  signingKeys: z
    .array(signingKey)
    .describe("Keys for the signatures on events: the first signs, a service may know all.")
    .default([]),
  consent: z
    .enum(["on", "off"])
    .describe("Whether the service is asked once, by OPTIONS, if it wants our events.")
    .default("off"),
  compression: z
    .enum(["on", "off"])
    .describe(
      "Whether messages are compressed for clients that offer it (permessage-deflate, RFC 7692).",
    )
    .default("off"),
  batch: z
    .enum(["on", "off"])
    .describe(
      "Whether events that wait go to the service together, as a batch of CloudEvents; the " +
        "service answers each in one array.",
    )
    .default("off"),
  slowConsumer: z
    .enum(["keep", "drop-newest", "drop-oldest"])
    .describe(
      "What happens past `writeQueueSoftBytes`: messages wait, the new one is " +
        "dropped, or the oldest one is.",
    )
    .default("keep"),
  dialect: z
    .literal("cloudevents")
    .describe("How events look. Only this value until others are built.")
    .default("cloudevents"),
  limits: hubLimits.describe("The gateway's limits, where this hub has its own.").prefault({}),
});

const admin = z.strictObject({
  address: listenAddress
    .describe("IP address and port of the REST API, health and metrics.")
    .default(DEFAULT_ADMIN),
  keys: z
    .array(key)
    .describe("Keys that callers prove with; needed unless the address is a loopback one.")
    .optional(),
  key: key.describe("The same as `keys` with one.").optional(),
});

const limits = z.strictObject({
  ...gatewayLimitShape,
  ...budgetShape,
  ...hubLimitShape,
  ...unbuiltGatewayLimitShape,
  ...unbuiltHubLimitShape,
});

export const configurationSchema = z.strictObject({
  name: gatewayName
    .describe("What services see as our origin. Default: the host's name.")
    .optional(),
  listen: z.array(listener).min(1).describe("Where clients connect.").prefault([{}]),
  hubs: z
    .record(z.string(), hub)
    .describe(
      "By name (a letter, then up to 127 letters, digits, `_` and `-`): the paths of " +
        "clients and the service behind them. At least one.",
    )
    .meta({ minProperties: 1, propertyNames: { pattern: HUB_NAME.source } }),
  admin: admin.describe("The listener for services and operators.").prefault({}),
  workers: z
    .union([z.int().min(1).max(WORKERS_MAX), z.literal("auto")])
    .describe("Worker processes; `auto` for one on each core.")
    .default(1),
  limits: limits.describe("Bounds of the gateway and of every hub.").prefault({}),
});

/** What a person writes. */
export type ConfigurationInput = z.input<typeof configurationSchema>;
/** The same with the schema's defaults. */
export type ParsedConfiguration = z.output<typeof configurationSchema>;
export type ParsedHub = z.output<typeof hub>;

type WithoutDefaults<Shape extends Record<string, z.ZodDefault>> = {
  [Key in keyof Shape]: z.ZodOptional<ReturnType<Shape[Key]["unwrap"]>>;
};

function withoutDefaults<Shape extends Record<string, z.ZodDefault>>(
  shape: Shape,
): WithoutDefaults<Shape> {
  const entries = Object.entries(shape).map(([key, schema]) => {
    const inner = schema.unwrap() as z.ZodType;
    return [key, inner.optional()];
  });
  return Object.fromEntries(entries) as WithoutDefaults<Shape>;
}

function mistakeInOrigin(text: string): string | undefined {
  if (text === "*") return undefined;
  if (text.includes("*")) return 'must be written out; a wildcard is "*" alone';
  const match = /^[a-z][a-z0-9+.-]*:\/\/([^/?#@]+)(.*)$/i.exec(text);
  if (match === null || !URL.canParse(text)) {
    return 'must be a scheme, a host and perhaps a port, such as https://app.example, or "*"';
  }
  const [, host = "", rest = ""] = match;
  if (rest === "") return undefined;
  return `has more than an origin; remove "${rest}" after "${host}"`;
}
