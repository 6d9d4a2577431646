"""What starts the grader is slow, whatever the test."""

import pytest


def pytest_collection_modifyitems(items):
    for item in items:
        if {"runner", "graded"} & set(item.fixturenames):
            item.add_marker(pytest.mark.slow)
