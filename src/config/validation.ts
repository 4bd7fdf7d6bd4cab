/**
 * From a document to the configuration that processes use, or to every mistake in it at once.
 * It reads no file and no environment; the machine's own figures are given to it.
 */
import type {
  Configuration,
  GatewayLimits,
  HubConfiguration,
  HubLimits,
  ListenAddress,
  ServiceConfiguration,
} from "./configuration.ts";
import { crossChecks, defaultPath } from "./cross-checks.ts";
import { type ConfigurationDocument, type Position, pathId } from "./document.ts";
import { gatewayLimitShape, hubLimitShape } from "./limits.ts";
import { parseListenAddress } from "./listen-address.ts";
import { schemaMistakes } from "./mistakes.ts";
import { unbuiltSettings } from "./not-built-yet.ts";
import {
  ConfigurationError,
  formatPath,
  type KeyPath,
  type Mistake,
  type Problem,
} from "./problem.ts";
import { configurationSchema, type ParsedConfiguration, type ParsedHub } from "./schema.ts";
import { child, type SchemaNode, schemaRoot, takes } from "./schema-node.ts";
import {
  DEFAULT_DELIVERY,
  DEFAULT_PREFIX,
  DEFAULT_STREAM,
  isLinkUrl,
  isNatsUrl,
} from "./service.ts";

/** What defaults depend on. */
export interface Machine {
  hostName: string;
  cores: number;
  /** That this process and its children may use. */
  memoryBytes: number;
}

export function validate(document: ConfigurationDocument, machine: Machine): Configuration {
  const value = adapt(document.value, schemaRoot(), [], document.filled);
  const unbuilt = unbuiltSettings(value);
  const parsed = configurationSchema.safeParse(value);
  const found = [
    ...schemaMistakes(parsed.success ? [] : parsed.error.issues, value),
    ...crossChecks(value),
  ];
  // One mistake about one value: what could not be read, or is not built, is said already. A
  // mistake about a key (set twice) says nothing about its value.
  const unread = document.mistakes.filter(({ part }) => part === "value");
  const said = new Set([...unread, ...unbuilt].map(({ path }) => pathId(path)));
  const mistakes = [...unbuilt, ...found.filter(({ path }) => !isSaid(path, said))];
  const problems = [
    ...document.mistakes.map((mistake) => problemAt(document, mistake, mistake.position)),
    ...mistakes.map((mistake) =>
      problemAt(document, mistake, document.position(mistake.path, mistake.part)),
    ),
  ];
  if (!parsed.success || problems.length > 0) {
    problems.sort((a, b) => a.line - b.line || a.column - b.column);
    throw new ConfigurationError(problems);
  }
  return complete(parsed.data, machine);
}

function isSaid(path: KeyPath, said: ReadonlySet<string>): boolean {
  return path.some((_, index) => said.has(pathId(path.slice(0, index + 1))));
}

function problemAt(document: ConfigurationDocument, mistake: Mistake, position: Position): Problem {
  const { file } = document;
  return { file, ...position, path: formatPath(mistake.path), message: mistake.message };
}

/**
 * Two things that YAML cannot know: a number or boolean that was filled in is text until the
 * schema says otherwise, and a key with nothing behind it (all of its lines are comments, say)
 * is an empty mapping where the schema has a mapping.
 */
function adapt(
  value: unknown,
  node: SchemaNode | undefined,
  path: KeyPath,
  filled: ReadonlySet<string>,
): unknown {
  if (value === null && node?.type === "object") return {};
  if (typeof value === "string" && filled.has(pathId(path))) {
    if (takes(node, "integer") && /^-?\d+$/.test(value)) return Number(value);
    if (takes(node, "boolean") && /^(?:true|false)$/.test(value)) return value === "true";
    return value;
  }
  if (Array.isArray(value)) {
    return value.map((item, index) => adapt(item, child(node, index), [...path, index], filled));
  }
  if (typeof value !== "object" || value === null) return value;
  const adapted: Record<string, unknown> = Object.create(null);
  for (const [key, item] of Object.entries(value)) {
    // Undefined is how a caller in code leaves a key out.
    if (item !== undefined) adapted[key] = adapt(item, child(node, key), [...path, key], filled);
  }
  return adapted;
}

function complete(parsed: ParsedConfiguration, machine: Machine): Configuration {
  const workers = parsed.workers === "auto" ? machine.cores : parsed.workers;
  const bufferBudgetBytes =
    parsed.limits.bufferBudgetBytes ?? Math.floor(machine.memoryBytes / 4 / workers);
  const limits: GatewayLimits = {
    ...pick(parsed.limits, hubLimitShape),
    ...pick(parsed.limits, gatewayLimitShape),
    bufferBudgetBytes,
  };
  const { address, key, keys } = parsed.admin;
  const hubs = Object.entries(parsed.hubs).map(([name, hub]): [string, HubConfiguration] => [
    name,
    completeHub(name, hub, limits),
  ]);
  return {
    name: parsed.name ?? machine.hostName,
    listen: parsed.listen.map((listener) => addressOf(listener.address)),
    hubs: Object.fromEntries(hubs),
    admin: { ...addressOf(address), keys: key === undefined ? (keys ?? []) : [key] },
    workers,
    limits,
  };
}

function completeHub(name: string, hub: ParsedHub, limits: GatewayLimits): HubConfiguration {
  const service = completeService(hub.service);
  const own = hub.limits as Partial<HubLimits>;
  return {
    paths: hub.paths ?? [defaultPath(name)],
    service,
    auth: { connect: hub.auth.connect ?? service.kind !== "echo" },
    origins: hub.origins?.map(canonicalOrigin),
    signingKeys: hub.signingKeys,
    consent: hub.consent === "on",
    compression: hub.compression === "on",
    batch: hub.batch === "on",
    slowConsumer: hub.slowConsumer,
    limits: pick({ ...limits, ...own }, hubLimitShape),
  };
}

function completeService(written: ParsedHub["service"]): ServiceConfiguration {
  const {
    url,
    servers = [],
    ...more
  }: Exclude<typeof written, string> = typeof written === "string" ? { url: written } : written;
  if (url === "echo:") return { kind: "echo" };
  const addresses = [...new Set([url, ...servers])];
  if (isLinkUrl(url)) return { kind: "link", addresses };
  if (!isNatsUrl(url)) return { kind: "http", url };
  return {
    ...more,
    kind: "nats",
    servers: addresses,
    delivery: more.delivery ?? DEFAULT_DELIVERY,
    stream: more.stream ?? DEFAULT_STREAM,
    prefix: more.prefix ?? DEFAULT_PREFIX,
  };
}

/** As browsers send it: lower case, and no port where it is the scheme's own. */
function canonicalOrigin(origin: string): string {
  if (origin === "*") return origin;
  const canonical = new URL(origin).origin;
  return canonical === "null" ? origin.toLowerCase() : canonical;
}

function addressOf(text: string): ListenAddress {
  const address = parseListenAddress(text);
  if (typeof address === "string") throw new TypeError(`an address passed the schema: ${text}`);
  return address;
}

function pick<Shape extends object>(
  from: { [Key in keyof Shape]: number },
  shape: Shape,
): { [Key in keyof Shape]: number } {
  const keys = Object.keys(shape) as (keyof Shape)[];
  const entries = keys.map((key) => [key, from[key]]);
  return Object.fromEntries(entries) as { [Key in keyof Shape]: number };
}
