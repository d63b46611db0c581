"""Build the optional native kernel where a C compiler works; without one, everything runs through scipy.

The kernel uses Python's stable ABI, so one file serves every version from 3.11 on. A wheel that contains it
is tagged for its platform; without a compiler the wheel is pure Python. ``CC`` and ``CFLAGS`` are honoured,
and ``ORTHOTYPE_KERNEL=scipy`` leaves the kernel out.
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

PLACE = Path("orthotype", "models", "linear", "_kernel.abi3.so")
SOURCE = Path("src", PLACE).with_name("_kernel.c")


class KernelBuildHook(BuildHookInterface):
    """Compile the kernel into the wheel, or beside its source for an editable installation."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile if possible, and tell the wheel builder what came of it."""
        if self.target_name != "wheel":
            return
        root = Path(self.root)
        if version == "editable":
            folder = (root / "src" / PLACE).parent
        else:
            self._folder = tempfile.TemporaryDirectory(prefix="orthotype-kernel-")
            folder = Path(self._folder.name)
        built = compile_kernel(root / SOURCE, folder / PLACE.name)
        if isinstance(built, str):
            self.app.display_warning(f"The native kernel was not built, scipy will be used: {built}")
            return
        build_data["pure_python"] = False
        platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        build_data["tag"] = f"cp311-abi3-{platform}"
        if version != "editable":
            build_data["force_include"][str(built)] = PLACE.as_posix()


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
