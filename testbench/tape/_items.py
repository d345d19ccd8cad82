"""The grammar of a tape in constants: tag numbers, sizes and limits.

A tape is a CBOR sequence (RFC 8742) of deterministic items (RFC 8949 section 4.2)::

    header (kind-def | blob | event+ seal)* index end

An event is ``[kind, dt, lane, body]`` and never tagged; everything else is tagged, so the first byte tells them apart.
The tag numbers are four ASCII letters read as a 32-bit number: ``strings`` and any CBOR tool show them as words.
"""

from __future__ import annotations

from typing import Final


def _tag(name: bytes) -> int:
    return int.from_bytes(name, "big")


VERSION: Final = 1
"""Bump when an older reader would misread the tape; it then refuses instead."""

# Top-level items.
TAG_SELF_DESCRIBED: Final = 55799  # RFC 8949 section 3.4.6; `file` names such a file a CBOR container
TAG_TAPE: Final = _tag(b"Tape")  # header   [version, digest name, [* kind-row], meta, digest]
TAG_KIND: Final = _tag(b"TapK")  # kind-def [number, name, [* field name], digest]
TAG_BLOB: Final = _tag(b"TapB")  # blob     [digest, bytes]
TAG_SEAL: Final = _tag(b"TapS")  # seal     [events, their bytes, digest, [kind, count, ...]]
TAG_INDEX: Final = _tag(b"TapI")  # index    twelve fields, see `_index`
TAG_END: Final = _tag(b"TapE")  # end      48 bytes: index offset, index size (both u64 LE), digest of the index item

# Values inside event bodies.
TAG_DICT: Final = _tag(b"TapM")  # a dict as a flat array [key, value, key, value, ...]: its order is kept
TAG_FLOAT: Final = _tag(b"TapF")  # a NaN whose bits are not 7ff8000000000000, as 8 bytes big endian
TAG_PAYLOAD: Final = _tag(b"TapR")  # bytes kept in blobs: their digests, 32 bytes each, concatenated
TAG_TEXT: Final = _tag(b"TapT")  # str kept in blobs (UTF-8 with surrogatepass), same digests
TAG_RAISED: Final = _tag(b"TapX")  # a raised outcome [type name, [* argument], state]
TAG_VALUE: Final = _tag(b"TapV")  # a whole body kept in one blob: the digest of its encoding
TAG_WTF8: Final = 273  # a str with lone surrogates, as its bytes under surrogatepass

# Typed arrays (RFC 8746 section 2.1), all little endian.
TAG_U32: Final = 70
TAG_U64: Final = 71
TAG_I64: Final = 79
TAG_F64: Final = 86

DIGEST_NAME: Final = "sha-256"
DIGEST_SIZE: Final = 32

# Sizes that decide what is written; a reader does not depend on the first six.
SEGMENT_EVENTS: Final = 256  # a seal stands after so many events at the latest
LONG_RUN: Final = 512  # a run of more values starts a segment, unless the open one is still small
FULL_SEGMENT: Final = 96 << 10  # bytes from which on it does: reading is slower where memory has to be mapped for it
RUN_VALUES: Final = 4096  # values in one run at most
RUN_SIZE: Final = 256 << 10  # a run that is no typed array becomes one blob above it
BODY_SIZE: Final = 4 << 10  # a body heavier than this becomes one blob
INLINE_SIZE: Final = 1 << 10  # bytes and str above it become blobs
SPLIT_SIZE: Final = 8 << 20  # a payload above it is split ...
PIECE_SIZE: Final = 4 << 20  # ... into pieces of this size

# Limits that a value must keep to be recorded, and that a reader enforces.
PAYLOAD_LIMIT: Final = 1 << 30  # bytes of one payload
KINDS_LIMIT: Final = 1 << 20  # all kind rows of one tape
VALUE_LIMIT: Final = 4 << 20  # encoded structure of one body, its payloads aside
DEPTH_LIMIT: Final = 64  # lists and dicts inside each other
DECODE_DEPTH: Final = 2 * DEPTH_LIMIT + 8  # a dict is a tag and an array; the rest are slab, event, body and outcome

# Limits that only a reader needs: what a hostile tape can make it allocate.
MAX_SEGMENT_SIZE: Final = 2 << 20
MAX_SEGMENT_EVENTS: Final = 1 << 16
MAX_SEAL_SIZE: Final = 1 << 12
MAX_HEADER_SIZE: Final = 1 << 20
MAX_KIND_SIZE: Final = 1 << 16
MAX_TABLE_SIZE: Final = 2 << 20  # kinds and their counts in the index
MAX_INDEX_SIZE: Final = 256 << 20

LANE_START: Final = (0, "lane.start", ("name", "parent"))
"""The only kind known to every tape; it stands in the header."""
