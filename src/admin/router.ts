/**
 * Finds the route of a request, or says why there is none: no such path, or another method.
 * Paths are matched as they are, without regard to doubled or trailing slashes being alike.
 */
import findMyWay, { type HTTPMethod, type HTTPVersion, type Instance } from "find-my-way";
import { isAmazonPath, plainAmazonPath } from "./amazon-routes.ts";
import { Fault } from "./outcome.ts";
import type { Route } from "./route.ts";

/** Names are checked against their own limit, with a sentence; this one only must not cut in. */
const PARAMETER_LENGTH_MAX = 1_000_000;

export interface Found {
  route: Route;
  params: Record<string, string | undefined>;
}

export class Router {
  readonly #paths: Instance<HTTPVersion.V1>;
  readonly #methods: HTTPMethod[];

  constructor(routes: readonly Route[]) {
    this.#paths = findMyWay({ maxParamLength: PARAMETER_LENGTH_MAX });
    for (const route of routes) {
      // The handler is never called: the server calls the route, which is the entry's store.
      this.#paths.on(route.method, pattern(route.path), () => {}, route);
    }
    this.#methods = [...new Set(routes.map((route) => route.method))].sort();
  }

  /** `path` is percent-encoded and has no query. */
  find(method: string, path: string): Found | Fault {
    if (!isDecodable(path)) {
      return new Fault(400, "InvalidPath", "The path is not percent-encoded UTF-8.", "path");
    }
    const plainPath = isAmazonPath(path) ? plainAmazonPath(path) : path;
    const found = this.#lookup(method, plainPath);
    if (found !== undefined) return found;
    const allowed = this.#methods.filter((each) => this.#lookup(each, plainPath) !== undefined);
    if (allowed.length === 0) {
      return new Fault(
        404,
        "PathNotFound",
        "There is nothing at this path; /openapi.json lists what there is.",
        "path",
      );
    }
    const allow = allowed.join(", ");
    return new Fault(
      405,
      "MethodNotAllowed",
      `This path does not know ${method}; it knows ${allow}.`,
      "method",
      { allow },
    );
  }

  /** What answers GET answers HEAD too (RFC 9110, 9.3.2). */
  #lookup(method: string, path: string): Found | undefined {
    const entry =
      this.#paths.find(method as HTTPMethod, path) ??
      (method === "HEAD" ? this.#paths.find("GET", path) : null);
    if (entry === null) return undefined;
    return { route: entry.store as Route, params: entry.params };
  }
}

/** From OpenAPI's way of writing a path to the router's, where a colon is written twice. */
function pattern(path: string): string {
  return path.replaceAll(":", "::").replace(/\{(\w+)\}/g, ":$1");
}

function isDecodable(path: string): boolean {
  try {
    decodeURIComponent(path);
    return true;
  } catch (error) {
    if (error instanceof URIError) return false;
    throw error;
  }
}
