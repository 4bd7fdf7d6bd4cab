/**
 * Group 10: a message that the client's library cuts into frames by itself, at a size that
 * divides nothing evenly.
 */
import { accepted, type Chapter, message, stage } from "./case.ts";
import { fragments, TEXT } from "./frames.ts";

const PAYLOAD = Buffer.alloc(65_536, "cut by the client's library; ");

export const autoFragmentation: Chapter = {
  number: "10",
  title: "Auto-fragmentation",
  groups: [
    {
      number: "10.1",
      title: "Auto-fragmentation",
      cases: [
        accepted("10.1.1", "a text of 65,536 bytes in frames of 1,300 bytes", "echoed", () => [
          stage(fragments(TEXT, PAYLOAD, 1300), [message(TEXT, PAYLOAD)]),
        ]),
      ],
    },
  ],
};
