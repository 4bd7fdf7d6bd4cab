/** A process whose gateway has a bug that throws while it handles a client's message. */
import { connect } from "node:net";
import { parseConfiguration } from "../../src/config/load.ts";
import { silentLog } from "../../src/core/log.ts";
import { Gateway } from "../../src/gateway/gateway.ts";
import { loadBinding } from "../../src/reactor/binding.ts";
import { EchoUpstream } from "../../src/upstreams/echo.ts";
import { clientFrame, upgradeHead } from "./raw-client.ts";

class BrokenUpstream extends EchoUpstream {
  override message(): never {
    throw new Error("a bug in a turn");
  }
}

const binding = loadBinding();
const listener = { address: "127.0.0.1", port: 0, backlog: 16, userTimeoutMs: 30_000 };
const descriptor = binding.listen(listener);
const port = binding.listenPort(descriptor);
const hubs = "hubs: { main: { paths: [/], service: 'echo:' } }";
const gateway = new Gateway({
  configuration: parseConfiguration(hubs, "test.yaml", {}),
  nonce: "AAAAAAAAAAA",
  log: silentLog,
  binding,
  openUpstream: (_name, _hub, sink) => new BrokenUpstream(sink),
  reportFull: () => {},
  reportCounts: () => {},
});
gateway.adopt(descriptor);
gateway.start();
const socket = connect(port, "127.0.0.1");
socket.write(upgradeHead("/"));
socket.once("data", () => socket.write(clientFrame(1, "hello")));
// What a process does that lives on.
socket.on("error", () => {});
