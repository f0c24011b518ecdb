#!/usr/bin/env python3
"""Times Quorate's exact assignment beside lapjv, pathfinding and scipy on the same matrices.

Needs numpy and scipy, and cargo. Arguments: sides of the matrices (default 100 to 2000).
Prints for each instance the time of Quorate in milliseconds and how many times longer the
others take; below 1 the other one is faster. All totals must be equal.
"""

import pathlib
import subprocess
import sys
import time

import numpy
from scipy.optimize import linear_sum_assignment

ABSENT = 1 << 32
ENOUGH = 0.4


def mix(at):
    """The finisher of splitmix64, as in src/instances.rs."""
    word = (at + numpy.uint64(1)) * numpy.uint64(0x9E3779B97F4A7C15)
    word = (word ^ (word >> numpy.uint64(30))) * numpy.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> numpy.uint64(27))) * numpy.uint64(0x94D049BB133111EB)
    return word ^ (word >> numpy.uint64(31))


def matrix(kind, side, top):
    at = numpy.arange(side * side, dtype=numpy.uint64)
    costs = (mix(at) % numpy.uint64(top) + numpy.uint64(1)).astype(numpy.float64)
    if kind == "sparse":
        diagonal = at % numpy.uint64(side + 1) == 0
        there = diagonal | (mix(at ^ numpy.uint64(1 << 40)) % numpy.uint64(10) == 0)
        costs[~there] = ABSENT
    return costs.reshape(side, side)


def scipy_time(costs):
    best, spent = float("inf"), 0.0
    while spent < ENOUGH:
        start = time.perf_counter()
        rows, columns = linear_sum_assignment(costs)
        took = time.perf_counter() - start
        best, spent = min(best, took), spent + took
    return int(costs[rows, columns].sum()), best * 1e6


def main():
    here = pathlib.Path(__file__).parent
    command = ["cargo", "run", "--release", "--quiet", "--bin", "quorate-peers", "--"]
    run = subprocess.run(
        command + sys.argv[1:], cwd=here, stdout=subprocess.PIPE, text=True, check=True
    )
    instances = {}
    for line in run.stdout.splitlines():
        kind, side, top, solver, total, micros = line.split()
        key = (kind, int(side), int(top))
        instances.setdefault(key, {})[solver] = (int(total), max(1.0, float(micros)))
    print(f"{'instance':<24}{'quorate ms':>11}{'lapjv':>8}{'pathfinding':>13}{'scipy':>8}")
    for key, times in instances.items():
        times["scipy"] = scipy_time(matrix(*key))
        assert len({total for total, _ in times.values()}) == 1, (key, times)
        ours = times["quorate"][1]
        ratio = lambda name: f"{times[name][1] / ours:.2f}" if name in times else "-"
        name = "{} {} up to {}".format(*key)
        others = f"{ratio('lapjv'):>8}{ratio('pathfinding'):>13}{ratio('scipy'):>8}"
        print(f"{name:<24}{ours / 1e3:>11.2f}{others}")


if __name__ == "__main__":
    main()
