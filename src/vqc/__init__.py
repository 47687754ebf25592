"""vqc: from CAD to a vision model that works on real photos."""

__version__ = "0.1.0"
