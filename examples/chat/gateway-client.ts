/**
 * Asks the gateway's REST API who is in a group, which no push tells. It retries nothing; whoever
 * calls knows whether that is worth while.
 */
import type { Member } from "./chat.ts";

export interface GatewayClientOptions {
  /** The admin listener: http://127.0.0.1:8001 */
  adminUrl: string;
  hub: string;
  /** One of the gateway's admin keys, where it has any. */
  key: string | undefined;
}

const CALL_TIMEOUT_MS = 5000;
const MEMBERS_MAX = 10_000;

/** The gateway is not there, or did not do what it was asked. */
export class GatewayError extends Error {
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = "GatewayError";
  }
}

export class GatewayClient {
  #hubUrl: URL;
  #key: string | undefined;

  constructor(options: GatewayClientOptions) {
    this.#hubUrl = new URL(`api/hubs/${encodeURIComponent(options.hub)}/`, options.adminUrl);
    this.#key = options.key;
  }

  /** The group's connections; `name` is the user of each. */
  async members(group: string): Promise<Member[]> {
    const members: Member[] = [];
    let url: URL | undefined = new URL(
      `groups/${encodeURIComponent(group)}/connections`,
      this.#hubUrl,
    );
    while (url !== undefined && members.length < MEMBERS_MAX) {
      const response = await this.#call(url);
      const page = (await response.json()) as {
        value: { connectionId: string; userId?: string }[];
        nextLink?: string;
      };
      for (const { connectionId, userId } of page.value) {
        members.push({ connectionId, name: userId ?? "" });
      }
      url = page.nextLink ? new URL(page.nextLink, this.#hubUrl) : undefined;
    }
    return members;
  }

  async #call(url: URL): Promise<Response> {
    const headers = new Headers();
    if (this.#key !== undefined) headers.set("authorization", `Bearer ${this.#key}`);
    const call = `GET ${url.pathname}`;
    let response: Response;
    try {
      const signal = AbortSignal.timeout(CALL_TIMEOUT_MS);
      response = await fetch(url, { headers, signal });
    } catch (cause) {
      throw new GatewayError(`${call}: the gateway does not answer at ${url.origin}.`, { cause });
    }
    if (!response.ok) {
      const body = await response.text();
      throw new GatewayError(`${call}: the gateway answered ${response.status} ${body}`);
    }
    return response;
  }
}
