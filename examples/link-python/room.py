"""A chat with one room: what it makes of each event. It knows no frames and no sockets."""

import json

GROUP = "lobby"
NAME_LENGTH_MAX = 32
TEXT_LENGTH_MAX = 1000


class Refused(Exception):
    """A message that no attempt will make right: the client is closed."""


def connect(request):
    """Who is let in: status, content type and body, as over HTTP (docs/services.md)."""
    name = "".join(request["query"].get("name", [])[:1])
    if not 1 <= len(name) <= NAME_LENGTH_MAX or not name.isprintable():
        return 400, "text/plain; charset=utf-8", b"say who you are: ?name=Ada\n"
    answer = {"userId": name, "groups": [GROUP]}
    return 200, "application/json", json.dumps(answer).encode()


class Room:
    """`push(text, push_id, excluded)` sends to everybody in the room but for one connection."""

    def __init__(self, push):
        self.push = push

    def connected(self, client, event_id):
        client.send(f"{client.user_id}, you are in the {GROUP}")
        self.push(f"{client.user_id} came", event_id, client.connection_id)

    def message(self, client, event_id, text):
        """The answer. The connection's state is how many messages it has sent."""
        if not 1 <= len(text) <= TEXT_LENGTH_MAX:
            raise Refused(f"a message has 1 to {TEXT_LENGTH_MAX} characters")
        client.set_state(str(int(client.state or 0) + 1))
        self.push(f"{client.user_id}: {text}", event_id, client.connection_id)
        return f"accepted {client.state}"

    def disconnected(self, client, event_id):
        self.push(f"{client.user_id} left", event_id, client.connection_id)
