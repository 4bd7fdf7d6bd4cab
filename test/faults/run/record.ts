/**
 * The durable record of a service instance: one line for each event, in the kernel's hands before
 * the event is answered, so that a killed instance has told of all that it took.
 */
import { closeSync, openSync, readdirSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { EventName, Taken } from "../history.ts";

/** `sequence`: its place in the stream that it was read from. */
export interface Recorded extends Taken {
  sequence?: number;
}

export class RecordFile {
  readonly #descriptor: number;

  constructor(path: string) {
    this.#descriptor = openSync(path, "a");
  }

  write(taken: Omit<Recorded, "atUs">): void {
    const atUs = Number(process.hrtime.bigint() / 1000n);
    // One call: a line is there as a whole or not at all.
    writeSync(this.#descriptor, `${JSON.stringify({ atUs, ...taken })}\n`);
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}

/** Of all instances that wrote into this folder. */
export function readRecords(folder: string): Recorded[] {
  return readLines(folder).flatMap((lines) => lines.map((line) => JSON.parse(line) as Recorded));
}

/** How far instances have read the stream; 0: nothing of it. */
export function readLastSequence(folder: string): number {
  const ends = readLines(folder).map((lines) => {
    const last = lines.findLast((line) => line.includes('"sequence":'));
    return last === undefined ? 0 : ((JSON.parse(last) as Recorded).sequence ?? 0);
  });
  return Math.max(0, ...ends);
}

/** Of each instance. */
function readLines(folder: string): string[][] {
  return readdirSync(folder).map((name) =>
    readFileSync(join(folder, name), "utf8")
      .split("\n")
      .filter((line) => line !== ""),
  );
}

/** What an event says, for the record; `text` is a message's payload. */
export function describeEvent(
  event: EventName,
  connectionId: string,
  id: string,
  number: number,
  text: string,
): Omit<Taken, "atUs" | "acknowledged"> {
  const common = { event, connectionId, id, number };
  if (event === "connect") {
    const { query } = JSON.parse(text) as { query: { name?: string[] } };
    return { ...common, client: query.name?.[0] ?? "", saidNumber: 0 };
  }
  if (event !== "message") return { ...common, client: "", saidNumber: 0 };
  const [client = "", saidNumber = ""] = text.split(" ", 2);
  return { ...common, client, saidNumber: Number(saidNumber) };
}
