from __future__ import annotations

import re
from pathlib import Path

from deploy.local.settings import Settings, env_name

README = Path(__file__).parents[2] / "deploy" / "README.md"


def test_readme_settings_table_agrees_with_the_code() -> None:
    rows = re.findall(
        r"^\| `(DIPTYCH_LOCAL_\w+)` \| (\S+) \| (.+) \|$",
        README.read_text(encoding="utf-8"),
        re.MULTILINE,
    )

    assert rows == [
        (env_name(name), f"`{field.default}`" if field.default != () else "all", field.description)
        for name, field in Settings.model_fields.items()
    ]
