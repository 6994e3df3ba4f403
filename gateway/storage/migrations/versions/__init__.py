"""The steps. A new one is a module here whose `down_revision` is the last; none is ever changed."""
