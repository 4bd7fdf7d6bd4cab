/**
 * What a peer can do wrong in its stream of frames: one constant for each rule, under the rule's
 * sentence. A violation is returned and never thrown. Rules that need a clock (how many control
 * frames a second) are the gateway's and have no constant here.
 */
export interface Violation {
  readonly name:
    | "protocol-error"
    | "invalid-utf8"
    | "invalid-compression"
    | "message-too-big"
    | "too-many-frames"
    | "too-many-control-frames";
  readonly closeCode: number;
  readonly sentence: string;
}

// RFC 6455, 5.2: "RSV1, RSV2, RSV3: MUST be 0 unless an extension is negotiated that defines
// meanings for non-zero values."
// RFC 7692, 6.2: RSV1 is for the first frame of a message, and never for a control frame.
export const RESERVED_BIT_SET = protocolError("a reserved bit is set that has no meaning there");

// 5.2: "If an unknown opcode is received, the receiving endpoint MUST _Fail the WebSocket
// Connection_."
export const RESERVED_OPCODE = protocolError("a frame has a reserved opcode");

// 5.1: "The server MUST close the connection upon receiving a frame that is not masked."
export const UNMASKED_FRAME = protocolError("a frame from a client is not masked");

// 5.5: "All control frames MUST have a payload length of 125 bytes or less [...]"
export const CONTROL_FRAME_TOO_LONG = protocolError("a control frame is longer than 125 bytes");

// 5.5: "[...] and MUST NOT be fragmented."
export const CONTROL_FRAME_FRAGMENTED = protocolError("a control frame is fragmented");

// 5.4: "A fragmented message consists of a single frame with the FIN bit clear and an opcode
// other than 0, followed by zero or more frames with the FIN bit clear and the opcode set to 0."
export const UNEXPECTED_CONTINUATION = protocolError("a continuation frame continues no message");

// 5.4: "The fragments of one message MUST NOT be interleaved between the fragments of another
// message unless an extension has been negotiated that can interpret the interleaving."
export const EXPECTED_CONTINUATION = protocolError("a message began inside another message");

// 5.2: "in all cases, the minimal number of bytes MUST be used to encode the length"
export const LENGTH_NOT_MINIMAL = protocolError("a frame's length has needless bytes");

// 5.2: "the following 8 bytes interpreted as a 64-bit unsigned integer (the most significant bit
// MUST be 0) are the payload length"
export const LENGTH_TOO_LARGE = protocolError("a frame's length has its highest bit set");

// 5.5.1: "If there is a body, the first two bytes of the body MUST be a 2-byte unsigned integer"
export const CLOSE_PAYLOAD_TOO_SHORT = protocolError("a close frame has half a close code");

// 7.4: which codes an endpoint may put into a close frame, and which it MUST NOT (1005, 1006,
// 1015) or are nobody's (below 1000, 1016 to 2999, above 4999).
export const CLOSE_CODE_INVALID = protocolError("a close frame has a code that no peer may send");

// 8.1: "When an endpoint is to interpret a byte stream as UTF-8 but finds that the byte stream
// is not, in fact, a valid UTF-8 stream, that endpoint MUST _Fail the WebSocket Connection_."
export const INVALID_UTF8 = invalidUtf8("a text message is not UTF-8");

// 5.5.1: "Following the 2-byte integer, the body MAY contain UTF-8-encoded data"
export const CLOSE_REASON_NOT_UTF8 = invalidUtf8("the reason in a close frame is not UTF-8");

// RFC 7692, 7.2.2: what is left of a compressed message with its tail put back is DEFLATE, and
// ends where a block does.
export const INVALID_DEFLATE: Violation = Object.freeze({
  name: "invalid-compression",
  closeCode: 1007,
  sentence: "a compressed message is not DEFLATE",
});

// 7.4.1: "1009 indicates that an endpoint is terminating the connection because it has received
// a message that is too big for it to process."
export const MESSAGE_TOO_BIG: Violation = Object.freeze({
  name: "message-too-big",
  closeCode: 1009,
  sentence: "a message is bigger than this hub takes",
});

// 10.4: "Implementations that have implementation- and/or platform-specific limitations
// regarding the frame size or total message size after reassembly from multiple frames MUST
// protect themselves against exceeding those limits."
export const TOO_MANY_FRAMES = tooManyFrames("a message has too many frames");
export const TOO_MANY_EMPTY_FRAMES = tooManyFrames("a message has too many empty frames");

function protocolError(sentence: string): Violation {
  return Object.freeze({ name: "protocol-error", closeCode: 1002, sentence });
}

function invalidUtf8(sentence: string): Violation {
  return Object.freeze({ name: "invalid-utf8", closeCode: 1007, sentence });
}

function tooManyFrames(sentence: string): Violation {
  return Object.freeze({ name: "too-many-frames", closeCode: 1008, sentence });
}
