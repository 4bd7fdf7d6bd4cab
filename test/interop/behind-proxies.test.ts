/**
 * What a proxy in front of the gateway changes and what it must not: silence, disappearing
 * clients, refusals, origins, forwarded addresses, health. Each with nginx and with haproxy as
 * docs/operations.md has them configured, and with the mistakes that people make.
 */
import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { GatewayProcess } from "../support/gateway-process.ts";
import { ObservedClient } from "../support/observed-client.ts";
import { until } from "../support/until.ts";
import { adapt, type Front, nginx, proxies } from "./fronts.ts";
import { REFUSAL, Stage } from "./stage.ts";

const PAGE = "https://app.example";
const ECHO = "echo: { paths: [/echo], service: 'echo:' }";
const LISTED = `listed: { paths: [/listed], service: 'echo:', origins: ['${PAGE}'] }`;
/** Four of its pings take longer than the patience of the proxy in front of it. */
const PINGING = "limits: { pingIntervalMs: 750, pongTimeoutMs: 750, idleTimeoutMs: 0 }";
const PATIENCE = "2s";
const PINGS = 4;

/** Its gateway sends its first ping after 25 s: it is silent for as long as a test takes. */
let stage: Stage;
let pingingGateway: GatewayProcess;

before(async () => {
  [stage, pingingGateway] = await Promise.all([
    Stage.set(),
    GatewayProcess.start(`${ECHO}\n${LISTED}`, PINGING),
  ]);
});

// Most of the time they wait for somebody's patience to end.
const TOGETHER = { concurrency: true };

for (const proxy of proxies) {
  describe(proxy.name, { ...TOGETHER, skip: proxy.missing }, () => {
    test("a client that vanishes is noticed, and the service is told", async () => {
      const url = stage.roomUrl(proxy);
      const client = await ObservedClient.open(url);
      const { connectionId } = await stage.asked(url);
      client.socket.terminate();
      const { reason, code } = await stage.ending(connectionId);
      assert.match(reason, /^client-(gone|hung-up)$/);
      assert.equal(code, 1006);
    });

    test("a client that leaves within a message is noticed as well", async () => {
      const url = stage.roomUrl(proxy);
      const client = await ObservedClient.open(url);
      const { connectionId } = await stage.asked(url);
      client.socket.send("the first half of", { fin: false }, () => client.socket.terminate());
      assert.equal((await stage.ending(connectionId)).code, 1006);
      assert.deepEqual(stage.service.messagesOf(connectionId), []);
    });

    test("a refusal passes with its status, headers and body", async () => {
      const unknown = await ObservedClient.refused(stage.url(proxy, "/nowhere"));
      assert.equal(unknown.status, 404);
      assert.equal(unknown.body, "No hub has this path.\n");
      const refused = await ObservedClient.refused(stage.roomUrl(proxy, { user: "mallory" }));
      assert.equal(refused.status, REFUSAL.status);
      assert.equal(refused.headers["content-type"], "application/json");
      assert.deepEqual(JSON.parse(refused.body), REFUSAL.body);
    });

    test("the client's address is forwarded, behind what the client claims itself", async () => {
      const url = stage.roomUrl(proxy);
      const headers = { "x-forwarded-for": "203.0.113.9, unknown", forwarded: "for=_x" };
      const client = await ObservedClient.open(url, { headers });
      const { body } = await stage.asked(url);
      const forwarded = body.headers["x-forwarded-for"]?.join(", ").split(", ");
      assert.deepEqual(forwarded, ["203.0.113.9", "unknown", "127.0.0.1"]);
      assert.equal(body.address, "127.0.0.1");
      await client.close();
    });

    test("a page of the host that the client asked for may connect, and no other", async () => {
      const url = stage.url(proxy, "/echo");
      const own = { headers: { origin: "http://127.0.0.1:1234" } };
      await (await ObservedClient.open(url, own)).close();
      const { status, body } = await ObservedClient.refused(url, { headers: { origin: PAGE } });
      assert.equal(status, 403);
      assert.match(body, /origins/);
    });

    test("plain HTTP is told to use a WebSocket", async () => {
      const response = await fetch(stage.url(proxy, "/echo").replace("ws:", "http:"));
      assert.equal(response.status, 426);
      assert.match(await response.text(), /a proxy in between has removed the Upgrade/);
    });

    test("a gateway that stops is seen as 1012, and then as the proxy's 502 or 503", async () => {
      const gateway = await GatewayProcess.start(ECHO);
      const port = await proxy.start(gateway);
      const url = `ws://127.0.0.1:${port}/echo`;
      const client = await ObservedClient.open(url);
      const stopped = gateway.stop();
      assert.equal((await client.untilClosed()).code, 1012);
      await stopped;
      const { status } = await ObservedClient.refused(url);
      assert.ok([502, 503].includes(status), `the status was ${status}`);
    });

    test("silence past the proxy's patience ends a client that is not pinged", async () => {
      const [pinged, silent] = await Promise.all([
        openIdle(proxy, pingingGateway),
        openIdle(proxy, stage.gateway),
      ]);
      assert.equal((await silent.untilClosed()).code, 1006);
      let pings = 0;
      pinged.socket.on("ping", () => {
        pings += 1;
      });
      await until(() => pings >= PINGS, `${PINGS} more pings`);
      assert.equal(pinged.closed, undefined);
      pinged.send("still here");
      assert.deepEqual(await pinged.received(1), ["still here"]);
      await pinged.close();
    });
  });
}

describe("mistakes with nginx", { ...TOGETHER, skip: nginx.missing }, () => {
  const without = async (words: string) => {
    const mistaken = adapt(nginx.configuration(), [[words, ""]]);
    return `ws://127.0.0.1:${await nginx.start(pingingGateway, mistaken)}`;
  };

  test("without proxy_http_version 1.1 a client gets 426 and reads why", async () => {
    const url = await without("proxy_http_version 1.1;");
    const { status, body } = await ObservedClient.refused(`${url}/echo`);
    assert.equal(status, 426);
    assert.match(
      body,
      /the request is HTTP\/1\.0\. If nginx is in between, it needs proxy_http_version 1\.1/,
    );
  });

  for (const words of [
    "proxy_set_header Upgrade $http_upgrade;",
    "proxy_set_header Connection $connection_upgrade;",
  ]) {
    test(`without "${words}" a client gets 426 and reads why`, async () => {
      const { status, body } = await ObservedClient.refused(`${await without(words)}/echo`);
      assert.equal(status, 426);
      assert.match(body, /a proxy in between has removed the Upgrade or the Connection header/);
    });
  }

  test("without the Host pages are refused, until the hub lists their origin", async () => {
    const url = await without("proxy_set_header Host $host;");
    const own = { headers: { origin: "http://127.0.0.1" } };
    assert.equal((await ObservedClient.refused(`${url}/echo`, own)).status, 403);
    const listed = { headers: { origin: PAGE } };
    await (await ObservedClient.open(`${url}/listed`, listed)).close();
  });
});

async function openIdle(proxy: Front, gateway: GatewayProcess): Promise<ObservedClient> {
  const words = proxy === nginx ? "proxy_read_timeout" : "timeout tunnel";
  const impatient = adapt(proxy.configuration(), [[`${words} 90s`, `${words} ${PATIENCE}`]]);
  return ObservedClient.open(`ws://127.0.0.1:${await proxy.start(gateway, impatient)}/echo`);
}
