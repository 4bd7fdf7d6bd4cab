/**
 * Group 3: "RSV1, RSV2, RSV3: MUST be 0 unless an extension is negotiated that defines meanings
 * for non-zero values" (RFC 6455, 5.2), each of their seven values once.
 */
import { aPing, type Chapter, failedByHeader, message, stage } from "./case.ts";
import { BINARY, CLOSE, frame, TEXT } from "./frames.ts";

const text = "a short text";
const before = stage([frame(TEXT, text)], [message(TEXT, text)]);
const rest = [aPing];
const NO_TEXT = Uint8Array.of(0x00, 0xfe, 0xc0, 0x80, 0xff);

function textWith(rsv: number): Uint8Array {
  return frame(TEXT, text, { rsv });
}

export const reservedBits: Chapter = {
  number: "3",
  title: "Reserved bits",
  groups: [
    {
      number: "3",
      title: "Reserved bits",
      cases: [
        failedByHeader("3.1", "a text with RSV = 1 (RSV3)", textWith(1)),
        failedByHeader("3.2", "a text, one with RSV = 2 (RSV2), a ping", textWith(2), {
          before,
          rest,
        }),
        failedByHeader("3.3", "a text, one with RSV = 3, a ping, frame by frame", textWith(3), {
          before,
          rest,
        }),
        failedByHeader(
          "3.4",
          "a text, one with RSV = 4 (RSV1) without compression, a ping, byte by byte",
          textWith(4),
          { before, rest },
        ),
        failedByHeader("3.5", "a binary message with RSV = 5", frame(BINARY, NO_TEXT, { rsv: 5 })),
        failedByHeader("3.6", "a binary message with RSV = 6", frame(BINARY, text, { rsv: 6 })),
        failedByHeader("3.7", "a close frame with RSV = 7", frame(CLOSE, "", { rsv: 7 })),
      ],
    },
  ],
};
