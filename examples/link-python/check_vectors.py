"""Holds link.py to the vectors: python3 check_vectors.py ../../docs/link-vectors.json

A codec in another language is tested alike: bytes to fields, fields to bytes, bytes to faults.
"""

import json
import re
import sys

import link

FROM = {"gateway": link.FROM_GATEWAY, "service": link.FROM_SERVICE}


def main(path):
    with open(path, encoding="utf-8") as file:
        vectors = json.load(file)
    frames, faults = vectors["frames"], vectors["faults"]
    frame_bytes_max = vectors["frameBytesMax"]
    mistakes = [mistake for vector in frames for mistake in check(vector, frame_bytes_max)]
    mistakes += [mistake for vector in faults for mistake in check_fault(vector, frame_bytes_max)]
    for mistake in mistakes:
        print(mistake)
    print(f"{len(frames)} frames and {len(faults)} faults: {len(mistakes)} mistakes")
    return 1 if mistakes or not frames or not faults else 0


def check(vector, frame_bytes_max):
    frame = frame_of(vector["frame"])
    encoded = link.encode(frame).hex()
    if encoded != vector["bytes"]:
        yield f"{vector['name']}: encoded as {encoded}"
    try:
        decoded = decode(vector, frame_bytes_max)
    except link.LinkFault as fault:
        yield f"{vector['name']}: {fault}"
        return
    if decoded != frame:
        yield f"{vector['name']}: decoded as {decoded}"


def check_fault(vector, frame_bytes_max):
    try:
        yield f"{vector['name']}: decoded as {decode(vector, frame_bytes_max)}"
    except link.LinkFault as fault:
        if fault.name != vector["fault"]:
            yield f"{vector['name']}: {fault}"


def decode(vector, frame_bytes_max):
    stream = bytes.fromhex(vector["bytes"])
    header, body = stream[: link.LENGTH_BYTES], stream[link.LENGTH_BYTES :]
    length = link.frame_length(header, frame_bytes_max)
    if length != len(body):
        raise ValueError(f"{vector['name']} has {len(body)} bytes and says {length}")
    return link.decode(body, FROM[vector["from"]])


def frame_of(vector):
    """The vectors have names like timeMs, Python like time_ms; their payloads are in hex."""
    values = {re.sub("([A-Z])", r"_\1", name).lower(): each for name, each in vector.items()}
    if "payload" in values:
        values["payload"] = bytes.fromhex(values["payload"])
    return link.Frame(**values)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python3 check_vectors.py VECTORS.json")
    sys.exit(main(sys.argv[1]))
