"""Keep the deployers' own tools: for each a virtual environment, outside the checkout, by its requirements.

Two environments, since they exclude one another: kolla-ansible asks for a newer ansible-core than the one
with which tripleo-ansible's plugins were tried.
"""

import subprocess
import sys
import zipfile
from pathlib import Path

from tests.lab import cache, settings

FILES = settings.HERE / "files" / "deployers"
#: tool -> the collections that it needs, as folders of the package that bundles them
_COLLECTIONS = {"tripleo": ("containers/podman",), "kolla": ()}
_BUNDLE = FILES / "collections.txt"


def ensure(tool: str) -> Path:
    """The tool's place: `venv` and `ansible_collections`; made when the cache lacks it.

    Args:
        tool: `tripleo` or `kolla`.

    Raises:
        RuntimeError: pip could not install it; the message has the end of its output.
    """
    requirements = FILES / f"{tool}.txt"
    python = (sys.version_info[:2], sys.base_prefix)
    key = cache.digest_of(Path(__file__), requirements, _BUNDLE, _COLLECTIONS[tool], python)
    return cache.ensure(f"deployer-{tool}", key, lambda work: _build(work, tool, requirements))


def share(place: Path) -> Path:
    """Where an installed tool has its roles, modules and variables."""
    return place / "venv" / "share"


def _build(work: Path, tool: str, requirements: Path) -> None:
    environment = work / "venv"
    _run(tool, [sys.executable, "-m", "venv", str(environment)])
    pip = [str(environment / "bin/python"), "-m", "pip"]
    _run(tool, [*pip, "install", "--quiet", "--no-deps", "--requirement", str(requirements)])
    if _COLLECTIONS[tool]:
        bundle = work / "bundle"
        _run(tool, [*pip, "download", "--quiet", "--no-deps", f"--dest={bundle}", f"--requirement={_BUNDLE}"])
        for wheel in bundle.iterdir():
            _unpack(wheel, work, _COLLECTIONS[tool])
            wheel.unlink()
        bundle.rmdir()


def _unpack(wheel: Path, work: Path, collections: tuple[str, ...]) -> None:
    wanted = tuple(f"ansible_collections/{name}/" for name in collections)
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(work, [name for name in archive.namelist() if name.startswith(wanted)])


def _run(tool: str, argv: list[str]) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(argv)} failed, for {tool}:\n{(done.stdout + done.stderr)[-2000:]}")
