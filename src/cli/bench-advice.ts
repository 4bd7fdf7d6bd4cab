/**
 * What the errors of a measurement mean and what to do about each, in sentences for the page that
 * people read. It decides nothing: an error without a sentence here is told by its name alone.
 */
import type { Measurement } from "../bench/measurement.ts";
import { formatAddress } from "../core/address.ts";

type Advice = (options: Measurement["options"], kind: string) => string;

const where: Advice = ({ target }) => formatAddress({ host: target.address, port: target.port });
const seconds = (ms: number) => `${ms / 1000} s`;

/** The first whose pattern fits is given. */
const advices: [kind: RegExp, advice: Advice][] = [
  [
    /^refused$/,
    (options) => `nothing listens at ${where(options, "")}: start the server, or correct the URL`,
  ],
  [
    /^timeout$/,
    ({ timeoutMs }) =>
      `no answer within ${seconds(timeoutMs)}: the server is stuck, or has too much to do; ` +
      "ask for less, or wait longer with --timeout",
  ],
  [
    /^http 404$/,
    ({ target }) => `the server has nothing at ${target.path}: correct the path of the URL`,
  ],
  [/^http 40[13]$/, () => "the server wants to know who asks: give what it needs with --header"],
  [
    /^http (?:429|503)$/,
    () => "the server takes no more: its limits, or its log, say why; ask for less",
  ],
  [
    /^(?:http|no HTTP|no upgrade|an endless response)/,
    (options, kind) =>
      `what answers at ${where(options, "")} accepts no WebSocket there (${kind}): correct the URL`,
  ],
  [
    /^(?:wrong accept key|.* unasked)$/,
    (options) =>
      `what answers at ${where(options, "")} breaks RFC 6455, 4.2.2, in its handshake: it, or a ` +
      "proxy before it, is no WebSocket server to measure",
  ],
  [
    /^closed 1009$/,
    ({ payloadBytes }) =>
      `${payloadBytes} B are more than the server takes in a message: ask for a smaller ` +
      "--payload, or raise its limit",
  ],
  [/^closed /, () => "the server closed connections with this code: its log says why"],
  [/^(?:reset|ended)$/, () => "the server let connections go: it ended, or its log says why"],
  [/^not closed$/, () => "the server did not answer close frames in time (RFC 6455, 7.1.1)"],
  [/^wrong answer$/, () => "the service is no echo: --mode echo wants back what it sends"],
  [
    /^(?:lost|late|wrong) push$/,
    () =>
      "the server loses pushes, or takes longer than --timeout with them: push less often, or " +
      "to fewer",
  ],
  [
    /^EADDRNOTAVAIL$/,
    ({ sources }) =>
      sources === undefined
        ? "no source port is left: use more --source addresses"
        : "no source port is left, or this machine does not have the --source addresses",
  ],
  [/^EAFNOSUPPORT$/, () => "the --source addresses are of another family than the server's"],
  [/^E(?:NET|HOST)UNREACH$/, (options) => `there is no way to ${where(options, "")}`],
  [
    /^opening took too long$/,
    () => "not all connections were opened in the time for it: ask for fewer, or a slower --ramp",
  ],
];

/** Where no push was delivered at all. */
const nowhere: Advice = ({ sendsItself }) =>
  sendsItself
    ? "the service has to send on what the first connection sends, to all others; for pushes of " +
      "a gateway's own name the --hub"
    : "the connections have to be in that hub and group, and in no other: check --hub, --group " +
      "and the path of the URL";

/** A sentence for each kind of error that there is one for, none twice. */
export function adviceFor({ options, pushes, total }: Measurement): string[] {
  if (total.errors["lost push"] !== undefined && total.messages === 0) {
    return [nowhere(options, "lost push")];
  }
  const found = Object.keys(total.errors).flatMap((kind) => {
    const advice = advices.find(([pattern]) => pattern.test(kind))?.[1];
    return advice === undefined ? [] : [advice(options, kind)];
  });
  if (pushes?.refusal !== undefined) found.push(`no push was made behind this: ${pushes.refusal}`);
  return [...new Set(found)];
}
