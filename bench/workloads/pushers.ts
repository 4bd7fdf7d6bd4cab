/**
 * Who pushes, in fan-out: over REST to Headgate, over a connection of its own to the other
 * servers, and the bare bytes to the floor. All push what the generator expects, and as many
 * messages at once as they are asked for.
 */
import { once } from "node:events";
import { Agent, request } from "node:http";
import { connect, type Socket } from "node:net";
import type { RunningContender } from "./workload.ts";

const CONNECTIONS_MAX = 16;
const UPGRADE = [
  "GET /push HTTP/1.1",
  "Host: 127.0.0.1",
  "Connection: Upgrade",
  "Upgrade: websocket",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
  "Sec-WebSocket-Version: 13",
  ...["", ""],
].join("\r\n");

export interface Pusher {
  /** Resolves when the server has taken them. */
  push(messages: number): Promise<void>;
  close(): void;
}

export async function openPusher(
  { contender, server }: RunningContender,
  payloadBytes: number,
): Promise<Pusher> {
  if (server.adminPort !== undefined) return restPusher(server.adminPort, payloadBytes);
  const socket = connect({ port: server.port, host: "127.0.0.1", noDelay: true });
  await once(socket, "connect");
  if (contender.raw) return socketPusher(socket, pattern(payloadBytes + headerBytes(payloadBytes)));
  socket.write(UPGRADE);
  const [answer] = (await once(socket, "data")) as [Buffer];
  if (!answer.toString("latin1").startsWith("HTTP/1.1 101")) throw new Error("no way to push");
  return socketPusher(socket, maskedFrame(pattern(payloadBytes)));
}

/** As bench/floor/client.c makes it. */
function pattern(length: number): Buffer {
  return Buffer.from(Array.from({ length }, (_, at) => (at * 131 + Math.floor(at / 256)) & 0xff));
}

function headerBytes(payloadBytes: number): number {
  return payloadBytes < 126 ? 2 : 4;
}

/** Masked with zeros, which changes nothing. */
function maskedFrame(payload: Buffer): Buffer {
  const { length } = payload;
  const size = length < 126 ? [0x80 | length] : [0x80 | 126, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([0x82, ...size, 0, 0, 0, 0]), payload]);
}

function socketPusher(socket: Socket, message: Buffer): Pusher {
  socket.resume();
  // A server that ends is told by the generator, which waits for its messages.
  socket.on("error", () => {});
  const push = async (messages: number) => {
    socket.write(Buffer.concat(Array.from({ length: messages }, () => message)));
  };
  return { push, close: () => socket.destroy() };
}

function restPusher(port: number, payloadBytes: number): Pusher {
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS_MAX });
  const body = pattern(payloadBytes);
  const headers = {
    "content-type": "application/octet-stream",
    "content-length": String(body.length),
  };
  const post = async () => {
    const options = { agent, headers, port, host: "127.0.0.1", method: "POST" };
    const call = request({ ...options, path: "/api/hubs/echo/:send" });
    call.end(body);
    const [response] = await once(call, "response");
    response.resume();
    await once(response, "end");
    if (response.statusCode !== 202)
      throw new Error(`the push was answered ${response.statusCode}`);
  };
  const push = async (messages: number) => {
    await Promise.all(Array.from({ length: messages }, post));
  };
  return { push, close: () => agent.destroy() };
}
