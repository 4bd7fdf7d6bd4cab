/**
 * An instance of the service, over NATS: it writes down what it takes, and answers each message
 * by its number, in their order. Told over IPC how well it is to behave. Its parameters: the
 * port of a NATS server, the file of its record, and how events are delivered. Where they are
 * stored it goes on behind the last one that an instance wrote down.
 */
import { dirname } from "node:path";
import type { Msg } from "@nats-io/transport-node";
import { connect, headers } from "@nats-io/transport-node";
import type { Behaviour } from "./carriers.ts";
import { describeMessage } from "./nats-events.ts";
import { RecordFile, readLastSequence } from "./record.ts";
import { StreamReader } from "./stream-reader.ts";

/** So that there is always something under way when an instance dies. */
const WORK_MS_MAX = 6;

interface Answer {
  subject: string;
  id: string;
  text: string;
}

const [port = "", file = "", delivery = ""] = process.argv.slice(2);
const isStored = delivery === "at-least-once";
const record = new RecordFile(file);
const answers: Answer[] = [];
let behaviour: Behaviour = "well";

process.on("message", (told: Behaviour) => {
  behaviour = told;
});
process.on("disconnect", () => process.exit());
process.on("SIGTERM", () => void end());

const connection = await connect({
  servers: `nats://127.0.0.1:${port}`,
  maxReconnectAttempts: -1,
  reconnectTimeWait: 50,
  reconnectJitter: 50,
});
// One subscription: what is on several subjects comes in the order in which it was published.
connection.subscribe(`headgate.event.*.${isStored ? "connect" : ">"}`, {
  callback: (error, message) => {
    if (error === null) take(message);
  },
});
if (isStored) {
  const from = readLastSequence(dirname(file)) + 1;
  void new StreamReader(connection, from, take).read();
}
await connection.flush();
process.send?.(Number(port));

function take(message: Msg, sequence?: number): void {
  const said = describeMessage(message);
  record.write({ ...said, acknowledged: true, ...(sequence === undefined ? {} : { sequence }) });
  if (said.event === "connect") {
    message.respond(JSON.stringify({ userId: said.client, groups: ["everybody"] }));
  }
  if (said.event !== "message") return;
  const subject = isStored ? message.headers?.get("headgate-reply-to") : message.reply;
  answers.push({ subject: subject ?? "", id: said.id, text: `answer ${said.number}` });
  if (answers.length === 1) setTimeout(answerAll, Math.random() * WORK_MS_MAX);
}

function answerAll(): void {
  for (const answer of answers.splice(0)) {
    if (behaviour === "nonsense") push(answer, "answer 0", { "headgate-action": "dance" });
    push(answer, answer.text);
    // Its id is the same, and so nobody may notice.
    if (behaviour === "twice") push(answer, answer.text);
  }
}

function push({ subject, id }: Answer, text: string, more: Record<string, string> = {}): void {
  const written = headers();
  const fields = { "content-type": "text/plain", "headgate-push-id": id, ...more };
  for (const [name, value] of Object.entries(fields)) written.set(name, value);
  connection.publish(subject, text, { headers: written });
}

/** Behind what was on its way here. */
async function end(): Promise<void> {
  await connection.drain();
  process.exit();
}
