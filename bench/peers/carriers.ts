/**
 * Headgate with a service behind it over its other carriers, each as one server whose processes
 * are all counted: over the link, and over core NATS with the broker, which every message passes.
 */
import { Child } from "../floor/child.ts";
import { type Contender, freePort, headgate, type Server } from "../floor/servers.ts";
import { compiledService } from "./service.ts";

/** In front of bench/peers/link-service.ts. */
export function headgateOverLink(root: string): Contender {
  const start = async (): Promise<Server> => {
    const service = await compiledService(root, "link-service.js", await freePort());
    return inFront(root, `link://127.0.0.1:${service.port}`, [service]);
  };
  return { name: "Headgate over the link", raw: false, start };
}

/** In front of nats-server and bench/peers/nats-service.ts. */
export function headgateOverNats(root: string): Contender {
  const start = async (): Promise<Server> => {
    const port = await freePort();
    const child = new Child(0, ["nats-server", "-a", "127.0.0.1", "-p", String(port)]);
    const stop = () => child.stop("terminate");
    const service = await compiledService(root, "nats-service.js", port);
    return inFront(root, `nats://127.0.0.1:${port}`, [service, { port, pids: [child.pid], stop }]);
  };
  return { name: "Headgate over NATS", raw: false, start };
}

async function inFront(root: string, service: string, behind: Server[]): Promise<Server> {
  const server = await headgate(root, { service, isOneHub: true }).start();
  const stop = async () => {
    for (const each of [server, ...behind]) await each.stop();
  };
  return { ...server, pids: [...server.pids, ...behind.flatMap(({ pids }) => pids)], stop };
}
