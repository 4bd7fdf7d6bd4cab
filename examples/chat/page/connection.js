/**
 * One connection to the gateway that comes back by itself: states, backoff and what the close
 * codes mean. It knows neither the chat's messages nor the page.
 */

/** What a close code means to a person, and whether it is worth while to come back. */
export function adviceFor(code) {
  switch (code) {
    case 1000:
      return { meaning: "The connection was closed.", comesBack: false };
    case 1001:
      return { meaning: "The gateway heard nothing from this page for too long.", comesBack: true };
    case 1002:
    case 1003:
    case 1007:
      return { meaning: `The gateway did not understand this page (${code}).`, comesBack: false };
    case 1008:
      return { meaning: "The chat refused what this page sent (1008).", comesBack: false };
    case 1009:
      return { meaning: "A message was too big (1009).", comesBack: false };
    case 1011:
      return { meaning: "The chat service failed (1011).", comesBack: true };
    case 1012:
      return { meaning: "The gateway is restarting.", comesBack: true };
    case 1013:
      return { meaning: "The chat service is not there just now.", comesBack: true };
    default:
      return { meaning: "The connection was lost.", comesBack: true };
  }
}

const FIRST_DELAY_MS = 1000;
const DELAY_MS_MAX = 30_000;

/**
 * How long to wait before attempt number `attempt` (from 1). Spread at random, so that all the
 * pages of a gateway that restarts do not come back in the same moment. 1012 says "come back":
 * soon. 1013 says "come back later": not before five seconds.
 */
export function delayBefore(attempt, code, random) {
  const ceiling = Math.min(DELAY_MS_MAX, FIRST_DELAY_MS * 2 ** (attempt - 1));
  if (code === 1012 && attempt === 1) return 200 + random() * 1300;
  if (code === 1013) return Math.max(5000, ceiling / 2) * (1 + random() / 2);
  return ceiling / 2 + (random() * ceiling) / 2;
}

/** A connection must last this long before the delays begin anew. */
const SETTLED_MS = 5000;

/**
 * `state` is told {name: "connecting" | "live"}, {name: "reconnecting", meaning, atMs} or
 * {name: "closed", meaning, code}. `mayEnter` is asked after a handshake that failed, because a
 * browser does not say why: it resolves with {ok: true} or {ok: false, reason}, or rejects when
 * nobody answers.
 */
export class Connection {
  #options;
  #socket = null;
  #timer = null;
  #attempts = 0;
  #liveSinceMs = 0;
  #isOver = false;

  constructor({ url, onState, onMessage, mayEnter, open, random = Math.random, now = Date.now }) {
    const openSocket = open ?? ((target) => new WebSocket(target));
    this.#options = { url, onState, onMessage, mayEnter, open: openSocket, random, now };
    this.#connect();
  }

  get isLive() {
    return this.#socket?.readyState === 1;
  }

  /** Returns false when there is no connection to send on. */
  send(value) {
    if (!this.isLive) return false;
    this.#socket.send(JSON.stringify(value));
    return true;
  }

  /** Ends the wait, if there is one. */
  retryNow() {
    if (this.#timer === null) return;
    clearTimeout(this.#timer);
    this.#connect();
  }

  /** For good. */
  close() {
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#timer = null;
    this.#socket?.close(1000);
  }

  #connect() {
    this.#timer = null;
    this.#options.onState({ name: "connecting", isFirst: this.#attempts === 0 });
    let wasOpen = false;
    const socket = this.#options.open(this.#options.url);
    this.#socket = socket;
    socket.addEventListener("open", () => {
      wasOpen = true;
      this.#liveSinceMs = this.#options.now();
      if (!this.#isOver) this.#options.onState({ name: "live" });
    });
    socket.addEventListener("message", (event) => {
      if (!this.#isOver) this.#options.onMessage(event.data);
    });
    socket.addEventListener("close", (event) => {
      if (this.#isOver) return;
      if (wasOpen) this.#lost(event.code);
      else this.#refused();
    });
  }

  #lost(code) {
    if (this.#options.now() - this.#liveSinceMs >= SETTLED_MS) this.#attempts = 0;
    const { meaning, comesBack } = adviceFor(code);
    if (comesBack) this.#wait(meaning, code);
    else this.#end(meaning, code);
  }

  async #refused() {
    let meaning = "The gateway does not answer.";
    try {
      const { ok, reason } = await this.#options.mayEnter();
      if (this.#isOver) return;
      if (!ok) return this.#end(reason, 0);
    } catch {
      // The service itself is silent: that is what there is to tell.
      meaning = "The chat service does not answer.";
    }
    if (!this.#isOver) this.#wait(meaning, 1006);
  }

  #wait(meaning, code) {
    this.#attempts += 1;
    const delayMs = delayBefore(this.#attempts, code, this.#options.random);
    this.#timer = setTimeout(() => this.#connect(), delayMs);
    this.#options.onState({ name: "reconnecting", meaning, atMs: this.#options.now() + delayMs });
  }

  #end(meaning, code) {
    this.#isOver = true;
    this.#options.onState({ name: "closed", meaning, code });
  }
}
