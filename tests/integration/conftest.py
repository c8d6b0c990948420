"""The real broker of tests/include, for the streams' own tests."""

from tests.include.conftest import broker

__all__ = ["broker"]
