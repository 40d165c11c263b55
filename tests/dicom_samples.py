"""Small DICOM files of every kind, written for tests."""

import warnings
from io import BytesIO
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom import Dataset, dcmwrite, uid
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate

from models.imaging import phantom

PATIENT = "Canary^Patient"  # must never be seen outside


def chest(bits: int = 8, height: int = 96, width: int = 80) -> NDArray[np.uint16]:
    """A phantom with values of `bits` bits, nearly all of them in use."""
    grey = phantom.draw(0, height, width).astype(np.uint32)
    texture = np.arange(grey.size, dtype=np.uint32).reshape(grey.shape) % (2 ** max(bits - 8, 0))
    return np.asarray((grey << max(bits - 8, 0)) + texture, np.uint16)


def dataset(values: NDArray[Any], bits_stored: int = 8, **attributes: Any) -> Dataset:
    """A DX data set around (H, W) values; attributes by keyword, None leaves one out."""
    is_signed = values.dtype.kind == "i"
    allocated = 8 if bits_stored <= 8 else 16
    made = Dataset()
    standard = {
        "SOPClassUID": "1.2.840.10008.5.1.4.1.1.1.1",
        "SOPInstanceUID": "1.2.3.4",
        "PatientName": PATIENT,
        "PatientID": PATIENT,
        "Modality": "DX",
        "BodyPartExamined": "CHEST",
        "ViewPosition": "PA",
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "Rows": values.shape[0],
        "Columns": values.shape[1],
        "BitsAllocated": allocated,
        "BitsStored": bits_stored,
        "HighBit": bits_stored - 1,
        "PixelRepresentation": int(is_signed),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some samples are meant to be wrong
        for keyword, value in (standard | attributes).items():
            if value is not None:
                setattr(made, keyword, value)
    made.PixelData = values.astype(f"<{'i' if is_signed else 'u'}{allocated // 8}").tobytes()
    made["PixelData"].VR = "OW"
    return made


def written(made: Dataset, syntax: str = uid.ExplicitVRLittleEndian, *, preamble: bool = True) -> bytes:
    """The file; without preamble it has no meta information either."""
    buffer = BytesIO()
    if preamble:
        made.file_meta = FileMetaDataset()
        made.file_meta.TransferSyntaxUID = uid.UID(syntax)
        dcmwrite(buffer, made, enforce_file_format=True)
        return buffer.getvalue()
    syntax = uid.UID(syntax)
    made.save_as(buffer, implicit_vr=syntax.is_implicit_VR, little_endian=syntax.is_little_endian)
    return buffer.getvalue()


def plain(
    values: NDArray[Any], bits_stored: int = 8, syntax: str = uid.ExplicitVRLittleEndian, **attributes: Any
) -> bytes:
    """An uncompressed file."""
    made = dataset(values, bits_stored, **attributes)
    if syntax == uid.ExplicitVRBigEndian:
        made.PixelData = values.astype(values.dtype.newbyteorder(">")).tobytes() if bits_stored > 8 else made.PixelData
        made["PixelData"].VR = "OW" if bits_stored > 8 else "OB"
    return written(made, syntax)


def framed(frame: bytes, values: NDArray[Any], bits_stored: int, syntax: str, **attributes: Any) -> bytes:
    """A file with one compressed frame, which need not belong to the values that give the header its size."""
    made = dataset(values, bits_stored, **attributes)
    made.PixelData = encapsulate([frame])
    made["PixelData"].VR = "OB"
    made["PixelData"].is_undefined_length = True
    return written(made, syntax)


def compressed(values: NDArray[Any], bits_stored: int, syntax: str, **attributes: Any) -> bytes:
    """A losslessly compressed file, by the encoders that pydicom finds or by imagecodecs."""
    samples = values.astype(np.uint8) if bits_stored <= 8 else values
    match syntax:
        case uid.JPEGLossless | uid.JPEGLosslessSV1:
            predictor = 1 if syntax == uid.JPEGLosslessSV1 else 4
            frame = imagecodecs.jpeg8_encode(samples, lossless=True, predictor=predictor, bitspersample=bits_stored)
            return framed(frame, values, bits_stored, syntax, **attributes)
        case uid.HTJ2KLossless | uid.HTJ2KLosslessRPCL | uid.HTJ2K:
            return framed(imagecodecs.htj2k_encode(samples, reversible=True), values, bits_stored, syntax, **attributes)
    made = dataset(values, bits_stored, **attributes)
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    made.compress(uid.UID(syntax), generate_instance_uid=False)
    return written(made, syntax)


def jpeg(values: NDArray[np.uint8], **options: Any) -> bytes:
    """A JPEG file, or frame."""
    buffer = BytesIO()
    Image.fromarray(values).save(buffer, "JPEG", **options)
    return buffer.getvalue()


def png(image: Image.Image | NDArray[Any], **options: Any) -> bytes:
    """A PNG file."""
    buffer = BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(buffer, "PNG", **options)
    return buffer.getvalue()
