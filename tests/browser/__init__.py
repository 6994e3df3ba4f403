"""A real Chromium for the tests of the pages."""
