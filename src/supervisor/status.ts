/** What `GET /status`, `headgate status` and the embedding API tell of the running gateway. */
import type { ListenAddress } from "../config/configuration.ts";
import type { MemberState } from "./member.ts";

export interface WorkerStatus {
  /** From 1. */
  index: number;
  /** Undefined while it has no process. */
  pid: number | undefined;
  state: MemberState;
  /** As it counted them a moment ago. */
  connections: number;
  /** Times that its process was replaced. */
  restarts: number;
}

export interface HubStatus {
  name: string;
  paths: string[];
  /** `echo:`, or the service's URL without its query. */
  service: string;
  /** Of all workers. */
  connections: number;
}

export interface Status {
  version: string;
  /** The supervisor's. */
  pid: number;
  uptimeMs: number;
  ready: boolean;
  /** Where clients connect, with the ports that the kernel chose for 0. */
  listen: ListenAddress[];
  admin: ListenAddress;
  workers: WorkerStatus[];
  /** Of all workers. */
  connections: number;
  hubs: HubStatus[];
}
