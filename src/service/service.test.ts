/** What handlers mean, alike over every carrier; each test runs over all of them. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { runAndListPackages } from "../../test/support/run-node.ts";
import { HeadgateError } from "../core/error.ts";
import { carriers, NONCE } from "./carriers.test.helper.ts";
import { Refuse, TryLater } from "./fault.ts";
import { binary, CONNECTED, DISCONNECTED, text } from "./http/requests.test.helper.ts";
import type { Message } from "./message.ts";
import { natsCarriers } from "./nats/nats-carriers.test.helper.ts";
import { createService, type ServiceOptions } from "./service.ts";

const ID = `${NONCE}.AAAAAAAAAA`;
const OTHER = `${NONCE}.BBBBBBBBBB`;

function codeOf(thrown: unknown): string {
  return thrown instanceof HeadgateError ? thrown.code : String(thrown);
}

for (const carrier of [...carriers, ...natsCarriers]) {
  describe(`over ${carrier.name}`, { skip: carrier.skip }, () => {
    const { keepsState, stopsAt } = carrier;

    test("a handler sees the message, its connection and what is kept with it", async () => {
      const { service, open } = await carrier.set();
      const seen: unknown[] = [];
      service.on("message", (message) => {
        const { connectionId, connectionState, isText, number, userId } = message;
        seen.push([connectionId, userId, connectionState, number, isText, message.text()]);
        seen.push(Buffer.from(message.bytes).toString("hex"), message.byteLength);
      });
      const facts = { userId: "Zoë %41", state: '{"room":"blue"}' };
      const results = await open(ID, facts).tell(text(1, "hé"), binary(2, Buffer.from([0, 255])));
      assert.deepEqual(results, [{ kind: "taken" }, { kind: "taken" }]);
      const [user, state] = ["Zoë %41", '{"room":"blue"}'];
      assert.deepEqual(seen, [
        ...[[ID, user, state, 1, true, "hé"], "68c3a9", 3],
        ...[[ID, user, state, 2, false, "\0�"], "00ff", 2],
      ]);
    });

    test("a string replies as text, bytes as binary, and otherwise as is said", async () => {
      const { service, open } = await carrier.set();
      service.on("message", async (message) => {
        if (message.number === 1) message.reply("é");
        if (message.number === 2) message.reply(Buffer.from([255]));
        if (message.number === 3) message.reply(message.bytes, "text");
        if (message.number === 4) message.reply("b", "binary");
        if (message.number === 5) message.reply("");
      });
      const told = [1, 2, 3, 4, 5].map((number) => text(number, `no ${number}`));
      const results = await open(ID).tell(...told);
      assert.deepEqual(results, [
        { kind: "taken", reply: { isText: true, bytes: Buffer.from("é") } },
        { kind: "taken", reply: { isText: false, bytes: Buffer.from([255]) } },
        { kind: "taken", reply: { isText: true, bytes: Buffer.from("no 3") } },
        { kind: "taken", reply: { isText: false, bytes: Buffer.from("b") } },
        { kind: "taken" },
      ]);
    });

    test("what a handler sets as the state is there for the next one, or it throws", async () => {
      const { service, open } = await carrier.set();
      if (!keepsState) {
        service.on("message", (message) => {
          const set = () => message.setConnectionState("new");
          assert.throws(set, { code: "HG_STATE_UNSUPPORTED" });
          message.reply(message.connectionState);
        });
        const [result] = await open(ID, { state: "old" }).tell(text(1, "a"));
        assert.equal(result?.reply?.bytes.toString(), "old");
        return;
      }
      const seen: string[] = [];
      service.on("message", (message) => {
        seen.push(message.connectionState);
        if (message.number === 1) message.setConnectionState("ü 1");
        if (message.number === 1) seen.push(message.connectionState);
        if (message.number === 2) message.setConnectionState("");
        if (message.number === 3) message.reply("r");
      });
      const told = [text(1, "a"), text(2, "b"), text(3, "c")];
      const results = await open(ID, { state: "old" }).tell(...told);
      assert.deepEqual(seen, ["old", "ü 1", "ü 1", ""]);
      assert.deepEqual(results, [
        { kind: "taken", state: "ü 1" },
        { kind: "taken", state: "" },
        { kind: "taken", reply: { isText: true, bytes: Buffer.from("r") } },
      ]);
    });

    for (const [name, error, kind, reported] of [
      ["an error", new Error("out of luck"), "failed", ["HG_HANDLER_FAILED"]],
      ["TryLater", new TryLater(1500), "held", []],
      ["Refuse", new Refuse(), "refused", []],
    ] as const) {
      for (const isAsync of [false, true]) {
        const how = isAsync ? "rejects with" : "throws";
        test(`a handler that ${how} ${name}: ${kind}, with all that it had set`, async () => {
          const { service, errors, open } = await carrier.set();
          const seen: number[] = [];
          service.on("message", (message) => {
            seen.push(message.number);
            if (message.number === 1) return undefined;
            if (keepsState) message.setConnectionState("lost");
            message.reply("lost");
            if (!isAsync) throw error;
            return Promise.reject(error);
          });
          const results = await open(ID).tell(text(1, "a"), text(2, "b"), text(3, "c"));
          const codes: readonly string[] = reported;
          if (stopsAt.includes(kind)) {
            assert.deepEqual(results, [{ kind: "taken" }, { kind }]);
            assert.deepEqual(seen, [1, 2], "none behind it was handled");
            assert.deepEqual(errors.map(codeOf), codes);
          } else {
            assert.deepEqual(results, [{ kind: "taken" }, { kind }, { kind }]);
            const told = kind === "held" ? ["HG_EVENT_LOST"] : codes;
            assert.deepEqual(errors.map(codeOf), [...told, ...told]);
          }
          if (kind === "failed") for (const { cause } of errors) assert.equal(cause, error);
        });
      }
    }

    test("messages of one connection come one at a time, others meanwhile", async () => {
      const { service, open } = await carrier.set();
      const log: string[] = [];
      let release = () => {};
      const released = new Promise<void>((resolve) => {
        release = resolve;
      });
      service.on("message", async (message) => {
        log.push(`begin ${message.text()}`);
        if (message.text() === "a1") await released;
        log.push(`end ${message.text()}`);
        message.reply(message.text());
      });
      const slow = open(ID).tell(text(1, "a1"), text(2, "a2"), text(3, "a3"));
      const quick = await open(OTHER).tell(text(1, "b1"), text(2, "b2"));
      assert.deepEqual(quick.length, 2);
      release();
      const results = await slow;
      assert.deepEqual(
        results.map(({ reply }) => reply?.bytes.toString()),
        ["a1", "a2", "a3"],
      );
      const ofFirst = log.filter((line) => line.includes("a"));
      const order = ["a1", "a2", "a3"].flatMap((name) => [`begin ${name}`, `end ${name}`]);
      assert.deepEqual(ofFirst, order);
    });

    test("bytes that are kept stay as they are, short ones and long ones", async () => {
      const { service, open } = await carrier.set();
      const kept: Uint8Array[] = [];
      const messages: Message[] = [];
      service.on("message", (message) => {
        if (message.number % 2 === 1) kept.push(message.bytes);
        messages.push(message);
      });
      const payloads = [20, 20, 5000, 200_000, 200_000, 7].map((length, index) =>
        Buffer.alloc(length, index + 1),
      );
      await open(ID).tell(...payloads.map((payload, index) => binary(index + 1, payload)));
      await open(OTHER).tell(binary(1, Buffer.alloc(9000, 99)));
      for (const [index, payload] of payloads.entries()) {
        assert.ok(payload.equals(messages[index]?.bytes as Uint8Array), `message ${index + 1}`);
      }
      assert.ok(payloads[2]?.equals(kept[1] as Uint8Array));
    });

    test("a second reply, and one behind the handler's end, are its errors", async () => {
      const { service, open } = await carrier.set();
      const codes: string[] = [];
      let kept: Message | undefined;
      service.on("message", (message) => {
        kept = message;
        message.reply("once");
        assert.throws(
          () => message.reply("twice"),
          (error) => codes.push(codeOf(error)) > 0,
        );
      });
      await open(ID).tell(text(1, "a"));
      for (const late of [() => kept?.reply("late"), () => kept?.setConnectionState("late")]) {
        assert.throws(late, (error) => codes.push(codeOf(error)) > 0);
      }
      assert.deepEqual(codes, ["HG_REPLY_TWICE", "HG_HANDLER_OVER", "HG_HANDLER_OVER"]);
    });

    test("bytes that are called text and are not UTF-8 fail their own message", async () => {
      const { service, errors, open } = await carrier.set();
      service.on("message", (message) => message.reply(message.bytes, "text"));
      const bad = await open(ID).tell(binary(1, Buffer.from([0xff])));
      assert.deepEqual(bad, [{ kind: "failed" }]);
      assert.equal(codeOf(errors[0]?.cause), "HG_REPLY_NOT_UTF8");
      const reply = { isText: true, bytes: Buffer.from("é") };
      assert.deepEqual(await open(OTHER).tell(text(1, "é")), [{ kind: "taken", reply }]);
    });

    test("a connection's beginning and end are told, around its messages", async () => {
      const { service, open } = await carrier.set();
      const seen: unknown[] = [];
      service.on("connected", ({ connectionId, id, name, userId }) => {
        seen.push([name, connectionId, userId, id.startsWith(connectionId)]);
      });
      service.on("message", ({ name, number }) => seen.push([name, number]));
      service.on("disconnected", async ({ code, name, reason }) => seen.push([name, reason, code]));
      const told = [CONNECTED, text(1, "a"), DISCONNECTED];
      const results = await open(ID, { userId: "ann" }).tell(...told);
      assert.deepEqual(results, [{ kind: "taken" }, { kind: "taken" }, { kind: "taken" }]);
      assert.deepEqual(seen, [
        ["connected", ID, "ann", true],
        ["message", 1],
        ["disconnected", "client-gone", 1006],
      ]);
    });

    test("events without a handler are taken, and everybody is let in", async () => {
      const { open, connect } = await carrier.set();
      const results = await open(ID).tell(CONNECTED, text(1, "a"), DISCONNECTED);
      assert.deepEqual(results, [{ kind: "taken" }, { kind: "taken" }, { kind: "taken" }]);
      assert.deepEqual(await connect(ID, {}), { status: 204, body: "", state: "" });
    });

    test("connect lets in with a user, groups, a subprotocol and a state", async () => {
      const { service, connect } = await carrier.set();
      service.on("connect", async (request) => {
        const { address, headers, params, path, query, subprotocols } = request;
        assert.deepEqual({ ...headers }, { host: ["a"] });
        assert.deepEqual([address, path, { ...params }], ["192.0.2.1", "/c/x", { room: "x" }]);
        const [subprotocol] = subprotocols;
        return { userId: query.name?.[0], groups: ["g"], subprotocol, connectionState: "é" };
      });
      const body = await connect(ID, {
        ...{ query: { name: ["ann"] }, headers: { host: ["a"] }, subprotocols: ["v1"] },
        ...{ path: "/c/x", params: { room: "x" }, address: "192.0.2.1" },
      });
      assert.equal(body.status, 200);
      assert.equal(body.state, "é");
      const answer = { userId: "ann", groups: ["g"], subprotocol: "v1" };
      assert.deepEqual(JSON.parse(body.body), answer);
    });

    test("connect refuses by what it returns or throws, and a failure is told", async () => {
      const { service, errors, connect } = await carrier.set();
      service.on("connect", (request) => {
        const [what] = request.query.what ?? [];
        if (what === "return") return request.refuse(401, "who?");
        if (what === "throw") throw request.refuse(403, "no");
        if (what === "later") throw new TryLater();
        if (what === "never") throw new Refuse("never");
        if (what === "return it") return new Refuse("never") as unknown as undefined;
        if (what === "status") return request.refuse(302);
        throw new Error("out of luck");
      });
      const ask = async (what: string) => {
        const { body, status } = await connect(ID, { query: { what: [what] } });
        return [status, body];
      };
      assert.deepEqual(await ask("return"), [401, "who?"]);
      assert.deepEqual(await ask("throw"), [403, "no"]);
      assert.deepEqual(await ask("never"), [400, "never"]);
      assert.deepEqual(await ask("return it"), [400, "never"]);
      assert.deepEqual(await ask("later"), [503, ""]);
      assert.equal(errors.length, 0);
      assert.deepEqual(await ask("error"), [500, ""]);
      assert.deepEqual(await ask("status"), [500, ""]);
      assert.deepEqual(errors.map(codeOf), ["HG_HANDLER_FAILED", "HG_HANDLER_FAILED"]);
      assert.equal(codeOf(errors[1]?.cause), "HG_REFUSAL_STATUS");
    });

    test("what a program without types gets wrong is a failure, and lets nobody in", async () => {
      const { service, errors, open, connect } = await carrier.set();
      const answers: unknown[] = [false, null, "ann", [], new Error("no"), { connectionState: 1 }];
      answers.push({ connectionState: "x".repeat(65_536) });
      service.on("connect", (request) => {
        if (request.path === "refuse") return request.refuse(400, "", "text\n");
        return answers[Number(request.path)] as undefined;
      });
      for (const path of [...answers.keys(), "refuse"]) {
        assert.equal((await connect(ID, { path: String(path) })).status, 500);
      }
      const wrong = { text: "a" } as unknown as string;
      service.on("message", (message) => {
        if (message.number === 1) message.reply(wrong);
        else message.setConnectionState(Buffer.from("a") as unknown as string);
      });
      assert.deepEqual(await open(ID).tell(text(1, "a")), [{ kind: "failed" }]);
      assert.deepEqual(await open(OTHER).tell(text(2, "a")), [{ kind: "failed" }]);
      assert.equal(errors.length, answers.length + 3);
      assert.ok(errors.every((error) => codeOf(error) === "HG_HANDLER_FAILED"));
    });

    test("close finishes what was taken, and takes nothing more", async () => {
      const { service, open } = await carrier.set();
      let release = () => {};
      let begun = () => {};
      const started = new Promise<void>((resolve) => {
        begun = resolve;
      });
      const seen: number[] = [];
      service.on("message", (message) => {
        seen.push(message.number);
        begun();
        message.reply("done");
        return new Promise<void>((resolve) => {
          release = resolve;
        });
      });
      const driver = open(ID);
      const other = open(OTHER);
      const first = driver.tell(text(1, "a"));
      await started;
      let isClosed = false;
      const closed = service.close().then(() => {
        isClosed = true;
      });
      // Over core NATS whoever is there gets it, if anybody is.
      const refused = stopsAt.includes("held") ? other.tell(text(9, "b")) : Promise.resolve([]);
      release();
      assert.deepEqual(await first, [
        { kind: "taken", reply: { isText: true, bytes: Buffer.from("done") } },
      ]);
      await closed;
      assert.equal(isClosed, true);
      assert.ok((await refused).every(({ kind }) => kind === "held"));
      assert.deepEqual(seen, [1]);
    });

    test("close does not wait for a handler that hangs any longer than it says", async () => {
      const { service, open } = await carrier.set({ closeTimeoutMs: 20 });
      const begun = new Promise<void>((resolve) => {
        service.on("message", () => {
          resolve();
          return new Promise(() => {});
        });
      });
      open(ID)
        .tell(text(1, "a"))
        .catch(() => {});
      await begun;
      await service.close();
    });
  });
}

describe("a service", () => {
  test("loads no package, until it is over NATS", async () => {
    const program = fileURLToPath(new URL("./service.js", import.meta.url));
    const { code, packages } = await runAndListPackages([program]);
    assert.deepEqual([code, packages], [0, []]);
  });

  test("takes one handler for each event, and none for others", () => {
    const service = createService({ hub: "chat" }).on("message", () => {});
    assert.throws(() => service.on("message", () => {}), { code: "HG_HANDLER_TWICE" });
    assert.throws(() => service.on("massage" as "message", () => {}), { code: "HG_UNKNOWN_EVENT" });
    const missing = undefined as unknown as () => void;
    assert.throws(() => service.on("connected", missing), { code: "HG_HANDLER_MISSING" });
  });

  test("says which option makes no sense", () => {
    for (const [options, word] of [
      [{ hub: "" }, /hub/],
      [{ hub: "chat", keys: [""] }, /signing key/],
      [{ hub: "chat", bodyBytesMax: 0 }, /bodyBytesMax/],
      [{ hub: "chat", link: { eventsMax: 1.5 } }, /eventsMax/],
      [{ hub: "chat", signingKeys: ["a"] }, /no option signingKeys; there are .*keys/],
      [{ hub: "chat", link: { events: 1 } }, /no option link\.events/],
      [{ hub: "chat", push: { url: "http://a", keys: [] } }, /no option push\.keys/],
    ] as const) {
      assert.throws(() => createService(options as ServiceOptions), {
        code: "HG_SERVICE_OPTIONS",
        message: word,
      });
    }
    const push = { url: "127.0.0.1:8001" };
    assert.throws(() => createService({ hub: "chat", push }), { code: "HG_PUSH_INVALID" });
  });

  test("says that it has no way to push", async () => {
    const { push } = createService({ hub: "chat" });
    await assert.rejects(push.toAll("a"), { code: "HG_PUSH_UNCONFIGURED" });
  });
});
