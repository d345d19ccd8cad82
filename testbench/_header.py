"""What a new tape says of itself, and what a replay has to say about that."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Mapping
from typing import Final, TypeGuard

from testbench._host import host
from testbench.protocol import Plain

_PROBE: Final = "testbench"
"""Its hash tells one hash seed from another, and one way of hashing from another."""


class HashSeedWarning(UserWarning):
    """A replay runs under another hash seed than its recording, so that sets of text may be in another order."""


def header(
    recorders: Mapping[str, int],
    *,
    clock: str,
    start_ns: int | None,
    seed: int | None,
    order: str,
    zone: Plain,
    files: Mapping[str, Plain],
    meta: Mapping[str, Plain],
) -> dict[str, Plain]:
    """Return the header of a new tape; nothing that differs between recordings under a paused clock.

    Args:
        recorders: kinds with their versions.
        clock: ``"real"``, ``"paused"`` or ``"ticking"``.
        start_ns: where a virtual clock begins, None for the real one.
        seed: what randomness is made from, None for real randomness.
        order: how much of the order of lanes a replay is to repeat.
        zone: the local time zone.
        files: what is recorded of files.
        meta: what the user adds.
    """
    made: dict[str, Plain] = {"recorders": dict(recorders), "clock": clock, "order": "boundary"}
    if order != "strict":
        made["relaxed"] = order
    if start_ns is not None:
        made["start_ns"] = start_ns
    if clock != "paused":
        made["host"] = host(zone)
        made["hash_seed"] = os.environ.get("PYTHONHASHSEED")
        if _is_fixed(made["hash_seed"]) and not sys.flags.ignore_environment:
            made["hash_probe"] = hash(_PROBE)
    if seed is not None:
        made["seed"] = seed
    return {**made, **files, **meta}


def warn_of_hash_seed(meta: Mapping[str, Plain]) -> None:
    """Warn if a tape was recorded under a fixed hash seed and this process runs under another one.

    Recorded without a fixed seed, every run has its own: there is nothing to compare.
    """
    seed, probe = meta.get("hash_seed"), meta.get("hash_probe")
    if not _is_fixed(seed):
        return
    same = os.environ.get("PYTHONHASHSEED") == seed if probe is None else hash(_PROBE) == probe
    if not same:
        warnings.warn(
            f"recorded under PYTHONHASHSEED={seed}, and this process hashes differently, so that sets may be in "
            f"another order; run it with PYTHONHASHSEED={seed}, as testbench replay does",
            HashSeedWarning,
            stacklevel=2,
        )


def _is_fixed(seed: object) -> TypeGuard[str]:
    return isinstance(seed, str) and seed.isdigit()
