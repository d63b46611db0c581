"""Build the optional native kernels where a C compiler works; without one, everything runs through scipy.

The kernels use Python's stable ABI, so one file serves every version from 3.11 on. A wheel that contains them
is tagged for its platform; without a compiler the wheel is pure Python. ``CC`` and ``CFLAGS`` are honoured,
and ``ORTHOTYPE_KERNEL=scipy`` leaves the kernels out.
"""

import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SOURCES = tuple(
    Path("orthotype", *parts)
    for parts in (("models", "linear", "_kernel.c"), ("models", "_nearest.c"), ("cells", "_rows.c"))
)


class KernelBuildHook(BuildHookInterface):
    """Compile the kernels into the wheel, or beside their sources for an editable installation."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile if possible, and tell the wheel builder what came of it."""
        if self.target_name != "wheel":
            return
        source = Path(self.root, "src")
        target = source
        if version != "editable":
            self._folder = tempfile.TemporaryDirectory(prefix="orthotype-kernel-")
            target = Path(self._folder.name)
        places = [path.with_suffix(".abi3.so") for path in SOURCES]
        for path, place in zip(SOURCES, places, strict=True):
            (target / place).parent.mkdir(parents=True, exist_ok=True)
            built = compile_kernel(source / path, target / place)
            if isinstance(built, str):
                for made in places:
                    (target / made).unlink(missing_ok=True)
                self.app.display_warning(
                    f"The native kernels were not built, scipy will be used: {path.name}: {built}"
                )
                return
        build_data["pure_python"] = False
        platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        build_data["tag"] = f"cp311-abi3-{platform}"
        if version != "editable":
            for place in places:
                build_data["force_include"][str(target / place)] = place.as_posix()


def compiler() -> list[str] | None:
    """Return the command of a C compiler: CC, else the one that built Python, else whatever is found."""
    named = os.environ.get("CC")
    candidates = [named] if named else [sysconfig.get_config_var("CC"), "cc", "gcc", "clang"]
    for candidate in candidates:
        command = shlex.split(candidate or "")
        if command and shutil.which(command[0]):
            return command
    return None


def compile_kernel(source: Path, target: Path) -> Path | str:
    """Return the compiled kernel, or one line on why there is none; an older one never stays."""
    target.unlink(missing_ok=True)
    if os.environ.get("ORTHOTYPE_KERNEL") == "scipy":
        return "ORTHOTYPE_KERNEL=scipy"
    command = compiler()
    if command is None:
        return "no C compiler was found"
    if os.name == "nt":
        return "Windows has no POSIX threads"
    linking = ["-bundle", "-undefined", "dynamic_lookup"] if sys.platform == "darwin" else ["-shared"]
    options = ["-O3", "-std=gnu11", "-fPIC", "-pthread", f"-I{sysconfig.get_path('include')}"]
    flags = shlex.split(os.environ.get("CFLAGS", ""))
    call = [*command, *options, *flags, *linking, str(source), "-o", str(target), "-lm"]
    try:
        done = subprocess.run(call, capture_output=True, text=True, check=False, timeout=600)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if done.returncode != 0 or not target.is_file():
        target.unlink(missing_ok=True)
        lines = [line for line in done.stderr.splitlines() if "error" in line] or done.stderr.splitlines()
        return lines[0] if lines else f"the compiler ended with status {done.returncode}"
    return target
