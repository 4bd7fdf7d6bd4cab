/** The two kinds of message that WebSocket has (RFC 6455, 11.8): their opcodes. */
export const TEXT = 1;
export const BINARY = 2;

export type MessageOpcode = typeof TEXT | typeof BINARY;
