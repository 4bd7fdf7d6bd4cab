/**
 * One carrier, its service and a gateway's sink, for one test; what a client does is one call. All
 * that a test leaves open is closed behind it, and what the sink found wrong fails it.
 */
import assert from "node:assert/strict";
import { afterEach } from "node:test";
import { RecordingLog } from "../../../test/support/recording-log.ts";
import { until } from "../../../test/support/until.ts";
import type { HubLimits } from "../../config/configuration.ts";
import { formatConnectionId, makeNonce } from "../../core/connection-id.ts";
import type { MessageOpcode } from "../../core/opcode.ts";
import { BINARY, TEXT } from "../../core/opcode.ts";
import { disconnects } from "../../gateway/disconnect.ts";
import type { UpstreamCounts } from "../../metrics/worker-counts.ts";
import { testLimits } from "../fixtures.test.helper.ts";
import type { ConnectAnswer, ConnectionFacts, ConnectRequest } from "../upstream.ts";
import { HELD } from "../upstream.ts";
import type {
  Answer,
  Carrier,
  OpenCarrier,
  Promised,
  ReceivedEvent,
  ServiceSide,
} from "./carrier.test.helper.ts";
import { testRules } from "./carrier.test.helper.ts";
import { ContractSink } from "./sink.test.helper.ts";

const running = new Set<Stage>();
afterEach(async () => {
  for (const stage of running) await stage.stop();
});

/** For a test of what not every carrier promises: it says by its reason why it is left out. */
export function needs(carrier: Carrier, ...promised: Promised[]): { skip: string | false } {
  const reasons = promised.flatMap((each) => carrier.lacks[each] ?? []);
  return { skip: reasons.length > 0 && reasons.join("; ") };
}

export interface StageOptions {
  limits?: Partial<HubLimits>;
  rules?: Partial<typeof testRules>;
}

export class Stage {
  readonly service: ServiceSide;
  readonly sink: ContractSink;
  readonly log: RecordingLog;
  readonly #nonce: string;
  readonly #opened: OpenCarrier;

  private constructor(
    parts: { service: ServiceSide; sink: ContractSink; log: RecordingLog; nonce: string },
    opened: OpenCarrier,
  ) {
    this.service = parts.service;
    this.sink = parts.sink;
    this.log = parts.log;
    this.#nonce = parts.nonce;
    this.#opened = opened;
    this.sink.whenFailed = (place, reason) => this.leave(place, reason, disconnects[reason].code);
    running.add(this);
  }

  /** The carrier knows that its service is there when this resolves. */
  static async set(carrier: Carrier, options: StageOptions = {}): Promise<Stage> {
    const { service, open } = await carrier.start();
    const parts = { service, sink: new ContractSink(), log: new RecordingLog() };
    const nonce = makeNonce();
    const limits = { ...testLimits, ...options.limits };
    const rules = { ...testRules, ...options.rules };
    const opened = open({ ...parts, nonce, limits, rules });
    const stage = new Stage({ ...parts, nonce }, opened);
    await until(() => opened.isUp(), "the service can be reached");
    return stage;
  }

  get upstream(): OpenCarrier["upstream"] {
    return this.#opened.upstream;
  }

  get isUp(): boolean {
    return this.#opened.isUp();
  }

  get counts(): UpstreamCounts {
    const counts = this.upstream.counts();
    assert.ok(counts !== undefined);
    return counts;
  }

  idOf(place: number): string {
    return formatConnectionId(this.#nonce, place);
  }

  /** A client is let in. */
  enter(place: number, facts: Partial<ConnectionFacts> = {}): void {
    const none = { userId: undefined, subprotocol: undefined, connectionState: undefined };
    this.sink.enter(place, { connectionId: this.idOf(place), ...none, ...facts });
    this.upstream.connected(place);
  }

  /** A client sends a message: text for a string. */
  say(place: number, payload: string | Buffer): void {
    const opcode: MessageOpcode = typeof payload === "string" ? TEXT : BINARY;
    const client = this.sink.of(place);
    client.said += 1;
    const bytes = Buffer.concat([Buffer.from("<<"), Buffer.from(payload), Buffer.from(">>")]);
    const length = bytes.length - 4;
    const outcome = this.upstream.message(place, client.said, opcode, bytes, 2, length);
    // They are valid only until it returns, and only then is the message held.
    bytes.fill(0);
    if (outcome === HELD) client.held.push(length);
    else client.acknowledged += 1;
  }

  leave(place: number, reason = "client-closed", code = 1000): void {
    this.upstream.disconnected(place, reason, code);
    this.sink.leave(place);
  }

  ask(more: Partial<ConnectRequest> = {}, timeoutMs = 10_000): Promise<ConnectAnswer> {
    const nothing = { path: "/", params: {}, query: {}, headers: {}, subprotocols: [] };
    const request = { connectionId: this.idOf(99), ...nothing, address: "192.0.2.1", ...more };
    return this.upstream.connect(request, timeoutMs);
  }

  /** Every delivery of this connection's events, in the order in which they came. */
  seen(place: number): ReceivedEvent[] {
    const id = this.idOf(place);
    return this.service.events.filter(({ connectionId }) => connectionId === id);
  }

  /** The texts of its messages, each where it came first. */
  texts(place: number): string[] {
    const seen = new Map<number, string>();
    for (const { kind, number, bytes } of this.seen(place)) {
      if (kind === "message" && !seen.has(number)) seen.set(number, bytes.toString());
    }
    return [...seen.values()];
  }

  /** Answers the messages with these texts so, each once or more often, and takes all others. */
  answering(plan: Record<string, Answer[]>): void {
    this.service.answer = ({ bytes, kind }) => {
      const key = kind === "message" ? bytes.toString() : kind;
      return plan[key]?.shift() ?? "taken";
    };
  }

  /** The service is gone, and the carrier knows, or finds it out by a client that asks. */
  async goAway(): Promise<void> {
    await this.service.goAway();
    const answer = await this.ask({}, 300);
    assert.equal(answer.accepted, false);
    await this.until(() => !this.isUp, "it is known that the service is gone");
  }

  async until(condition: () => boolean, what = condition.toString()): Promise<void> {
    const endMs = performance.now() + 15_000;
    while (!condition()) {
      if (performance.now() > endMs) {
        const { faults } = this.sink;
        throw new Error(`never came true: ${what}; ${faults.join("; ")}\n${this.#story()}`);
      }
      await this.service.refresh();
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }

  untilAcknowledged(messages: number): Promise<void> {
    const { sink } = this;
    return this.until(() => sink.acknowledgedTotal === messages, `${messages} acknowledged`);
  }

  async stop(): Promise<void> {
    running.delete(this);
    await this.upstream.close(0);
    await this.service.stop();
    assert.deepEqual(this.sink.faults, []);
  }

  #story(): string {
    const lines = this.log.lines.map(({ level, sentence, fields }) => {
      return `${level} ${sentence} ${JSON.stringify(fields)}`;
    });
    return lines.slice(-10).join("\n");
  }
}
