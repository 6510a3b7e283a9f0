"""The kernel of a run: this very Python, reached through a local socket instead of a network port."""

from __future__ import annotations

import os
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from jupyter_core.paths import jupyter_runtime_dir
from traitlets import default

_LONGEST_FOLDER = 70
"""A local socket's path may hold about a hundred characters, some thirty of which are the names in this folder."""


class RunKernel(AsyncKernelManager):
    """A kernel on the running interpreter, whatever kernels a person has installed under the name python3."""

    @default("transport")  # type: ignore[untyped-decorator]
    def _default_transport(self) -> str:
        return "ipc" if os.name == "posix" and len(tempfile.gettempdir()) < _LONGEST_FOLDER else "tcp"

    @default("ip")  # type: ignore[untyped-decorator]
    def _default_ip(self) -> str:
        # For a local socket the "ip" is a path; its own default is one name in the working directory for all kernels.
        return (
            os.path.join(jupyter_runtime_dir(), f"k{uuid.uuid4().hex[:8]}") if self.transport == "ipc" else "127.0.0.1"
        )

    @property
    def kernel_spec(self) -> KernelSpec:
        """The command that starts the kernel."""
        argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return KernelSpec(argv=argv, language="python", display_name="Python 3")


@contextmanager
def private_folders() -> Iterator[dict[str, str]]:
    """Folders of one process for connection files and IPython's own state, removed at the end.

    A person's IPython start-up files must not change a number, and two kernels must not share a history file.
    """
    with tempfile.TemporaryDirectory(prefix="winloss-") as folder:
        yield {"JUPYTER_RUNTIME_DIR": folder, "IPYTHONDIR": os.path.join(folder, "ipython")}
