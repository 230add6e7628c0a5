"""Embeddings as arrays."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manager.arrays import embedding_array

numbers = st.floats(width=32, allow_nan=False) | st.integers(-5, 5)


@given(
    st.integers(0, 5).flatmap(
        lambda size: st.lists(st.lists(numbers, min_size=size, max_size=size))
    )
)
def test_it_holds_the_numbers_in_their_places(embeddings: list[list[float]]) -> None:
    found = embedding_array(embeddings)
    assert found.dtype == np.float32
    assert found.shape == (len(embeddings), len(embeddings[0]) if embeddings else 0)
    assert found.tolist() == embeddings


def test_rows_of_different_lengths_are_no_array() -> None:
    with pytest.raises(ValueError, match="inhomogeneous"):
        embedding_array([[1.0, 2.0], [3.0]])
