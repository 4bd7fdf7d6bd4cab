/**
 * An instance of the service, over HTTP: it writes down what it takes, and answers each message
 * by its number. Told over IPC how well it is to behave. Its parameters: a port (0: any) and
 * the file of its record; it says its port when it listens.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import type { EventName } from "../history.ts";
import type { Behaviour } from "./carriers.ts";
import { describeEvent, RecordFile } from "./record.ts";

interface BatchEvent {
  id: string;
  eventname: EventName;
  connectionid: string;
  messagenumber?: number;
  data?: unknown;
}

const TEXT = { "content-type": "text/plain" };
/** Our port may be some outgoing connection's for a moment. */
const LISTEN_AGAIN_MS = 20;
/** So that there is always something under way when an instance dies. */
const WORK_MS_MAX = 6;
const DAWDLE_MS_MAX = 80;

const [port = "0", file = ""] = process.argv.slice(2);
const record = new RecordFile(file);
const failedOnce = new Set<string>();
let behaviour: Behaviour = "well";
let spoiled = 0;

process.on("message", (told: Behaviour) => {
  behaviour = told;
});
process.on("disconnect", () => process.exit());

const server = createServer((request, response) => void serve(request, response));
server.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EADDRINUSE" || port === "0") throw error;
  setTimeout(listen, LISTEN_AGAIN_MS);
});
server.on("listening", () => process.send?.((server.address() as AddressInfo).port));
// Half an answer twice, or rubbish, breaks some.
server.on("clientError", (_error, socket) => socket.destroy());
listen();

function listen(): void {
  server.listen(Number(port), "127.0.0.1");
}

async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of request) chunks.push(chunk as Buffer);
  } catch {
    // The gateway, or what is between, broke it off: it was never received.
    return;
  }
  const text = Buffer.concat(chunks).toString();
  const isBatch = request.headers["content-type"]?.startsWith("application/cloudevents-batch");
  if (isBatch) await answerBatch(JSON.parse(text) as BatchEvent[], response);
  else await answerOne(request, text, response);
}

async function answerOne(
  { headers }: IncomingMessage,
  text: string,
  response: ServerResponse,
): Promise<void> {
  const event = String(headers["ce-eventname"]) as EventName;
  const id = String(headers["ce-id"]);
  const number = Number(headers["ce-messagenumber"] ?? 0);
  const said = describeEvent(event, String(headers["ce-connectionid"]), id, number, text);
  const isSpoiled = event === "message" && behaviour === "nonsense" && isFirst(id);
  record.write({ ...said, acknowledged: !isSpoiled });
  await work();
  if (isSpoiled) sayNonsense(response);
  else if (event === "connect") {
    response.end(JSON.stringify({ userId: said.client, groups: ["everybody"] }));
  } else if (event !== "message") response.writeHead(204).end();
  else if (behaviour === "twice") answerTwice(response, `answer ${number}`);
  else response.writeHead(200, TEXT).end(`answer ${number}`);
}

async function answerBatch(events: BatchEvent[], response: ServerResponse): Promise<void> {
  const answers: object[] = [];
  const failed = new Set<string>();
  for (const { id, eventname, connectionid, messagenumber = 0, data } of events) {
    if (failed.has(connectionid)) continue;
    const said = describeEvent(eventname, connectionid, id, messagenumber, String(data ?? ""));
    const isSpoiled = eventname === "message" && behaviour === "nonsense" && isFirst(id);
    record.write({ ...said, acknowledged: !isSpoiled });
    if (isSpoiled) {
      failed.add(connectionid);
      spoiled += 1;
      // Every other time there is no entry at all.
      if (spoiled % 2 === 0) answers.push({ id, status: 503 });
      continue;
    }
    const reply = eventname === "message" ? { data: `answer ${messagenumber}` } : {};
    answers.push({ id, status: 200, ...reply });
    if (behaviour === "twice") answers.push({ id, status: 200, data: "answer 0" });
  }
  // Entries may stand in any order; of two about one event the first one counts.
  if (behaviour === "nonsense") answers.reverse();
  await work();
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(answers));
}

function isFirst(id: string): boolean {
  if (failedOnce.has(id)) return false;
  failedOnce.add(id);
  return true;
}

function work(): Promise<void> {
  const msMax = behaviour === "dawdling" ? DAWDLE_MS_MAX : WORK_MS_MAX;
  return delay(Math.random() * msMax);
}

/** In turns: no HTTP, half of an answer, an answer that says "later", one that says "failed". */
function sayNonsense(response: ServerResponse): void {
  spoiled += 1;
  switch (spoiled % 4) {
    case 0:
      response.socket?.end("BANANA/7 ok\r\n\r\n");
      return;
    case 1:
      response.writeHead(200, { ...TEXT, "content-length": 100 });
      response.write("answer", () => response.destroy());
      return;
    case 2:
      response.writeHead(503).end("answer 0");
      return;
    default:
      response.writeHead(500, TEXT).end("answer 0");
  }
}

/** The second answer is to no request, and must not be taken for the next one's. */
function answerTwice(response: ServerResponse, text: string): void {
  const answer = (body: string) =>
    `HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
  response.socket?.end(`${answer(text)}${answer("answer 0")}`);
}
