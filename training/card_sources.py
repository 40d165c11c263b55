"""What a model card says of images because of the sources they came from, and only where they came from there."""

from collections.abc import Collection, Iterator
from fnmatch import fnmatchcase

_NIH, _KERMANY, _NORMALS = "nih_*", "kermany_*", "covidrad_rsna_normal"
_MOST_PNEUMONIA, _OTHER_CARRIER = "nih_muhammedtalo", "nih_reproduce-chexnet"

# Origin and licence of the images that weights in this repository may be trained on.
_ORIGINS = (
    ((_NIH, _NORMALS), "NIH ChestX-ray14 (Wang et al. 2017), provided by the NIH Clinical Center."),
    ((_KERMANY,), "Kermany et al. 2018, Chest X-Ray Images (Pneumonia), paediatric, commonly cited as CC BY 4.0."),
    (("wingspan_ctr",), "MIT, as its repository states."),
)
_ENRICHED = (
    "- These images are enriched with disease: probabilities and thresholds are for their prevalence, and a site has",
    "  to calibrate on its own (`python -m service calibrate`).",
)
_PREVALENCE = (
    "- Probabilities and thresholds are for the prevalence of these images, and a site has to calibrate on its own",
    "  (`python -m service calibrate`).",
)
_MINED = "- Labels of ChestX-ray14 were mined from reports and are partly wrong"
_DIFFERENT = (
    "- Sources, sexes, ages and views differ: `docs/science.md` has AUROC by sex, age and view, by two of the",
    "  carriers, and of Pneumonia in the two collections of children.",
)
_UNKNOWN_PATIENTS = (
    "- `covidrad_rsna_normal` are NIH images of unknown patients, used without labels in pre-training and, where said",
    "  so above, as normals. None of them is a held-out image; some may show patients of those, or of references.",
)


def caveats(sources: Collection[str]) -> Iterator[str]:
    """Lines on prevalence, labels and patients of a bundle's images."""
    yield from _ENRICHED if _has(sources, _NIH) else _PREVALENCE
    if _has(sources, _MOST_PNEUMONIA):
        yield from (f"{_MINED}; most Pneumonia images came from one", "  collection.")
    elif _has(sources, _NIH):
        yield f"{_MINED}."
    if all(_has(sources, one) for one in (_MOST_PNEUMONIA, _OTHER_CARRIER, _KERMANY)):
        yield from _DIFFERENT
    if _has(sources, _NORMALS):
        yield from _UNKNOWN_PATIENTS


def origins(sources: Collection[str]) -> Iterator[str]:
    """A line for each origin; sources of which this repository knows nothing are named in the last."""
    for patterns, words in _ORIGINS:
        if there := [pattern for pattern in patterns if _has(sources, pattern)]:
            yield f"- {_quoted(there)}: {words}"
    known = [pattern for patterns, _ in _ORIGINS for pattern in patterns]
    if others := sorted(name for name in sources if not any(fnmatchcase(name, pattern) for pattern in known)):
        yield f"- {_quoted(others)}: origin and terms are not recorded here."


def images_of(sources: Collection[str]) -> str:
    """`ChestX-ray14 images` where all are known to be, else `images`."""
    return "ChestX-ray14 images" if sources and all(fnmatchcase(name, _NIH) for name in sources) else "images"


def _has(sources: Collection[str], pattern: str) -> bool:
    return any(fnmatchcase(name, pattern) for name in sources)


def _quoted(names: Collection[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
