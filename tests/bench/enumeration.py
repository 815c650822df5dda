#!/usr/bin/env python3
"""Can who guesses tell from the time or the size of an answer whether a user exists?

Tries of several kinds in random order, a connection each: the time from the last byte of a request to the first of its answer, and the answers
themselves. For each kind: its distribution; beside the first kind the distance of Kolmogorov and Smirnov (how much better than by
chance the best threshold tells the two apart) and that which chance exceeds once in a hundred times; differences of the bytes.

    enumeration.py HOST PORT TRIES KIND=USER:PASSWORD...
"""
import json, math, random, re, socket, ssl, sys, time

XML = '<?xml version="1.0" encoding="UTF-8"?><config-auth client="vpn" type="%s"><version who="vpn">v9.01</version>%s</config-auth>'
# What differs from answer to answer whoever asks.
CHANGES = re.compile(rb"(Date: [^\r]*|webvpncontext=[^;]*)")


def ask(conn, path, kind, what):
    body = (XML % (kind, what)).encode()
    conn.sendall(b"POST %s HTTP/1.1\r\nHost: vpn.example\r\nUser-Agent: Open AnyConnect VPN Agent v9.01\r\nContent-Length: %d\r\n\r\n%s"
                 % (path, len(body), body))
    began = time.perf_counter_ns()
    answer = conn.recv(65536)
    took = time.perf_counter_ns() - began
    while b"\r\n\r\n" not in answer:
        answer += conn.recv(65536)
    head, _, rest = answer.partition(b"\r\n\r\n")
    length = int(re.search(rb"(?i)content-length: (\d+)", head).group(1))
    while len(rest) < length:
        rest += conn.recv(65536)
    return took / 1e6, CHANGES.sub(b"", head) + rest


def attempt(context, host, port, user, password):
    with socket.create_connection((host, port)) as tcp:
        tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with context.wrap_socket(tcp, server_hostname="vpn.example") as conn:
            ask(conn, b"/", "init", "<group-access>https://vpn.example</group-access>")
            named = ask(conn, b"/auth", "auth-reply", "<auth><username>%s</username></auth>" % user)
            return named, ask(conn, b"/auth", "auth-reply", "<auth><password>%s</password></auth>" % password)


def distance(a, b):
    points = sorted([(x, 0) for x in a] + [(x, 1) for x in b])
    seen, most = [0, 0], 0.0
    for i, (x, which) in enumerate(points):
        seen[which] += 1
        if i + 1 == len(points) or points[i + 1][0] != x:
            most = max(most, abs(seen[0] / len(a) - seen[1] / len(b)))
    return most


def main():
    host, port, tries = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    kinds = [(name, *who.split(":", 1)) for name, who in (word.split("=", 1) for word in sys.argv[4:])]
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    times, answers = {k[0]: ([], []) for k in kinds}, {k[0]: set() for k in kinds}
    order = [kinds[i % len(kinds)] for i in range(tries)]
    random.Random(6).shuffle(order)
    for name, user, password in order:
        steps = attempt(context, host, port, user, password)
        for i, (took, _) in enumerate(steps):
            times[name][i].append(took)
        answers[name].add(tuple(bytes_ for _, bytes_ in steps))
    first = kinds[0][0]
    for name, *_ in kinds:
        row = {"kind": name, "tries": len(times[name][0]), "same_bytes": answers[name] == answers[first] and len(answers[name]) == 1}
        for i, step in enumerate(("name", "password")):
            t, u = sorted(times[name][i]), times[first][i]
            row[step] = {"p5": t[len(t) // 20], "median": t[len(t) // 2], "p95": t[len(t) * 19 // 20]}
            if name != first:
                row[step]["distance"] = distance(u, t)
                row[step]["chance"] = 1.63 * math.sqrt((len(t) + len(u)) / (len(t) * len(u)))
        print(json.dumps(row))


main()
