"""Eight threads generate for long on one model: no spike is lost, and no memory.

Longer still: SOAK_CALLS=250 pytest tests/conversion/test_soak.py -m slow
"""

from __future__ import annotations

import gc
import os
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import las
from las.neurons.tally import SpikeTally
from tests.tiny_models import plain

THREADS = 8
CALLS = int(os.environ.get("SOAK_CALLS", 40))  # of each thread
WARMING = 15  # of them, before memory is looked at
NEW_TOKENS = 4
GROWTH = 16 * 2**20  # bytes: a state of 80 kB kept by each call would be seen

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads memory from /proc"),
]


@pytest.fixture(autouse=True)
def impatient_threads() -> Iterator[None]:
    """Threads take turns within a layer, not once in a pass of a tiny model."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-4)
    yield
    sys.setswitchinterval(before)


@pytest.fixture(scope="module")
def model() -> Any:
    return las.convert(plain.llama(layers=1), plain.batches())


def prompts() -> list[Tensor]:
    """Of another length for each thread, so that no two threads count alike."""
    generator = torch.Generator().manual_seed(5)
    return [torch.randint(3, plain.VOCABULARY, (1, 3 + n), generator=generator) for n in range(8)]


def generate(model: Any, prompt: Tensor) -> Tensor:
    written: Tensor = model.generate(
        prompt,
        attention_mask=torch.ones_like(prompt),
        max_new_tokens=NEW_TOKENS,
        min_new_tokens=NEW_TOKENS,
        do_sample=False,
        pad_token_id=0,
    )
    return written


def resident_bytes() -> int:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


def objects_of_las() -> int:
    """States, tallies, calls, parts of caches: whatever las makes and somebody still holds."""
    gc.collect()
    return sum(str(type(one).__module__).startswith("las.") for one in gc.get_objects())


def test_many_generations_on_eight_threads(model: Any) -> None:
    alone = []
    for prompt in prompts():
        with las.count_spikes(model) as tally:
            written = generate(model, prompt)
        alone.append((written, tally))

    settled = threading.Barrier(THREADS + 1, timeout=300)

    def work(thread: int) -> None:
        prompt, (expected, _) = prompts()[thread], alone[thread]
        for call in range(CALLS):
            if call == WARMING:
                settled.wait()  # all threads have warmed up
                settled.wait()  # memory was looked at
            assert torch.equal(generate(model, prompt), expected)

    with ThreadPoolExecutor(THREADS) as pool, las.count_spikes(model) as counted:
        running = [pool.submit(work, thread) for thread in range(THREADS)]
        settled.wait()
        try:
            memory, objects = resident_bytes(), objects_of_las()
        finally:
            settled.wait()
        for one in running:
            one.result()

    expected = SpikeTally()
    for _, tally in alone:
        for _ in range(CALLS):
            expected.merge(tally)
    assert counted == expected
    assert resident_bytes() - memory < GROWTH
    del running, one
    assert objects_of_las() <= objects + len(counted.sites) + len(counted.operations)
