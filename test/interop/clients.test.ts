/**
 * Clients that others wrote, in five languages, against a real gateway: directly, behind nginx and
 * behind haproxy. They are made ready and talk at the same time.
 */
import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { foreignClients } from "./clients.ts";
import { converse } from "./conversation.ts";
import { fronts } from "./fronts.ts";
import { textOf } from "./payloads.ts";
import type { Peer } from "./peer.ts";
import { Stage } from "./stage.ts";

const factories = new Map<string, () => Peer>();
let stage: Stage;

before(async () => {
  stage = await Stage.set();
});

describe("a client that others wrote", { concurrency: true }, () => {
  for (const client of foreignClients) {
    describe(client.name, { concurrency: 1, skip: client.missing }, () => {
      before(async () => {
        if (client.missing === false) factories.set(client.name, await client.prepare());
      });
      for (const front of fronts) {
        describe(front.name, { skip: front.missing }, () => {
          const make = () => factories.get(client.name) as () => Peer;
          converse({ stage: () => stage, front, client, make });
        });
      }
    });
  }
});

test("one push reaches every client behind every front, compressed or not", async () => {
  const makers = [...factories.values()];
  const there = fronts.filter(({ missing }) => missing === false);
  const peers = there.flatMap((front, frontIndex) =>
    makers.map((make, index) => {
      const peer = make();
      // Where only ws and undici are there, which always offers it, ws does not.
      peer.open(stage.roomUrl(front), [], (frontIndex + index) % 2 === 1);
      return peer;
    }),
  );
  const opened = await Promise.all(peers.map(({ sightings }) => sightings.next("open")));
  const extensions = new Set(opened.map(({ extension }) => extension));
  assert.deepEqual([...extensions].sort(), ["", "permessage-deflate"]);
  // Short messages are sent as they are.
  const text = textOf(4096).toString();
  const { status, headers } = await stage.push("all", text);
  assert.equal(status, 202);
  assert.equal(headers.get("headgate-matched"), String(peers.length));
  for (const { sightings } of peers) {
    const { payload } = await sightings.next("text");
    assert.equal(payload.toString(), text);
  }
  await Promise.all(peers.map((peer) => peer.stop()));
});
