"""What an operator can set: a module a subject, all of them read in `environment`."""

from gateway.settings.environment import (
    ENV_PREFIX,
    Settings,
    describe_settings,
    env_name,
    load_settings,
)

__all__ = ["ENV_PREFIX", "Settings", "describe_settings", "env_name", "load_settings"]
