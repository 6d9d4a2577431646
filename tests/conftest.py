"""One thread for NumPy's small products, as in the notebooks; the grader's tests are slow."""

import signal

import pytest
import tqdm.auto  # noqa: F401  before any test imports ipykernel: then it would draw for notebooks
from threadpoolctl import threadpool_limits

threadpool_limits(1, user_api="blas")
# A job in the background inherits that Ctrl-C is ignored; the tests that send it need it.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items):
    for item in items:
        # A notebook's cell has a time-out of its own.
        if isinstance(item, pytest.Function) and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(600))
        if {"runner", "graded"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.slow)
