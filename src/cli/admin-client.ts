/**
 * The running gateway as the command line reaches it: its admin listener, found by option, by the
 * configuration file, or at the default address.
 */
import { existsSync } from "node:fs";
import { formatAddress } from "../core/address.ts";
import { HeadgateError } from "../core/error.ts";
import { DEFAULT_CONFIG } from "./default-config.ts";
import { usageError } from "./failure.ts";

export interface AdminOptions {
  admin?: string;
  key?: string;
  config?: string;
}

const DEFAULT_ADMIN = "http://127.0.0.1:8001";
const TIMEOUT_MS = 10_000;
/** What a key may be, less a newline at its end: no header carries others, no gateway has one. */
const SENDABLE = /^[\x21-\x7e]*$/;

interface AdminRequest {
  method: "GET" | "POST";
  path: string;
  contentType?: string;
  body?: Uint8Array;
}

export class AdminClient {
  readonly #url: string;
  readonly #key: string | undefined;

  private constructor(url: string, key: string | undefined) {
    if (key !== undefined && !SENDABLE.test(key.trim())) {
      throw usageError("The key holds spaces or characters outside ASCII; give one that is set.");
    }
    this.#url = url;
    this.#key = key;
  }

  static async open(options: AdminOptions, environmentKey: string | undefined) {
    const key = options.key ?? environmentKey;
    if (options.admin !== undefined) return new AdminClient(checkUrl(options.admin), key);
    if (options.config === undefined && !existsSync(DEFAULT_CONFIG)) {
      return new AdminClient(DEFAULT_ADMIN, key);
    }
    const { loadConfiguration } = await import("../config/load.ts");
    const { admin } = await loadConfiguration(options.config ?? DEFAULT_CONFIG);
    if (admin.port === 0) {
      throw usageError("The configured admin port is 0, chosen at start; name it with --admin.");
    }
    const url = `http://${formatAddress({ ...admin, host: reachableHost(admin.host) })}`;
    return new AdminClient(url, key ?? admin.keys[0]);
  }

  /** The answer, when it is one of success. */
  async request({ method, path, contentType, body }: AdminRequest): Promise<Response> {
    const headers: Record<string, string> = {};
    if (this.#key !== undefined) headers.authorization = `Bearer ${this.#key}`;
    if (contentType !== undefined) headers["content-type"] = contentType;
    let response: Response;
    try {
      response = await fetch(`${this.#url}${path}`, {
        method,
        headers,
        ...(body === undefined ? {} : { body }),
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
    } catch (error) {
      throw this.#unreachable(error as Error);
    }
    if (!response.ok) throw await this.#refused(response);
    return response;
  }

  #unreachable(error: Error): HeadgateError {
    const cause = error.cause as NodeJS.ErrnoException | undefined;
    const why =
      error.name === "TimeoutError"
        ? `did not answer within ${TIMEOUT_MS / 1000} s`
        : `cannot be reached (${cause?.code ?? cause?.message ?? error.message})`;
    return new HeadgateError(
      "HG_ADMIN_UNREACHABLE",
      `The admin listener at ${this.#url} ${why}; ` +
        "start the gateway, or name the address that it listens on with --admin.",
      { cause: error },
    );
  }

  async #refused(response: Response): Promise<HeadgateError> {
    if (response.status === 401) {
      await response.body?.cancel();
      return new HeadgateError(
        "HG_ADMIN_UNAUTHORIZED",
        `The admin listener at ${this.#url} wants ${this.#key === undefined ? "a" : "another"} ` +
          "key; give it with --key or in the environment variable HEADGATE_KEY.",
      );
    }
    const text = await response.text();
    return new HeadgateError(
      "HG_ADMIN_REFUSED",
      `The admin listener at ${this.#url} answered ${response.status}: ${faultOf(text)}`,
    );
  }
}

/** Of `{"code","message","target"}`, or whatever else stands there. */
function faultOf(text: string): string {
  try {
    const { code, message } = JSON.parse(text) as { code?: unknown; message?: unknown };
    if (typeof code === "string" && typeof message === "string") return `${message} (${code})`;
  } catch {
    // Not the gateway's own words, and so not JSON: they are shown as they are.
  }
  return text === "" ? "nothing more; is this a Headgate?" : text.slice(0, 500);
}

/** An admin listener on all interfaces is reached over the loopback one. */
function reachableHost(host: string): string {
  if (host === "0.0.0.0") return "127.0.0.1";
  return host === "::" ? "::1" : host;
}

function checkUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== "http:" && url?.protocol !== "https:") {
    throw usageError(`--admin ${text} is no URL such as ${DEFAULT_ADMIN}.`);
  }
  return url.href.replace(/\/$/, "");
}
