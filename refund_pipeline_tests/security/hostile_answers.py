"""What a broken, overloaded or hostile API may answer, as bytes on the wire."""

import gzip
import json
import zlib
from collections.abc import Mapping

from refund_pipeline_tests.security.hostile_server import Answer

OK = b"HTTP/1.1 200 OK\r\n"
JSON = b"Content-Type: application/json\r\n"
CHUNKED = OK + JSON + b"Transfer-Encoding: chunked\r\n\r\n"
MEGABYTE = 1024 * 1024
DEEP = b"[" * 10_000 + b"]" * 10_000


def plain(body: bytes, *, head: bytes = OK, headers: bytes = JSON) -> Answer:
    length = b"Connection: close\r\nContent-Length: %d\r\n" % len(body)
    return lambda peer: peer.say(head, headers, length, b"\r\n", body)


def document(value: object) -> Answer:
    return plain(json.dumps(value).encode())


def bomb(megabytes: int) -> bytes:
    packer = zlib.compressobj(level=9, wbits=31)
    piece = bytes(MEGABYTE)
    return b"".join(packer.compress(piece) for _ in range(megabytes)) + packer.flush()


def packed(body: bytes, encoding: bytes) -> Answer:
    return plain(body, headers=JSON + b"Content-Encoding: " + encoding + b"\r\n")


def redirect(location: bytes) -> bytes:
    return b"HTTP/1.1 302 Found\r\nLocation: " + location + b"\r\n"


BOMB = bomb(200)

ENDLESS: Mapping[str, Answer] = {
    "a chunked body": lambda p: (p.say(CHUNKED), p.pour(b"10000\r\n" + b" " * 65536 + b"\r\n")),
    "a body without a length": lambda p: (p.say(OK, JSON, b"\r\n"), p.pour(b" " * 65536)),
    "a body of a huge length": lambda p: (
        p.say(OK, b"Content-Length: 99999999999999\r\n\r\n"),
        p.pour(b" " * 65536),
    ),
    "a chunk's extension": lambda p: (p.say(CHUNKED, b"1;"), p.pour(b"x" * 65536)),
    "trailers": lambda p: (p.say(CHUNKED, b"2\r\n{}\r\n0\r\n"), p.pour(b"X: y\r\n" * 1000)),
    "headers": lambda p: (p.say(OK), p.pour(b"X: y\r\n" * 1000)),
    "one header": lambda p: (p.say(OK, b"X: "), p.pour(b"y" * 65536)),
    "the status line": lambda p: (p.say(b"HTTP/1.1 200 "), p.pour(b"y" * 65536)),
    "interim answers": lambda p: p.pour(b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
    "a redirect's body": lambda p: (
        p.say(redirect(b"https://elsewhere.invalid/"), b"\r\n"),
        p.pour(b" " * 65536),
    ),
    "empty packed blocks": lambda p: (
        p.say(OK, b"Content-Encoding: deflate\r\n\r\n", b"\x78\x9c"),
        p.pour(b"\x00\x00\x00\xff\xff" * 10_000),
    ),
}
DRIPPING: Mapping[str, Answer] = {
    "the status line": lambda p: (p.say(b"HTTP/1.1 200 "), p.drip(b"y")),
    "a header": lambda p: (p.say(OK, b"X: "), p.drip(b"y")),
    "interim answers": lambda p: p.drip(b"HTTP/1.1 100 Continue\r\n\r\n"),
    "a body": lambda p: (p.say(OK, JSON, b"\r\n"), p.drip(b" ")),
    "a chunk's length": lambda p: (p.say(CHUNKED), p.drip(b"0")),
    "chunks": lambda p: (p.say(CHUNKED), p.drip(b"1\r\n \r\n")),
    "trailers": lambda p: (p.say(CHUNKED, b"2\r\n{}\r\n0\r\n"), p.drip(b"X: y\r\n")),
    "nothing at all": lambda p: p.drip(b""),
}
BROKEN: Mapping[str, Answer] = {
    "nothing": lambda p: p.say(b""),
    "no HTTP": lambda p: p.say(b"SSH-2.0-OpenSSH_9.2\r\n"),
    "binary": lambda p: p.say(bytes(range(256)) * 100),
    "a status of four digits": plain(b"{}", head=b"HTTP/1.1 2000 OK\r\n"),
    "a status that is none": plain(b"{}", head=b"HTTP/1.1 abc OK\r\n"),
    "a negative status": plain(b"{}", head=b"HTTP/1.1 -20 OK\r\n"),
    "a length that is too long": lambda p: p.say(OK, b"Content-Length: 1000\r\n\r\n", b"{}"),
    "a length that is too short": lambda p: p.say(OK, b"Content-Length: 5\r\n\r\n", b'{"a": 1}'),
    "a negative length": lambda p: p.say(OK, b"Content-Length: -5\r\n\r\n", b"{}"),
    "a length that is none": lambda p: p.say(OK, b"Content-Length: many\r\n\r\n", b"{}"),
    "two lengths": lambda p: p.say(OK, b"Content-Length: 2\r\nContent-Length: 9\r\n\r\n", b"{}"),
    "a negative chunk": lambda p: p.say(CHUNKED, b"-5\r\n{}\r\n0\r\n\r\n"),
    "a chunk that is none": lambda p: p.say(CHUNKED, b"zz\r\n{}\r\n0\r\n\r\n"),
    "a huge chunk": lambda p: p.say(CHUNKED, b"f" * 40 + b"\r\n{}"),
    "a header of a megabyte": plain(b"{}", headers=b"X: " + b"y" * MEGABYTE + b"\r\n"),
    "a thousand headers": plain(b"{}", headers=b"X: y\r\n" * 1000),
    "ninety large headers": plain(b"{}", headers=(b"X: " + b"y" * 60_000 + b"\r\n") * 90),
    "a header that is none": plain(b"{}", headers=b"\xff\xfe no colon\r\n"),
    "a packed bomb": packed(BOMB, b"gzip"),
    "a bomb packed twice": packed(gzip.compress(BOMB), b"gzip, gzip"),
    "packed six times": packed(b"{}", b"gzip, gzip, gzip, gzip, gzip, gzip"),
    "packed badly": packed(b"\x1f\x8b not gzip", b"gzip"),
    "packed and cut off": packed(BOMB[:1000], b"gzip"),
    "packed in an unknown way": packed(b"{}", b"rot13"),
    "a redirect to no URL": plain(b"", head=redirect(b"http://[::1")),
    "a redirect to no text": plain(b"", head=redirect(b"https://\xff\xfe\xfd")),
    "a redirect to a file": plain(b"", head=redirect(b"file:///etc/passwd")),
    "a redirect to itself": plain(b"", head=redirect(b"/")),
    "a date beyond all time": plain(
        b"{}",
        head=b"HTTP/1.1 503 Busy\r\n",
        headers=b"Retry-After: Mon, 01 Jan 2026 00:00:00 +99999999999999999999\r\n",
    ),
    "a pause of all time": plain(
        b"{}", head=b"HTTP/1.1 200 OK\r\n", headers=b"Retry-After: " + b"9" * 5000 + b"\r\n"
    ),
    "a date header beyond all time": plain(
        b"{}",
        head=b"HTTP/1.1 401 Unauthorized\r\n",
        headers=b"Date: Mon, 01 Jan 99999999999999999999 00:00:00 GMT\r\n",
    ),
}
HTML = b"<!doctype html><html><body>Sorry</body></html>"
BODIES: Mapping[str, Answer] = {
    "HTML": plain(HTML, headers=b"Content-Type: text/html\r\n"),
    "HTML called JSON": plain(HTML),
    "deep nesting": plain(DEEP),
    "deep objects": plain(b'{"a":' * 10_000 + b"1" + b"}" * 10_000),
    "deep, but legal": plain(b'{"items":' * 400 + b"1" + b"}" * 400),
    "not UTF-8": plain(b'{"a": "\xff"}'),
    "NUL": plain(b"\x00" * 100),
    "NaN": plain(b'{"items": [NaN]}'),
    "a number of 5,000 digits": plain(b'{"items": [' + b"9" * 5_000 + b"]}"),
    "a number beyond all numbers": plain(b'{"items": [1e999999999999999999999]}'),
    **{
        f"{json.dumps(value)[:60]}": document(value)
        for value in (
            None,
            True,
            0,
            "text",
            [],
            [[]],
            {},
            {"items": None},
            {"items": {}},
            {"items": [None], "hasMore": True},
            {"items": [{}], "hasMore": False},
            {"items": [{}], "hasMore": True},
            {"items": [{"id": "abc", "lineid": "abc", "externalid": "x"}]},
            {"items": [{"id": {}, "lineid": []}]},
            {"items": [{"id": "1", "startdate": "never", "enddate": "ever", "closed": "T"}]},
            {"items": [{"id": "1", "startdate": "2026-01-01", "closed": "T"}]},
            {"items": [{"id": "9" * 5_000, "lineid": "1"}]},
            {"id": {}, "externalId": [], "item": {"items": [{"amount": {}, "item": 5}]}},
            {"id": "1", "item": {"items": 5}, "tranDate": "x" * 5_000, "memo": {}},
            {"data": None},
            {"data": []},
            {"data": {"o0": []}},
            {"data": {"o0": {"id": 5, "items": "x", "paymentAccount": []}}},
            {"data": {"__schema": 5, "__type": []}},
            {"errors": {}},
            {"errors": [None, 5, "x", {"extensions": [], "path": 5}]},
            {"access_token": [], "expires_in": {}},
            {"access_token": "a\nInjected: yes", "expires_in": 60},
            {"access_token": "ü" * 3, "expires_in": "soon"},
            {"access_token": "t", "expires_in": 10**400},
            {"error": {}},
            {"error": [], "o:errorDetails": 5},
            {"o:errorDetails": [5, None, {"o:errorCode": {}, "o:errorPath": [], "detail": 5}]},
            {"instruments": 5},
            {"instruments": [{"original_transactions": {"a": 1}}]},
            {"instruments": [{"original_transactions": [{"reason": "refund", "currency": 5}]}]},
            {"hasMore": True, "items": []},
        )
    },
    **{
        f"{status} with {what}": plain(body, head=b"HTTP/1.1 %d X\r\n" % status)
        for status in (201, 204, 304, 400, 401, 403, 404, 405, 415, 500, 599)
        for what, body in (("HTML", HTML), ("a list", b"[]"), ("errors", b'{"error": {}}'))
    },
}
