/** Pushes over NATS: what is published for each call, and what is refused before it is. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { natsMissing } from "../../../test/support/nats-server.ts";
import { setNats } from "../nats/nats-stage.test.helper.ts";

const ID = "AAAAAAAAAAA.AAAAAAAAAA";
const UNCOUNTED = { matched: undefined, dropped: undefined, partial: true };

describe("a push over NATS", { skip: natsMissing }, () => {
  test("goes out on the subject of whom it is for, and counts nobody", async () => {
    const { gateway, service } = await setNats();
    const { push } = service;
    const excluded = [ID, "B.B"];
    assert.deepEqual(await push.toConnection(ID, "é"), UNCOUNTED);
    await push.toUser("Zoë", new Uint8Array([1]), { pushId: "p 1" });
    await push.toGroup("lobby", "text", { excluded, kind: "binary" });
    await push.toAll("", { kind: "text" });
    await push.closeConnection(ID, { reason: "énough" });
    await push.closeAll({ excluded });
    await push.join({ user: "a.b" }, "ü");
    await push.leave({ connection: ID }, "lobby");
    await gateway.until(() => gateway.pushed.length === 8, "all");
    const start = `${gateway.prefix}.push.chat.`;
    const text = { "content-type": ["text/plain; charset=utf-8"] };
    const out = { "headgate-excluded": excluded };
    const act = (action: string) => ({ "headgate-action": [action] });
    assert.deepEqual(
      gateway.pushed.map(({ message, subject }) => {
        const fields = message.headers;
        const entries = fields?.keys().map((name) => [name, fields.values(name)]) ?? [];
        const bytes = Buffer.from(message.data).toString("latin1");
        return [subject.slice(start.length), bytes, Object.fromEntries(entries)];
      }),
      [
        [`conn.${ID}`, "Ã©", text],
        ["user.~Wm_Dqw", "\x01", { "headgate-push-id": ["p 1"] }],
        ["group.lobby", "text", out],
        ["all", "", text],
        [`conn.${ID}`, "Ã©nough", act("close")],
        ["all", "", { ...out, ...act("close") }],
        ["user.~YS5i", "Ã¼", act("join")],
        [`conn.${ID}`, "lobby", act("leave")],
      ],
    );
  });

  test("that asks for an answer is refused, with what to do instead", async () => {
    const { push } = (await setNats()).service;
    const unsupported = { code: "HG_PUSH_UNSUPPORTED", message: /push over REST/ };
    await assert.rejects(push.exists({ user: "ann" }), unsupported);
    await assert.rejects(push.leaveAll({ user: "ann" }), unsupported);
  });

  test("that the gateway could not use is refused, for it would tell nobody", async () => {
    const { push } = (await setNats()).service;
    const invalid = (message: RegExp) => ({ code: "HG_PUSH_INVALID", message });
    await assert.rejects(push.toConnection("a b", "c"), invalid(/no connection's id/));
    await assert.rejects(push.toConnection("a.*", "c"), invalid(/no connection's id/));
    const bytes = new Uint8Array([0xff]);
    await assert.rejects(push.toAll(bytes, { kind: "text" }), invalid(/not UTF-8/));
    await assert.rejects(push.closeAll({ reason: "é".repeat(62) }), invalid(/123 bytes/));
    await assert.rejects(push.toAll("a", { pushId: "a\r\nb: c" }), invalid(/line break/));
    await assert.rejects(push.toAll(new Uint8Array(2 << 20)), invalid(/max_payload/));
  });

  test("waits until the server has it, and says when it cannot have it", async () => {
    const { connection, gateway, service } = await setNats();
    const many = Array.from({ length: 500 }, (_, index) => service.push.toAll(String(index)));
    await Promise.all(many);
    await gateway.connection.flush();
    const texts = gateway.pushed.map(({ message }) => message.string());
    assert.deepEqual(
      texts,
      many.map((_, index) => String(index)),
    );
    await connection.close();
    await assert.rejects(service.push.toAll("late"), { code: "HG_PUSH_UNANSWERED" });
  });

  test("takes other ways where there are some", async () => {
    const push = { url: "http://127.0.0.1:1" };
    const { service } = await setNats({ service: { push } });
    await assert.rejects(service.push.toAll("a"), /127\.0\.0\.1:1/);
    await service.close();
    await assert.rejects(service.push.toAll("a"), { code: "HG_SERVICE_CLOSED" });
  });
});
