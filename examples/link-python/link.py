"""The frames of the link (docs/link.md) as Python values, and their bytes.

It opens no socket and keeps no state; service.py does. A frame has the name of its type and the
fields of the tables below, in the order in which they stand in its body. Bytes that are no frame
raise a LinkFault, with the fault's name as docs/link-vectors.json has it.
"""

import hashlib
import hmac
import re
import struct
from types import SimpleNamespace

VERSION = 1
LENGTH_BYTES = 4

TEXT, BINARY = 1, 2
HELD, FAILED, REFUSED = 1, 2, 3
VERBS = ["send", "close", "join", "leave", "leave-all", "exists"]
TARGETS = ["connection", "user", "group", "all"]

MAGIC = b"HGLK"
COUNT_MAX = 0xFFFF
TIME_MAX = 2**53 - 1
SIGNATURE_SECONDS_MAX = 300
NUMBERS = {"u8": ">B", "u16": ">H", "u32": ">I", "time": ">Q"}


def fields(line):
    return [tuple(field.split(":")) for field in line.split()]


CHANNEL = "channel:u32 "
MESSAGE = fields(CHANNEL + "number:u32 time_ms:time payload:rest")
TO_CLIENT = fields(CHANNEL + "payload:rest")

FROM_GATEWAY = {
    "HELLO": (
        0x01,
        fields("magic:magic version:u16 gateway:text hub:text nonce:text")
        + fields("frame_bytes_max:u32 signature:text"),
    ),
    "CONNECT": (
        0x02,
        fields("request:u32 time_ms:time connection_id:text")
        + fields("traceparent:text tracestate:text payload:rest"),
    ),
    "OPEN": (
        0x03,
        fields(CHANNEL + "connection_id:text user_id:text")
        + fields("subprotocol:text connection_state:text"),
    ),
    "CONNECTED": (0x04, fields(CHANNEL + "time_ms:time")),
    "MESSAGE_TEXT": (0x05, MESSAGE),
    "MESSAGE_BINARY": (0x06, MESSAGE),
    "DISCONNECTED": (0x07, fields(CHANNEL + "time_ms:time code:u16 reason:text")),
    "PING": (0x08, fields("token:u32")),
    "RESULT": (0x09, fields("request:u32 status:u8 matched:u32 dropped:u32 error:text")),
    "GATEWAY_GOODBYE": (0x0A, []),
    "CLOSE": (0x0B, fields(CHANNEL)),
}

FROM_SERVICE = {
    "WELCOME": (
        0x41,
        fields("version:u16 events_max:u32 bytes_max:u32 frame_bytes_max:u32"),
    ),
    "CONNECT_ANSWER": (
        0x42,
        fields("request:u32 status:u16 content_type:text connection_state:text payload:rest"),
    ),
    "ACKNOWLEDGE": (0x43, fields(CHANNEL + "events:u32")),
    "ANSWER_TEXT": (0x44, TO_CLIENT),
    "ANSWER_BINARY": (0x45, TO_CLIENT),
    "REJECT": (0x46, fields(CHANNEL + "kind:u8 retry_after_ms:u32 cause:text")),
    "STATE": (0x47, fields(CHANNEL + "connection_state:text")),
    "SEND_TEXT": (0x48, TO_CLIENT),
    "SEND_BINARY": (0x49, TO_CLIENT),
    "COMMAND": (
        0x4A,
        fields("request:u32 verb:verb target:target opcode:u8 name:text argument:text")
        + fields("push_id:text excluded:texts payload:rest"),
    ),
    "CREDIT": (0x4B, fields("events_max:u32 bytes_max:u32")),
    "PONG": (0x4C, fields("token:u32")),
    "SERVICE_GOODBYE": (0x4D, []),
}

# Fields that take less than their bytes could say.
ALLOWED = {
    ("RESULT", "status"): range(0, 2),
    ("CONNECT_ANSWER", "status"): range(200, 600),
    ("REJECT", "kind"): range(HELD, REFUSED + 1),
    ("COMMAND", "opcode"): range(TEXT, BINARY + 1),
}


class Frame(SimpleNamespace):
    """Frame("PONG", token=7) has .type and .token."""

    def __init__(self, type, **values):
        super().__init__(type=type, **values)


class LinkFault(Exception):
    """What the other side did wrong: the link is closed. `name` is the fault's name."""

    def __init__(self, name, sentence):
        super().__init__(f"{name}: {sentence}")
        self.name = name


def frame_length(header, frame_bytes_max):
    """How many bytes stand behind the four of the length."""
    (length,) = struct.unpack(">I", header)
    if length == 0:
        raise LinkFault("frame-cut-short", "a frame has no type: its length is 0")
    if length > frame_bytes_max:
        raise LinkFault(
            "frame-too-large",
            f"a frame of {length} bytes came, and {frame_bytes_max} are taken",
        )
    return length


def decode(body, side):
    """A frame of FROM_GATEWAY or FROM_SERVICE out of its type and body."""
    reader = BodyReader(body)
    number = reader.number(">B")
    name = next((name for name, (each, _) in side.items() if each == number), None)
    if name is None:
        raise LinkFault("unknown-type", f"this side sends no frame of type 0x{number:02x}")
    values = {field: reader.read(kind) for field, kind in side[name][1]}
    reader.finish()
    for field, value in values.items():
        if value not in ALLOWED.get((name, field), [value]):
            raise wrong(f"{value} is no {field} of a {name}")
    values.pop("magic", None)
    return Frame(name, **values)


def encode(frame):
    """The bytes of a frame, with its length before them."""
    side = FROM_GATEWAY if frame.type in FROM_GATEWAY else FROM_SERVICE
    number, described = side[frame.type]
    parts = [write(kind, getattr(frame, field, None)) for field, kind in described]
    body = bytes([number]) + b"".join(parts)
    return struct.pack(">I", len(body)) + body


def write(kind, value):
    if kind in NUMBERS:
        return struct.pack(NUMBERS[kind], value)
    if kind == "text":
        text = value.encode()
        return counted(len(text)) + text
    if kind == "texts":
        return counted(len(value)) + b"".join(write("text", each) for each in value)
    if kind == "verb":
        return bytes([VERBS.index(value)])
    if kind == "target":
        return bytes([TARGETS.index(value)])
    return MAGIC if kind == "magic" else value


def counted(count):
    if count > COUNT_MAX:
        raise ValueError(f"{count} bytes or texts have no place in a frame")
    return struct.pack(">H", count)


class BodyReader:
    """The fields of a body, one after the other."""

    def __init__(self, body):
        self.body = body
        self.at = 0

    def read(self, kind):
        if kind in NUMBERS:
            value = self.number(NUMBERS[kind])
            if kind == "time" and value > TIME_MAX:
                raise wrong(f"{value} is no time")
            return value
        if kind == "text":
            return self.text()
        if kind == "texts":
            return [self.text() for _ in range(self.number(">H"))]
        if kind == "verb":
            return self.one_of(VERBS, "verb")
        if kind == "target":
            return self.one_of(TARGETS, "target")
        if kind == "magic":
            if self.take(len(MAGIC)) != MAGIC:
                raise wrong("a HELLO does not begin with HGLK")
            return MAGIC
        return self.take(len(self.body) - self.at)

    def number(self, layout):
        return struct.unpack(layout, self.take(struct.calcsize(layout)))[0]

    def text(self):
        try:
            return self.take(self.number(">H")).decode()
        except UnicodeDecodeError as error:
            raise LinkFault("not-utf8", "a text in a frame is not UTF-8") from error

    def one_of(self, names, what):
        number = self.number(">B")
        if number >= len(names):
            raise wrong(f"{number} is no {what}")
        return names[number]

    def take(self, length):
        piece = self.body[self.at : self.at + length]
        if len(piece) < length:
            raise LinkFault("frame-cut-short", "a frame ends within its fields")
        self.at += length
        return piece

    def finish(self):
        left = len(self.body) - self.at
        if left > 0:
            raise LinkFault("frame-too-long", f"a frame has {left} bytes behind its last field")


def wrong(what):
    return LinkFault("wrong-value", f"a frame has a wrong value: {what}")


def is_signed(hello, keys, now_seconds):
    """Whether a HELLO is signed by one of the keys, and not long ago."""
    match = re.fullmatch(r"t=([0-9]{1,12}),v1=([0-9a-f]{64})", hello.signature)
    if match is None or abs(now_seconds - int(match[1])) > SIGNATURE_SECONDS_MAX:
        return False
    signed = "\n".join([match[1], "link", hello.hub, hello.nonce]).encode()
    digests = [hmac.new(key.encode(), signed, hashlib.sha256).hexdigest() for key in keys]
    return any(hmac.compare_digest(digest, match[2]) for digest in digests)
