/** A worker's process for the test of the bus: answers a send with what arrived. */
import { emptyAnswer } from "./command.ts";
import { LocalBusWorker } from "./local-bus-worker.ts";

const worker = new LocalBusWorker({
  async execute(command) {
    const answer = emptyAnswer();
    if (command.verb === "describe") throw new Error("a bug in execute");
    if (command.verb === "send") {
      answer.matched = command.bytes.reduce((sum, byte) => sum + byte, 0);
      answer.dropped = command.bytes.constructor === Uint8Array ? 0 : 1;
      answer.connections = [{ connectionId: "c", userId: command.pushId }];
    }
    return answer;
  },
  send: (message) => process.send?.(message),
});

process.on("message", (message) => {
  worker.receive(message);
});
