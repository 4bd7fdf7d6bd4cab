/**
 * The same conversation with every client, through every front: one test for each thing that
 * both sides must agree about. What a client's interface does not offer is left out by name.
 */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { ForeignClient } from "./clients.ts";
import type { Front } from "./fronts.ts";
import { binaryOf, FRAGMENTS, HEADER_LENGTHS, MEBIBYTE, TEXTS, textOf } from "./payloads.ts";
import type { MessageKind, Peer } from "./peer.ts";
import { REFUSAL, type Stage, SUBPROTOCOLS } from "./stage.ts";

const PIPELINED = 100;
const CLOSE_CODE = 4001;
const CLOSE_REASON = "that is all 👋";

interface Setting {
  stage: () => Stage;
  front: Front;
  client: ForeignClient;
  make: () => () => Peer;
}

/** Registers the tests of one client and one front within the suite that calls it. */
export function converse(setting: Setting): void {
  const talk = new Talk(setting);
  after(() => talk.end());
  testMessages(talk, "/echo", "");
  testMessages(talk, "/deflate", "compressed, ");
  testControlFrames(talk);
  testHandshakes(talk);
  testEnds(talk);
}

/** One peer for all tests of a suite, and a new one after a test that failed. */
class Talk {
  readonly setting: Setting;
  #peer: Peer | undefined;

  constructor(setting: Setting) {
    this.setting = setting;
  }

  get stage(): Stage {
    return this.setting.stage();
  }

  test(sentence: string, converse: (peer: Peer) => Promise<void>, skip: string | false = false) {
    test(sentence, { skip }, async () => {
      this.#peer ??= this.setting.make()();
      const peer = this.#peer;
      try {
        await converse(peer);
      } catch (error) {
        this.#peer = undefined;
        await peer.stop();
        throw error;
      }
    });
  }

  url(path: string): string {
    return this.stage.url(this.setting.front, path);
  }

  roomUrl(query: Record<string, string> = {}): string {
    return this.stage.roomUrl(this.setting.front, query);
  }

  async end(): Promise<void> {
    await this.#peer?.stop();
  }
}

/** Why a test is left out, when the client does not offer what it needs. */
function needs(offered: boolean, what: string): string | false {
  return offered ? false : `it ${what}`;
}

async function echo(peer: Peer, kind: MessageKind, payload: Buffer): Promise<void> {
  peer.send(kind, payload);
  await receive(peer, kind, payload);
}

async function receive(peer: Peer, kind: MessageKind, payload: Buffer): Promise<void> {
  const { payload: received } = await peer.sightings.next(kind);
  // A message of a mebibyte is not worth a picture of the difference.
  const lengths = `${received.length} bytes came back and ${payload.length} were sent`;
  assert.ok(received.equals(payload), `the ${kind} is not the same: ${lengths}`);
}

async function leave(peer: Peer): Promise<void> {
  peer.close(1000, "");
  await peer.sightings.next("closed");
}

function testMessages(talk: Talk, path: string, how: string): void {
  const isCompressed = how !== "";
  const visit = async (peer: Peer, converse: () => Promise<void>) => {
    peer.open(talk.url(path), [], isCompressed);
    const { extension } = await peer.sightings.next("open");
    assert.equal(extension, isCompressed ? "permessage-deflate" : "");
    await converse();
    await leave(peer);
  };

  talk.test(`${how}a mebibyte of text comes back whole`, (peer) =>
    visit(peer, () => echo(peer, "text", textOf(MEBIBYTE))),
  );

  const { fragments, uncompressed } = talk.setting.client.abilities;
  const skip = needs(!isCompressed || uncompressed, "bears no message that is not compressed");

  const alike = (peer: Peer) =>
    visit(peer, async () => {
      for (const text of TEXTS) await echo(peer, "text", Buffer.from(text));
    });
  talk.test(`${how}text comes back as text, emoji, empty and NUL included`, alike, skip);

  const ofEachLength = (peer: Peer) =>
    visit(peer, async () => {
      for (const length of HEADER_LENGTHS) await echo(peer, "binary", binaryOf(length));
      for (const length of HEADER_LENGTHS) await echo(peer, "text", textOf(length));
    });
  talk.test(`${how}every length where the header changes comes back`, ofEachLength, skip);

  const aMebibyte = (peer: Peer) => visit(peer, () => echo(peer, "binary", binaryOf(MEBIBYTE)));
  talk.test(`${how}a mebibyte that does not compress comes back whole`, aMebibyte, skip);

  const inOrder = (peer: Peer) =>
    visit(peer, async () => {
      const messages = Array.from({ length: PIPELINED }, (_, index) =>
        Buffer.from(`${index} ${"☃".repeat(index * 7)}`),
      );
      for (const message of messages) peer.send("text", message);
      for (const message of messages) await receive(peer, "text", message);
    });
  talk.test(`${how}${PIPELINED} messages sent at once come back in order`, inOrder, skip);

  const fragmented = (peer: Peer) =>
    visit(peer, async () => {
      for (const [kind, parts] of FRAGMENTS) {
        peer.sendFragments(kind, parts);
        await receive(peer, kind, Buffer.concat(parts));
      }
      await echo(peer, "text", Buffer.from("and whole again"));
    });
  const sentence = `${how}a message in fragments comes back as one`;
  talk.test(sentence, fragmented, needs(fragments, "sends no fragments") || skip);
}

function testControlFrames(talk: Talk): void {
  const { pings } = talk.setting.client.abilities;
  talk.test(
    "a ping gets a pong with its payload, between messages too",
    async (peer) => {
      peer.open(talk.url("/echo"), [], false);
      await peer.sightings.next("open");
      for (const length of [4, 125]) {
        peer.ping(textOf(length));
        const { payload } = await peer.sightings.next("pong");
        assert.deepEqual(payload, textOf(length));
        await echo(peer, "binary", binaryOf(length));
      }
      await leave(peer);
    },
    needs(pings, "sends no pings"),
  );
}

function testHandshakes(talk: Talk): void {
  const { refusal } = talk.setting.client.abilities;

  talk.test("subprotocols and query reach the service, and its choice comes back", async (peer) => {
    const url = talk.roomUrl({ user: "zoë & co", empty: "" });
    peer.open(url, SUBPROTOCOLS, false);
    const { subprotocol } = await peer.sightings.next("open");
    assert.equal(subprotocol, "v2.interop");
    const { body } = await talk.stage.asked(url);
    assert.deepEqual(body.subprotocols, SUBPROTOCOLS);
    assert.deepEqual(body.query.user, ["zoë & co"]);
    assert.deepEqual(body.query.empty, [""]);
    await leave(peer);
  });

  const refused = async (peer: Peer, url: string, status: number, text: string) => {
    peer.open(url, [], false);
    const seen = await peer.sightings.next("refused");
    assert.equal(seen.status, refusal === "nothing" ? 0 : status);
    assert.equal(seen.body, refusal === "body" ? text : "");
  };

  talk.test("a path of no hub is refused with 404, and why", (peer) =>
    refused(peer, talk.url("/nowhere"), 404, "No hub has this path.\n"),
  );

  talk.test("the service's own refusal is what the client gets", (peer) =>
    refused(peer, talk.roomUrl({ user: "mallory" }), REFUSAL.status, JSON.stringify(REFUSAL.body)),
  );
}

function testEnds(talk: Talk): void {
  const { answeredClose } = talk.setting.client.abilities;
  const enter = async (peer: Peer) => {
    const url = talk.roomUrl({ user: "ann" });
    peer.open(url, [], false);
    await peer.sightings.next("open");
    const { connectionId, body } = await talk.stage.asked(url);
    return { connectionId, room: body.params.room };
  };

  talk.test("the client's close code is answered, and told to the service", async (peer) => {
    const { connectionId } = await enter(peer);
    peer.close(CLOSE_CODE, CLOSE_REASON);
    const { code } = await peer.sightings.next("closed");
    assert.equal(code, answeredClose ? CLOSE_CODE : 0);
    const ending = await talk.stage.ending(connectionId);
    assert.deepEqual(ending, { reason: "client-closed", code: CLOSE_CODE });
  });

  talk.test("a close by the service comes with its code and reason", async (peer) => {
    const { connectionId } = await enter(peer);
    const path = `/api/hubs/room/connections/${connectionId}?reason=enough`;
    assert.equal((await talk.stage.gateway.api("DELETE", path)).status, 204);
    const { code, reason } = await peer.sightings.next("closed");
    assert.equal(code, 1000);
    assert.match(reason, /^enough/);
    const ending = await talk.stage.ending(connectionId);
    assert.deepEqual(ending, { reason: "closed-by-service", code: 1000 });
  });

  talk.test("a message that is too big ends with 1009, which the client sees", async (peer) => {
    peer.open(talk.url("/narrow"), [], false);
    await peer.sightings.next("open");
    await echo(peer, "binary", binaryOf(1024));
    // Where it is safe the most of it is still to be sent when the gateway has seen enough.
    peer.send("binary", binaryOf(talk.setting.front.lingers ? MEBIBYTE / 2 : 1025));
    const { code, reason } = await peer.sightings.next("closed");
    assert.equal(code, 1009);
    assert.match(reason, /bigger/);
  });

  talk.test("a push to its group reaches the client", async (peer) => {
    const { room } = await enter(peer);
    for (const text of ["the kettle is on ☕", "tea"]) {
      await talk.stage.push(room, text);
      await receive(peer, "text", Buffer.from(text));
    }
    await leave(peer);
  });
}
