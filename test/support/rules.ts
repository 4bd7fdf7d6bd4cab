/**
 * The architecture and the house style as rules over the sources: each a sentence, a check that
 * names every place that breaks it, and samples that break it, so that no rule can sleep. What
 * the compiler and the linter hold already is not repeated here.
 */
import { posix } from "node:path";
import { type Scan, scan } from "./source-scan.ts";

export interface Source {
  /** From the project's root, with forward slashes. */
  path: string;
  text: string;
  scan: Scan;
}

export interface Rule {
  sentence: string;
  /** The places that break the rule, as `path:line: what`. */
  check(sources: Source[]): string[];
  /** Each of these breaks it. */
  bad: Source[][];
}

export function source(path: string, text: string): Source {
  return { path, text, scan: scan(text) };
}

/** What the files of a folder of src/ may import: folders, single files of them, or their types. */
const layers: Record<string, readonly string[]> = {
  core: [],
  config: ["core"],
  websocket: ["core"],
  link: ["core"],
  metrics: ["core"],
  reactor: ["core"],
  upstreams: ["core", "config", "metrics", "reactor", "link"],
  bus: ["core", "config", "metrics"],
  gateway: [
    ...["core", "config", "metrics", "reactor", "websocket"],
    ...["upstreams/upstream.ts", "bus/bus.ts", "bus/command.ts"],
  ],
  bench: ["core", "reactor", "websocket"],
  worker: [
    ...["core", "config", "metrics", "reactor", "websocket", "link"],
    ...["upstreams", "bus", "gateway"],
  ],
  admin: ["core", "config", "metrics", "bus"],
  supervisor: [
    ...["core", "config", "metrics", "bus", "admin"],
    ...["reactor/listener.ts", "type reactor/binding.ts"],
  ],
  service: ["core", "link", "upstreams/nats/subjects.ts"],
};

/** `cli/` and the package's own entry may import everything. */
const FREE = ["cli", "index.ts"];

function folderOf(path: string): string | undefined {
  return path.startsWith("src/") ? path.split("/")[1] : undefined;
}

/** A test or what only tests use: `x.test.ts`, `x.test.child.ts`. The package leaves them out. */
export function isTest(path: string): boolean {
  return /\.test\.(?:[a-z]+\.)?ts$/.test(path);
}

function isShipped({ path }: Source): boolean {
  return path.startsWith("src/") && path.endsWith(".ts") && !isTest(path);
}

function resolve(from: string, specifier: string): string {
  return specifier.startsWith(".") ? posix.join(posix.dirname(from), specifier) : specifier;
}

interface ImportSite {
  path: string;
  target: string;
  place: string;
  typeOnly: boolean;
}

function importSites(sources: Source[]): ImportSite[] {
  return sources.flatMap(({ path, scan: { imports } }) =>
    imports.map(({ specifier, line, typeOnly }) => {
      const target = resolve(path, specifier ?? "(computed)");
      return { path, target, typeOnly, place: `${path}:${line}: imports ${target}` };
    }),
  );
}

/** Every match of `pattern` in one view of the sources. */
export function find(
  sources: Source[],
  pattern: RegExp,
  view: (source: Source) => string = ({ scan: { bare } }) => bare,
): string[] {
  return sources.flatMap((source) =>
    view(source)
      .split("\n")
      .flatMap((text, index) => {
        const match = pattern.exec(text);
        return match === null ? [] : [`${source.path}:${index + 1}: ${match[0].trim()}`];
      }),
  );
}

function inFolders(...folders: string[]): (source: Source) => boolean {
  return (source) => isShipped(source) && folders.includes(folderOf(source.path) ?? "");
}

const pointDown: Rule = {
  sentence: "imports point down, as the layer table has it",
  check: (sources) =>
    importSites(sources.filter(isShipped))
      .filter(({ path, target, typeOnly }) => {
        const [from, to] = [folderOf(path) ?? "", folderOf(target)];
        if (to === undefined || to === from || FREE.includes(from)) return false;
        const file = target.slice("src/".length);
        const allowed = layers[from] ?? [];
        const typeAllowed = typeOnly && allowed.includes(`type ${file}`);
        return !allowed.includes(to) && !allowed.includes(file) && !typeAllowed;
      })
      .map(({ place }) => place),
  bad: [
    [source("src/core/a.ts", 'import { b } from "../config/b.ts";')],
    [source("src/gateway/a.ts", 'import type { Echo } from "../upstreams/echo.ts";')],
    [source("src/gateway/a.ts", 'const bus = await import("../bus/local.ts");')],
    [source("src/admin/a.ts", 'export { b } from "../gateway/b.ts";')],
    [source("src/supervisor/a.ts", 'import { loadBinding } from "../reactor/binding.ts";')],
    [source("src/core/a.ts", 'import "../reactor/binding.ts";')],
  ],
};

const layersKnown: Rule = {
  sentence: "every folder of src/ stands in the layer table",
  check: (sources) =>
    sources
      .map(({ path }) => path)
      .filter((path) => {
        const folder = folderOf(path.replace(/\.test\.ts$/, ".ts"));
        return folder !== undefined && !(folder in layers) && !FREE.includes(folder);
      }),
  bad: [[source("src/utils/a.ts", "")], [source("src/stray.ts", "")]],
};

const nothingImportsTheEnds: Rule = {
  sentence: "nothing imports cli, bench (but cli and bench/) or dashboard, nor test/ (but tests)",
  check: (sources) =>
    importSites(sources)
      .filter(({ path, target }) => {
        const end = /^(?:src\/)?(cli|test|bench|dashboard)\//.exec(target);
        if (end === null || path.startsWith(end[0])) return false;
        const measures = folderOf(path) === "cli" || path.startsWith("bench/");
        if (end[0] === "src/bench/" && measures) return false;
        return end[1] !== "test" || !isTest(path);
      })
      .map(({ place }) => place),
  bad: [
    [source("src/supervisor/a.ts", 'import { main } from "../cli/main.ts";')],
    [source("src/gateway/a.ts", 'import { testSeed } from "../../test/support/seed.ts";')],
    [source("scripts/a.ts", 'import { median } from "../bench/floor/median.ts";')],
    [source("src/cli/a.ts", 'import { median } from "../../bench/floor/median.ts";')],
    [source("src/worker/a.ts", 'import { Fleet } from "../bench/fleet.ts";')],
  ],
};

const ADDON_LOADER = "src/reactor/binding.ts";

const importsNamed: Rule = {
  sentence: "every import says by name what it imports",
  check: (sources) =>
    importSites(sources.filter(isShipped))
      .filter(({ path, target }) => target === "(computed)" && path !== ADDON_LOADER)
      .map(({ place }) => place),
  bad: [[source("src/worker/a.ts", "await import(name);")]],
};

/** Libraries that take more memory than a worker may spend on what it does not use. */
const SUPERVISORS_ONLY = ["zod", "yaml", "commander", "find-my-way"];

const workersStayLight: Rule = {
  sentence: "a worker loads neither the schema nor the YAML parser nor the command line",
  check: (sources) => {
    const sites = importSites(sources).filter(({ typeOnly }) => !typeOnly);
    const loaded = new Set(["src/worker/main.ts"]);
    for (const path of loaded) {
      for (const site of sites) if (site.path === path) loaded.add(site.target);
    }
    return sites
      .filter(({ path, target }) => loaded.has(path) && SUPERVISORS_ONLY.includes(target))
      .map(({ place }) => place);
  },
  bad: [
    [
      source("src/worker/main.ts", 'import { load } from "../config/load.ts";'),
      source("src/config/load.ts", 'import { z } from "zod";'),
    ],
  ],
};

const addonAlone: Rule = {
  sentence: "only native/addon.c includes node_api.h and uv.h",
  check: (sources) =>
    find(
      sources.filter(({ path }) => path !== "native/addon.c"),
      /^\s*#\s*include\s*[<"](?:js_native_api|node_api|node|v8|uv)(?:_types)?\.h/,
      ({ path, text }) => (/\.[ch]$/.test(path) ? text : ""),
    ),
  bad: [[source("native/poller.c", "#include <uv.h>")], [source("native/a.h", '#include "uv.h"')]],
};

const bindingAlone: Rule = {
  sentence: "only reactor/binding.ts loads the addon",
  check: (sources) =>
    find(
      sources.filter(({ path }) => isShippedOrRun(path) && path !== ADDON_LOADER),
      /\bdlopen\b|\bnode-gyp-build\b|\.node["'`]/,
      ({ scan: { code } }) => code,
    ),
  bad: [
    [source("src/worker/a.ts", 'require("../../build/Release/headgate.node");')],
    [source("src/reactor/a.ts", "process.dlopen(module, file);")],
  ],
};

function isShippedOrRun(path: string): boolean {
  return /^(?:src|examples|bench)\/.*\.ts$/.test(path) && !isTest(path);
}

const oneCallBack: Rule = {
  sentence: "C calls into JavaScript at one place, the wake-up",
  check: (sources) => {
    const native = sources.filter(({ path }) => /^native\/.*\.[ch]$/.test(path));
    const others = /\bnapi_call_(?:function|threadsafe_function)\s*\(/;
    return [...find(native, /\bnapi_make_callback\s*\(/).slice(1), ...find(native, others)];
  },
  bad: [
    [source("native/addon.c", "napi_make_callback(env);\nnapi_make_callback(env);")],
    [source("native/addon.c", "napi_call_function(env, receiver);")],
  ],
};

const pure = inFolders("websocket", "link");
const PURE_IMPORTS = /^(?:src\/(?:core|websocket|link)\/|node:(?:assert|buffer|crypto|zlib)\b)/;

/** The names of HTTP's status codes come from there too. */
function takesNamesOnly(sources: Source[], from: string): boolean {
  const code = sources.find(({ path }) => path === from)?.scan.code ?? "";
  return /^import \{ STATUS_CODES \} from "node:http";$/m.test(code);
}

const pureCodecs: Rule = {
  sentence: "websocket/ and link/ read no clock, open no socket and write no log",
  check: (sources) => [
    ...find(
      sources.filter(pure),
      /(?<![.\w])(?:Date|performance|process|console|fetch|set(?:Timeout|Interval|Immediate))\b/,
    ),
    ...importSites(sources.filter(pure))
      .filter(({ target }) => !PURE_IMPORTS.test(target) || target === "src/core/log.ts")
      .filter(({ path, target }) => target !== "node:http" || !takesNamesOnly(sources, path))
      .map(({ place }) => place),
  ],
  bad: [
    [source("src/websocket/a.ts", "const now = Date.now();")],
    [source("src/websocket/a.ts", 'import { connect } from "node:net";')],
    [source("src/link/a.ts", 'import { readFileSync } from "node:fs";')],
    [source("src/websocket/a.ts", 'import { request, STATUS_CODES } from "node:http";')],
    [source("src/websocket/a.ts", 'import type { Log } from "../core/log.ts";')],
  ],
};

const noDescriptors: Rule = {
  sentence: "no file descriptor exists above reactor/ but the listening sockets'",
  check: (sources) =>
    find(
      sources.filter(
        inFolders("websocket", "link", "gateway", "upstreams", "bus", "admin", "service"),
      ),
      /(?<![\w$]|\badopt\()(?:fds?|_handle|\w*(?<!Property)[dD]escriptors?)\b/,
    ),
  bad: [
    [source("src/gateway/a.ts", "poller.write(fd);")],
    [source("src/bus/a.ts", "send(listenDescriptor);")],
  ],
};

const processAtTheEdge: Rule = {
  sentence: "the environment, process.exit and console appear only in cli/",
  check: (sources) => {
    const inside = sources.filter((each) => isShipped(each) && folderOf(each.path) !== "cli");
    const withoutLoader = inside.filter(({ path }) => path !== "src/config/load.ts");
    return [
      ...find(inside, /\bprocess\s*\.\s*(?:exit|abort|reallyExit)\b|(?<![.\w])console\b/),
      ...find(withoutLoader, /\bprocess\s*\.\s*env\b/),
      ...find(inside, /\{[^}]*\b(?:env|exit)\b[^}]*\}\s*(?:=|from)\s*(?:process\b|"\s*")/).filter(
        (place) => /process/.test(place),
      ),
      ...importSites(inside)
        .filter(({ target }) => /^(?:node:)?(?:process|console)$/.test(target))
        .map(({ place }) => place),
    ];
  },
  bad: [
    [source("src/gateway/a.ts", "if (process.env.DEBUG) return;")],
    [source("src/config/load.ts", "process.exit(2);")],
    [source("src/worker/a.ts", "process.once('SIGTERM', () => console.log(1));")],
    [source("src/worker/a.ts", "const { env } = process;")],
    [source("src/worker/a.ts", 'import { env } from "node:process";')],
  ],
};

export const architectureRules: readonly Rule[] = [
  layersKnown,
  pointDown,
  nothingImportsTheEnds,
  importsNamed,
  workersStayLight,
  addonAlone,
  bindingAlone,
  oneCallBack,
  pureCodecs,
  noDescriptors,
  processAtTheEdge,
];
