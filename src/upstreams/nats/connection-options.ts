/** How a connection to a hub's NATS servers is made, and who we are there. It opens none. */
import { readFileSync } from "node:fs";
import type { ConnectionOptions } from "@nats-io/transport-node";
import { credsAuthenticator } from "@nats-io/transport-node";
import type { NatsServiceConfiguration } from "../../config/configuration.ts";

/** `name` is how the servers name us in their own lists. */
export function connectionOptions(
  service: NatsServiceConfiguration,
  name: string,
  timeoutMs: number,
): ConnectionOptions {
  const { servers, credentials, token, user, password, tls } = service;
  const options: ConnectionOptions = {
    servers: [...servers],
    name,
    timeout: timeoutMs,
    noAsyncTraces: true,
  };
  if (token !== undefined) options.token = token;
  if (user !== undefined) options.user = user;
  if (password !== undefined) options.pass = password;
  if (credentials !== undefined) {
    // Read at each connection, so that a file which was replaced counts from then on.
    options.authenticator = credsAuthenticator(() => readFileSync(credentials));
  }
  if (tls !== undefined) {
    options.tls = {
      ...(tls.ca === undefined ? {} : { caFile: tls.ca }),
      ...(tls.cert === undefined ? {} : { certFile: tls.cert }),
      ...(tls.key === undefined ? {} : { keyFile: tls.key }),
    };
  }
  return options;
}
