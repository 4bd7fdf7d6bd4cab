/**
 * All that takes part in a run over one carrier: the gateway, the service's instances, a broker
 * where the carrier has one, the proxy on the way there, clients and publishers. Started and
 * stopped as a whole; at the end it hands out what was taken.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GatewayProcess } from "../../support/gateway-process.ts";
import { NatsServer } from "../../support/nats-server.ts";
import { FaultProxy } from "../fault-proxy.ts";
import type { Taken } from "../history.ts";
import type { Carrier } from "./carriers.ts";
import { Crowd } from "./crowd.ts";
import type { Stage } from "./faults.ts";
import { Instances } from "./instances.ts";
import { Publisher } from "./publisher.ts";
import { type Recorded, readRecords } from "./record.ts";
import { readStored } from "./stored.ts";

const WORKERS = 2;
/** Together some 1,000 messages a second: a smaller machine has to keep up with all of it. */
const THINK_MS_EACH = 6;
const PATIENCE_MS = 1000;

export class Scene implements Stage {
  readonly carrier: Carrier;
  readonly broker: NatsServer | undefined;
  readonly instances: Instances;
  readonly proxy: FaultProxy;
  readonly gateway: GatewayProcess;
  readonly publishers: Publisher[];
  readonly crowd: Crowd;
  readonly random: () => number;
  readonly #folder: string;
  readonly #hubs: number;

  private constructor(
    carrier: Carrier,
    parts: Pick<Scene, "broker" | "instances" | "proxy" | "gateway" | "random">,
    connections: number,
    folder: string,
  ) {
    const { broker, instances, proxy, gateway, random } = parts;
    this.carrier = carrier;
    this.broker = broker;
    this.instances = instances;
    this.proxy = proxy;
    this.gateway = gateway;
    this.random = random;
    this.#folder = folder;
    const hubs = Object.keys(carrier.hubs(proxy.port));
    this.#hubs = hubs.length;
    this.publishers = hubs.map((name) => new Publisher(gateway, name));
    const doors = hubs.map((name, index) => ({
      url: `ws://127.0.0.1:${gateway.port}/${name}`,
      publisher: this.publishers[index] as Publisher,
    }));
    const patienceMs = carrier.promised.answersAcknowledge ? undefined : PATIENCE_MS;
    const thinkMsMax = connections * THINK_MS_EACH;
    this.crowd = new Crowd(doors, { random, thinkMsMax, patienceMs });
  }

  static async start(carrier: Carrier, connections: number, random: () => number): Promise<Scene> {
    const folder = mkdtempSync(join(tmpdir(), "headgate-faults-"));
    const broker =
      carrier.broker === "none"
        ? undefined
        : await NatsServer.start({ jetStream: carrier.broker === "stream" });
    const instances = new Instances(carrier, folder, broker?.port ?? 0);
    await instances.start();
    const proxy = await FaultProxy.start(instances.port, random);
    const hubs = Object.entries(carrier.hubs(proxy.port));
    const gateway = await GatewayProcess.start(
      hubs.map(([name, hub]) => `${name}: { paths: [/${name}], ${hub} }`).join("\n"),
      `workers: ${WORKERS}`,
    );
    if (broker !== undefined) await untilConnected(gateway, WORKERS * hubs.length);
    const parts = { broker, instances, proxy, gateway, random };
    return new Scene(carrier, parts, connections, folder);
  }

  /** Sockets that the gateway may have through the proxy, as long as none is broken. */
  get socketsMax(): number {
    return WORKERS * this.#hubs * this.carrier.socketsPerHubMax;
  }

  /** The log tells of everything that was given up or may be lost, with its count. */
  countLosses(): number {
    const { lossSentences } = this.carrier;
    return this.gateway.records
      .filter(({ msg }) => lossSentences.some((sentence) => msg.startsWith(sentence)))
      .reduce((sum, { count }) => sum + Number(count), 0);
  }

  /** Once the gateway has stopped: what instances wrote down, and what counts as taken. */
  async collect(): Promise<{ taken: Taken[]; recorded: Recorded[] }> {
    await this.instances.stop();
    const recorded = readRecords(this.#folder);
    if (this.carrier.broker !== "stream" || this.broker === undefined) {
      return { taken: recorded, recorded };
    }
    // No stream stores these; they come first.
    const connects = recorded.filter(({ event }) => event === "connect");
    const asked = connects.map((taken) => ({ ...taken, atUs: 0 }));
    return { taken: [...asked, ...(await readStored(await this.broker.connect()))], recorded };
  }

  async stop(): Promise<void> {
    await this.gateway.stop();
    await this.proxy.stop();
    await this.instances.kill();
    await this.broker?.kill();
    rmSync(this.#folder, { recursive: true });
  }
}

/** Without a connection to the broker nobody is let in. */
function untilConnected(gateway: GatewayProcess, count: number): Promise<void> {
  const isConnected = () =>
    gateway.records.filter(({ msg }) => msg === "connected to NATS").length >= count;
  return gateway.until(isConnected, "connections to NATS");
}
