"""All that is wrong with a bundle, for whoever packs or installs one; `load_bundle` stops at the first fault."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import numpy as np

from models.errors import InvalidBundleError
from models.runtime.anomaly import AnomalyDetector
from models.runtime.bundle import MANIFEST_NAME, Bundle, load_bundle, load_manifest, read_entry
from models.runtime.classifier import Classifier
from models.runtime.manifest import Manifest

_DOCUMENT_SUFFIXES: Final = (".md", ".txt")


def verify(folder: Path) -> list[str]:
    """Check every listed file, look for files that are not listed, then run each graph once on a grey picture.

    Returns:
        One sentence a fault; empty where the bundle may be served.
    """
    try:
        manifest, _ = load_manifest(folder)
    except InvalidBundleError as error:
        return [str(error)]
    faults = [*_file_faults(folder, manifest), *_stray_files(folder, manifest)]
    try:
        bundle = load_bundle(folder)
    except InvalidBundleError as error:
        return faults if str(error) in faults else [*faults, str(error)]
    return faults + [fault for check in (_try_classifier, _try_reconstructor) for fault in _fault(check, bundle)]


def _file_faults(folder: Path, manifest: Manifest) -> Iterator[str]:
    for name, entry in manifest.files.items():
        # A link to nowhere is there, and wrong; `exists` would follow it.
        if entry.optional and not (folder / name).is_symlink() and not (folder / name).exists():
            continue
        try:
            read_entry(folder, name, entry)
        except InvalidBundleError as error:
            yield str(error)


def _stray_files(folder: Path, manifest: Manifest) -> Iterator[str]:
    for path in sorted(folder.iterdir()):
        known = path.name in manifest.files or path.name == MANIFEST_NAME
        if not known and not path.name.endswith(_DOCUMENT_SUFFIXES):
            yield f"{path.name}: not listed in {MANIFEST_NAME}"


def _fault(check: Callable[[Bundle], None], bundle: Bundle) -> Iterator[str]:
    try:
        check(bundle)
    except InvalidBundleError as error:
        yield str(error)


def _try_classifier(bundle: Bundle) -> None:
    output = Classifier.open(bundle).predict(_grey(bundle), saliency=True)
    if not np.isfinite(output.logits).all() or output.saliency is None or not np.isfinite(output.saliency).all():
        raise InvalidBundleError("the classifier answers a grey picture with NaN or infinity")


def _try_reconstructor(bundle: Bundle) -> None:
    if bundle.manifest.reconstructor is not None:
        detector = AnomalyDetector.open(bundle)
        for masks in detector.spec.masks:
            detector.run(_grey(bundle), masks=masks)


def _grey(bundle: Bundle) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    side = bundle.manifest.input.side
    return np.full((2, 1, side, side), 128, np.uint8)
