"""Draw a digit, and a plain multilayer perceptron reads it."""

__version__ = "0.1.0"
