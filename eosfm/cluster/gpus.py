"""Which GPUs a process may use."""

import os


def visible_gpus() -> list[str]:
    """What CUDA_VISIBLE_DEVICES calls the GPUs that this process may use."""
    import pynvml

    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [name for name in named.split(",") if name not in ("", "-1")]
    try:
        pynvml.nvmlInit()
        return [str(number) for number in range(pynvml.nvmlDeviceGetCount())]
    except pynvml.NVMLError:  # no driver, so no GPU
        return []


def visible_devices() -> str:
    """These GPUs by names that hold on the whole machine: jobs that see one each all call it 0."""
    import pynvml

    def identify(name: str) -> str:
        if not name.isdigit():
            return name
        return str(pynvml.nvmlDeviceGetUUID(pynvml.nvmlDeviceGetHandleByIndex(int(name))))

    named = visible_gpus()
    try:
        pynvml.nvmlInit()
        return ",".join(map(identify, named))
    except pynvml.NVMLError:  # no driver, or a number of CUDA's that it does not know
        return ",".join(named)
