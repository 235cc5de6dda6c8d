"""Files as versions before seals wrote them, for tests that change one to be read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def unseal(file: Path, **changes: Any) -> None:
    """Write a record anew without its seal and the hashes it lists, with some values changed."""
    record = json.loads(file.read_text())
    for key in ("seal", "files"):
        record.pop(key, None)
    file.write_text(json.dumps(record | changes))
