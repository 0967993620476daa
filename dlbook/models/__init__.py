"""Whole networks, one a file."""

from dlbook._lazy import lazy

__getattr__, __dir__, __all__ = lazy(__name__, modules=["mlp"], names={"mlp": ["MLP"]})
