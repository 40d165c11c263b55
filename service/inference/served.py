"""What is served, by its manifest alone: for processes that hold no graphs."""

from models.errors import InvalidBundleError
from models.runtime.bundle import load_manifest
from models.runtime.manifest import Manifest
from service.inference.answers import ServedModel
from service.settings import Settings


def served_model(settings: Settings) -> ServedModel:
    """What the bundle says of itself, with the settings' thresholds in force.

    Raises:
        InvalidBundleError: the bundle cannot be served; the message names its folder.
    """
    try:
        manifest, sha256 = load_manifest(settings.bundle_dir)
        return ServedModel(with_default_thresholds(manifest, settings), sha256)
    except InvalidBundleError as error:
        raise InvalidBundleError(f"{settings.bundle_dir}: {error}") from error


def with_default_thresholds(manifest: Manifest, settings: Settings) -> Manifest:
    """The manifest with the threshold set that the settings name, if any.

    Raises:
        InvalidBundleError: it has no such set.
    """
    if settings.thresholds is None:
        return manifest
    try:
        return manifest.with_thresholds(settings.thresholds)
    except ValueError as error:
        raise InvalidBundleError(f"THORASCOPE_THRESHOLDS names no set of this bundle: {error}") from error
