/**
 * The bus within one machine, on a worker's side: executes the commands that come from the
 * supervisor, in their order, and sends the answers of one turn of the event loop together.
 */
import type { Execute } from "./bus.ts";
import type { Command } from "./command.ts";
import type { AnswersMessage, CommandsMessage } from "./local-bus.ts";

export interface LocalBusWorkerOptions {
  execute: Execute;
  /** To the supervisor: `process.send` of a child with `serialization: "advanced"`. */
  send(message: AnswersMessage): void;
}

export class LocalBusWorker {
  readonly #execute: Execute;
  readonly #send: (message: AnswersMessage) => void;
  /** Not empty while a flush is scheduled. */
  #answers: AnswersMessage["answers"] = [];

  constructor(options: LocalBusWorkerOptions) {
    this.#execute = options.execute;
    this.#send = options.send;
  }

  /** Takes what came from the supervisor; false if it is no message of the bus. */
  receive(message: unknown): boolean {
    if (!isCommands(message)) return false;
    for (const { id, command } of message.commands) {
      // Nobody catches: an execution that rejects is a bug, and a bug ends the process.
      void this.#execute(normalise(command)).then((answer) => {
        if (this.#answers.length === 0) setImmediate(() => this.#flush());
        this.#answers.push({ id, answer });
      });
    }
    return true;
  }

  #flush(): void {
    const answers = this.#answers;
    this.#answers = [];
    this.#send({ type: "answers", answers });
  }
}

/** A process channel delivers bytes as a Buffer or a Uint8Array, as it likes. */
function normalise(command: Command): Command {
  if (command.verb !== "send" || !Buffer.isBuffer(command.bytes)) return command;
  const { buffer, byteOffset, byteLength } = command.bytes;
  return { ...command, bytes: new Uint8Array(buffer, byteOffset, byteLength) };
}

function isCommands(message: unknown): message is CommandsMessage {
  return (message as CommandsMessage | null)?.type === "commands";
}
