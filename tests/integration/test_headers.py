"""The lines above a body, as they come over the wire from a real Orthanc."""

import gzip
import socket
from collections.abc import Iterator

import pytest

from tests.support.frame_encoders import JPEG, jpeg_ybr
from tests.support.frame_samples import frame_file, photograph
from tests.support.image_service import slide_levels, stored_series
from tests.support.orthanc_server import OrthancServer
from tests.support.slide_samples import Codec, LevelSample

COMPRESSING = '"HttpCompressionEnabled" : true'


@pytest.fixture(scope="module")
def compressing() -> Iterator[OrthancServer]:
    with OrthancServer({'"HttpPort" :': f'{COMPRESSING},\n"HttpPort" :'}) as server:
        yield server


def paths(server: OrthancServer) -> list[str]:
    """Addresses of every kind of answer that has a body."""
    levels = slide_levels(3, [(300, 200)], LevelSample(1, 1, 64, 64), Codec(JPEG, jpeg_ybr))
    slide = f"/series/{stored_series(server, levels)}/iiif/3"
    frame = f"/instances/{server.upload(frame_file(photograph(90, 70), series=4))['ID']}/frames/0"
    return [
        f"{slide}/64,64,64,64/64,64/0/default.jpg",
        f"{slide}/full/max/0/default.png",
        f"{slide}/info.json",
        f"{frame}/iiif/2/full/90,/0/default.jpg",
        f"{frame}/iiif/2/info.json",
        f"{slide.removesuffix('/3')}/manifest.json",
        "/stl/app/index.html",
    ]


def answered(server: OrthancServer, path: str, accepted: str = "identity") -> tuple[bytes, bytes]:
    """The head and the body of an answer, read from the wire."""
    asked = (
        f"GET {path} HTTP/1.1\r\nHost: pacs.example\r\nConnection: close\r\n"
        f"Accept-Encoding: {accepted}\r\n\r\n"
    )
    with socket.create_connection(("localhost", server.http_port), timeout=30) as connection:
        connection.sendall(asked.encode())
        received = b"".join(iter(lambda: connection.recv(1 << 16), b""))
    head, _, body = received.partition(b"\r\n\r\n")
    return head, body


def lines(head: bytes) -> list[bytes]:
    """The lines of a head without the date, in an order of their own."""
    return sorted(line for line in head.split(b"\r\n") if not line.startswith(b"Date:"))


def test_each_header_is_one_line(orthanc: OrthancServer):
    for path in paths(orthanc):
        head, body = answered(orthanc, path)
        status, *others = head.split(b"\r\n")
        assert status == b"HTTP/1.1 200 OK"
        told = dict(line.split(b": ", 1) for line in others)
        assert len(told) == len(others)
        assert {b"Content-Type", b"ETag", b"Cache-Control"} <= told.keys(), path
        assert int(told[b"Content-Length"]) == len(body)
        assert told[b"X-Content-Type-Options"] == b"nosniff"  # by Orthanc itself


def test_what_is_answered_again_has_the_same_lines(orthanc: OrthancServer):
    for path in paths(orthanc):
        first, again = answered(orthanc, path), answered(orthanc, path)
        assert (lines(first[0]), first[1]) == (lines(again[0]), again[1])


def test_compression_by_orthanc_changes_its_own_lines_only(
    orthanc: OrthancServer, compressing: OrthancServer
):
    own = (b"Content-Encoding:", b"Content-Length:")
    encoded = 0
    for path, _ in zip(paths(orthanc), paths(compressing), strict=True):
        head, body = answered(orthanc, path)
        other_head, other_body = answered(compressing, path, "gzip")
        others = lines(other_head)
        if b"Content-Encoding: gzip" in others:
            encoded += 1
            other_body = gzip.decompress(other_body)
        assert [line for line in lines(head) if not line.startswith(own)] == [
            line for line in others if not line.startswith(own)
        ]
        assert body == other_body
    assert encoded > 0
