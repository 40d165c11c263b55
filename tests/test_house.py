"""What holds for the repository as a whole: its pins, its licences, its documentation, its tree."""

import importlib.metadata
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from pydantic import AliasChoices

from service.settings import Settings
from service.version import VERSION

ROOT = Path(__file__).parent.parent
REQUIREMENTS = ROOT / "requirements"
PIN_FILES = ("bootstrap.txt", "serve.txt", "serve-gpu.txt", "train.txt", "dev.txt")

# Needed to train, export and check; never to serve.
TRAINING_ONLY = {"torch", "torchvision", "timm", "grad-cam", "onnxscript", "opencv-python-headless"}

# Licences under which a package may come with the default installation, by SPDX name.
PERMISSIVE = {
    "0BSD",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "CC0-1.0",
    "MIT",
    "MIT-CMU",
    "PSF-2.0",
    "Zlib",
}
# What packages write that do not speak SPDX yet: trove classifiers and free text.
SPELLINGS = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache 2.0": "Apache-2.0",
    "License :: OSI Approved :: Apache Software License": "Apache-2.0",
    "License :: OSI Approved :: BSD License": "BSD-3-Clause",
    "License :: OSI Approved :: MIT License": "MIT",
    "MIT License": "MIT",
}

BUNDLES_LIMIT_BYTES = 64_000_000  # history keeps every version of every committed bundle


def lines(name: str) -> list[str]:
    """One line a pin, its continuation lines joined."""
    joined = (REQUIREMENTS / name).read_text().replace("\\\n", " ").splitlines()
    return [line for line in joined if line.strip() and not line.startswith("#")]


def pins(name: str) -> list[Requirement]:
    """What a file pins; a package stands there twice where Python versions need different ones."""
    return [Requirement(line.split("--hash", maxsplit=1)[0].strip()) for line in lines(name)]


def is_for_this_machine(pin: Requirement) -> bool:
    """Whether its marker, if any, asks for it here."""
    return pin.marker is None or pin.marker.evaluate()


def licences(metadata: importlib.metadata.PackageMetadata) -> set[str]:
    """SPDX names of all licences a package declares; the most exact statement wins."""
    if expression := metadata["License-Expression"]:
        return set(re.split(r"\s+(?:AND|OR)\s+|[()]+", expression)) - {""}
    classifiers = [line for line in metadata.get_all("Classifier") or [] if line.startswith("License ::")]
    return {SPELLINGS.get(said, said) for said in classifiers or [metadata["License"] or "none declared"]}


@pytest.fixture(name="tree", scope="module")
def _tree() -> list[Path]:
    """Every file of the checkout that git keeps or would keep."""
    if not (ROOT / ".git").exists():
        pytest.skip("no git checkout, so nothing tells the project's files from others")
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout  # noqa: S603 constant
    paths = (ROOT / name for name in listed.split("\0") if name)
    return [path for path in paths if path.is_file()]


@pytest.fixture(name="texts", scope="module")
def _texts(tree: list[Path]) -> dict[Path, str]:
    """Those of them that are text, by path."""
    texts = {}
    for path in tree:
        content = path.read_bytes()
        if b"\0" not in content:
            texts[path.relative_to(ROOT)] = content.decode()
    return texts


@pytest.mark.parametrize("name", PIN_FILES)
class TestPins:
    def test_every_pin_is_one_version_and_its_hashes(self, name):
        """Two machines install the same bytes, or fail."""
        exact = re.compile(r"[a-z0-9-]+==\S+( ; [^#]+?)?(\s+--hash=sha256:[0-9a-f]{64})+\s*")

        assert [] == [line for line in lines(name) if not exact.fullmatch(line)]

    def test_no_index_is_named(self, name):
        """Where packages come from is the machine's affair."""
        address = re.compile(r"://|--(extra-)?index-url|--find-links|--trusted-host")

        assert None is address.search((REQUIREMENTS / name).read_text())


class TestServing:
    @pytest.mark.parametrize("name", ["serve.txt", "serve-gpu.txt"])
    def test_serving_installs_nothing_of_training(self, name):
        """Torch is needed to train, export and check parity; never to serve."""
        assert set() == TRAINING_ONLY & {pin.name for pin in pins(name)}

    def test_what_is_tested_is_what_is_served(self):
        """The development pins hold every serving pin at the same version, perhaps for more machines."""
        tested = {(pin.name, str(pin.specifier)) for pin in pins("dev.txt")}

        assert set() == {(pin.name, str(pin.specifier)) for pin in pins("serve.txt")} - tested

    @pytest.mark.parametrize("package", sorted({pin.name for pin in pins("serve.txt") if is_for_this_machine(pin)}))
    def test_a_serving_package_is_under_a_permissive_licence(self, package):
        """A licence that is not known to be permissive is read by somebody before it is admitted here."""
        assert set() == licences(importlib.metadata.metadata(package)) - PERMISSIVE

    def test_importing_the_engine_leaves_nothing_in_the_home_folder(self, tmp_path):
        """ONNX Runtime's wheels report usage to their maker, from a database under HOME, unless told not to."""
        command = [sys.executable, "-c", "import models.runtime.session"]
        subprocess.run(command, cwd=ROOT, env={"HOME": str(tmp_path)}, check=True)  # noqa: S603 constant

        assert [] == list(tmp_path.rglob("*"))


class TestDocumentation:
    def test_every_setting_is_documented_and_nothing_else_is(self):
        """A variable that is added, renamed or dropped changes docs/settings.md in the same commit."""
        named = set(re.findall(r"`(THORASCOPE_[A-Z_]+)`", (ROOT / "docs/settings.md").read_text()))

        assert {variable(name) for name in Settings.model_fields} == named

    def test_every_relative_link_leads_somewhere(self, texts):
        """Pages are moved together with the links to them."""
        link = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)")
        pages = {path: text for path, text in texts.items() if path.suffix == ".md"}

        broken = [
            f"{page}: {target}"
            for page, text in pages.items()
            for target in link.findall(text)
            if not (ROOT / page.parent / target).exists()
        ]

        assert [] == broken

    def test_the_software_states_one_version(self):
        """pyproject.toml is where it is changed; what the service says of itself follows."""
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

        assert project["version"] == VERSION

    def test_every_decision_record_is_in_the_list(self):
        """A record nobody can find was not written."""
        folder = ROOT / "docs/decisions"
        listed = re.findall(r"\((\d{4}-[a-z0-9-]+\.md)\)", (folder / "README.md").read_text())

        assert sorted(path.name for path in folder.glob("[0-9]*.md")) == listed


def variable(field: str) -> str:
    """The environment variable a field is read from, the project's own where there are several."""
    alias = Settings.model_fields[field].validation_alias
    names = alias.choices if isinstance(alias, AliasChoices) else [alias or f"THORASCOPE_{field.upper()}"]
    return next(str(name) for name in names if str(name).startswith("THORASCOPE_"))


class TestTree:
    @pytest.mark.parametrize(
        "trace",
        [
            pytest.param(r"/(?:home|root|work|Users)/\w", id="a path of somebody's machine"),
            pytest.param(r"\bpy(?:pi|thonhosted)\.org|\bdebian\.org/debian", id="the host of a package index"),
        ],
    )
    def test_no_file_names(self, texts, trace):
        """What is true of one machine stays out of the repository."""
        assert [] == [f"{path}: {found[0]}" for path, text in texts.items() if (found := re.search(trace, text))]

    def test_packages_do_nothing_when_imported(self, tree):
        """`__init__.py` stays empty: a name is imported from where it lives."""
        assert [] == [path for path in tree if path.name == "__init__.py" and path.stat().st_size]

    def test_every_module_is_short_enough_to_read(self, texts):
        """170 lines are an alarm, 250 the limit: one concept a file."""
        modules = {path: text for path, text in texts.items() if path.suffix == ".py" and path.parts[0] != "tests"}

        assert {} == {path: lines for path, text in modules.items() if (lines := len(text.splitlines())) > 250}

    def test_no_module_is_a_drawer(self, tree):
        """A file is named for what it holds."""
        assert [] == [path for path in tree if path.stem in {"utils", "util", "helpers", "common", "misc"}]

    def test_the_bundles_stay_small(self, tree):
        """Whoever clones the repository gets every bundle it ever had."""
        bundles = ROOT / "models/bundles"

        assert sum(path.stat().st_size for path in tree if path.is_relative_to(bundles)) <= BUNDLES_LIMIT_BYTES
