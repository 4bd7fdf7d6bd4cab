/** What a request of the gateway, or of a stranger, is answered with. */
import assert from "node:assert/strict";
import { request } from "node:http";
import { describe, test } from "node:test";
import { until } from "../../../test/support/until.ts";
import { serve } from "../carriers.test.helper.ts";
import { TryLater } from "../fault.ts";
import { createService, type ServiceOptions } from "../service.ts";
import { asBatch, asRequest, CONNECTED, text } from "./requests.test.helper.ts";

const ID = "AAAAAAAAAAA.AAAAAAAAAA";
const FACTS = { connectionId: ID, userId: "Zoë", connectionState: "ü" };

async function set(options: Partial<ServiceOptions> = {}) {
  const errors: Error[] = [];
  const onError = (error: Error) => errors.push(error);
  const service = createService({ hub: "chat", onError, ...options });
  const url = await serve(service.httpHandler());
  return { service, errors, url };
}

describe("a signature", () => {
  const told = text(1, "a");

  test("of any of the keys is taken, of one event and of a batch", async () => {
    const { url } = await set({ keys: ["new", "old"] });
    for (const key of ["new", "old"]) {
      const sending = { signingKeys: [key, "third"] };
      assert.equal((await fetch(url, asRequest(FACTS, told, sending))).status, 204);
      assert.equal((await fetch(url, asBatch(FACTS, [told], sending))).status, 200);
    }
  });

  test("that is missing, wrong, of other content or old is 401, and told", async () => {
    const { errors, service, url } = await set({ keys: "key" });
    service.on("message", () => assert.fail("it was handled"));
    const signingKeys = ["key"];
    const old = Date.now() - 301_000;
    const signed = asRequest(FACTS, told, { signingKeys });
    const changed = (header: string, value: string) => ({
      ...signed,
      headers: { ...signed.headers, [header]: value },
    });
    const requests = [
      asRequest(FACTS, told),
      asBatch(FACTS, [told]),
      asRequest(FACTS, told, { signingKeys: ["other"] }),
      asRequest(FACTS, told, { signingKeys, sentAtMs: old }),
      asBatch(FACTS, [told], { signingKeys, sentAtMs: old }),
      { ...signed, body: Buffer.from("b") },
      changed("ce-userid", "bob"),
      changed("ce-connectionstate", "x"),
      changed("ce-id", "x"),
      changed("ce-signature", `sha256=${"0".repeat(64)}`),
      changed("headgate-signature", "t=1,v1=00"),
    ];
    for (const each of requests) assert.equal((await fetch(url, each)).status, 401);
    assert.equal(errors.length, requests.length);
    assert.equal((errors[0] as { code?: string }).code, "HG_EVENT_REFUSED");
  });

  test("of one event is none of another connection, another hub or a batch", async () => {
    const { service, url } = await set({ keys: "key" });
    service.on("message", () => assert.fail("it was handled"));
    const batch = asBatch({ ...FACTS, userId: "root" }, [told]);
    const payload = text(1, batch.body.toString());
    const signed = asRequest(FACTS, payload, { signingKeys: ["key"] });
    const { "ce-signature": _, ...headers } = signed.headers;
    for (const changed of [{ "ce-connectionid": "other" }, { "ce-hub": "other" }, batch.headers]) {
      const replayed = { ...signed, headers: { ...headers, ...changed } };
      assert.equal((await fetch(url, replayed)).status, 401);
    }
  });
});

describe("consent", () => {
  const ask = (url: string, origin: string) =>
    fetch(url, { method: "OPTIONS", headers: { "webhook-request-origin": origin } });

  test("is given to every gateway, or to those that are named", async () => {
    const all = await set();
    const answer = await ask(all.url, "gateway.example");
    assert.equal(answer.status, 200);
    assert.equal(answer.headers.get("webhook-allowed-origin"), "gateway.example");
    const some = await set({ origins: ["Gateway.example"] });
    const named = await ask(some.url, "gateway.example");
    assert.equal(named.headers.get("webhook-allowed-origin"), "gateway.example");
    const other = await ask(some.url, "other.example");
    assert.equal(other.status, 403);
    assert.equal(other.headers.get("webhook-allowed-origin"), null);
  });
});

describe("an event", () => {
  test("comes as POST, for this hub, and with what an event has", async () => {
    const { errors, url } = await set();
    const get = await fetch(url);
    assert.deepEqual([get.status, get.headers.get("allow")], [405, "POST, OPTIONS"]);
    const good = asRequest(FACTS, text(1, "a"));
    const without = (name: string) => {
      const { [name]: _left, ...headers } = good.headers;
      return { ...good, headers };
    };
    for (const bad of [
      ...["ce-id", "ce-connectionid", "ce-time", "ce-type", "ce-messagenumber"].map(without),
      asRequest(FACTS, text(1, "a"), { hub: "chess" }),
      asRequest(FACTS, { name: "disconnected", body: "{" }),
      asRequest(FACTS, { name: "disconnected", body: "{}" }),
      asRequest(FACTS, { name: "connect", body: "[]" }),
    ]) {
      assert.equal((await fetch(url, bad)).status, 400);
    }
    assert.equal(errors.length, 9);
  });

  test("that comes again while it is under way is handled once, answered twice", async () => {
    const service = createService({ hub: "chat" });
    const handler = service.httpHandler();
    let read = 0;
    const url = await serve((incoming, response) => {
      incoming.on("end", () => {
        read += 1;
      });
      handler(incoming, response);
    });
    let count = 0;
    let finish = () => {};
    service.on("message", async (message) => {
      count += 1;
      await new Promise<void>((resolve) => {
        finish = resolve;
      });
      message.reply("done");
    });
    const first = fetch(url, asRequest(FACTS, text(1, "a")));
    await until(() => count === 1);
    const again = fetch(url, asRequest(FACTS, text(1, "a")));
    const batch = fetch(url, asBatch(FACTS, [text(1, "a")]));
    await until(() => read === 3);
    finish();
    assert.equal(await (await first).text(), "done");
    assert.equal(await (await again).text(), "done");
    assert.equal(((await (await batch).json()) as { data: string }[])[0]?.data, "done");
    assert.equal(count, 1);
  });

  test("says when to try again", async () => {
    const { service, url } = await set();
    service.on("message", () => {
      throw new TryLater(1200);
    });
    const { headers, status } = await fetch(url, asRequest(FACTS, text(1, "a")));
    assert.deepEqual([status, headers.get("retry-after")], [503, "2"]);
    await service.close();
    const closing = await fetch(url, asRequest(FACTS, text(1, "a")));
    assert.deepEqual([closing.status, closing.headers.get("retry-after")], [503, "1"]);
  });

  test("longer than bodyBytesMax is 413, whatever its length says", async () => {
    const { errors, url } = await set({ bodyBytesMax: 1000 });
    assert.equal((await fetch(url, asRequest(FACTS, text(1, "a".repeat(1000))))).status, 204);
    assert.equal((await fetch(url, asRequest(FACTS, text(1, "a".repeat(1001))))).status, 413);
    const status = await new Promise((resolve, reject) => {
      const { headers } = asRequest(FACTS, text(1, ""));
      const chunked = request(url, { method: "POST", headers }, (response) => {
        response.resume();
        resolve(response.statusCode);
      });
      chunked.on("error", reject);
      chunked.write("a".repeat(600));
      chunked.end("a".repeat(600));
    });
    assert.equal(status, 413);
    assert.deepEqual(
      errors.map((error) => (error as { code?: string }).code),
      ["HG_BODY_TOO_LARGE", "HG_BODY_TOO_LARGE"],
    );
  });

  test("that is broken off is not handled", async () => {
    const { errors, service, url } = await set();
    let count = 0;
    service.on("message", () => {
      count += 1;
    });
    const { headers } = asRequest(FACTS, text(1, ""));
    const broken = request(url, { method: "POST", headers: { ...headers, "content-length": 10 } });
    broken.on("error", () => {});
    await new Promise<void>((resolve) => broken.write("half", () => resolve()));
    broken.destroy();
    assert.equal((await fetch(url, asRequest(FACTS, text(2, "a")))).status, 204);
    assert.deepEqual([count, errors.length], [1, 0]);
  });

  test("beyond requestsMax is 503, and the others go on", async () => {
    const { service, url } = await set({ requestsMax: 1 });
    let finish = () => {};
    const begun = new Promise<void>((resolve) => {
      service.on("message", () => {
        resolve();
        return new Promise<void>((done) => {
          finish = done;
        });
      });
    });
    const first = fetch(url, asRequest(FACTS, text(1, "a")));
    await begun;
    const second = await fetch(url, asRequest({ connectionId: "other" }, text(1, "a")));
    assert.equal(second.status, 503);
    finish();
    assert.equal((await first).status, 204);
  });

  test("is the last one on its connection when the service closes, taken or not", async () => {
    const { service, url } = await set();
    let finish = () => {};
    const begun = new Promise<void>((resolve) => {
      service.on("message", () => {
        resolve();
        return new Promise<void>((done) => {
          finish = done;
        });
      });
    });
    const open = await fetch(url, asRequest({ connectionId: "open" }, CONNECTED));
    assert.equal(open.headers.get("connection"), "keep-alive");
    const first = fetch(url, asRequest(FACTS, text(1, "a")));
    await begun;
    const closed = service.close();
    const second = await fetch(url, asRequest({ connectionId: "other" }, text(1, "a")));
    assert.deepEqual([second.status, second.headers.get("connection")], [503, "close"]);
    finish();
    const { headers, status } = await first;
    assert.deepEqual([status, headers.get("connection")], [204, "close"]);
    await closed;
  });
});

describe("a batch", () => {
  test("answers each event of many connections, up to one that fails", async () => {
    const { service, url } = await set();
    service.on("message", async (message) => {
      if (message.text() === "bad") throw new TryLater();
      message.reply(Buffer.from([255, message.number]));
    });
    const parts = ["a", "b"].map(
      (connectionId) =>
        JSON.parse(
          asBatch({ connectionId }, [
            text(1, "good"),
            text(2, connectionId === "a" ? "bad" : "good"),
            text(3, "good"),
          ]).body.toString(),
        ) as object[],
    );
    const mixed = [0, 1, 2].flatMap((index) => parts.map((part) => part[index]));
    const request = { ...asBatch(FACTS, []), body: JSON.stringify(mixed) };
    const response = await fetch(url, request);
    assert.equal(response.headers.get("content-type"), "application/json");
    const entries = (await response.json()) as { id: string; status: number }[];
    const sorted = entries.sort((a, b) => (a.id < b.id ? -1 : 1));
    const binary = { datacontenttype: "application/octet-stream" };
    assert.deepEqual(sorted, [
      { id: "a-1", status: 200, ...binary, data_base64: "/wE=" },
      { id: "a-2", status: 503 },
      ...[
        { id: "b-1", status: 200, ...binary, data_base64: "/wE=" },
        { id: "b-2", status: 200, ...binary, data_base64: "/wI=" },
        { id: "b-3", status: 200, ...binary, data_base64: "/wM=" },
      ],
    ]);
  });

  test("that is none is 400, and an event that is none costs its own connection", async () => {
    const { errors, url } = await set();
    const good = asBatch(FACTS, [text(1, "a")]);
    for (const body of ["", "{}", "[1]", '[{"id":"x"}]']) {
      assert.equal((await fetch(url, { ...good, body })).status, 400);
    }
    assert.equal(errors.length, 4);
    const [event] = JSON.parse(good.body.toString());
    for (const wrong of [{ hub: "chess" }, { type: "x" }, { messagenumber: "1" }, { time: 5 }]) {
      const events = [
        { ...event, ...wrong },
        { ...event, connectionid: "b", id: "b" },
      ];
      const response = await fetch(url, { ...good, body: JSON.stringify(events) });
      const entries = (await response.json()) as { status: number }[];
      assert.deepEqual(
        entries.map(({ status }) => status),
        [400, 200],
      );
    }
  });
});
