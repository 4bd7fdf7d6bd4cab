/**
 * Who may call the admin API: whoever sends one of the keys, or, where there is none, whoever
 * is on this machine and is not a web page in its browser.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import { Fault } from "./outcome.ts";

const CHALLENGE = { "www-authenticate": "Bearer" };
const JWT = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*$/;
const LOOPBACK_HOST = /^(localhost|127\.\d{1,3}\.\d{1,3}\.\d{1,3}|\[::1\])(:\d{1,5})?$/i;

export class Authorization {
  readonly #digests: Buffer[];

  constructor(keys: readonly string[]) {
    this.#digests = keys.map(digest);
  }

  /** `host` is the authority that the request names. */
  check(headers: IncomingHttpHeaders, host: string): Fault | undefined {
    return this.#digests.length === 0
      ? checkLocal(headers.origin, host)
      : this.#checkKey(headers.authorization);
  }

  #checkKey(authorization: string | undefined): Fault | undefined {
    if (authorization === undefined) {
      return unauthorized("A key is missing: send the header Authorization: Bearer <key>.");
    }
    if (/^AWS4-/i.test(authorization)) {
      return unauthorized(
        "AWS Signature Version 4 is not accepted yet: send Authorization: Bearer <key>.",
      );
    }
    const token = /^Bearer +(\S+) *$/i.exec(authorization)?.[1];
    if (token === undefined) {
      return unauthorized("Only keys are accepted: send the header Authorization: Bearer <key>.");
    }
    if (this.#isKey(token)) return undefined;
    if (JWT.test(token)) {
      return unauthorized("JSON Web Tokens are not accepted yet: send the key itself as Bearer.");
    }
    return unauthorized("The key is wrong: send one of those under admin.keys as Bearer.");
  }

  /** Digests have one length, and all are compared, so that time tells nothing of a key. */
  #isKey(token: string): boolean {
    const digested = digest(token);
    let found = false;
    for (const each of this.#digests) found = timingSafeEqual(each, digested) || found;
    return found;
  }
}

/**
 * Without a key the listener is a loopback one, and a browser on this machine is the danger: a
 * page may post to us across origins, or rebind its own host name to a loopback address.
 */
function checkLocal(origin: string | undefined, host: string): Fault | undefined {
  if (!LOOPBACK_HOST.test(host)) {
    return new Fault(
      403,
      "Forbidden",
      "Without admin.keys only a loopback Host such as 127.0.0.1 is answered; set a key to call " +
        "the API by another name.",
      "Host",
    );
  }
  if (origin !== undefined && origin.toLowerCase() !== `http://${host.toLowerCase()}`) {
    return new Fault(
      403,
      "Forbidden",
      "Without admin.keys no web page of another origin may call the API; set a key and call it " +
        "from the page's server.",
      "Origin",
    );
  }
  return undefined;
}

function unauthorized(message: string): Fault {
  return new Fault(401, "Unauthorized", message, "Authorization", CHALLENGE);
}

function digest(key: string): Buffer {
  return createHash("sha256").update(key).digest();
}
