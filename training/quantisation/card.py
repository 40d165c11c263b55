"""README.md of a quantised bundle: what was changed, what it cost, then the original's card."""

from collections.abc import Sequence
from pathlib import Path

from models.runtime.bundle import Bundle
from models.runtime.manifest import Manifest

_CARD = "README.md"


def quantised_card(original: Bundle, manifest: Manifest, lines: Sequence[str]) -> str:
    """Render the card as Markdown.

    Args:
        original: what it was made from; its card is taken over one heading deeper.
        manifest: of the quantised bundle.
        lines: what was measured.
    """
    source = original.manifest
    parts = [
        f"# {manifest.name} {manifest.version}",
        "",
        "**For research only. Not a medical device; not for clinical use.**",
        "",
        f"`{manifest.classifier.file}` of {source.name} {source.version} (sha256 {original.sha256[:12]}) with int8",
        "weights; all else is the original's.",
        "",
        "## What int8 changed",
        "",
        *lines,
        "",
        *_deeper(original.folder / _CARD),
    ]
    return "\n".join(parts) + "\n"


def _deeper(card: Path) -> list[str]:
    """The original's card with every heading one level down; nothing where it has none."""
    if not card.is_file():
        return []
    text = card.read_text(encoding="utf-8").rstrip()
    lines = [f"#{line}" if line.startswith("#") else line for line in text.splitlines()]
    return ["The card of the original, whose numbers are the original's:", "", *lines]
