/** What every carrier makes of the question whether a client is let in. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ConnectAnswer } from "../upstream.ts";
import { carriers } from "./carriers.test.helper.ts";
import { Stage } from "./stage.test.helper.ts";

const anonymous = {
  accepted: true,
  userId: undefined,
  groups: [],
  subprotocol: undefined,
  connectionState: undefined,
};

function statusOf(answer: ConnectAnswer): number {
  return answer.accepted ? 101 : answer.status;
}

for (const carrier of carriers) {
  describe(`the question for a client over ${carrier.name}`, { skip: carrier.missing }, () => {
    test("has the handshake in it", async () => {
      const stage = await Stage.set(carrier);
      const handshake = {
        path: "/chat/blue",
        params: { room: "blau 😀" },
        query: { token: ["a", "b"], "ä b": [""] },
        headers: { cookie: ["x=1"], "x-name": ["Zoë"] },
        subprotocols: ["json", "xml"],
        address: "2001:db8::1",
      };
      assert.deepEqual(await stage.ask(handshake), anonymous);
      const [event] = stage.service.events;
      assert.deepEqual([event?.kind, event?.connectionId], ["connect", stage.idOf(99)]);
      const { path, params, query, headers, subprotocols, address } = event?.handshake ?? {};
      assert.deepEqual({ path, params, query, headers, subprotocols, address }, handshake);
    });

    test("lets it in with user, groups, subprotocol and state as the answer says", async () => {
      const stage = await Stage.set(carrier);
      const userId = ' Zoë "€" 100%,\\; 😀 ';
      const named = { userId, groups: ["a b", "ä/😀", "a b"], subprotocol: "xml" };
      stage.service.answerConnect = () => ({ ...named, connectionState: `${userId}!` });
      assert.deepEqual(await stage.ask({ subprotocols: ["json", "xml"] }), {
        ...{ accepted: true, userId, groups: ["a b", "ä/😀"], subprotocol: "xml" },
        connectionState: `${userId}!`,
      });
    });

    test("refuses it with the status and the body of the answer", async () => {
      const stage = await Stage.set(carrier);
      const contentType = "application/problem+json";
      stage.service.answerConnect = () => ({ status: 403, body: '{"title":"nö"}', contentType });
      const refused = { accepted: false, status: 403, contentType };
      assert.deepEqual(await stage.ask(), { ...refused, body: Buffer.from('{"title":"nö"}') });
    });

    test("is 503 where the service fails, or answers what cannot be", async () => {
      const stage = await Stage.set(carrier, {
        rules: { nameBytesMax: 8, groupsPerConnectionMax: 1 },
      });
      for (const reply of [
        "failed",
        { userId: "123456789" },
        { groups: ["a", "b"] },
        { subprotocol: "never offered" },
        { connectionState: "x".repeat(257) },
      ] as const) {
        stage.service.answerConnect = () => reply as "failed";
        assert.equal(statusOf(await stage.ask()), 503, JSON.stringify(reply));
      }
      const asked = stage.service.events.length;
      assert.equal(asked, 5, "nobody is asked twice");
      assert.ok(
        stage.log.lines.some(({ level }) => level !== "info"),
        "the log says why",
      );
    });

    test("is 503 where no answer comes in time, and nothing is left of it", async () => {
      const stage = await Stage.set(carrier);
      stage.service.answerConnect = () => new Promise(() => {});
      assert.equal(statusOf(await stage.ask({}, 50)), 503);
      await stage.until(() => stage.counts.inflight === 0);
    });

    test("is 503 while the service is away, and asked again when it is back", async () => {
      const stage = await Stage.set(carrier);
      await stage.goAway();
      // Its time would be much longer than the test's.
      assert.equal(statusOf(await stage.ask({}, 3_600_000)), 503);
      await stage.service.comeBack();
      let isIn = false;
      await stage.until(() => {
        // Over HTTP it is by asking that it is found out.
        void stage.ask().then(({ accepted }) => {
          isIn ||= accepted;
        });
        return isIn;
      }, "a client is let in");
    });

    test("does not wait for other clients', and they are not mixed up", async () => {
      const stage = await Stage.set(carrier);
      const waiting: (() => void)[] = [];
      stage.service.answerConnect = ({ handshake }) => {
        const [userId = ""] = handshake?.query.name ?? [];
        return new Promise((resolve) => waiting.push(() => resolve({ userId })));
      };
      const names = Array.from({ length: 20 }, (_, index) => `user ${index}`);
      const asked = names.map((name, index) => {
        return stage.ask({ connectionId: stage.idOf(index), query: { name: [name] } });
      });
      await stage.until(() => waiting.length === names.length);
      for (const answer of waiting.reverse()) answer();
      const users = (await Promise.all(asked)).map((each) => each.accepted && each.userId);
      assert.deepEqual(users, names);
    });
  });
}
