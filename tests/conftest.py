"""One thread for NumPy's small products, as in the notebooks; the grader's tests are slow."""

import pytest
from threadpoolctl import threadpool_limits

threadpool_limits(1, user_api="blas")


def pytest_collection_modifyitems(items):
    for item in items:
        if {"runner", "graded"} & set(item.fixturenames):
            item.add_marker(pytest.mark.slow)
