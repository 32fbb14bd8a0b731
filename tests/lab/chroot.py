"""Run one command inside a root directory that is not booted.

The host's name resolution, certificates and pip settings are bound over the root's own for that command
only, so that nothing of the host stays in the image. It is a program (`python -m tests.lab.chroot ROOT
COMMAND...`) since it must own its mount namespace: `run` starts it so.
"""

import os
import subprocess
import sys
from pathlib import Path

from . import settings

_HOST_FILES = ("/etc/resolv.conf", "/etc/hosts", "/etc/ssl/certs/ca-certificates.crt")
_HOST_VARIABLES = ("PIP_", "SSL_CERT_", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_PROXY_VARIABLES = ("http_proxy", "https_proxy", "no_proxy", "all_proxy")


def run(
    root: Path,
    argv: list[str],
    *,
    log: Path,
    binds: dict[Path, str] | None = None,
    lower: Path | None = None,
) -> None:
    """Run a command in `root` and wait for it.

    Args:
        root: The directory to change into; with `lower`, the upper directory of an overlay over it.
        argv: The command.
        log: The file that gets its output.
        binds: Host directories to show inside, read-only: {host path: path inside}.
        lower: The root that `root` is a layer over.

    Raises:
        RuntimeError: The command failed; with the end of its output.
    """
    options = [f"--bind={host}={inside}" for host, inside in (binds or {}).items()]
    if lower:
        options.append(f"--lower={lower}")
    # A dying parent takes the whole build with it, its mounts too.
    private = ["unshare", "--mount", "--propagation=private", "--pid", "--fork", "--kill-child", "--"]
    inner = [sys.executable, "-m", "tests.lab.chroot", *options, str(root), *argv]
    with log.open("a") as output:
        done = subprocess.run(
            [*private, *inner],
            cwd=settings.CHECKOUT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            check=False,
        )
    if done.returncode:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        raise RuntimeError(f"{' '.join(argv)} failed in {root} (whole log: {log}):\n{tail}")


def environment() -> dict[str, str]:
    """The variables a command inside needs of the host's: pip's settings, certificates, proxies."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name.startswith(_HOST_VARIABLES) or name.lower() in _PROXY_VARIABLES
    }
    return kept | {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": "/root",
        "LC_ALL": "C.UTF-8",
        "DEBIAN_FRONTEND": "noninteractive",
    }


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)


def _bind_over(source: Path, target: Path) -> None:
    """Bind a host file over the root's; what is made for it when it is missing there is an empty file."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.is_symlink():
        target.unlink()
    if not target.exists():
        target.touch()
    _mount("--bind", str(source), str(target))


def _local_indexes() -> set[Path]:
    """Directories that pip's settings name: find-links, and file:// indexes with what is beside them."""
    settings = [value for name, value in os.environ.items() if name.startswith("PIP_")]
    settings += [path.read_text() for path in _pip_configurations()]
    words = " ".join(settings).replace("=", " ").split()
    paths = (Path(w.removeprefix("file://")).parent if w.startswith("file://") else Path(w) for w in words)
    return {path for path in paths if path.is_absolute() and path != Path("/") and path.is_dir()}


def _pip_configurations() -> dict[Path, str]:
    """pip's configuration files on this host, and where pip looks for them inside."""
    named = os.environ.get("PIP_CONFIG_FILE")
    places = (
        {Path(named): named}
        if named
        else {
            Path("/etc/pip.conf"): "/etc/pip.conf",
            Path.home() / ".config/pip/pip.conf": "/root/.config/pip/pip.conf",
            Path.home() / ".pip/pip.conf": "/root/.pip/pip.conf",
        }
    )
    return {path: inside for path, inside in places.items() if path.is_file()}


def _enter(root: Path) -> None:
    files = {Path(name): name for name in _HOST_FILES if Path(name).is_file()} | _pip_configurations()
    for path, inside in files.items():
        _bind_over(path.resolve(), root / inside.lstrip("/"))
    for path in _local_indexes():
        target = root / str(path).lstrip("/")
        target.mkdir(parents=True, exist_ok=True)
        _mount("--bind", str(path), str(target))
    _mount("-t", "proc", "proc", str(root / "proc"))
    os.chroot(root)
    os.chdir("/")


def main(arguments: list[str]) -> None:
    """Enter the root named on the command line and become its command."""
    binds = [a.removeprefix("--bind=").split("=", 1) for a in arguments if a.startswith("--bind=")]
    lowers = [a.removeprefix("--lower=") for a in arguments if a.startswith("--lower=")]
    rest = arguments[len(binds) + len(lowers) :]
    root, argv = Path(rest[0]), rest[1:]
    if lowers:
        merged, work = root.parent / "merged", root.parent / "work"
        for directory in (root, merged, work):
            directory.mkdir(exist_ok=True)
        options = f"lowerdir={lowers[0]},upperdir={root},workdir={work}"
        _mount("-t", "overlay", "overlay", "-o", options, str(merged))
        root = merged
    for host, inside in binds:
        target = root / inside.lstrip("/")
        target.mkdir(parents=True, exist_ok=True)
        _mount("--bind", host, str(target))
    _enter(root)
    os.execvpe(argv[0], argv, environment())


if __name__ == "__main__":
    main(sys.argv[1:])
