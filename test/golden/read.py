#!/usr/bin/env python3
"""Lists the live keys of a Casky directory: read.py DIRECTORY. Reads MANIFEST and segments, no hints, no keydir image.

A second reader of the format, written from the comments in src/engine/{record,manifest,segment-header,databases}.ts: if it finds other
keys than the engine, one of them is wrong. For whole directories and torn ends of the log; it does not look for what lies behind damage.
Output: JSON, [database, key, value, expiry], bytes in hex, sorted."""

import json
import os
import struct
import sys
import zlib

VALUE, TOMBSTONE, BATCH_END, TOUCH, SYSTEM, ANCHOR = range(1, 7)
HAS_EXPIRY, MEMBER, U32 = 1, 2, 0xFFFFFFFF


def head_mask(salt, offset):
    h = salt[0] ^ (offset * 0x9E3779B1 & U32)
    h = ((h ^ h >> 15) * 0x85EBCA6B & U32) ^ salt[1]
    h = (h ^ h >> 13) * 0xC2B2AE35 & U32
    return h ^ h >> 16


def value_mask(mask):
    return (mask ^ 0x5BD1E995) * 0x27D4EB2F & U32


def u48(data, at):
    return int.from_bytes(data[at : at + 6], "little")


def manifest(data):
    """The segments of the first of the two bodies that is whole, open ones (the log's end) last: (open, number, salt, valid bytes)."""
    for body in (data, data[len(data) // 2 :]):
        magic, version, features, length = struct.unpack_from("<8sHHI", body)
        crc = zlib.crc32(body[: length - 4]).to_bytes(4, "little")
        if magic != b"CASKYMAN" or crc != body[length - 4 : length]:
            continue
        if (version, features) != (1, 0):
            sys.exit("a newer format")
        (count,) = struct.unpack_from("<I", body, 48)
        rows = [struct.unpack_from("<IIIBBHI", body, 52 + 44 * i) for i in range(count)]
        return sorted((sealed != 1, number, (low, high), valid) for number, low, high, sealed, _, _, valid in rows)
    sys.exit("MANIFEST is damaged")


def records(data, salt, limit):
    """Yields the good records from the front, each with its end."""
    magic, version, at, features = struct.unpack_from("<8sHHI", data)
    if (magic, version, features) != (b"CASKYSEG", 1, 0):
        sys.exit("not a segment of this format")
    while at + 36 <= limit:
        head, body, kind, _, flags, database, key_length, value_length = struct.unpack_from("<IIBBHIII", data, at)
        key = at + (44 if flags & HAS_EXPIRY else 36)
        value, end = key + key_length, key + key_length + value_length
        mask = head_mask(salt, at)
        if end > limit or zlib.crc32(data[at + 8 : value]) ^ mask != head:
            return
        if zlib.crc32(data[value:end]) ^ value_mask(mask) != body:
            return
        expiry = struct.unpack_from("<q", data, at + 36)[0] if flags & HAS_EXPIRY else 0
        yield kind, flags, database, bytes(data[key:value]), bytes(data[value:end]), u48(data, at + 24), expiry, end
        at = end


def live(directory):
    newest, touches, system, members = {}, [], (0, b"\0" * 8), []
    for is_open, number, salt, valid in manifest(open(os.path.join(directory, "MANIFEST"), "rb").read()):
        data = memoryview(open(os.path.join(directory, "%010d.data" % number), "rb").read())
        limit, end = len(data) if is_open else valid, 60
        for *record, end in records(data, salt, limit):
            members.append(record)
            if record[0] == ANCHOR or record[1] & MEMBER:
                continue  # members of a batch count when its end is there
            for kind, _, database, key, value, sequence, expiry in members:
                if kind in (VALUE, TOMBSTONE) and newest.get((database, key), (0,))[0] < sequence:
                    newest[database, key] = (sequence, kind, value, expiry)
                elif kind == TOUCH:
                    touches.append((sequence, database, key, u48(value, 0), expiry))
                elif kind == SYSTEM and key == b"databases":
                    system = max(system, (sequence, value))
            members = []
        if end < limit and not is_open:
            sys.exit("segment %d is damaged" % number)
        if end < limit:
            break  # the torn end of the log: nothing behind it counts
    logical = {n + 1: n for n in range(16)}
    pairs = list(struct.iter_unpack("<II", system[1][8:]))
    logical = {p: n for p, n in logical.items() if n not in dict(pairs)} | {p: n for n, p in pairs}
    for _, database, key, reference, expiry in sorted(touches):
        if newest.get((database, key), (0,))[:2] == (reference, VALUE):
            newest[database, key] = (*newest[database, key][:3], expiry)
    for (database, key), (_, kind, value, expiry) in newest.items():
        if kind == VALUE and database in logical:
            yield logical[database], key.hex(), value.hex(), expiry


if __name__ == "__main__":
    print(json.dumps(sorted(live(sys.argv[1]))))
