/**
 * The entry of a generator process: waits on the IPC channel for what it is to do, and ends when
 * it has given its account or when its parent is gone.
 */
import assert from "node:assert/strict";
import { HeadgateError } from "../core/error.ts";
import { loadBinding } from "../reactor/binding.ts";
import { Generator } from "./generator.ts";
import type { FromGenerator, ToGenerator } from "./messages.ts";
import type { GeneratorOptions } from "./options.ts";

let generator: Generator | undefined;

process.on("message", (message) => receive(message as ToGenerator));
process.on("disconnect", () => void generator?.close());
// They go to every process of a terminal; the parent says what they mean.
process.on("SIGINT", () => {});
process.on("SIGTERM", () => {});

/** To a parent that is gone nothing is said: the end of the channel ends this process. */
function send(message: FromGenerator): void {
  if (process.connected) process.send?.(message, undefined, undefined, () => {});
}

function receive(message: ToGenerator): void {
  switch (message.type) {
    case "start":
      start(message.options);
      return;
    case "run":
      generator?.run(message.atMs);
      return;
    case "push":
      generator?.push(message.number, message.sentAtMs);
      return;
    case "finish":
      generator?.finish(message.pushes);
      return;
    default:
      assert.fail(`message ${JSON.stringify(message satisfies never)}`);
  }
}

function start(options: GeneratorOptions): void {
  process.title = `headgate bench ${options.index + 1}`;
  try {
    generator = new Generator(loadBinding(), options, send);
    generator.open();
  } catch (error) {
    if (!(error instanceof HeadgateError)) throw error;
    send({ type: "failed", code: error.code, message: error.message });
  }
}
