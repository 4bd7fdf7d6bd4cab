/**
 * What docs/conformance.md says in prose: how the cases are run, and where the suite differs from
 * Autobahn's own. The numbers in it are the code's.
 */
import { MESSAGES, SHORT_BYTES_MAX } from "./compression.ts";
import { EDGE_BYTES, EDGE_FRAMES } from "./delivery.ts";

const [short, shortMany] = MESSAGES.short;
const [others, othersInLong] = MESSAGES.others;
const shortInLong = shortMany.toLocaleString("en");
const shortKib = SHORT_BYTES_MAX / 1024;

export const method = `## How it is done

A worker's gateway runs with the addon and the service \`echo:\`, and a client that does nothing
by itself writes each case to a TCP connection of its own. Limits are at their defaults, but for
the clocks, which would end what a slow machine does slowly (no pings, no idle timeout, ten minutes
for a message). Group 9 and case 7.1.6 have a hub that takes 16 MiB in a message, groups 12 and 13
one with \`compression: on\`. Each case is sent four times, and its outcome must be the same:

- **whole**, in one write;
- **frame by frame** (or chop by chop), and what each stage must lead to has come before the next
  is sent. A case that fails is sent up to the byte with which that is certain; only when the
  close frame has come is the rest sent, which nothing may answer;
- **in single bytes**, in the same stages. The gateway's turn comes between two writes, so that
  nearly all of them are reads of their own, which a test counts;
- **at random splits**, from a seed that is printed.

Single bytes of many megabytes would take hours over a socket. So the first ${EDGE_FRAMES} frames
of a case, and the last ${EDGE_FRAMES} of its first message, come in single bytes: each with its
header and its first and last ${EDGE_BYTES} bytes where it is longer. What lies between comes in
large pieces.

All streams go through the receiver alone as well (\`src/websocket/receiver.ts\`), without a socket
and byte by byte; those of more than 1 MiB come in pieces of 61 bytes there, and byte by byte in
the long form (\`npm run test:long\`).

Echoes are compared in opcode and in every byte of payload, and the frames that carry them must be
unmasked, unfragmented and with the shortest form of length. Close frames are compared in code,
those of a failure must have a reason that is UTF-8 and says how many messages were accepted. Then
the gateway must end the connection, without a reset.

The receiver alone also shows what an unfinished message costs, after every piece: at most twice
the bytes received for it and 64, and in 4 MiB of 64-byte frames at most twice.`;

export const differences = `## What is different from Autobahn's own suite

- **One outcome.** Where Autobahn accepts several (its "non-strict" and "informational"), one is
  right here:
  - 3.2 to 3.4, 4.1.3 to 4.1.5, 4.2.3 to 4.2.5, 5.15: what was whole before the fault is echoed,
    then the connection fails.
  - 6.4: invalid text fails in the middle of a message and of a frame; RFC 6455, 8.1: "when an
    endpoint is to interpret a byte stream as UTF-8 but finds that the byte stream is not, in
    fact, a valid UTF-8 stream". A compressed text is inflated when it is whole, since one codec
    serves all connections, and so fails at its end.
  - 7.1.6: what came before a close frame is answered before it.
  - 7.3.2, 7.3.6, 7.9: the client reads why, and does not only lose its connection; RFC 6455,
    7.1.7: "the endpoint SHOULD send a Close frame with an appropriate status code".
  - 7.5.1: 1007, and not 1002; 7.4.1 has it for "data within a message that was not consistent
    with the type of the message".
  - 7.7: the client's own code; 5.5.1: "the endpoint typically echos the status code it received".
  - 7.13: 1002. Nobody may send these codes, like those of 7.9.
- **No waiting.** Autobahn waits a second to see that nothing happens. Here what must happen at
  once must have happened before more is sent, and the receiver alone shows at which byte it does.
- **All is compared.** In group 9 Autobahn looks at the length of an echo only.
- **Payloads are other ones**, of the same lengths and kinds. Groups 12 and 13 send data that is
  made from a fixed seed in the place of five files; a case has ${short} messages, or ${others} of
  more than ${shortKib} KiB (in the long form ${shortInLong} and ${othersInLong}; Autobahn has
  1,000).
- **Groups 12 and 13** also check the answer to the offer: always \`server_no_context_takeover\`
  and \`client_no_context_takeover\`, and \`server_max_window_bits\` where it was offered. The
  client inflates with that window and no larger one.
- **Time is not measured.** For that there is the benchmark.

The outcome "1002 at the end of its header" says that the connection was failed before a byte of
that frame's payload was sent; "at byte 13" counts bytes of the message's payload.`;
