"""The use case `export`: a recipe becomes a published variant, or nothing changes."""

from exporters.publishing.export import Published, export

__all__ = ["Published", "export"]
