/**
 * A gateway in the process of the test, on a free port: real sockets, no supervisor. The carrier
 * of its one hub is the test's choice.
 */
import { after } from "node:test";
import { parseConfiguration } from "../../src/config/load.ts";
import { makeNonce } from "../../src/core/connection-id.ts";
import { type Log, silentLog } from "../../src/core/log.ts";
import { Gateway } from "../../src/gateway/gateway.ts";
import { type Binding, loadBinding } from "../../src/reactor/binding.ts";
import { EchoUpstream } from "../../src/upstreams/echo.ts";
import type { Upstream, UpstreamSink } from "../../src/upstreams/upstream.ts";

export interface InProcessOptions {
  /** YAML of the hub, indented by nothing; default: echo: at /. */
  hub?: string;
  /** YAML flow mapping of the gateway's limits. */
  limits?: string;
  openUpstream?: (sink: UpstreamSink) => Upstream;
  log?: Log;
  /** Default: the addon as it is. */
  binding?: Binding;
}

export interface InProcessGateway {
  gateway: Gateway;
  port: number;
  nonce: string;
  stop: () => Promise<void>;
}

/** Those that a failed test left running would keep its file from ending. */
const running = new Set<Gateway>();
after(async () => {
  await Promise.all(Array.from(running, (gateway) => gateway.stop()));
});

const ECHO_HUB = "paths: [/]\nservice: 'echo:'";

export async function startInProcess(options: InProcessOptions = {}): Promise<InProcessGateway> {
  const binding = options.binding ?? loadBinding();
  const listener = { address: "127.0.0.1", port: 0, backlog: 512, userTimeoutMs: 30_000 };
  const descriptor = binding.listen(listener);
  const port = binding.listenPort(descriptor);
  const hub = (options.hub ?? ECHO_HUB).replaceAll("\n", "\n    ");
  const text = [
    `listen: [{ address: '127.0.0.1:${port}' }]`,
    `limits: ${options.limits ?? "{}"}`,
    `hubs:\n  main:\n    ${hub}\n`,
  ].join("\n");
  const configuration = parseConfiguration(text, "test.yaml", {});
  const nonce = makeNonce();
  const gateway = new Gateway({
    configuration,
    nonce,
    log: options.log ?? silentLog,
    binding,
    openUpstream: (_name, _hub, sink) => options.openUpstream?.(sink) ?? new EchoUpstream(sink),
    reportFull: () => {},
    reportCounts: () => {},
  });
  gateway.adopt(descriptor);
  gateway.start();
  running.add(gateway);
  const stop = () => {
    running.delete(gateway);
    return gateway.stop();
  };
  return { gateway, port, nonce, stop };
}
