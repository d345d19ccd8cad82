"""What every benchmark prints: one line per number, tab-separated, for `scripts/bench` to align."""

from __future__ import annotations

from collections.abc import Callable

from testbench.inplace.real import perf_counter_ns  # not redirected by the session that is measured


def at_most(name: str, measured: float, goal: float, unit: str = "x") -> None:
    """Print a number that should not be larger than its goal."""
    _print(name, measured, f"<= {goal:g}{unit}", measured <= goal, unit)


def at_least(name: str, measured: float, goal: float, unit: str = "x") -> None:
    """Print a number that should not be smaller than its goal."""
    _print(name, measured, f">= {goal:g}{unit}", measured >= goal, unit)


def beside(name: str, measured: float, unit: str = "x") -> None:
    """Print a number of another tool, for comparison."""
    _print(name, measured, "", None, unit)


def best_ns(work: Callable[[], object], repeat: int) -> int:
    """Return the shortest of several runs: the one that other programs disturbed least."""
    times = []
    for _ in range(repeat):
        start = perf_counter_ns()
        work()
        times.append(perf_counter_ns() - start)
    return min(times)


def _print(name: str, measured: float, goal: str, good: bool | None, unit: str) -> None:
    verdict = {True: "ok", False: "short", None: ""}[good]
    print(f"{name}\t{measured:.3g}{unit}\t{goal}\t{verdict}", flush=True)
