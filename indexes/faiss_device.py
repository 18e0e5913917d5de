"""Where FAISS works: the processor, or a GPU when faiss-gpu is installed and there is one."""

from __future__ import annotations

from typing import Any

from errors import DependencyError

GPU_MOST = 2048  # neighbours that a search on a GPU returns at most


def available(device: str) -> bool:
    """Whether FAISS can search on ``device`` ("cpu", "cuda") here."""
    import faiss

    return device == "cpu" or (device == "cuda" and hasattr(faiss, "StandardGpuResources") and faiss.get_num_gpus() > 0)


def check_device(device: str) -> None:
    """Raise DependencyError when FAISS cannot search on ``device`` here."""
    if not available(device):
        raise DependencyError(
            "FAISS cannot use this device",
            value=device,
            expected="cpu, or cuda with faiss-gpu and a GPU",
            run="pip uninstall faiss-cpu, then pip install 'whydx[gpu]'",
        )


def on_device(index: Any, device: str) -> Any:
    """``index`` where ``device`` says ("cpu": as it is; "cuda": a copy on the first GPU).

    Raises DependencyError when FAISS has no GPU here.
    """
    check_device(device)
    if device == "cpu":
        return index
    import faiss

    options = faiss.GpuClonerOptions()
    options.useFloat16 = True  # tables of long codes fit into the GPU's shared memory only so
    return faiss.index_cpu_to_gpu(faiss.StandardGpuResources(), 0, index, options)


def on_processor(index: Any, device: str) -> Any:
    """The index as it is written to a file: a copy in main memory of one that `on_device` moved."""
    import faiss

    return index if device == "cpu" else faiss.index_gpu_to_cpu(index)
