"""Makes a Python environment with the newest torch that is supported, beside the one of the build.

    python install.py DIRECTORY 2.15   (WF_TORCH_NEWEST of cmake/Torch.cmake; a newer one is tried by its number here)

Only the wheel of torch (about 550 MB) and its small pure-Python requirements are fetched. Its CUDA libraries are links to
those of the torch of this Python, since a program that computes on the CPU only needs them to load; those that it does
not load with are fetched too. An environment that is complete is kept. Exit code 77, which CTest counts as skipped: the
wheel cannot be fetched, or the torch of the build is of that version.
"""

import importlib.metadata as metadata
import importlib.util
import pathlib
import re
import subprocess
import sys
import venv


def skip(reason):
    print(f"skipped: {reason}")
    sys.exit(77)


def version_of_torch(python):
    done = subprocess.run(
        [python, "-c", "import importlib.metadata as m; print(m.version('torch'))"], capture_output=True, text=True
    )
    return done.stdout.strip().split("+")[0] if done.returncode == 0 else None


def requirements(python):
    """Those of torch that apply here, without Triton, which nothing here uses."""
    program = """if True:
        import importlib.metadata as metadata
        from pip._vendor.packaging.requirements import Requirement
        for text in metadata.requires("torch"):
            need = Requirement(text)
            if need.name != "triton" and (need.marker is None or need.marker.evaluate({"extra": ""})):
                need.marker = None
                print(need)
    """
    return subprocess.run([python, "-c", program], capture_output=True, text=True, check=True).stdout.split("\n")[:-1]


def link_cuda_libraries(site):
    """nvidia/ with a link to each directory of libraries that this Python has."""
    own = importlib.util.find_spec("nvidia")
    if own is None or (site / "nvidia").exists():
        return
    (site / "nvidia").mkdir()
    for directory in pathlib.Path(list(own.submodule_search_locations)[0]).iterdir():
        (site / "nvidia" / directory.name).symlink_to(directory)


def fetch_unsuitable_libraries(python, pip, site, needs):
    """Fetches the libraries of CUDA that torch cannot be loaded with, one requirement after another."""
    while needs:
        done = subprocess.run([python, "-c", "import torch"], capture_output=True, text=True)
        if done.returncode == 0:
            return
        error = done.stderr.strip().splitlines()[-1]
        # "undefined symbol: ncclCommResume": of nvidia-nccl-cu13==2.30 the second name is that of the library and of its
        # directory. What is not named so comes with the toolkit, whose directory is cu13.
        chosen = next((need for need in needs if need.split("-")[1] in error.lower()), needs[0])
        print(f"fetching {chosen}: {error}", flush=True)
        needs.remove(chosen)
        directory = "cu13" if "toolkit" in chosen else chosen.split("-")[1]
        if (site / "nvidia" / directory).is_symlink():
            (site / "nvidia" / directory).unlink()  # pip would write through it
        subprocess.run([*pip, "--no-deps" if "toolkit" not in chosen else "--upgrade", chosen], check=True)
    subprocess.run([python, "-c", "import torch"], check=True)


def main(directory, version):
    try:
        build = metadata.version("torch").split("+")[0]
    except metadata.PackageNotFoundError:
        skip("this Python has no torch; tools/bootstrap.sh installs it")
    if build.startswith(f"{version}."):
        skip(f"the torch of this build is {build}")
    directory = pathlib.Path(directory)
    python = directory / "bin/python3"
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if not python.exists():
        venv.create(directory, with_pip=True, clear=True)
    newest = version_of_torch(python)
    if newest is None or not newest.startswith(f"{version}."):
        fetched = subprocess.run([*pip, "--no-deps", f"torch=={version}.*"], capture_output=True, text=True)
        if fetched.returncode != 0:
            skip(f"torch {version} cannot be fetched: {(fetched.stderr.strip() or 'no reason').splitlines()[-1]}")
        newest = version_of_torch(python)
    site = next(directory.glob("lib/python3*/site-packages"))
    needs = requirements(python)
    of_cuda = [need for need in needs if re.match("nvidia|cuda", need)]
    others = ["numpy", *(need for need in needs if need not in of_cuda)]
    # With what has been left out pip is not content, though it installs the rest.
    subprocess.run([*pip, *others], check=True, stderr=subprocess.DEVNULL)
    link_cuda_libraries(site)
    fetch_unsuitable_libraries(python, pip, site, of_cuda)
    print(f"torch {newest} in {directory}, beside {build}")


if __name__ == "__main__":
    main(*sys.argv[1:])
