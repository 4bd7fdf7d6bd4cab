/**
 * The entry of a worker process: waits on the IPC channel for its start message, and ends when it
 * is told to, or when the supervisor is gone. An exception that nobody catches ends it with its
 * stack on stderr, as Node does by itself; nothing here keeps it from that.
 */
import assert from "node:assert/strict";
import type { StartMessage, SupervisorMessage } from "../bus/worker-messages.ts";
import { HeadgateError } from "../core/error.ts";
import { loadBinding } from "../reactor/binding.ts";
import { Channel } from "./channel.ts";
import { createChannelLog } from "./channel-log.ts";
import { IdleCollection, thisProcess } from "./idle-collection.ts";
import { Worker } from "./worker.ts";

/** From the request to end until the process kills itself, when no supervisor is left to do it. */
const END_TIMEOUT_MS = 10_000;

const channel = new Channel(process);
let worker: Worker | undefined;
let opening: Promise<void> | undefined;
let ending = false;

process.on("message", (message) => receive(message as SupervisorMessage));
process.on("disconnect", () => {
  if (ending) return;
  // What read our stderr, such as a terminal or a pipe, may be gone as well: an error of writing
  // that nobody hears would end the process, and with it the clients, on the spot.
  process.stderr.on("error", () => {});
  process.stderr.write("headgate: a worker's supervisor is gone; it closes its clients and ends\n");
  void end();
});
process.on("SIGTERM", () => void end());
// These go to every process of a terminal; the supervisor says what they mean.
process.on("SIGINT", () => {});
process.on("SIGHUP", () => {});

function receive(message: SupervisorMessage): void {
  switch (message.type) {
    case "start":
      opening = open(message);
      return;
    case "stop":
      void end();
      return;
    case "commands":
      worker?.receive(message);
      return;
    default:
      assert.fail(`supervisor message ${JSON.stringify(message satisfies never)}`);
  }
}

async function open(start: StartMessage): Promise<void> {
  process.title = `headgate worker ${start.index + 1}`;
  const log = createChannelLog(start.logLevel, (record, written) => channel.send(record, written));
  try {
    const send = channel.send.bind(channel);
    const binding = loadBinding();
    const opened = await Worker.open({ start, binding, log, send });
    worker = opened;
    new IdleCollection(thisProcess(binding), (ms) => opened.worked(ms)).start();
    channel.send({ type: "ready" });
  } catch (error) {
    if (!(error instanceof HeadgateError)) throw error;
    ending = true;
    channel.send({ type: "failed", code: error.code, message: error.message });
    await channel.close();
  }
}

async function end(): Promise<void> {
  if (ending) return;
  ending = true;
  setTimeout(() => process.kill(process.pid, "SIGKILL"), END_TIMEOUT_MS).unref();
  await opening;
  await worker?.stop();
  await channel.close();
}
