/**
 * One look at a hub's stream before the gateway lets anybody in: one that does not fit is a
 * mistake of whoever starts it, and theirs to mend. Whatever else is amiss may pass, and is for
 * the carrier, which holds events meanwhile.
 */
import type { NatsConnection } from "@nats-io/transport-node";
import { connect } from "@nats-io/transport-node";
import type { HubLimits, NatsServiceConfiguration } from "../../config/configuration.ts";
import { HeadgateError } from "../../core/error.ts";
import { connectionOptions } from "./connection-options.ts";
import { planFor, prepareStream } from "./stream.ts";

/** To connect, and for each answer: a worker has to be ready within 15 s. */
const PATIENCE_MS = 3000;

/** Rejects with HG_NATS_STREAM_UNFIT, and with nothing else. */
export async function checkStreamAtStart(
  hub: string,
  service: NatsServiceConfiguration,
  limits: HubLimits,
  sharedRetryMs = 0,
): Promise<void> {
  if (service.delivery !== "at-least-once") return;
  const plan = planFor(hub, service, limits, sharedRetryMs);
  const connection = await reach(service, limits);
  if (connection === undefined) return;
  try {
    await prepareStream(connection, { ...plan, timeoutMs: Math.min(PATIENCE_MS, plan.timeoutMs) });
  } catch (error) {
    if (!isUnfit(error)) return;
    throw new HeadgateError(error.code, `Hub "${hub}": ${error.message}.`, { cause: error });
  } finally {
    await connection.close();
  }
}

/** Undefined where no server can be reached now: the carrier goes on trying, and says why. */
async function reach(
  service: NatsServiceConfiguration,
  { serviceConnectTimeoutMs }: HubLimits,
): Promise<NatsConnection | undefined> {
  const timeoutMs = Math.min(PATIENCE_MS, serviceConnectTimeoutMs);
  const options = connectionOptions(service, "headgate start", timeoutMs);
  return connect({ ...options, reconnect: false }).catch(() => undefined);
}

function isUnfit(error: unknown): error is HeadgateError {
  return error instanceof HeadgateError && error.code === "HG_NATS_STREAM_UNFIT";
}
