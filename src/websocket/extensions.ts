/**
 * Sec-WebSocket-Extensions as a client sends it (RFC 6455, 9.1): its offers in their order, or
 * that it is malformed. Each character is looked at once. What an extension is and whether it is
 * taken is not decided here.
 */
import { ASCII_TOKEN, spanOf } from "./ascii.ts";

/** One extension as it is offered, with its parameters as they came, repeated ones included. */
export interface ExtensionOffer {
  readonly name: string;
  /** Names with their values; a value that is missing is undefined. */
  readonly parameters: readonly (readonly [name: string, value: string | undefined])[];
}

const TAB = 0x09;
const SPACE = 0x20;
const QUOTE = 0x22;
const COMMA = 0x2c;
const SEMICOLON = 0x3b;
const EQUALS = 0x3d;
const BACKSLASH = 0x5c;

const NO_OFFERS: readonly ExtensionOffer[] = [];

/** What browsers offer is shorter than this. */
const REMEMBERED_MAX = 128;

/** What was read last, and what came of it: nearly all clients offer the same. */
let lastValue = "";
let lastOffers: readonly ExtensionOffer[] | undefined;

/** The field's value, repeated fields joined with commas; undefined when it is malformed. */
export function parseExtensions(value: string | undefined): readonly ExtensionOffer[] | undefined {
  if (value === undefined) return NO_OFFERS;
  if (value.length > REMEMBERED_MAX) return new Reader(value).list();
  if (value !== lastValue) {
    lastOffers = new Reader(value).list();
    lastValue = value;
  }
  return lastOffers;
}

class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(value: string) {
    this.#bytes = Buffer.from(value, "latin1");
  }

  /** RFC 9110, 5.6.1.2: empty elements are passed over; there must be one that is not. */
  list(): ExtensionOffer[] | undefined {
    const offers: ExtensionOffer[] = [];
    do {
      this.#skipBlanks();
      if (this.#isAt(COMMA) || this.#isAtEnd()) continue;
      const offer = this.#offer();
      if (offer === undefined) return undefined;
      offers.push(offer);
    } while (this.#takes(COMMA));
    return this.#isAtEnd() && offers.length > 0 ? offers : undefined;
  }

  #offer(): ExtensionOffer | undefined {
    const name = this.#token();
    if (name === "") return undefined;
    const parameters: [string, string | undefined][] = [];
    while (this.#takes(SEMICOLON)) {
      this.#skipBlanks();
      const parameter = this.#token();
      if (parameter === "") return undefined;
      let value: string | undefined;
      if (this.#takes(EQUALS)) {
        this.#skipBlanks();
        value = this.#isAt(QUOTE) ? this.#quotedToken() : this.#token();
        if (value === "") return undefined;
      }
      parameters.push([parameter, value]);
    }
    return { name, parameters };
  }

  /** Empty where there is none. */
  #token(): string {
    const start = this.#at;
    this.#at = spanOf(ASCII_TOKEN, this.#bytes, start, this.#bytes.length);
    const token = this.#text(start, this.#at);
    this.#skipBlanks();
    return token;
  }

  /**
   * "When using the quoted-string syntax variant, the value after quoted-string unescaping MUST
   * conform to the 'token' ABNF." Empty where it does not.
   */
  #quotedToken(): string {
    this.#at += 1;
    let token = "";
    while (!this.#isAt(QUOTE)) {
      if (this.#isAt(BACKSLASH)) this.#at += 1;
      const start = this.#at;
      this.#at = spanOf(ASCII_TOKEN, this.#bytes, start, this.#bytes.length);
      if (this.#at === start) return "";
      token += this.#text(start, this.#at);
    }
    this.#at += 1;
    this.#skipBlanks();
    return token;
  }

  #takes(byte: number): boolean {
    if (!this.#isAt(byte)) return false;
    this.#at += 1;
    return true;
  }

  #isAt(byte: number): boolean {
    return this.#bytes[this.#at] === byte;
  }

  #isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  /** RFC 6455, 9.1 takes its grammar from RFC 2616, where blanks may stand between all parts. */
  #skipBlanks(): void {
    while (this.#isAt(SPACE) || this.#isAt(TAB)) this.#at += 1;
  }

  #text(start: number, end: number): string {
    return this.#bytes.toString("latin1", start, end);
  }
}
