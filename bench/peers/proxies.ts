/**
 * Gateways with a service behind them, each as one server whose processes are all counted:
 * Headgate with an HTTP service, and nginx and haproxy with one process and one thread in front of
 * a `ws` server. They log nothing and do nothing else.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Child } from "../floor/child.ts";
import { type Contender, freePort, headgate, listening, type Server } from "../floor/servers.ts";
import { serviceProcess } from "./service.ts";

interface Proxy {
  configuration(port: number, servicePort: number, folder: string): string;
  command(file: string, folder: string): string[];
}

const proxies = {
  nginx: {
    configuration: (port, servicePort, folder) => `
daemon off;
master_process off;
pid ${folder}/nginx.pid;
error_log stderr crit;
events { worker_connections 16000; }
http {
  access_log off;
  ${["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((name) => `${name}_temp_path ${folder}/${name};`)
    .join("\n  ")}
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location / {
      proxy_pass http://127.0.0.1:${servicePort};
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection upgrade;
      proxy_read_timeout 300s;
    }
  }
}
`,
    command: (file, folder) => ["nginx", "-c", file, "-p", folder, "-e", "stderr"],
  },
  haproxy: {
    configuration: (port, servicePort) => `
global
  maxconn 8000
  nbthread 1
defaults
  mode http
  timeout connect 5s
  timeout client 300s
  timeout server 300s
  timeout tunnel 300s
frontend clients
  bind 127.0.0.1:${port}
  default_backend service
backend service
  server one 127.0.0.1:${servicePort}
`,
    command: (file) => ["haproxy", "-q", "-db", "-f", file],
  },
} satisfies Record<string, Proxy>;

/** In front of bench/peers/ws.js. */
export function proxied(root: string, name: keyof typeof proxies): Contender {
  const proxy: Proxy = proxies[name];
  const start = async (): Promise<Server> => {
    const service = await serviceProcess(root, "ws.js");
    const port = await freePort();
    const folder = mkdtempSync(join(tmpdir(), "headgate-bench-"));
    const file = join(folder, `${name}.conf`);
    writeFileSync(file, proxy.configuration(port, service.port, folder));
    const child = new Child(0, proxy.command(file, folder));
    const stop = async () => {
      await child.stop("terminate");
      await service.stop();
      rmSync(folder, { recursive: true });
    };
    await listening(child, port);
    return { port, pids: [child.pid, ...service.pids], stop };
  };
  return { name: `${name} and ws`, raw: false, start };
}

/** In front of bench/peers/http-service.js, which gives every client a user and a group. */
export function headgateWithService(
  root: string,
  name: string,
  { batch = false }: { batch?: boolean } = {},
): Contender {
  const start = async (): Promise<Server> => {
    const service = await serviceProcess(root, "http-service.js");
    const options = { service: `http://127.0.0.1:${service.port}/`, batch };
    const server = await headgate(root, options).start();
    const stop = async () => {
      await server.stop();
      await service.stop();
    };
    return { ...server, pids: [...server.pids, ...service.pids], stop };
  };
  return { name, raw: false, start };
}
