/**
 * The gateways that cases connect to: a real worker's gateway each, with the addon, in this
 * process and over real sockets, so that a turn of it comes between two writes of a client.
 */
import { type InProcessGateway, startInProcess } from "../support/in-process-gateway.ts";
import type { ConformanceCase, HubName } from "./case.ts";

/** What the large hub takes: the longest message of group 9. */
export const LARGE_MESSAGE_BYTES = 16 * 1024 * 1024;

const ECHO = "paths: [/]\nservice: 'echo:'";

/** A machine with much else to do may take longer than a client may; nothing here is about time. */
const NO_CLOCKS = "{ fragmentedMessageTimeoutMs: 600000, pingIntervalMs: 0, idleTimeoutMs: 0 }";

/** Nothing else but what a row says differs from the defaults. */
const HUBS: Readonly<Record<HubName, string>> = {
  default: ECHO,
  large: `${ECHO}\nlimits: { messageBytesMax: ${LARGE_MESSAGE_BYTES} }`,
  compressed: `${ECHO}\ncompression: on`,
};

export class Hubs {
  readonly #started = new Map<HubName, Promise<InProcessGateway>>();

  async portFor({ hub }: ConformanceCase): Promise<number> {
    let gateway = this.#started.get(hub);
    if (gateway === undefined) {
      gateway = startInProcess({ hub: HUBS[hub], limits: NO_CLOCKS });
      this.#started.set(hub, gateway);
    }
    return (await gateway).port;
  }

  async stop(): Promise<void> {
    for (const gateway of this.#started.values()) await (await gateway).stop();
  }
}
