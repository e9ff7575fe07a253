"""Products of sparse matrices with vectors; two threads share large ones."""

from __future__ import annotations

import os
from concurrent.futures import Executor
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

type Floats = NDArray[np.float32]

LEAST_ENTRIES: Final = 1_500_000
"""With fewer, waiting for another thread takes longer than it saves."""


class Operator:
    """A sparse matrix; where it is large, `helper` takes half of its rows in every `@`.

    A thread can help as scipy does not hold the interpreter's lock during a product. It must not
    multiply itself: it would wait for its own end.

    Attributes:
        matrix: all of it, (M, N) float32.
        helper: runs one thread.
    """

    def __init__(self, matrix: sparse.csr_array, helper: Executor) -> None:
        self.matrix = matrix
        self.helper = helper
        is_large = matrix.nnz >= LEAST_ENTRIES and (os.cpu_count() or 1) > 1
        self._halves = _halves(matrix) if is_large else None

    def __matmul__(self, vector: Floats) -> Floats:
        """(M,) float32 product with a (N,) vector."""
        if self._halves is None:
            return np.asarray(self.matrix @ vector)
        upper, lower = self._halves
        pending = self.helper.submit(upper.dot, vector)
        last = lower @ vector
        return np.concatenate([pending.result(), last])


def _halves(matrix: sparse.csr_array) -> tuple[sparse.csr_array, sparse.csr_array]:
    """The upper and the lower rows, which share the memory of the matrix."""
    rows, columns = matrix.shape
    middle = rows // 2
    entries = int(matrix.indptr[middle])
    data, indices, ends = matrix.data, matrix.indices, matrix.indptr
    upper = (data[:entries], indices[:entries], ends[: middle + 1])
    lower = (data[entries:], indices[entries:], ends[middle:] - ends[middle])
    return (
        sparse.csr_array(upper, shape=(middle, columns)),
        sparse.csr_array(lower, shape=(rows - middle, columns)),
    )
