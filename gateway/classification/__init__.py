"""The use case: classify one image, one text, or both, whatever the transport."""
