/**
 * Group 2: "Upon receipt of a Ping frame, an endpoint MUST send a Pong frame in response" with the
 * same payload, and a pong that nobody asked for is not answered (RFC 6455, 5.5.2 and 5.5.3).
 */
import { accepted, type Chapter, closed, failedByHeader, pong, stage } from "./case.ts";
import { closeFrame, frame, PING, PONG } from "./frames.ts";

const NO_TEXT = Uint8Array.of(0x00, 0xfe, 0xc0, 0x80, 0xff, 0x00, 0xf5, 0xbf);
const LONGEST = Buffer.alloc(125, Uint8Array.of(0xfe, 0x01));
const TEN = Array.from({ length: 10 }, (_, index) => `ping ${index}`);

function answered(id: string, sentence: string, payload: Uint8Array | string) {
  const stages = [stage([frame(PING, payload)], [pong(payload)])];
  return accepted(id, sentence, "pong", () => stages);
}

/** RFC 6455, 5.5.3, lets an endpoint answer the latest ping alone; every one is answered here. */
function tenPings(id: string, sentence: string) {
  const all = [
    stage(
      TEN.map((payload) => frame(PING, payload)),
      TEN.map(pong),
    ),
  ];
  return accepted(id, sentence, "10 pongs, in order", () => all);
}

const unsolicited = frame(PONG, "nobody asked for it");
const afterwards = frame(PING, "asked for");

export const pings: Chapter = {
  number: "2",
  title: "Pings and pongs",
  groups: [
    {
      number: "2",
      title: "Pings and pongs",
      cases: [
        answered("2.1", "a ping without payload", ""),
        answered("2.2", "a ping with text", "are you there?"),
        answered("2.3", "a ping with bytes that are no text", NO_TEXT),
        answered("2.4", "a ping of 125 bytes", LONGEST),
        // 5.5: "All control frames MUST have a payload length of 125 bytes or less".
        failedByHeader("2.5", "a ping of 126 bytes", frame(PING, Buffer.alloc(126, 0xfe)), {
          rest: [afterwards],
        }),
        answered("2.6", "a ping of 125 bytes, written byte by byte", LONGEST),
        closed("2.7", "a pong without payload, then a close frame", 1000, [
          frame(PONG),
          closeFrame(1000),
        ]),
        closed("2.8", "a pong with payload, then a close frame", 1000, [
          unsolicited,
          closeFrame(1000),
        ]),
        accepted("2.9", "a pong, then a ping", "one pong", () => [
          stage([unsolicited, afterwards], [pong("asked for")]),
        ]),
        tenPings("2.10", "ten pings in a row"),
        tenPings("2.11", "ten pings in a row, written byte by byte"),
      ],
    },
  ],
};
