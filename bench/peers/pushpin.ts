/**
 * Pushpin with a service behind it: the gateway that is most like Headgate, since it makes HTTP
 * requests of messages too (WebSocket-over-HTTP). Its four programs and zurl, which makes the
 * requests, are counted together. Debian's packages are meant.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Child } from "../floor/child.ts";
import { childrenOf } from "../floor/process-usage.ts";
import { type Contender, freePort, listening, type Server } from "../floor/servers.ts";
import { serviceProcess } from "./service.ts";

export function pushpin(root: string): Contender {
  const start = async (): Promise<Server> => {
    const service = await serviceProcess(root, "http-service.js");
    const port = await freePort();
    const folder = mkdtempSync(join(tmpdir(), "headgate-bench-"));
    mkdirSync(join(folder, "run"));
    writeFileSync(join(folder, "routes"), `* 127.0.0.1:${service.port},over_http\n`);
    writeFileSync(join(folder, "zurl.conf"), zurlConfiguration(folder));
    writeFileSync(
      join(folder, "pushpin.conf"),
      pushpinConfiguration(folder, port, await freePort()),
    );
    const zurl = new Child(0, ["zurl", `--config=${folder}/zurl.conf`, "--loglevel=0"]);
    const main = new Child(0, ["pushpin", `--config=${folder}/pushpin.conf`, "--merge-output"]);
    const stop = async () => {
      await main.stop("terminate");
      await zurl.stop("terminate");
      await service.stop();
      rmSync(folder, { recursive: true });
    };
    await listening(main, port);
    return { port, pids: [main.pid, ...childrenOf(main.pid), zurl.pid, ...service.pids], stop };
  };
  return { name: "Pushpin and node:http", raw: false, start };
}

/** Debian's own refuses services on this machine. */
function zurlConfiguration(folder: string): string {
  return `
[General]
instance_id=
in_spec=ipc://${folder}/run/zurl-in
in_stream_spec=ipc://${folder}/run/zurl-in-stream
out_spec=ipc://${folder}/run/zurl-out
in_req_spec=
defpolicy=allow
allow=
deny=
max_open_requests=2000
buffer_size=200000
timeout=600
in_hwm=1000
out_hwm=1000
`;
}

function pushpinConfiguration(folder: string, port: number, controlPort: number): string {
  const program = execFileSync("which", ["pushpin"], { encoding: "utf8" }).trim();
  const library = join(dirname(realpathSync(program)), "../lib/pushpin");
  return `
[global]
include=${library}/internal.conf
libdir=${library}
rundir=${folder}/run
ipc_prefix=pushpin-
port_offset=0
[runner]
services=condure,pushpin-proxy,pushpin-handler
http_port=127.0.0.1:${port}
logdir=${folder}
log_level=0
client_buffer_size=8192
client_maxconn=10000
[proxy]
routesfile=${folder}/routes
zurl_out_specs=ipc://${folder}/run/zurl-in
zurl_out_stream_specs=ipc://${folder}/run/zurl-in-stream
zurl_in_specs=ipc://${folder}/run/zurl-out
updates_check=off
[handler]
push_in_spec=ipc://${folder}/run/push
push_in_sub_specs=ipc://${folder}/run/push-sub
push_in_http_addr=127.0.0.1
push_in_http_port=${controlPort}
stats_spec=ipc://${folder}/run/stats
command_spec=ipc://${folder}/run/command
`;
}
