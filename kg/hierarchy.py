"""The is_a hierarchy: its closure, and how informative a concept is."""

from __future__ import annotations

import numpy as np

from errors import InputError


def is_a_closure(n: int, child: np.ndarray, parent: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Reflexive transitive closure of is_a as (indptr int64 (n + 1), ancestors int32, ascending within a node).

    Raises InputError when is_a has a cycle, naming one node on it by its number.
    """
    order = np.argsort(child, kind="stable")
    child, parent = child[order], parent[order]
    starts = np.searchsorted(child, np.arange(n + 1))
    parents = [parent[starts[i] : starts[i + 1]].tolist() for i in range(n)]
    closure: list[np.ndarray | None] = [None] * n
    entered = np.zeros(n, bool)
    for root in range(n):
        stack = [root]
        while stack:
            node = stack[-1]
            if closure[node] is not None:
                stack.pop()
                continue
            waiting = [p for p in parents[node] if closure[p] is None]
            if waiting:
                if entered[node]:
                    raise InputError("is_a has a cycle", value=node, expected="a hierarchy without cycles")
                entered[node] = True
                stack.extend(waiting)
                continue
            above = [closure[p] for p in parents[node]]
            closure[node] = np.unique(
                np.concatenate([np.array([node], np.int32), *[a for a in above if a is not None]])
            )
            stack.pop()
    sets = [c for c in closure if c is not None]
    indptr = np.zeros(n + 1, np.int64)
    np.cumsum([len(c) for c in sets], out=indptr[1:])
    return indptr, np.concatenate(sets).astype(np.int32) if sets else np.zeros(0, np.int32)


def information_content(
    n: int, subject: np.ndarray, obj: np.ndarray, indptr: np.ndarray, closure: np.ndarray
) -> np.ndarray:
    """-ln of the share of annotated diseases that show the concept or anything below it; float32 (n,).

    Resnik 1995, with one added to both counts, so that a concept nobody is annotated with is the most informative of
    all, ln(N + 1), and never infinite.
    """
    counts = np.zeros(n, np.int64)
    diseases = np.unique(subject)
    order = np.argsort(subject, kind="stable")
    bounds = np.searchsorted(subject[order], np.append(diseases, n))
    for i in range(len(diseases)):
        annotated = obj[order[bounds[i] : bounds[i + 1]]]
        counts[np.unique(np.concatenate([closure[indptr[t] : indptr[t + 1]] for t in annotated]))] += 1
    return (-np.log((counts + 1) / (len(diseases) + 1))).astype(np.float32)
