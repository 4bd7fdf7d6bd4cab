/**
 * What goes out on one link: frames are gathered, and leave in one write for each chunk that came
 * in, or each turn of the event loop. Acknowledgements wait for that as well and are added up.
 */
import type { Socket } from "node:net";
import { TEXT } from "../../core/opcode.ts";
import { FrameWriter } from "../../link/body.ts";
import { writeFrame } from "../../link/encode.ts";
import { ACKNOWLEDGE, ANSWER_BINARY, ANSWER_TEXT, type Frame } from "../../link/frame.ts";
import type { Encoded } from "../payload.ts";
import type { Channel } from "./channel.ts";

/** A chunk full of messages may have many long answers. */
const GATHERED_BYTES_MAX = 262_144;

export class LinkOutput {
  readonly #socket: Socket;
  readonly #writer = new FrameWriter();
  /** Channels whose `owed` is above 0, and some whose is 0 again. */
  readonly #owing: Channel[] = [];
  #isGathering = false;
  #isScheduled = false;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("drain", () => socket.resume());
  }

  /** What `work` writes leaves behind it. */
  gather<Result>(work: () => Result): Result {
    this.#isGathering = true;
    const result = work();
    this.#isGathering = false;
    this.flush();
    return result;
  }

  acknowledge(channel: Channel): void {
    channel.owed += 1;
    if (channel.owed === 1) this.#owing.push(channel);
    this.#schedule();
  }

  /** Acknowledges one event, behind those before it. */
  answer(channel: Channel, { bytes, opcode }: Encoded): void {
    this.settle(channel);
    this.#writer
      .begin(opcode === TEXT ? ANSWER_TEXT : ANSWER_BINARY)
      .u32(channel.number)
      .payload({ bytes, start: 0, end: bytes.length })
      .end();
    this.#schedule();
  }

  frame(frame: Frame): void {
    writeFrame(this.#writer, frame);
    this.#schedule();
  }

  /** What is owed to a channel stands before whatever else it is told. */
  settle(channel: Channel): void {
    if (channel.owed === 0) return;
    this.#writer.begin(ACKNOWLEDGE).u32(channel.number).u32(channel.owed).end();
    channel.owed = 0;
  }

  flush(): void {
    for (const channel of this.#owing) this.settle(channel);
    this.#owing.length = 0;
    if (this.#writer.length === 0 || this.#socket.destroyed) return;
    // Who does not read his answers sends no further questions.
    if (!this.#socket.write(this.#writer.take())) this.#socket.pause();
  }

  #schedule(): void {
    if (this.#writer.length > GATHERED_BYTES_MAX) this.flush();
    if (this.#isGathering || this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.flush();
    });
  }
}
