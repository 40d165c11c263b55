"""The version of the software, as pyproject.toml states it; bundles have versions of their own."""

VERSION = "0.1.0"
