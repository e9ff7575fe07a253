"""Samples -> the stored bytes of one frame, for every transfer syntax that can be encoded here."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import Image

type Samples = NDArray[np.integer[Any]]
type Depth = Literal[1, 8, 12, 16, 32]


@dataclass(frozen=True)
class FrameEncoder:
    """A way to store frames.

    Attributes:
        name: for the names of tests.
        transfer_syntax: its UID.
        photometric: the Photometric Interpretation of the stored colour frames.
        encode: (H, W, 3) or (H, W) unsigned samples, grey or RGB -> the bytes of the frame.
        depths: the bits of a sample that it can store.
        largest_error: the most that a decoded sample may differ, 0 where nothing is lost.
        planar_configuration: of the stored colour frames.
        colours: whether it stores colour, grey, or both.
    """

    name: str
    transfer_syntax: str
    photometric: str
    encode: Callable[[Samples], bytes]
    depths: tuple[Depth, ...] = (8, 16)
    largest_error: int = 0
    planar_configuration: int = 0
    colours: Literal["grey", "colour", "both"] = "both"

    def __str__(self) -> str:
        return self.name


def native(samples: Samples) -> bytes:
    """Colour by pixel, little endian."""
    return _even(samples.astype(samples.dtype.newbyteorder("<")).tobytes())


def native_planes(samples: Samples) -> bytes:
    """Colour by plane, little endian."""
    return native(np.moveaxis(samples, 2, 0) if samples.ndim == 3 else samples)


def native_big_endian(samples: Samples) -> bytes:
    """Colour by pixel, big endian."""
    return _even(samples.astype(samples.dtype.newbyteorder(">")).tobytes())


def native_bits(samples: Samples) -> bytes:
    """One bit for each pixel, the first one lowest; a whole number of bytes."""
    return _even(np.packbits(samples.ravel() > 0, bitorder="little").tobytes())


def full_ybr(samples: Samples) -> Samples:
    """(H, W, 3) uint8 YBR_FULL of RGB, PS3.3 C.7.6.3.1.2."""
    weights = [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]]
    ybr = samples.astype(np.float64) @ np.array(weights).T + (0, 128, 128)
    return np.asarray(np.rint(ybr).clip(0, 255).astype(np.uint8))


def partial_ybr(samples: Samples) -> Samples:
    """(H, W, 3) uint8 YBR_PARTIAL of RGB, PS3.3 C.7.6.3.1.2."""
    weights = [[0.2568, 0.5041, 0.0979], [-0.1482, -0.2910, 0.4392], [0.4392, -0.3678, -0.0714]]
    ybr = samples.astype(np.float64) @ np.array(weights).T + (16, 128, 128)
    return np.asarray(np.rint(ybr).clip(0, 255).astype(np.uint8))


def half_chroma(ybr: Samples) -> bytes:
    """Two luminances, then the chrominances they share: the left pixel's."""
    rows, columns, _ = ybr.shape
    even = np.pad(ybr, ((0, 0), (0, columns % 2), (0, 0)), mode="edge")
    pairs = even.reshape(rows, -1, 2, 3)
    quads = np.concatenate((pairs[..., 0], pairs[:, :, 0, 1:]), axis=-1)
    return _even(quads.tobytes())


def run_lengths(samples: Samples) -> bytes:
    """RLE Lossless, PS3.5 annex G."""
    planes = samples.reshape(-1, samples.shape[2] if samples.ndim == 3 else 1).T
    size = samples.dtype.itemsize
    segments = [
        _even(_packed(plane.astype(f">u{size}").tobytes()[byte::size]))
        for plane in planes
        for byte in range(size)
    ]
    offsets = 64 + np.cumsum([0, *(len(segment) for segment in segments)])[:-1]
    header = np.zeros(16, "<u4")
    header[0] = len(segments)
    header[1 : 1 + len(segments)] = offsets
    return header.tobytes() + b"".join(segments)


def _packed(content: bytes) -> bytes:
    return bytes(imagecodecs.packbits_encode(content))


def deflated(samples: Samples) -> bytes:
    """Deflated Image Frame Compression."""
    squeezer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return _even(squeezer.compress(native(samples)) + squeezer.flush())


def jpeg_ybr(samples: Samples) -> bytes:
    """Baseline, YCbCr with half chrominance in both directions, JFIF."""
    return _even(_pillow_jpeg(samples, quality=95, subsampling="4:2:0"))


def jpeg_ybr_422(samples: Samples) -> bytes:
    """Baseline, YCbCr with half chrominance in rows, JFIF."""
    return _even(_pillow_jpeg(samples, quality=95, subsampling="4:2:2"))


def jpeg_progressive(samples: Samples) -> bytes:
    """Progressive: no transfer syntax allows it, some files have it."""
    return _even(_pillow_jpeg(samples, quality=95, progressive=True))


def jpeg_rgb_with_adobe(samples: Samples) -> bytes:
    """Baseline RGB with an APP14 marker that says so."""
    return _even(bytes(imagecodecs.jpeg8_encode(samples, level=95, outcolorspace="RGB")))


def jpeg_rgb_unmarked(samples: Samples) -> bytes:
    """Baseline RGB without APP14 and JFIF: Photometric Interpretation alone tells."""
    content = bytearray(imagecodecs.jpeg8_encode(samples, level=95, outcolorspace="RGB"))
    at = content.index(b"\xff\xee")
    del content[at : at + 2 + int.from_bytes(content[at + 2 : at + 4])]
    for marker, first, step in ((b"\xff\xc0", 10, 3), (b"\xff\xda", 5, 2)):
        start = content.index(marker) + first
        content[start : start + 3 * step : step] = b"\x01\x02\x03"
    return _even(bytes(content))


def jpeg_12(samples: Samples) -> bytes:
    """Extended, 12 bits."""
    return _even(bytes(imagecodecs.jpeg8_encode(samples, level=98, bitspersample=12)))


def jpeg_lossless(samples: Samples) -> bytes:
    """Lossless, first order prediction, colours untransformed."""
    bits = samples.dtype.itemsize * 8
    return _even(
        bytes(imagecodecs.jpeg8_encode(samples, lossless=True, predictor=1, bitspersample=bits))
    )


def jpeg_ls(samples: Samples) -> bytes:
    """JPEG-LS, lossless."""
    return _even(bytes(imagecodecs.jpegls_encode(samples)))


def jpeg_ls_near(samples: Samples) -> bytes:
    """JPEG-LS, each sample at most 2 off."""
    return _even(bytes(imagecodecs.jpegls_encode(samples, level=2)))


def jpeg_2000(samples: Samples) -> bytes:
    """JPEG 2000, reversible; colours through the reversible transform."""
    return _even(bytes(imagecodecs.jpeg2k_encode(samples, reversible=True, codecformat="J2K")))


def jpeg_2000_lossy(samples: Samples) -> bytes:
    """JPEG 2000, irreversible."""
    return _even(bytes(imagecodecs.jpeg2k_encode(samples, level=50, codecformat="J2K")))


def high_throughput(samples: Samples) -> bytes:
    """HTJ2K, reversible."""
    return _even(bytes(imagecodecs.htj2k_encode(samples, reversible=True)))


def jpeg_xl(samples: Samples) -> bytes:
    """JPEG XL, lossless."""
    return _even(bytes(imagecodecs.jpegxl_encode(samples, lossless=True)))


def _pillow_jpeg(samples: Samples, **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(samples).save(buffer, "JPEG", **options)
    return buffer.getvalue()


def _even(content: bytes) -> bytes:
    return content + b"\0" * (len(content) % 2)


IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
BIG_ENDIAN = "1.2.840.10008.1.2.2"
JPEG = "1.2.840.10008.1.2.4.50"
JPEG_EXTENDED = "1.2.840.10008.1.2.4.51"

ENCODERS = (
    FrameEncoder("native", EXPLICIT, "RGB", native, (8, 16, 32)),
    FrameEncoder("native planes", IMPLICIT, "RGB", native_planes, planar_configuration=1),
    FrameEncoder("native big endian", BIG_ENDIAN, "RGB", native_big_endian, (8, 16, 32)),
    FrameEncoder("native bits", EXPLICIT, "RGB", native_bits, (1,), colours="grey"),
    FrameEncoder(
        "native YBR_FULL",
        EXPLICIT,
        "YBR_FULL",
        lambda rgb: native(full_ybr(rgb)),
        (8,),
        2,
        colours="colour",
    ),
    FrameEncoder(
        "native YBR_FULL_422",
        EXPLICIT,
        "YBR_FULL_422",
        lambda rgb: half_chroma(full_ybr(rgb)),
        (8,),
        40,
        colours="colour",
    ),
    FrameEncoder(
        "native YBR_PARTIAL_422",
        EXPLICIT,
        "YBR_PARTIAL_422",
        lambda rgb: half_chroma(partial_ybr(rgb)),
        (8,),
        40,
        colours="colour",
    ),
    FrameEncoder("RLE", "1.2.840.10008.1.2.5", "RGB", run_lengths, (8, 16, 32)),
    FrameEncoder("deflated", "1.2.840.10008.1.2.8.1", "RGB", deflated),
    FrameEncoder("JPEG 4:2:0", JPEG, "YBR_FULL_422", jpeg_ybr, (8,), 40),
    FrameEncoder("JPEG 4:2:2", JPEG, "YBR_FULL_422", jpeg_ybr_422, (8,), 40, colours="colour"),
    FrameEncoder("JPEG progressive", JPEG, "YBR_FULL_422", jpeg_progressive, (8,), 40),
    FrameEncoder("JPEG said to be RGB", JPEG, "RGB", jpeg_ybr, (8,), 40, colours="colour"),
    FrameEncoder("JPEG RGB", JPEG, "RGB", jpeg_rgb_with_adobe, (8,), 15, colours="colour"),
    FrameEncoder("JPEG RGB unmarked", JPEG, "RGB", jpeg_rgb_unmarked, (8,), 15, colours="colour"),
    FrameEncoder("JPEG 12 bits", JPEG_EXTENDED, "YBR_FULL_422", jpeg_12, (12,), 100),
    FrameEncoder("JPEG lossless", "1.2.840.10008.1.2.4.70", "RGB", jpeg_lossless),
    FrameEncoder("JPEG-LS", "1.2.840.10008.1.2.4.80", "RGB", jpeg_ls),
    FrameEncoder("JPEG-LS near", "1.2.840.10008.1.2.4.81", "RGB", jpeg_ls_near, (8, 16), 2),
    FrameEncoder("JPEG 2000", "1.2.840.10008.1.2.4.90", "YBR_RCT", jpeg_2000),
    FrameEncoder("JPEG 2000 lossy", "1.2.840.10008.1.2.4.91", "YBR_ICT", jpeg_2000_lossy, (8,), 6),
    FrameEncoder("HTJ2K", "1.2.840.10008.1.2.4.201", "YBR_RCT", high_throughput),
    FrameEncoder("JPEG XL", "1.2.840.10008.1.2.4.110", "RGB", jpeg_xl),
)
