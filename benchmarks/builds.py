"""Builds of the kernels for GPUs, which need no GPU: what registers and shared memory they take.

python -m benchmarks.builds                      # all kernels, for sm_90 and sm_86
python -m benchmarks.builds --kernels code_oat   # these alone
"""

from __future__ import annotations

import argparse
import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from las.neurons.gpu import attention, coding, norm
from las.neurons.gpu.gate import _gate

CAPABILITIES = {90: "H100, H200", 86: "RTX 3090"}
DTYPES = {"bfloat16": "*bf16", "float16": "*fp16", "float32": "*fp32"}
BYTES = {"bfloat16": 2, "float16": 2, "float32": 4}


@dataclass(frozen=True)
class Kernel:
    """A kernel in one of the ways in which it is launched.

    Attributes:
        function: what is compiled.
        options: of the compiler.
        changed: constants that are not those of `_CONSTANTS`.
        queries: of attention: how many there are.
    """

    function: Any
    options: Mapping[str, Any] = field(default_factory=dict)
    changed: Mapping[str, Any] = field(default_factory=dict)
    queries: int = 512


def _normalising(**changed: Any) -> Kernel:
    """All 4096 values of a token in a program."""
    return Kernel(norm._normalise, {"num_warps": norm.warps(4096)}, {"BLOCK": 4096} | changed)


def _attending(queries: int = 512, **changed: Any) -> Kernel:
    return Kernel(attention._attend, attention.ATTENDING, changed, queries)


KERNELS: dict[str, Kernel] = {
    "code_oat": Kernel(coding._code_oat),
    "code_hg": Kernel(coding._code_hg),
    "gate": Kernel(_gate),
    "gate_padded": Kernel(_gate, changed={"PADDED": True}),
    "normalise": _normalising(),
    "normalise_padded": _normalising(PADDED=True),
    "attend": _attending(),
    "attend_decoding": _attending(queries=1),
    "attend_padded": _attending(PADDED=True),
    "attend_biased": _attending(BIASED=True),
    "attend_capped": _attending(CAPPED=True),
    "attend_64": _attending(WIDTH=64, OUT=64),
    "attend_256": _attending(WIDTH=256, OUT=256),
}

_OF_INPUTS = (
    "x",
    "y",
    "gate",
    "up",
    "product",
    "gamma",
    "beta",
    "query",
    "key",
    "value",
    "context",
    "bias",
)
_TYPES: dict[str, str] = {
    **dict.fromkeys(("steps", "bands", "scalars", "sub_neurons"), "*fp32"),
    **dict.fromkeys(("lowest", "octaves", "emits", "whole"), "*i32"),
    **dict.fromkeys(("allowed", "counted", "heard"), "*u8"),
    **dict(packed="*i16", totals="*i64", scale="fp32", eps="fp32", cap="fp32"),
}
"""Of arguments; sizes and strides are int32."""
_CONSTANTS: dict[str, Any] = {
    **dict.fromkeys(("BANDS", "IN_BANDS", "OUT_BANDS"), 2),
    **dict(CENTRED=True, SCALED=True, SHIFTED=True),
    **dict(MASKED=True, BIASED=False, CAPPED=False, PADDED=False, PRECISION=attention.PRECISION),
    **dict(WIDTH=128, OUT=128),
}
"""Two bands, heads of 128."""
_WHOLE = (
    "n",
    "width",
    "out",
    *(f"{x}_{by}" for x in ("query", "key", "value", "context") for by in "bhls"),
)
"""Numbers that 16 divides, as those of most models."""
_USED = re.compile(r"REG:(\d+) STACK:(\d+)")


@dataclass(frozen=True)
class Build:
    """One kernel for one card.

    Attributes:
        kernel: its name.
        capability: of the card, 90 for sm_90.
        dtype: of its inputs.
        counting: whether it counts.
        registers: of a thread.
        stack: bytes of a thread that did not fit into registers.
        shared: bytes of shared memory of a program.
        fused: how many multiplications are fused with an addition, outside of products of blocks.
    """

    kernel: str
    capability: int
    dtype: str
    counting: bool
    registers: int
    stack: int
    shared: int
    fused: int


def build(kernel: str, capability: int, dtype: str, counting: bool) -> Build:
    """Build a kernel as it is launched on a GPU."""
    one = KERNELS[kernel]
    function = one.function
    constants = _CONSTANTS | dict(BLOCK=coding.ELEMENTS, COUNT=counting) | one.changed
    rows, columns = attention.blocks(one.queries, constants["WIDTH"])
    constants |= dict(BLOCK_L=rows, BLOCK_S=columns)
    signature = {name: _type(name, constants, dtype) for name in function.arg_names}
    given = {
        (place,): constants[name]
        for place, name in enumerate(function.arg_names)
        if name in constants
    }
    aligned = {
        (place,): [["tt.divisibility", 16]]
        for place, name in enumerate(function.arg_names)
        if signature[name].startswith("*") or name in _WHOLE
    }
    made = triton.compile(
        ASTSource(fn=function, signature=signature, constexprs=given, attrs=aligned),
        target=GPUTarget("cuda", capability, 32),
        options=coding.UNFUSED | one.options,
    )
    registers, stack = _resources(made.asm["cubin"])
    fused = len(re.findall(r"\bfma\.rn\.f32", made.asm["ptx"]))
    shared = made.metadata.shared
    return Build(kernel, capability, dtype, counting, registers, stack, shared, fused)


def builds(
    kernels: Sequence[str], capabilities: Sequence[int], dtypes: Sequence[str]
) -> Iterator[Build]:
    """All of them, with and without counting, that there is room for."""
    for capability in capabilities:
        for kernel in kernels:
            for dtype in dtypes:
                width = KERNELS[kernel].changed.get("WIDTH", 0)
                if width * BYTES[dtype] <= attention.WIDEST:
                    for counting in (False, True):
                        yield build(kernel, capability, dtype, counting)


def _type(name: str, constants: Mapping[str, Any], dtype: str) -> str:
    if name in constants:
        return "constexpr"
    if name in _OF_INPUTS:
        return DTYPES[dtype]
    plain = re.sub("^(exp|inv|cap|square|root|hg|in|out)_", "", name)
    return _TYPES.get("sub_neurons" if plain == "neurons" else plain, "i32")


def _resources(cubin: bytes) -> tuple[int, int]:
    """Registers and bytes of stack of a thread."""
    tool = Path(triton.__file__).parent / "backends" / "nvidia" / "bin" / "cuobjdump"
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(cubin)
        file.flush()
        told = subprocess.run(
            [tool, "--dump-resource-usage", file.name], capture_output=True, text=True, check=True
        ).stdout
    found = _USED.search(told)
    if found is None:
        raise RuntimeError(f"{tool} tells no registers: {told}")
    return int(found[1]), int(found[2])


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.builds", description=__doc__)
    parser.add_argument("--kernels", nargs="+", choices=KERNELS, default=list(KERNELS))
    parser.add_argument(
        "--capabilities", nargs="+", type=int, choices=CAPABILITIES, default=list(CAPABILITIES)
    )
    parser.add_argument("--dtypes", nargs="+", choices=DTYPES, default=list(DTYPES))
    options = parser.parse_args()
    print(
        "| kernel | card | inputs | counting | registers | stack, B | shared memory, KiB | fused |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for one in builds(options.kernels, options.capabilities, options.dtypes):
        card = f"sm_{one.capability} ({CAPABILITIES[one.capability]})"
        counting = "yes" if one.counting else "no"
        print(
            f"| {one.kernel} | {card} | {one.dtype} | {counting} | {one.registers} | {one.stack} "
            f"| {one.shared / 1024:.0f} | {one.fused} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
