/**
 * How a client comes in: its request head, the hub that its path belongs to, its origin, and the
 * service's word where the hub asks for it. Whoever is refused is told why, once, and let go.
 */
import type { GatewayLimits } from "../config/configuration.ts";
import type { Budget } from "../core/budget.ts";
import { formatConnectionId } from "../core/connection-id.ts";
import { zeros } from "../metrics/worker-counts.ts";
import type { Reactor } from "../reactor/reactor.ts";
import { TICK_MS } from "../reactor/ticks.ts";
import type { ConnectAnswer, ConnectRequest } from "../upstreams/upstream.ts";
import {
  checkUpgrade,
  encodeRefusal,
  encodeResponse,
  type Refusal,
  writeAccepted,
} from "../websocket/handshake.ts";
import { acceptDeflate } from "../websocket/permessage-deflate.ts";
import { COMPLETE, INCOMPLETE, RequestHead } from "../websocket/request-head.ts";
import type { Clocks } from "./clocks.ts";
import {
  ASKING,
  type ConnectionTable,
  HEAD,
  LINGERING,
  PAUSED_ASKING,
} from "./connection-table.ts";
import type { Departure } from "./departure.ts";
import { disconnects } from "./disconnect.ts";
import { HalfHeads } from "./half-heads.ts";
import type { Hub } from "./hub.ts";
import { isOriginAllowed } from "./origin.ts";
import type { PathMatch, PathRouter } from "./paths.ts";
import { parseQuery } from "./query.ts";
import type { Reception } from "./reception.ts";
import {
  CLIENT_GONE,
  CONNECT_TIMED_OUT,
  HANDSHAKE_TIMED_OUT,
  HEALTHY,
  NOT_READY,
  ORIGIN_NOT_ALLOWED,
  OUT_OF_BUFFERS,
  PATH_UNKNOWN,
  refusalReason,
  refusalReasons,
  SERVICE_REFUSED,
  SERVICE_UNAVAILABLE,
  TOO_MANY_CONNECTIONS,
  TOO_MANY_HANDSHAKES,
} from "./refusal.ts";

/** The answer to a handshake, without its subprotocol. */
const ACCEPTED_BYTES = 320;

type AcceptedAnswer = Extract<ConnectAnswer, { accepted: true }>;

const ANONYMOUS: AcceptedAnswer = {
  accepted: true,
  userId: undefined,
  groups: [],
  subprotocol: undefined,
  connectionState: undefined,
};

/** What the answer to a handshake is made of that no service decides. */
interface Handshake {
  key: string;
  extension: string | undefined;
}

interface Parts {
  reactor: Reactor;
  connections: ConnectionTable;
  hubs: Hub[];
  router: PathRouter;
  departure: Departure;
  clocks: Clocks;
  reception: Reception;
  budget: Budget;
  limits: GatewayLimits;
  nonce: string;
  connectionsMax: number;
  isReady: () => boolean;
}

export class Admission {
  /** Handshakes that ended without a connection, by the reason. */
  readonly refused = zeros(refusalReasons);
  openedTotal = 0;
  readonly #parts: Parts;
  readonly #head: RequestHead;
  readonly #halfHeads: HalfHeads;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#head = new RequestHead(parts.limits);
    this.#halfHeads = new HalfHeads(parts.budget, parts.limits.requestHeadBytesMax);
  }

  accepted(slot: number): void {
    const { connections, reactor, clocks, limits, budget, connectionsMax } = this.#parts;
    connections.begin(slot, reactor.tick);
    clocks.startHandshake(slot);
    if (connections.openCount + connections.pendingCount > connectionsMax) {
      this.#refuse(slot, TOO_MANY_CONNECTIONS);
      return;
    }
    if (connections.pendingCount > limits.handshakesPendingMax) {
      this.#refuse(slot, TOO_MANY_HANDSHAKES);
      return;
    }
    if (budget.isExhausted) this.#refuse(slot, OUT_OF_BUFFERS);
  }

  /** Bytes of the arena from a slot in HEAD. */
  received(slot: number, offset: number, end: number): void {
    const { arena } = this.#parts.reactor;
    const half = this.#halfHeads.get(slot);
    if (half === undefined) {
      const state = this.#head.read(arena, offset, end, 0);
      if (state === INCOMPLETE) this.#halfHeads.begin(slot, arena, offset, end);
      else this.#judge(slot, state === COMPLETE, offset + this.#head.length, end);
      return;
    }
    const scanned = half.length;
    this.#halfHeads.append(half, arena, offset, end);
    const { bytes, start } = half.cell;
    const state = this.#head.read(bytes, start, start + half.length, scanned);
    if (state === INCOMPLETE) return;
    this.#halfHeads.forget(slot);
    // What follows the head stands behind what of it came now.
    this.#judge(slot, state === COMPLETE, offset + this.#head.length - scanned, end);
  }

  /** The peer left, or its socket broke, before it was a connection. */
  gone(slot: number): void {
    this.#count(CLIENT_GONE);
    this.#halfHeads.forget(slot);
    this.#parts.departure.release(slot, false);
  }

  expired(slot: number): void {
    const { connections, reactor } = this.#parts;
    if (connections.phases[slot] === ASKING) {
      this.#refuse(slot, CONNECT_TIMED_OUT);
      return;
    }
    this.#refuse(slot, HANDSHAKE_TIMED_OUT);
    // It had its time: one tick to read the answer, and no `closeTimeoutMs` to hold the socket.
    if (connections.phases[slot] === LINGERING) reactor.setDeadline(slot, reactor.tick + 1);
  }

  /** The gateway stops before this one was a connection. */
  stopped(slot: number): void {
    this.#refuse(slot, NOT_READY);
  }

  /** Gives back memory that no head has needed of late. */
  trim(): void {
    this.#halfHeads.trim();
  }

  /** Bytes that are held of its request head, which is not whole yet. */
  headBytes(slot: number): number {
    return this.#halfHeads.get(slot)?.cell.size ?? 0;
  }

  /** The buffers are full, and this one has sent much before it was let in. */
  shed(slot: number): void {
    this.#refuse(slot, OUT_OF_BUFFERS);
  }

  /** The head is whole, or refused; `rest` is where the bytes behind it begin. */
  #judge(slot: number, isComplete: boolean, rest: number, end: number): void {
    const head = this.#head;
    if (!isComplete) {
      this.#refuse(slot, head.refusal);
      return;
    }
    const match = this.#parts.router.match(head.path);
    if (match === undefined && (head.path === "/healthz" || head.path === "/readyz")) {
      const isHealthy = head.path === "/healthz" || this.#parts.isReady();
      this.#answer(slot, isHealthy ? HEALTHY : NOT_READY);
      return;
    }
    const upgrade = checkUpgrade(head);
    if ("status" in upgrade) {
      this.#refuse(slot, upgrade);
      return;
    }
    if (match === undefined) {
      this.#refuse(slot, PATH_UNKNOWN);
      return;
    }
    const hub = this.#parts.hubs[match.hub] as Hub;
    if (!this.#isOriginAllowed(hub)) {
      this.#refuse(slot, ORIGIN_NOT_ALLOWED);
      return;
    }
    const { connections, reception } = this.#parts;
    const deflate = hub.configuration.compression ? acceptDeflate(upgrade.extensions) : undefined;
    const handshake = { key: upgrade.key, extension: deflate?.response };
    connections.hubs[slot] = hub.index;
    connections.deflateWindowBits[slot] = deflate?.windowBits ?? 0;
    if (hub.configuration.auth.connect) {
      const request = this.#request(slot, match, upgrade.subprotocols);
      this.#ask(slot, hub, request, handshake, rest, end);
      return;
    }
    // Nobody is asked: the client's own first choice, without which a browser would not connect.
    const [subprotocol] = upgrade.subprotocols;
    const answer = subprotocol === undefined ? ANONYMOUS : { ...ANONYMOUS, subprotocol };
    this.#open(slot, hub, handshake, answer);
    if (rest < end) reception.received(slot, rest, end);
  }

  #isOriginAllowed(hub: Hub): boolean {
    const origin = this.#head.header("origin");
    if (origin === undefined) return true;
    return isOriginAllowed(origin, this.#head.header("host") as string, hub.configuration.origins);
  }

  #request(slot: number, match: PathMatch, subprotocols: readonly string[]): ConnectRequest {
    const { reactor, nonce } = this.#parts;
    const { query } = this.#head;
    return {
      connectionId: formatConnectionId(nonce, reactor.placeOf(slot)),
      path: this.#head.path,
      params: match.params,
      // When it is written: taken apart, 4 KiB of short names are 126 KB as long as they wait.
      get query() {
        return parseQuery(query);
      },
      headers: this.#head.headers(),
      subprotocols,
      address: reactor.peerAddress(slot),
    };
  }

  /** The service's word is awaited; nothing is read meanwhile. */
  #ask(
    slot: number,
    hub: Hub,
    request: ConnectRequest,
    handshake: Handshake,
    rest: number,
    end: number,
  ): void {
    const { reactor, connections, limits } = this.#parts;
    connections.phases[slot] = ASKING;
    connections.pauses[slot] = PAUSED_ASKING;
    reactor.pause(slot);
    if (rest < end) reactor.park(slot, rest, end);
    const place = reactor.placeOf(slot);
    const leftMs = ((reactor.slots.deadlines[slot] as number) - reactor.tick - 1) * TICK_MS;
    const timeoutMs = Math.max(TICK_MS, Math.min(limits.connectTimeoutMs, leftMs));
    void hub.upstream.connect(request, timeoutMs).then((answer) => {
      if (reactor.isCurrent(place) && connections.phases[slot] === ASKING) {
        return this.#answered(slot, hub, handshake, answer);
      }
      // The client is gone, or was refused by us; a service that let it in is told so.
      const name = this.#parts.isReady() ? "client-gone" : "gateway-stopping";
      const { code } = disconnects[name];
      if (answer.accepted) hub.upstream.abandoned(factsOf(request, answer), name, code);
    });
  }

  #answered(slot: number, hub: Hub, handshake: Handshake, answer: ConnectAnswer): void {
    if (!answer.accepted) {
      const { status, contentType, body } = answer;
      this.#count(status < 500 ? SERVICE_REFUSED : SERVICE_UNAVAILABLE);
      this.#parts.departure.refuse(slot, encodeResponse(status, contentType, body, httpDate()));
      return;
    }
    this.#open(slot, hub, handshake, answer);
    this.#parts.reception.unpause(slot, PAUSED_ASKING);
  }

  #open(slot: number, hub: Hub, handshake: Handshake, answer: AcceptedAnswer): void {
    const { reactor, connections, clocks, limits } = this.#parts;
    const subprotocol = answer.subprotocol;
    const offset = reactor.outbox.reserve(ACCEPTED_BYTES + (subprotocol?.length ?? 0));
    const { key, extension } = handshake;
    const length = writeAccepted(reactor.arena, offset, key, subprotocol, extension);
    reactor.outbox.send(slot, offset, length);
    connections.open(slot, reactor.tick, limits.controlFramesBurst);
    connections.setSubprotocol(slot, subprotocol);
    connections.setConnectionState(slot, answer.connectionState);
    hub.members.enter(slot, answer.userId);
    for (const group of answer.groups) {
      hub.members.join(slot, group, limits.groupsPerConnectionMax);
    }
    this.openedTotal += 1;
    hub.connections += 1;
    clocks.rearm(slot);
    hub.upstream.connected(reactor.placeOf(slot));
  }

  #refuse(slot: number, refusal: Refusal): void {
    this.#count(refusalReason(refusal));
    this.#halfHeads.forget(slot);
    const phase = this.#parts.connections.phases[slot];
    if (phase === HEAD || phase === ASKING) this.#answer(slot, refusal);
  }

  #answer(slot: number, refusal: Refusal): void {
    this.#parts.departure.refuse(slot, encodeRefusal(refusal, httpDate()));
  }

  #count(reason: string): void {
    this.refused[reason] = (this.refused[reason] ?? 0) + 1;
  }
}

/** RFC 9110, 5.6.7. */
function httpDate(): string {
  return new Date().toUTCString();
}

function factsOf(request: ConnectRequest, answer: AcceptedAnswer) {
  const { userId, subprotocol, connectionState } = answer;
  return { connectionId: request.connectionId, userId, subprotocol, connectionState };
}
