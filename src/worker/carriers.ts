/**
 * Opens the upstream of each hub by the kind of its service. A carrier's module is loaded only
 * when a hub uses it: a worker that only echoes holds no HTTP client in memory.
 */
import assert from "node:assert/strict";
import type { Configuration, NatsServiceConfiguration } from "../config/configuration.ts";
import type { Log } from "../core/log.ts";
import type { OpenUpstream } from "../gateway/gateway.ts";
import { EchoUpstream } from "../upstreams/echo.ts";

/** Rejects with a HeadgateError for a mistake that only services themselves can tell of. */
export async function checkServices(configuration: Configuration): Promise<void> {
  const checks = Object.entries(configuration.hubs).map(async ([name, { limits, service }]) => {
    if (service.kind !== "nats") return;
    const { checkStreamAtStart } = await import("../upstreams/nats/start-check.ts");
    await checkStreamAtStart(name, service, limits, sharedRetryMs(configuration, service));
  });
  await Promise.all(checks);
}

export async function loadCarriers(
  configuration: Configuration,
  nonce: string,
  log: Log,
): Promise<OpenUpstream> {
  const kinds = new Set(Object.values(configuration.hubs).map((hub) => hub.service.kind));
  const http = kinds.has("http") ? await import("../upstreams/http/http-upstream.ts") : undefined;
  const nats = kinds.has("nats") ? await import("../upstreams/nats/nats-upstream.ts") : undefined;
  const link = kinds.has("link") ? await import("../upstreams/link/link-upstream.ts") : undefined;
  const { name, limits } = configuration;
  const { lifecycleQueueMax, connectionStateBytesMax } = limits;
  const { nameBytesMax, groupsPerConnectionMax, pushBytesMax } = limits;
  const rules = {
    ...{ name, lifecycleQueueMax, connectionStateBytesMax, nameBytesMax },
    ...{ groupsPerConnectionMax, pushBytesMax },
  };
  return (hubName, hub, sink, reactor) => {
    const { service, signingKeys, consent, batch } = hub;
    const own = { ...rules, signingKeys, limits: hub.limits };
    switch (service.kind) {
      case "echo":
        return new EchoUpstream(sink);
      case "http": {
        assert(http !== undefined, "the carrier of every kind in use was loaded");
        const settings = { ...own, url: service.url, consent, batch };
        return new http.HttpUpstream({ hub: hubName, configuration: settings, sink, log });
      }
      case "link": {
        assert(link !== undefined, "the carrier of every kind in use was loaded");
        const settings = { ...own, service };
        const options = { hub: hubName, nonce, reactor, configuration: settings, sink, log };
        return new link.LinkUpstream(options);
      }
      case "nats": {
        assert(nats !== undefined, "the carrier of every kind in use was loaded");
        const settings = { ...own, service, sharedRetryMs: sharedRetryMs(configuration, service) };
        return new nats.NatsUpstream({ hub: hubName, nonce, configuration: settings, sink, log });
      }
    }
  };
}

/** A stream is created for all hubs that name it, whichever of them comes first. */
function sharedRetryMs({ hubs }: Configuration, { stream }: NatsServiceConfiguration): number {
  const sharing = Object.values(hubs).filter(
    ({ service }) => service.kind === "nats" && service.stream === stream,
  );
  return Math.max(...sharing.map(({ limits }) => limits.holdTimeoutMs + limits.serviceTimeoutMs));
}
