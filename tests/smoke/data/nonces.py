#!/usr/bin/python3
"""Proves from a capture of DTLS that no key was used twice with the same epoch and sequence number, nor with the same explicit nonce.

    nonces.py CAPTURE PORT      a pcap file of Ethernet, taken where the gateway sends and receives; its UDP port
    nonces.py --self-test       forged captures, in which repetitions have to be found

A key is what the two randoms of a handshake make: each pair of them is another key, and what stands on a path after a
ChangeCipherSpec is under the key of that path's handshake. A path without a handshake is that of a client that has moved. The client does
not know that it has, so its own numbers go on, and by these its key is found; the gateway's numbers are what is looked at.

Status 0: none; 1: repetitions, each is named; 2: the capture proves nothing, and why.
"""
import struct
import sys

CCS, ALERT, HANDSHAKE, DATA = 20, 21, 22, 23
CLIENT_HELLO, SERVER_HELLO = 1, 2
RECORD = struct.Struct("!BHHHLH")  # type, version, epoch, sequence (16 + 32), length
GCM = {0x009C, 0x009D, 0x00A8, 0x00A9, 0xC02B, 0xC02C, 0xC02F, 0xC030}
LAST = (1 << 48) - 1 - 4  # DTLS_SEQUENCE_LAST: what is above are the numbers of farewells
FOLLOWS = 1000  # so many of a client's records may be lost while it moves


class Unreadable(Exception):
    pass


class Key:
    def __init__(self, number, suite):
        self.number, self.suite = number, suite
        self.records = {"client": [], "gateway": []}  # (packet, epoch, sequence, explicit nonce, path)


class Path:
    def __init__(self):
        self.hello = self.pending = None
        self.current = {"client": None, "gateway": None}
        self.strays = {"client": [], "gateway": []}  # before any handshake here


def packets(pcap):
    magic = pcap[:4]
    order = {b"\xa1\xb2\xc3\xd4": ">", b"\xd4\xc3\xb2\xa1": "<", b"\xa1\xb2\x3c\x4d": ">", b"\x4d\x3c\xb2\xa1": "<"}.get(magic)
    if not order or struct.unpack(order + "L", pcap[20:24])[0] != 1:
        raise Unreadable("this is no pcap file of Ethernet")
    at, number = 24, 0
    while at + 16 <= len(pcap):
        captured, size = struct.unpack(order + "LL", pcap[at + 8 : at + 16])
        number, at = number + 1, at + 16 + captured
        if captured < size:
            raise Unreadable(f"packet {number} was cut")
        yield number, pcap[at - captured : at]


def datagrams(pcap):
    """(packet, source, destination, payload); addresses are opaque. What the kernel cuts later is one datagram here."""
    for number, frame in packets(pcap):
        kind, ip = frame[12:14], frame[14:]
        if kind == b"\x08\x00" and ip[9] == 17:
            if struct.unpack("!H", ip[6:8])[0] & 0x3FFF:
                raise Unreadable(f"packet {number} is a fragment")
            udp, source, target = ip[(ip[0] & 15) * 4 :], ip[12:16], ip[16:20]
        elif kind == b"\x86\xdd" and ip[6] == 17:
            udp, source, target = ip[40:], ip[8:24], ip[24:40]
        else:
            continue
        size = struct.unpack("!H", udp[4:6])[0]
        yield number, (source, udp[0:2]), (target, udp[2:4]), udp[8 : size if size else None]


def records(number, payload):
    at = 0
    while at < len(payload):
        if len(payload) - at < RECORD.size:
            raise Unreadable(f"packet {number}: no record")
        kind, _, epoch, high, low, size = RECORD.unpack_from(payload, at)
        at += RECORD.size
        if not CCS <= kind <= DATA or at + size > len(payload):
            raise Unreadable(f"packet {number}: no record")
        yield kind, epoch, high << 32 | low, payload[at : at + size]
        at += size


class Capture:
    def __init__(self, pcap, port):
        self.keys, self.paths = {}, {}
        for number, source, target, payload in datagrams(pcap):
            side = "client" if target[1] == port else "gateway" if source[1] == port else None
            if side:
                where = source if side == "client" else target
                self.take(number, where, side, payload)
        self.follow()

    def take(self, number, where, side, payload):
        path = self.paths.setdefault(where, Path())
        for kind, epoch, sequence, body in records(number, payload):
            if epoch:
                entry = (number, epoch, sequence, body[:8], where)
                key = path.current[side]
                (key.records if key else path.strays)[side].append(entry)
            elif kind == HANDSHAKE:
                self.handshake(path, body)
            elif kind == CCS:
                path.current[side] = path.pending

    def handshake(self, path, body):
        begins = len(body) >= 12 + 34 and body[6:9] == b"\0\0\0"
        if begins and body[0] == CLIENT_HELLO:
            path.hello = body[14:46]
        elif begins and body[0] == SERVER_HELLO and path.hello:
            at = 47 + body[46]
            pair = path.hello, body[14:46]
            self.keys.setdefault(pair, Key(len(self.keys) + 1, struct.unpack("!H", body[at : at + 2])[0]))
            path.pending = self.keys[pair]

    def follow(self):
        moved = [(p.strays["client"][0], where, p) for where, p in self.paths.items() if p.strays["client"]]
        for first, where, path in sorted(moved, key=lambda m: m[0][:3]):
            owners = [k for k in self.keys.values() if self.goes_on(k, first)]
            if len(owners) != 1:
                raise Unreadable(f"packet {first[0]} has come from nowhere: {len(owners)} clients may have sent it")
            for side in path.strays:
                owners[0].records[side] += path.strays[side]
                path.strays[side] = []
        if any(p.strays["gateway"] for p in self.paths.values()):
            raise Unreadable("the gateway sends to who has sent nothing")

    @staticmethod
    def goes_on(key, first):
        before = [r for r in key.records["client"] if r[0] < first[0]]
        silent = len(before) == len(key.records["client"])
        return silent and before and 0 < first[2] - max(r[2] for r in before if r[1] == first[1]) <= FOLLOWS

    def repetitions(self):
        for key in self.keys.values():
            for side, taken in key.records.items():
                numbers, nonces, who = {}, {}, f"key {key.number}, {side}"
                for packet, epoch, sequence, nonce, _ in taken:
                    if (epoch, sequence) in numbers:
                        yield f"{who}: epoch {epoch}, sequence {sequence} in packets {numbers[epoch, sequence]} and {packet}"
                    elif key.suite in GCM and (epoch, nonce) in nonces:
                        yield f"{who}: nonce {nonce.hex()} in packets {nonces[epoch, nonce]} and {packet}"
                    numbers[epoch, sequence] = nonces[epoch, nonce] = packet

    def figures(self):
        used = [k for k in self.keys.values() if k.records["gateway"]]
        count = {side: sum(len(k.records[side]) for k in used) for side in ("client", "gateway")}
        moves = sum(len({r[4] for r in k.records["client"]}) - 1 for k in used)
        farewells = sum(r[2] > LAST for k in used for r in k.records["gateway"])
        return f"keys {len(used)} moves {moves} client {count['client']} gateway {count['gateway']} farewells {farewells}"


# ------------------------------------------------------------------------------------------------------------- forgeries

PORT = 443


def forged(*datagrams_):
    """Each is (from the client, its port, payload)."""
    pcap = struct.pack("<LHHLLLL", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
    for from_client, port, payload in datagrams_:
        ports = (port, PORT) if from_client else (PORT, port)
        addresses = b"\xc0\0\2\2\xc0\0\2\1" if from_client else b"\xc0\0\2\1\xc0\0\2\2"
        udp = struct.pack("!HHHH", *ports, 8 + len(payload), 0) + payload
        ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0) + addresses + udp
        pcap += struct.pack("<LLLL", 0, 0, 14 + len(ip), 14 + len(ip)) + b"\0" * 12 + b"\x08\0" + ip
    return pcap


def record(kind, epoch, sequence, body):
    return RECORD.pack(kind, 0xFEFD, epoch, sequence >> 32, sequence & 0xFFFFFFFF, len(body)) + body


def data(sequence, nonce=None):
    return record(DATA, 1, sequence, struct.pack("!Q", 1 << 48 | (sequence if nonce is None else nonce)) + b"sealed")


def hello(kind, random, rest):
    body = b"\xfe\xfd" + bytes([random]) * 32 + rest
    return record(HANDSHAKE, 0, kind, struct.pack("!BBHHBHBH", kind, 0, len(body), 0, 0, 0, 0, len(body)) + body)


def shake(port, random, suite=b"\0\xa9"):
    finished = record(CCS, 0, 9, b"\1") + data(0)
    return [(True, port, hello(CLIENT_HELLO, random, b"\0")), (False, port, hello(SERVER_HELLO, random + 1, b"\0" + suite + b"\0")),
            (True, port, finished), (False, port, finished)]


def both(port, *sequences):
    return [(side, port, data(s)) for s in sequences for side in (True, False)]


CHACHA = b"\xcc\xab"
FORGERIES = [
    ("numbers go up", 0, shake(1, 1) + both(1, 1, 2, 3)),
    ("and need not come in order", 0, shake(1, 1) + both(1, 3, 1, 2)),
    ("another handshake begins anew", 0, shake(1, 1) + both(1, 1, 2) + shake(1, 3) + both(1, 1, 2)),
    ("also elsewhere", 0, shake(1, 1) + both(1, 1, 2) + shake(2, 3) + both(2, 1, 2) + both(1, 3)),
    ("the gateway repeats itself", 1, shake(1, 1) + both(1, 1, 2) + [(False, 1, data(2))]),
    ("the client does", 1, shake(1, 1) + both(1, 1, 2) + [(True, 1, data(1))]),
    ("a Finished is repeated as it was", 1, shake(1, 1) + [(False, 1, record(CCS, 0, 10, b"\1") + data(0))]),
    ("a number comes again in one datagram", 1, shake(1, 1) + [(False, 1, data(1) + data(2) + data(1))]),
    ("another number with the nonce of before", 1, shake(1, 1) + both(1, 1) + [(False, 1, data(2, 1))]),
    ("which means nothing where the nonce is not sent", 0, shake(1, 1, CHACHA) + both(1, 1) + [(False, 1, data(2, 1))]),
    ("a handshake with the randoms of before makes no other key", 1, shake(1, 1) + both(1, 1) + shake(2, 1) + both(2, 2)),
    ("a client that has moved goes on", 0, shake(1, 1) + both(1, 1, 2) + both(2, 3, 4)),
    ("twice", 0, shake(1, 1) + both(1, 1, 2) + both(2, 3, 4) + both(3, 5)),
    ("and the gateway begins anew", 1, shake(1, 1) + both(1, 1, 2) + [(True, 2, data(3)), (False, 2, data(1))]),
    ("nobody has moved there", 2, shake(1, 1) + both(1, 1, 2) + both(2, 4000)),
    ("who still sends elsewhere has not", 2, shake(1, 1) + both(1, 1, 2) + both(2, 3) + both(1, 4)),
    ("two may have", 2, shake(1, 1) + shake(2, 3) + both(1, 1) + both(2, 1) + both(3, 2)),
    ("the gateway speaks to nobody", 2, shake(1, 1) + [(False, 2, data(1))]),
    ("this is no DTLS", 2, shake(1, 1) + [(False, 1, b"nonsense in a datagram")]),
]


def self_test():
    wrong = [name for name, want, what in FORGERIES if judge(forged(*what), PORT, lambda _: None) != want]
    for name in wrong:
        print(f"wrong: {name}")
    print(f"{len(FORGERIES)} forgeries")
    return 1 if wrong else 0


# ------------------------------------------------------------------------------------------------------------------ main


def judge(pcap, port, say):
    try:
        capture = Capture(pcap, struct.pack("!H", port))
    except Unreadable as why:
        say(str(why))
        return 2
    say(capture.figures())
    found = list(capture.repetitions())
    for line in found[:20]:
        say(line)
    return 1 if found else 0


def main(words):
    if words == ["--self-test"]:
        return self_test()
    if len(words) != 2:
        print(__doc__)
        return 2
    with open(words[0], "rb") as file:
        return judge(file.read(), int(words[1]), print)


sys.exit(main(sys.argv[1:]))
