"""`python -m tests.api.client`: writes the typed client of the interface (`make client`)."""

from __future__ import annotations

from tests.api.client.document import openapi
from tests.api.client.generate import FOLDER, ROOT, sources


def main() -> None:
    """Write the generated modules."""
    for name, text in sources(openapi()).items():
        (ROOT / FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
