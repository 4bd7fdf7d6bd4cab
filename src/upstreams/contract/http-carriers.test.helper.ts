/** The rows of HTTP: a service of the SDK on node:http, with one event a request and in batches. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { HttpUpstream } from "../http/http-upstream.ts";
import type { Carrier } from "./carrier.test.helper.ts";
import { type Listen, SdkService } from "./sdk-service.test.helper.ts";

const MEBIBYTE = 1024 * 1024;

const listen: Listen = async (service, port) => {
  const server = createServer(service.httpHandler());
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    stop() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      return closed;
    },
  };
};

function httpCarrier(name: string, batch: boolean): Carrier {
  return {
    name,
    missing: false,
    label: "http",
    lacks: {
      pushes: "a service over HTTP pushes by REST",
      bounds: "HTTP takes any length, and a service that does not refuses it",
    },
    payloadBytesMax: MEBIBYTE,
    payloadBytesTooMany: Number.POSITIVE_INFINITY,
    async start() {
      const service = new SdkService(listen);
      await service.comeBack();
      const url = `http://127.0.0.1:${service.port}/`;
      return {
        service,
        open({ limits, log, rules, sink }) {
          const configuration = { ...rules, url, consent: false, batch, limits };
          const random = () => 0.1;
          const upstream = new HttpUpstream({ hub: "chat", configuration, sink, log, random });
          return { upstream, isUp: () => !upstream.counts().isDown };
        },
      };
    },
  };
}

export const httpCarriers: readonly Carrier[] = [
  httpCarrier("HTTP", false),
  httpCarrier("HTTP in batches", true),
];
