"""Open a bundle, or refuse it: every file that inference reads is hashed and checked before anything interprets it."""

import hashlib
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from pydantic import ValidationError

from models.errors import InvalidBundleError
from models.runtime.manifest import EXCHANGE_SUFFIXES, FileEntry, Manifest
from models.runtime.onnx_borrow import borrow_weights
from models.runtime.onnx_scan import check_onnx

__all__ = ["MANIFEST_NAME", "Bundle", "Manifest", "load_bundle", "load_manifest", "read_entry", "write_manifest"]

MANIFEST_NAME: Final = "bundle.json"
_MANIFEST_LIMIT_BYTES: Final = 4 * 2**20


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle that may be served.

    Attributes:
        files: contents of the files that inference reads, as hashed, a graph together with the weights it borrows; the
            folder is not looked at again.
        sha256: of `bundle.json`, which holds the hashes of all else: the identity of the model.
    """

    folder: Path
    manifest: Manifest
    files: Mapping[str, bytes]
    sha256: str


def load_bundle(folder: Path) -> Bundle:
    """Read and check a bundle.

    Raises:
        InvalidBundleError: no or no valid manifest; a file is missing, not listed, not a plain file (links are
            refused), or not what its hash says; a graph holds what `onnx_scan.check_onnx` refuses, or borrows weights
            that are not there.
    """
    manifest, sha256 = load_manifest(folder)
    files = {}
    for name in manifest.served_files:
        entry = manifest.files.get(name)
        if entry is None:
            raise InvalidBundleError(f"{name}: used by the manifest, but not listed with a hash")
        files[name] = read_entry(folder, name, entry)
        if name.endswith(".onnx"):
            check_onnx(files[name])
    spec = manifest.reconstructor
    if spec is not None and spec.borrows_weights:
        files[spec.file] = borrow_weights(files[spec.file], files[manifest.classifier.file])
    return Bundle(folder, manifest, MappingProxyType(files), sha256)


def load_manifest(folder: Path) -> tuple[Manifest, str]:
    """The checked manifest and the sha256 of its bytes; no other file is read.

    Raises:
        InvalidBundleError: absent, too large, or not a manifest of a known schema version.
    """
    content = _read_plain_file(folder, MANIFEST_NAME, _MANIFEST_LIMIT_BYTES)
    try:
        manifest = Manifest.model_validate_json(content, strict=True)
    except ValidationError as error:
        raise InvalidBundleError(f"{MANIFEST_NAME}: {_first_reason(error)}") from error
    return manifest, hashlib.sha256(content).hexdigest()


def read_entry(folder: Path, name: str, entry: FileEntry) -> bytes:
    """One listed file.

    Raises:
        InvalidBundleError: missing, not a plain file, or other bytes than listed.
    """
    content = _read_plain_file(folder, name, entry.bytes)
    if len(content) != entry.bytes or hashlib.sha256(content).hexdigest() != entry.sha256:
        raise InvalidBundleError(f"{name}: not the file that the manifest lists (size or sha256 differs)")
    return content


def write_manifest(folder: Path, manifest: Manifest) -> Manifest:
    """Hash the files that are there and write `bundle.json`, last and in one step.

    A folder without `bundle.json` is no bundle, so a run that breaks off before this leaves nothing to serve.

    Args:
        manifest: its `files` are replaced by what lies in the folder: the served files and, as optional entries,
            exchange formats.

    Returns:
        The manifest as written.

    Raises:
        InvalidBundleError: a served file is missing.
    """
    exchange = sorted(path.name for path in folder.iterdir() if path.name.endswith(EXCHANGE_SUFFIXES))
    files = {}
    for name in (*manifest.served_files, *exchange):
        content = _read_plain_file(folder, name, None)
        sha256 = hashlib.sha256(content).hexdigest()
        files[name] = FileEntry(sha256=sha256, bytes=len(content), optional=name in exchange)
    # Validated anew, because `model_copy` would not look at the names.
    complete = Manifest.model_validate(manifest.model_dump() | {"files": files})
    partial = folder / f".{MANIFEST_NAME}.partial"
    with partial.open("w", encoding="utf-8") as stream:
        stream.write(complete.model_dump_json(indent=2) + "\n")
        stream.flush()
        os.fsync(stream.fileno())
    partial.replace(folder / MANIFEST_NAME)
    return complete


def _read_plain_file(folder: Path, name: str, limit_bytes: int | None) -> bytes:
    """Contents of a file of the folder itself; neither a link nor a pipe is followed, nothing is waited for."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        with os.fdopen(os.open(folder / name, flags), "rb") as stream:
            status = os.fstat(stream.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise InvalidBundleError(f"{name}: not a plain file")
            if limit_bytes is not None and status.st_size > limit_bytes:
                raise InvalidBundleError(f"{name}: {status.st_size} bytes, more than the {limit_bytes} allowed")
            return stream.read()
    except OSError as error:
        raise InvalidBundleError(f"{name}: cannot be read ({error.strerror}); links are not followed") from error


def _first_reason(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    return f"{place}: {first['msg']}" if place else first["msg"]
