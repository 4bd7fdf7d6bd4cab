"""A WebSocket client on Python's websockets that does what stdin says, a line a command, and
tells on stdout what it sees. process-peer.ts has the lines. It judges nothing."""

import asyncio
import sys

import websockets

LINE_BYTES_MAX = 16 * 1024 * 1024


def tell(*words):
    print(*words, flush=True)


def encode(payload):
    return payload.hex() or "-"


def decode(word):
    return b"" if word == "-" else bytes.fromhex(word)


def message(kind, word):
    """This library takes str for text and bytes for binary."""
    payload = decode(word)
    return payload.decode() if kind == "text" else payload


async def open_connection(url, subprotocols, compression):
    try:
        connection = await websockets.connect(
            url,
            subprotocols=None if subprotocols == "-" else subprotocols.split(","),
            compression="deflate" if compression == "on" else None,
            max_size=None,
        )
    except websockets.InvalidStatusCode as refusal:
        # The library does not hand out the body.
        tell("refused", refusal.status_code, "-")
        return None
    extensions = [extension.name for extension in connection.extensions]
    tell("open", connection.subprotocol or "-", ",".join(extensions) or "-")
    return connection


async def receive(connection):
    try:
        while True:
            received = await connection.recv()
            if isinstance(received, str):
                tell("text", encode(received.encode()))
            else:
                tell("binary", encode(received))
    except websockets.ConnectionClosed as end:
        if end.rcvd is None:
            tell("closed", 1006, "-")
        else:
            tell("closed", end.rcvd.code, encode(end.rcvd.reason.encode()))


async def ping(connection, payload):
    answered = await connection.ping(payload)
    await answered
    tell("pong", encode(payload))


async def obey(connection, command, words):
    if command in ("text", "binary"):
        await connection.send(message(command, words[0]))
    elif command == "fragments":
        await connection.send([message(words[0], word) for word in words[1:]])
    elif command == "ping":
        await ping(connection, decode(words[0]))
    elif command == "close":
        await connection.close(int(words[0]), decode(words[1]).decode())
    else:
        sys.exit(f"unknown command: {command}")


async def main():
    reader = asyncio.StreamReader(limit=LINE_BYTES_MAX)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    connection = None
    receiving = None
    while line := await reader.readline():
        command, *words = line.decode().split()
        if command != "open":
            try:
                await obey(connection, command, words)
            except websockets.ConnectionClosed as end:
                # It ended meanwhile; how it did is told by who reads.
                print(end, file=sys.stderr)
            continue
        if receiving is not None:
            await receiving
        connection = await open_connection(*words)
        receiving = connection and asyncio.create_task(receive(connection))


asyncio.run(main())
