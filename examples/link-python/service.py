"""The service: gateways dial it, and it speaks the link with them (docs/link.md).

It handles every event to its end before it reads the next frame, so events are acknowledged in
their order without more ado. A service that waits for other things while it handles an event
keeps a queue for each channel instead. What the chat does is in room.py.
"""

import argparse
import asyncio
import json
import logging
import signal
import sys
import time
from types import SimpleNamespace
from urllib.parse import urlsplit

from link import FAILED, FROM_GATEWAY, LENGTH_BYTES, REFUSED, TEXT, VERSION
from link import Frame, LinkFault, decode, encode, frame_length, is_signed
from room import GROUP, Refused, Room, connect

LINKS_MAX = 256
CHANNELS_MAX = 100_000
EVENTS_MAX = 1024
EVENT_BYTES_MAX = 1 << 20
FRAME_BYTES_MAX = (1 << 20) + 65_536
UNWRITTEN_BYTES_MAX = 4 << 20
SILENCE_SECONDS_MAX = 10
GOODBYE_SECONDS_MAX = 20

log = logging.getLogger("service")


class Client:
    """A connection on its channel, as long as this link has it."""

    def __init__(self, link, opened):
        self.link = link
        self.channel = opened.channel
        self.connection_id = opened.connection_id
        self.user_id = opened.user_id
        self.state = opened.connection_state

    def send(self, text):
        self.link.send(Frame("SEND_TEXT", channel=self.channel, payload=text.encode()))

    def set_state(self, state):
        self.state = state
        self.link.send(Frame("STATE", channel=self.channel, connection_state=state))


class Link:
    """One worker of a gateway: it has begun when its HELLO was found good."""

    def __init__(self, service, reader, writer):
        self.service = service
        self.reader = reader
        self.writer = writer
        self.has_begun = False
        self.frame_bytes_max = FRAME_BYTES_MAX
        self.clients = {}
        self.last_channel = 0

    async def run(self):
        try:
            self.begin(await self.read())
            while True:
                self.take(await self.read())
                await asyncio.wait_for(self.writer.drain(), SILENCE_SECONDS_MAX)
        except LinkFault as fault:
            log.error("a link is closed: %s", fault)
        except asyncio.TimeoutError:
            log.error("a link is closed: nothing came or went for %d s", SILENCE_SECONDS_MAX)
        except (asyncio.IncompleteReadError, OSError):
            log.info("a link was closed by the gateway")
        finally:
            self.writer.transport.abort()

    async def read(self):
        return await asyncio.wait_for(self.read_frame(), SILENCE_SECONDS_MAX)

    async def read_frame(self):
        header = await self.reader.readexactly(LENGTH_BYTES)
        body = await self.reader.readexactly(frame_length(header, FRAME_BYTES_MAX))
        return decode(body, FROM_GATEWAY)

    def send(self, frame):
        """A gateway that does not read, or takes less than is to be said, loses its link."""
        encoded = encode(frame)
        unwritten = self.writer.transport.get_write_buffer_size() + len(encoded)
        if len(encoded) - LENGTH_BYTES > self.frame_bytes_max or unwritten > UNWRITTEN_BYTES_MAX:
            log.error("a link is closed: the gateway does not take %d bytes more", len(encoded))
            self.writer.transport.abort()
        elif not self.writer.transport.is_closing():
            self.writer.write(encoded)

    def begin(self, hello):
        if hello.type != "HELLO":
            raise out_of_place(hello)
        if hello.version != VERSION:
            raise LinkFault("wrong-value", f"{hello.version} is another version of the link")
        keys = self.service.keys
        if keys and not is_signed(hello, keys, time.time()):
            raise LinkFault("not-signed", "no key of ours signed this HELLO in the last minutes")
        log.info("a link of %r for hub %r begins", hello.gateway, hello.hub)
        self.frame_bytes_max = hello.frame_bytes_max
        self.has_begun = True
        credit = {"events_max": EVENTS_MAX, "bytes_max": EVENT_BYTES_MAX}
        self.send(Frame("WELCOME", version=VERSION, frame_bytes_max=FRAME_BYTES_MAX, **credit))

    def take(self, frame):
        if frame.type == "PING":
            self.send(Frame("PONG", token=frame.token))
        elif frame.type == "CONNECT":
            self.answer_connect(frame)
        elif frame.type == "OPEN":
            self.open(frame)
        elif frame.type == "CLOSE":
            # What it sent on it was handled, for this service takes no time: there is no more of it.
            self.clients.pop(frame.channel, None)
        elif hasattr(frame, "channel"):
            self.take_event(frame)
        elif frame.type == "GATEWAY_GOODBYE":
            log.info("the gateway says goodbye: all it sent is acknowledged, and it will close")
        else:
            # A second HELLO, or a RESULT, which none of our commands asks for.
            raise out_of_place(frame)

    def answer_connect(self, frame):
        try:
            status, content_type, body = connect(json.loads(frame.payload))
        except Exception:
            log.exception("a connect event failed")
            status, content_type, body = 500, "", b""
        said = {"status": status, "content_type": content_type, "payload": body}
        answer = Frame("CONNECT_ANSWER", request=frame.request, connection_state="", **said)
        self.send(answer)

    def open(self, frame):
        if frame.channel <= self.last_channel or len(self.clients) >= CHANNELS_MAX:
            raise out_of_place(frame)
        self.last_channel = frame.channel
        self.clients[frame.channel] = Client(self, frame)

    def take_event(self, frame):
        if not 1 <= frame.channel <= self.last_channel:
            raise out_of_place(frame)
        client = self.clients.get(frame.channel)
        if client is None:
            return  # Its channel has ended, and this was still under way.
        try:
            answer = self.handle(client, frame)
        except Refused as refused:
            self.reject(client, REFUSED, str(refused))
        except Exception:
            log.exception("an event of %r failed", client.connection_id)
            self.reject(client, FAILED, "the service failed")
        else:
            self.send(answer)
            if frame.type == "DISCONNECTED":
                del self.clients[frame.channel]

    def handle(self, client, frame):
        """The frame that acknowledges the event."""
        room = self.service.room
        event_id = f"{client.connection_id}/{getattr(frame, 'number', frame.type.lower())}"
        if frame.type == "MESSAGE_BINARY":
            raise Refused("this chat takes text")
        if frame.type == "MESSAGE_TEXT":
            answer = room.message(client, event_id, frame.payload.decode())
            return Frame("ANSWER_TEXT", channel=frame.channel, payload=answer.encode())
        if frame.type == "CONNECTED":
            room.connected(client, event_id)
        else:
            room.disconnected(client, event_id)
        return Frame("ACKNOWLEDGE", channel=frame.channel, events=1)

    def reject(self, client, kind, cause):
        del self.clients[client.channel]
        frame = Frame("REJECT", channel=client.channel, kind=kind, retry_after_ms=0, cause=cause)
        self.send(frame)


class Service:
    def __init__(self, keys):
        self.keys = keys
        self.links = set()
        self.room = Room(self.push)
        self.is_leaving = False
        self.all_closed = asyncio.Event()

    async def take_link(self, reader, writer):
        if self.is_leaving or len(self.links) >= LINKS_MAX:
            log.error("a link is closed: the service ends, or has %d of them", LINKS_MAX)
            writer.transport.abort()
            return
        link = Link(self, reader, writer)
        self.links.add(link)
        self.all_closed.clear()
        try:
            await link.run()
        finally:
            self.links.discard(link)
            if not self.links:
                self.all_closed.set()

    def push(self, text, push_id, excluded):
        """To every worker of every gateway, for each knows its own connections alone."""
        to = {"verb": "send", "target": "group", "name": GROUP, "excluded": [excluded]}
        said = {"opcode": TEXT, "payload": text.encode(), "push_id": push_id}
        for link in [link for link in self.links if link.has_begun]:
            link.send(Frame("COMMAND", request=0, argument="", **to, **said))

    async def leave(self):
        """The gateways send what is under way, take the answers, and close."""
        self.is_leaving = True
        for link in list(self.links):
            if link.has_begun:
                link.send(Frame("SERVICE_GOODBYE"))
            else:
                link.writer.transport.abort()
        if self.links:
            await asyncio.wait_for(self.all_closed.wait(), GOODBYE_SECONDS_MAX)


def out_of_place(frame):
    return LinkFault("out-of-place", f"a {frame.type} came where none may come")


async def listen(address, take_link):
    """The server, and where it listens, with the port that it got."""
    try:
        if address.path:
            return await asyncio.start_unix_server(take_link, address.path), address.url
        server = await asyncio.start_server(take_link, address.host, address.port)
    except OSError as error:
        sys.exit(f"cannot listen at {address.url}: {error.strerror or error}")
    host, port = server.sockets[0].getsockname()[:2]
    return server, f"link://[{host}]:{port}" if ":" in host else f"link://{host}:{port}"


async def serve(address, keys):
    service = Service(keys)
    server, listens_at = await listen(address, service.take_link)
    told_to_end = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told_to_end.set)
    print(f"listening at {listens_at}", flush=True)
    await told_to_end.wait()
    # Until the end it goes on listening, and sends new links away: asyncio forgets to close a
    # connection that comes in the moment in which a server closes.
    try:
        await service.leave()
    except asyncio.TimeoutError:
        log.error("%d links are still open: the gateways will send again", len(service.links))
    server.close()


def read_address(text):
    url = urlsplit(text)
    try:
        host, port = url.hostname, url.port
    except ValueError:
        host, port = None, None
    if url.scheme == "link" and host and port is not None:
        return SimpleNamespace(url=text, path=None, host=host, port=port)
    if url.scheme == "link+unix" and url.path and not url.netloc:
        return SimpleNamespace(url=text, path=url.path)
    raise argparse.ArgumentTypeError(f"{text} is neither link://host:port nor link+unix:///path")


def main():
    parser = argparse.ArgumentParser(fromfile_prefix_chars="@", description="A chat over the link.")
    where = "link://127.0.0.1:7000 (default), or link+unix:///path"
    default = read_address("link://127.0.0.1:7000")
    parser.add_argument("--listen", type=read_address, default=default, metavar="URL", help=where)
    parser.add_argument("--key", action="append", default=[], help="one of the hub's signingKeys")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    asyncio.run(serve(options.listen, options.key))


if __name__ == "__main__":
    main()
