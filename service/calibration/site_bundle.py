"""A site's bundle: the same graphs under a manifest with the site's calibration and thresholds."""

import os
import shutil
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

from models.errors import InvalidRequestError
from models.runtime.bundle import Bundle, load_bundle, write_manifest
from models.runtime.manifest import Manifest
from models.runtime.threshold_fit import BALANCED, named_sets
from service.calibration.site_fit import KEPT, SiteFit

_CARD: Final = "README.md"
_SUFFIX: Final = "site."


@dataclass(frozen=True, slots=True)
class Site:
    """Who calibrated, and when."""

    name: str
    day: date


def require_room(folder: Path, base: Path) -> None:
    """Refuse a folder that something lies in, before any work is done.

    Raises:
        InvalidRequestError: it is not empty, is the bundle itself, or cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        occupied = any(folder.iterdir())
    except OSError as error:
        raise InvalidRequestError(f"{folder}: {error.strerror}") from error
    if occupied or folder.resolve() == base.resolve():
        raise InvalidRequestError(f"{folder} is not empty; a calibrated bundle gets a folder of its own")


def write_site_bundle(base: Bundle, fit: SiteFit, site: Site, report: str, folder: Path) -> Bundle:
    """Link or copy the files of the base, then write the card and, last, the manifest.

    Args:
        base: as its manifest stands in its folder.
        report: Markdown for the card: what was measured.
        folder: empty.

    Returns:
        The bundle as it would be served.
    """
    for name in base.manifest.files:
        source = base.folder / name
        if source.is_file() and not source.is_symlink():
            _put(source, folder / name)
    manifest = site_manifest(base, fit, site)
    (folder / _CARD).write_text(_card(base, manifest, report), encoding="utf-8")
    write_manifest(folder, manifest)
    return load_bundle(folder)


def site_manifest(base: Bundle, fit: SiteFit, site: Site) -> Manifest:
    """The base's manifest with new numbers, `balanced` in force; provenance says where they come from."""
    old = base.manifest
    names = [finding.name for finding in old.findings]
    kept = [row.name for row in fit.findings if row.how == KEPT]
    images = f"{len(fit.labels)} images of the site {site.name}"
    sets = named_sets(fit.thresholds, fit.labels, names, images)
    default = next(one for one in sets if one.name == BALANCED)
    findings = tuple(
        finding.model_copy(update={"calibration": calibration, "threshold": threshold})
        for finding, calibration, threshold in zip(old.findings, fit.calibrations, default.values, strict=True)
    )
    before, after = fit.overall.before, fit.overall.after
    provenance = {
        "site": site.name,
        "date": site.day.isoformat(),
        "images": len(fit.labels),
        "patients": fit.num_patients,
        "positives": {row.name: row.num_positives for row in fit.findings},
        "kept": kept,
        "calibration_error_before": before and before.error,
        "calibration_error_after": after and after.error,
        "base_version": old.version,
        "base_sha256": base.sha256,
    }
    changed = {
        "version": site_version(old.version, site.name),
        "findings": findings,
        "thresholds": default.model_copy(update={"values": ()}),
        "threshold_sets": sets,
        "provenance": {**old.provenance, "site_calibration": provenance},
    }
    return old.model_copy(update=changed)


def site_version(version: str, site: str) -> str:
    """The version with the site as build metadata (Semantic Versioning); an earlier site's is replaced."""
    release, _, build = version.partition("+")
    parts = [build.partition(_SUFFIX)[0].rstrip(".")] if build else []
    return f"{release}+{'.'.join([*filter(None, parts), f'{_SUFFIX}{site}'])}"


def _put(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another disk, or links are not allowed
        shutil.copyfile(source, target)


def _card(base: Bundle, manifest: Manifest, report: str) -> str:
    old, path = base.manifest, base.folder / _CARD
    lines = [
        f"# {manifest.name} {manifest.version}",
        "",
        "**For research only. Not a medical device; not for clinical use.**",
        "",
        f"The graphs of {old.name} {old.version} (sha256 of its manifest {base.sha256}) with the calibration and the",
        "thresholds of one site. What its card says of probabilities and thresholds holds for the images it names, not",
        "for this site; what it says of order (AUROC) and of maps is of the same graphs.",
        "",
        report,
        "",
    ]
    original = path.read_text(encoding="utf-8") if path.is_file() else ""
    return "\n".join(lines) + (f"\n---\n\n{original}" if original else "")
