/** The row of the link: a service of the SDK that listens, and a reactor that dials it. */
import { after } from "node:test";
import { Budget } from "../../core/budget.ts";
import { TEXT } from "../../core/opcode.ts";
import { loadBinding } from "../../reactor/binding.ts";
import { Reactor, type SlotEvents } from "../../reactor/reactor.ts";
import type { Push, PushOptions } from "../../service/push/push.ts";
import { LinkUpstream } from "../link/link-upstream.ts";
import type { UpstreamCommand } from "../upstream.ts";
import type { Carrier } from "./carrier.test.helper.ts";
import { type Listen, SdkService } from "./sdk-service.test.helper.ts";

/** The SDK's `frameBytesMax`, less what stands before a payload. */
const PAYLOAD_BYTES_MAX = 16 * 1024 * 1024 - 17;

/** Nothing is accepted by it: every slot is a link's own. */
const noEvents = new Proxy({} as SlotEvents, { get: () => () => {} });
let shared: Reactor | undefined;
after(() => shared?.stop());

function reactor(): Reactor {
  if (shared === undefined) {
    shared = new Reactor(loadBinding(), 1024, new Budget(2 ** 30), noEvents);
    shared.start();
  }
  return shared;
}

const listen: Listen = async (service, port) => {
  const listening = await service.listenLink(port);
  return { port: listening.port as number, stop: () => service.close() };
};

async function push(to: Push, command: UpstreamCommand): Promise<void> {
  const { argument, bytes, excluded, opcode, pushId, target, verb } = command;
  const options: PushOptions = { excluded, kind: opcode === TEXT ? "text" : "binary" };
  if (pushId !== undefined) options.pushId = pushId;
  const close = { reason: argument, excluded };
  switch (target.kind) {
    case "all":
      await to.toAll(bytes, options);
      return;
    case "group":
      if (verb === "send") await to.toGroup(target.group, bytes, options);
      else await to.closeGroup(target.group, close);
      return;
    case "user": {
      const member = { user: target.user };
      if (verb === "send") await to.toUser(target.user, bytes, options);
      else if (verb === "close") await to.closeUser(target.user, close);
      else await to[verb === "join" ? "join" : "leave"](member, argument);
      return;
    }
    case "connection": {
      const member = { connection: target.connectionId };
      if (verb === "send") await to.toConnection(target.connectionId, bytes, options);
      else if (verb === "close") await to.closeConnection(target.connectionId, close);
      else await to[verb === "join" ? "join" : "leave"](member, argument);
    }
  }
}

export const linkCarrier: Carrier = {
  name: "a link",
  missing: false,
  label: "link",
  lacks: {},
  payloadBytesMax: PAYLOAD_BYTES_MAX,
  payloadBytesTooMany: PAYLOAD_BYTES_MAX + 1,
  async start() {
    const service = new SdkService(listen, push);
    await service.comeBack();
    return {
      service,
      open({ limits, log, nonce, rules, sink }) {
        const addresses = [`link://127.0.0.1:${service.port}`];
        const upstream = new LinkUpstream({
          ...{ hub: "chat", nonce, reactor: reactor(), sink, log, random: () => 0.1 },
          configuration: { ...rules, service: { kind: "link", addresses }, limits },
        });
        return { upstream, isUp: () => upstream.counts().links > 0 };
      },
    };
  },
};
