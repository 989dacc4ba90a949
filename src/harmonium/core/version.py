"""The version of the library, on the lowest floor so that every file format can name it."""

__version__ = "0.1.0"
