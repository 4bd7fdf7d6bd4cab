/** A service over NATS, and the gateway's side of it, for the tests of this folder. */
import { after } from "node:test";
import type { NatsConnection } from "@nats-io/transport-node";
import type { NatsServer } from "../../../test/support/nats-server.ts";
import { createWatched } from "../carriers.test.helper.ts";
import type { Service, ServiceOptions } from "../service.ts";
import { NatsGateway, sharedServer } from "./nats-carriers.test.helper.ts";
import type { NatsOptions } from "./nats-options.ts";

export interface NatsStage {
  gateway: NatsGateway;
  service: Service;
  errors: Error[];
  connection: NatsConnection;
  /** What was seen, in its order; whoever adds to it calls `saw`. */
  seen: string[];
  saw(what: string): void;
}

export interface NatsStageOptions {
  service?: Partial<ServiceOptions>;
  nats?: NatsOptions;
  gateway?: NatsGateway;
  server?: NatsServer;
  /** Before events come. */
  prepare?: (stage: NatsStage) => void;
}

const running = new Set<Service>();
after(() => Promise.all(Array.from(running, (service) => service.close())));

export async function setNats(options: NatsStageOptions = {}): Promise<NatsStage> {
  const server = options.server ?? (await sharedServer());
  const gateway = options.gateway ?? (await NatsGateway.start(server));
  const { errors, service } = createWatched({
    closeTimeoutMs: 1000,
    ...options.service,
    onError: (error) => {
      errors.push(error);
      gateway.waiters.notify();
    },
  });
  const connection = await server.connect();
  const seen: string[] = [];
  const saw = (what: string) => {
    seen.push(what);
    gateway.waiters.notify();
  };
  const stage = { gateway, service, errors, connection, seen, saw };
  options.prepare?.(stage);
  running.add(service);
  await service.overNats(connection, { prefix: gateway.prefix, ...options.nats });
  return stage;
}

/** With a stream of the gateway's own, and a durable in it. */
export async function setStream(options: NatsStageOptions = {}): Promise<NatsStage> {
  const server = options.server ?? (await sharedServer());
  const gateway = options.gateway ?? (await NatsGateway.start(server));
  if (options.gateway === undefined) await gateway.addStream();
  const jetStream = { stream: gateway.prefix, durable: "service", ...options.nats?.jetStream };
  return setNats({ ...options, gateway, nats: { ...options.nats, jetStream } });
}

export function codesOf(errors: readonly Error[]): string[] {
  return errors.map((error) => String((error as { code?: string }).code));
}
