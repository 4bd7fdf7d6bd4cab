/**
 * `headgate status`: what the running gateway says of itself, as a page for people or as JSON.
 */
import type { Writable } from "node:stream";
import { formatAddress } from "../core/address.ts";
import type { Status } from "../supervisor/status.ts";
import { AdminClient, type AdminOptions } from "./admin-client.ts";
import { EXIT_DONE } from "./failure.ts";

export interface StatusOptions extends AdminOptions {
  json?: true;
}

export async function status(
  options: StatusOptions,
  environmentKey: string | undefined,
  stdout: Writable,
): Promise<number> {
  const client = await AdminClient.open(options, environmentKey);
  const response = await client.request({ method: "GET", path: "/status" });
  const text = await response.text();
  const answer = JSON.parse(text) as Status;
  stdout.write(options.json ? `${JSON.stringify(answer, null, 2)}\n` : formatStatus(answer));
  return EXIT_DONE;
}

export function formatStatus(answer: Status): string {
  const { version, pid, uptimeMs, ready, listen, admin, workers, hubs, connections } = answer;
  const facts = [
    `gateway      ${ready ? "ready" : "not ready"}, up ${formatDuration(uptimeMs)}, pid ${pid}`,
    `version      ${version}`,
    `clients      ${listen.map((address) => `ws://${formatAddress(address)}`).join(" ")}`,
    `admin        http://${formatAddress(admin)}`,
    `connections  ${connections}`,
  ];
  const workerRows = workers.map(({ index, pid, state, connections, restarts }) =>
    [index, pid ?? "-", state, connections, restarts].map(String),
  );
  const hubRows = hubs.map(({ name, connections, paths, service }) => {
    return [name, String(connections), paths.join(" "), service];
  });
  return [
    `${facts.join("\n")}\n`,
    formatTable([["worker", "pid", "state", "connections", "restarts"], ...workerRows]),
    formatTable([["hub", "connections", "paths", "service"], ...hubRows]),
  ].join("\n");
}

/** Columns as wide as their widest cell; a column of numbers stands to the right. */
export function formatTable([head = [], ...rows]: string[][]): string {
  const columns = head.map((title, column) => {
    const cells = rows.map((row) => row[column] ?? "");
    const width = Math.max(title.length, ...cells.map((cell) => cell.length));
    return { width, isNumeric: cells.every((cell) => /^[\d-]+$/.test(cell)) };
  });
  const lines = [head, ...rows].map((row) => {
    const cells = columns.map(({ width, isNumeric }, column) => {
      const cell = row[column] ?? "";
      return isNumeric ? cell.padStart(width) : cell.padEnd(width);
    });
    return cells.join("  ").trimEnd();
  });
  return `${lines.join("\n")}\n`;
}

/** The two largest units: `3 d 4 h`, `12 s`. */
export function formatDuration(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  const units: [number, string][] = [
    [Math.floor(seconds / 86_400), "d"],
    [Math.floor(seconds / 3600) % 24, "h"],
    [Math.floor(seconds / 60) % 60, "min"],
    [seconds % 60, "s"],
  ];
  const first = units.findIndex(([amount]) => amount > 0);
  if (first === -1) return "0 s";
  const shown = units.slice(first, first + 2).filter(([amount]) => amount > 0);
  return shown.map(([amount, unit]) => `${amount} ${unit}`).join(" ");
}
