/**
 * Opens the upstream of each hub by the kind of its service. A carrier's module is loaded only
 * when a hub uses it: a worker that only echoes holds no HTTP client in memory.
 */
import assert from "node:assert/strict";
import type { Configuration } from "../config/configuration.ts";
import type { Log } from "../core/log.ts";
import type { OpenUpstream } from "../gateway/gateway.ts";
import { EchoUpstream } from "../upstreams/echo.ts";

export async function loadCarriers(configuration: Configuration, log: Log): Promise<OpenUpstream> {
  const kinds = new Set(Object.values(configuration.hubs).map((hub) => hub.service.kind));
  const http = kinds.has("http") ? await import("../upstreams/http/http-upstream.ts") : undefined;
  const { name, limits } = configuration;
  return (hubName, hub, sink) => {
    const { service } = hub;
    if (service.kind === "echo") return new EchoUpstream(sink);
    assert(http !== undefined, "the carrier of every kind in use was loaded");
    return new http.HttpUpstream({
      hub: hubName,
      configuration: {
        url: service.url,
        name,
        signingKeys: hub.signingKeys,
        consent: hub.consent,
        limits: hub.limits,
        lifecycleQueueMax: limits.lifecycleQueueMax,
        connectionStateBytesMax: limits.connectionStateBytesMax,
        nameBytesMax: limits.nameBytesMax,
        groupsPerConnectionMax: limits.groupsPerConnectionMax,
      },
      sink,
      log,
    });
  };
}
