import assert from "node:assert/strict";
import { test } from "node:test";
import type { Consumer, ConsumerInfo } from "@nats-io/jetstream";
import { CatchUp } from "./catch-up.ts";
import type { Held } from "./held-events.ts";

const info = (delivered: number, pending: number) =>
  ({ delivered: { consumer_seq: delivered }, num_ack_pending: pending }) as ConsumerInfo;

test("a catch-up waits for a server that is away for longer than its patience", async () => {
  const answers = [info(0, 1), new Error("timeout"), new Error("timeout"), info(2, 1)];
  const consumer = {
    info: async () => {
      const answer = answers.shift() ?? info(2, 1);
      if (answer instanceof Error) throw answer;
      return answer;
    },
  } as Consumer;
  const errors: Error[] = [];
  const report = (error: Error) => errors.push(error);
  const one = { streamSequence: 1, deliverySequence: 2 } as Held;
  const started = await new Promise<Held>((start) => {
    // Its patience, three of these, is over long before the server is asked a second time.
    const catchUp = new CatchUp({
      ...{ consumer, name: "d", ackWaitMs: 1, held: [one], start, report },
    });
    void catchUp.begin().then(() => catchUp.wait(one));
  });
  assert.equal(started, one);
  assert.equal(answers.length, 0);
  assert.deepEqual(errors, []);
});
