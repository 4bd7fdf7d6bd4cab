/** What a service asks of the gateway by itself, over the carriers on which it can. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { BINARY, TEXT } from "../../core/opcode.ts";
import type { UpstreamCommand } from "../upstream.ts";
import { carriers } from "./carriers.test.helper.ts";
import { needs, Stage } from "./stage.test.helper.ts";

const STRANGE = ' Zoë "€" 100%,\\;=~ 😀/.*> ';

function command(more: Partial<UpstreamCommand>): UpstreamCommand {
  const sent = { verb: "send", target: { kind: "all" }, opcode: TEXT } as const;
  const nothing = { excluded: [], bytes: Buffer.alloc(0), argument: "", pushId: undefined };
  return { ...sent, ...nothing, ...more };
}

/** Of what is no message, the opcode means nothing. */
function shown({ opcode, verb, ...rest }: UpstreamCommand): object {
  return { verb, ...rest, ...(verb === "send" ? { opcode } : {}) };
}

for (const carrier of carriers) {
  const pushed = needs(carrier, "pushes");
  describe(`a push over ${carrier.name}`, { skip: carrier.missing || pushed.skip }, () => {
    async function assertArrive(stage: Stage, commands: UpstreamCommand[]): Promise<void> {
      for (const each of commands) await stage.service.push?.(each);
      await stage.until(() => stage.sink.commands.length >= commands.length);
      assert.deepEqual(stage.sink.commands.map(shown), commands.map(shown));
      assert.equal(stage.counts.pushes.executed, commands.length);
    }

    test("goes to a connection, a user, a group or all, in the order of the pushes", async () => {
      const stage = await Stage.set(carrier);
      const connection = { kind: "connection", connectionId: stage.idOf(7) } as const;
      const binary = Buffer.from([0xff, 0x00, 0xc3, 0x28]);
      await assertArrive(stage, [
        command({ target: connection, bytes: Buffer.from("to one") }),
        command({ target: { kind: "user", user: STRANGE }, bytes: Buffer.from("ä 😀") }),
        command({ target: { kind: "user", user: "ann" }, opcode: BINARY, bytes: binary }),
        command({ target: { kind: "group", group: STRANGE }, bytes: Buffer.from("to some") }),
        command({ bytes: Buffer.from("to all") }),
        command({ bytes: Buffer.alloc(0), opcode: BINARY }),
      ]);
    });

    test("leaves out whom it names, and has its id", async () => {
      const stage = await Stage.set(carrier);
      const excluded = [stage.idOf(1), stage.idOf(2)];
      await assertArrive(stage, [
        command({ excluded, bytes: Buffer.from("others") }),
        command({ pushId: "once only", bytes: Buffer.from("once") }),
      ]);
    });

    test("acts: a connection or a user joins and leaves, and closes", async () => {
      const stage = await Stage.set(carrier);
      const connection = { kind: "connection", connectionId: stage.idOf(7) } as const;
      const user = { kind: "user", user: STRANGE } as const;
      await assertArrive(stage, [
        command({ verb: "join", target: connection, argument: STRANGE }),
        command({ verb: "leave", target: connection, argument: STRANGE }),
        command({ verb: "join", target: user, argument: "blue" }),
        command({ verb: "close", target: connection, argument: "bis später 😀" }),
        command({ verb: "close", target: { kind: "group", group: "blue" }, argument: "" }),
      ]);
    });

    test("is as long as pushBytesMax, byte by byte", async () => {
      const pushBytesMax = 700_000;
      const stage = await Stage.set(carrier, { rules: { pushBytesMax } });
      const bytes = Buffer.alloc(pushBytesMax, "0123456789abc");
      await assertArrive(stage, [command({ opcode: BINARY, bytes })]);
    });

    test("goes on when the service has been away", async () => {
      const stage = await Stage.set(carrier);
      await stage.goAway();
      await stage.service.comeBack();
      await stage.until(() => stage.isUp, "the service is back");
      await assertArrive(stage, [command({ bytes: Buffer.from("again") })]);
    });
  });
}
