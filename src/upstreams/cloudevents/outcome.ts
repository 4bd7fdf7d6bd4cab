/**
 * What became of a question to a service, and what the fields of its answer say, whatever carrier
 * brought it. It judges nothing.
 */
import { BINARY_TYPE, TEXT_TYPE } from "../delivery/event.ts";
import type { StateChange } from "../delivery/verdict.ts";
import { KEPT } from "../delivery/verdict.ts";
import { decodeAttribute } from "./attribute.ts";

/** A field that stands in an answer more than once has all its values, whatever its name is. */
export type AnswerHeaders = Readonly<Record<string, string | string[] | undefined>>;

export interface Answer {
  kind: "answer";
  status: number;
  headers: AnswerHeaders;
  body: Buffer;
  /** The body went past `serviceResponseBytesMax`, and was not read to its end. */
  tooBig: boolean;
}

export interface NoAnswer {
  kind: "none";
  /** False if a connection was tried and did not come about: the service saw nothing of it. */
  reached: boolean;
  cause: string;
}

export type Outcome = Answer | NoAnswer;

export const TOO_BIG = "its answer is bigger than serviceResponseBytesMax";

export function readStateChange(headers: AnswerHeaders, bytesMax: number): StateChange {
  const header = headers["ce-connectionstate"];
  if (header === undefined) return KEPT;
  if (Array.isArray(header)) {
    return { kind: "wrong", fault: "ce-connectionstate stands in it more than once" };
  }
  return readState("ce-connectionstate", decodeAttribute(header), bytesMax);
}

export function readState(name: string, value: string, bytesMax: number): StateChange {
  const bytes = Buffer.byteLength(value);
  if (bytes > bytesMax) {
    const limit = `connectionStateBytesMax is ${bytesMax}`;
    return { kind: "wrong", fault: `${name} has ${bytes} bytes, and ${limit}` };
  }
  return { kind: "changed", connectionState: value === "" ? undefined : value };
}

export function isSuccess(status: number): boolean {
  return status >= 200 && status < 300;
}

export function describeStatus(status: number): string {
  const isRedirect = status >= 300 && status < 400;
  return `it answered ${status}${isRedirect ? "; redirects are not followed" : ""}`;
}

/** Of two the first counts, as in Node. */
export function contentTypeOf(headers: AnswerHeaders): string | undefined {
  const header = headers["content-type"];
  return Array.isArray(header) ? header[0] : header;
}

export function isText(contentType: string | undefined): boolean {
  // What comes with nearly every message need not be taken apart.
  if (contentType === TEXT_TYPE) return true;
  if (contentType === undefined || contentType === BINARY_TYPE) return false;
  const [mediaType = ""] = contentType.toLowerCase().split(";");
  return mediaType.startsWith("text/") || mediaType.trim() === "application/json";
}
