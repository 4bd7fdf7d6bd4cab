/**
 * Who pushes, in fan-out: over REST to Headgate, over a connection of its own to the other
 * servers, and the bare bytes to the floor. All push what the generator expects, and as many
 * messages at once as they are asked for.
 */
import { once } from "node:events";
import { Agent, request } from "node:http";
import { connect, type Socket } from "node:net";
import { upgradeRequest } from "../floor/servers.ts";
import type { RunningContender } from "./workload.ts";

const CONNECTIONS_MAX = 16;

export interface Pusher {
  /** Resolves when the server has taken them. */
  push(messages: number): Promise<void>;
  close(): void;
}

export async function openPusher(
  { contender, server }: RunningContender,
  payloadBytes: number,
  target: "hub" | "group" = "hub",
): Promise<Pusher> {
  if (server.adminPort !== undefined) return restPusher(server.adminPort, target, payloadBytes);
  const socket = connect({ port: server.port, host: "127.0.0.1", noDelay: true });
  await once(socket, "connect");
  if (contender.raw) return socketPusher(socket, pattern(payloadBytes + headerBytes(payloadBytes)));
  socket.write(upgradeRequest("/push"));
  const [answer] = (await once(socket, "data")) as [Buffer];
  if (!answer.toString("latin1").startsWith("HTTP/1.1 101")) throw new Error("no way to push");
  return socketPusher(socket, maskedFrame(pattern(payloadBytes)));
}

/** As bench/floor/client.c makes it. */
function pattern(length: number): Buffer {
  return Buffer.from(Array.from({ length }, (_, at) => (at * 131 + Math.floor(at / 256)) & 0xff));
}

function headerBytes(payloadBytes: number): number {
  if (payloadBytes < 126) return 2;
  return payloadBytes < 65_536 ? 4 : 10;
}

/** Masked with zeros, which changes nothing. */
function maskedFrame(payload: Buffer): Buffer {
  const { length } = payload;
  const header = Buffer.alloc(headerBytes(length));
  header.set([0x82, 0x80 | Math.min(length, header.length === 10 ? 127 : 126)]);
  if (header.length === 4) header.writeUInt16BE(length, 2);
  if (header.length === 10) header.writeUInt32BE(length, 6);
  return Buffer.concat([header, Buffer.alloc(4), payload]);
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

/** To all of the hub whose path is `/group`, or to the one group that a service puts them in. */
function restPusher(port: number, target: "hub" | "group", payloadBytes: number): Pusher {
  const path = `/api/hubs/group/${target === "hub" ? "" : "groups/group/"}:send`;
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS_MAX });
  const body = pattern(payloadBytes);
  const headers = {
    "content-type": "application/octet-stream",
    "content-length": String(body.length),
  };
  const post = async () => {
    const options = { agent, headers, port, host: "127.0.0.1", method: "POST" };
    const call = request({ ...options, path });
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
