"""What of a forward pass spikes, what is folded into spikes, and what is still float.

The audit watches every tensor operation of one forward pass and follows the data: whatever is
computed from an embedding look-up is an activation; parameters, buffers, masks, positions and the
tables of RoPE are constants. Activations may only be coded and read by spiking components, be
weighed by constants, be added, and be moved.

What a spiking component does inside is not audited but defined by its step simulator, which the
tests hold the fused path to.
"""

from __future__ import annotations

import inspect
import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from las.calibration.batches import Batch, check_batch, running_on
from las.components.component import SpikingComponent
from las.components.site import OATSite, Site
from las.conversion.prepare import is_spiking
from las.hosts.offload import input_device
from las.hosts.stacks import stacks
from las.hosts.towers import vision_towers
from las.options import instance_of

Verdict = Literal["spiking", "folded", "exception", "movement", "float"]

MEANING: dict[Verdict, str] = {
    "float": "still float",
    "spiking": "spiking components",
    "folded": "fixed weights and constant currents",
    "exception": "what the paper leaves",
    "movement": "data movement",
}
"""The verdicts, in the order of a report."""

_MOVES = {
    "_unsafe_view",
    "as_strided",
    "cat",
    "clone",
    "constant_pad_nd",
    "copy",
    "flip",
    "gather",
    "im2col",
    "index",
    "index_put",
    "index_select",
    "masked_fill",
    "masked_scatter",
    "repeat",
    "roll",
    "scatter",
    "select_scatter",
    "slice_scatter",
    "stack",
    "where",
}
"""Operations that copy values and change none, beside all views."""

_READS_SHAPE_ONLY = re.compile(r"_like$|^new_")
"""Operations whose result depends on the shape and the dtype of a tensor only."""

_ASKS_FOR_OVERFLOW = {
    torch.isfinite, torch.isinf, torch.isnan, Tensor.isfinite, Tensor.isinf, Tensor.isnan
}  # fmt: skip
"""A guard of float16: it decides nothing as long as all numbers are finite."""

_ANALOG_TOWER = "vision tower left analog, as in the paper"

_READ_BY_DECODER = ("decoder_input_ids", "decoder_inputs_embeds")

_EMBEDDING = 0
"""The origin of what was looked up in a table."""

_INPUT = -1
"""The origin of pixels and sounds that go into a model."""


@dataclass(frozen=True)
class AuditRow:
    """One kind of operation at one place.

    Attributes:
        operation: the spiking component's class, or the name of the aten operation.
        module: module path; `*` stands for the numbers of several layers.
        module_class: class of that module.
        count: how often it ran.
        verdict: "spiking", "folded", "exception", "movement" or "float".
        note: the equation of a component and its neurons, or why the operation has its verdict.
    """

    operation: str
    module: str
    module_class: str
    count: int
    verdict: Verdict
    note: str = ""

    @property
    def place(self) -> str:
        """The module path, or a name for the root, which has an empty one."""
        return self.module or "(the model itself)"


@dataclass(frozen=True)
class AuditReport:
    """Every operation of a forward pass that touches activations.

    Attributes:
        model: class of the model.
        rows: one for each operation, place and verdict, in the order of the forward pass; layers
            of one kind are one row.
        constants: operations on constants only (masks, positions, RoPE's tables): not listed.
    """

    model: str
    rows: tuple[AuditRow, ...]
    constants: int

    @property
    def floats(self) -> list[AuditRow]:
        """What does not spike and should."""
        return [row for row in self.rows if row.verdict == "float"]

    @property
    def clean(self) -> bool:
        """Whether no operation is float."""
        return not self.floats

    def to_markdown(self) -> str:
        """A Markdown table with a line for each row, float ones first."""
        lines = [
            "| verdict | operation | module | class | count | note |",
            "|---|---|---|---|--:|---|",
        ]
        lines += [
            f"| {row.verdict} | {row.operation} | `{row.place}` | {row.module_class} "
            f"| {row.count:,} | {row.note} |"
            for verdict in MEANING
            for row in self.rows
            if row.verdict == verdict
        ]
        return "\n".join(
            [*lines, "", f"Operations on constants only, not listed: {self.constants:,}."]
        )

    def __str__(self) -> str:
        floats = sum(row.count for row in self.floats)
        lines = [
            f"{self.model}: " + (f"{floats:,} float operations" if floats else "no float operation")
        ]
        for verdict, meaning in MEANING.items():
            chosen = [row for row in self.rows if row.verdict == verdict]
            if not chosen:
                continue
            lines += ["", f"{meaning} ({verdict}): {sum(row.count for row in chosen):,}"]
            merged: dict[tuple[str, str, str], int] = {}
            for row in chosen:
                place = "" if verdict == "spiking" else row.module_class
                reason = row.note.split(";")[0]
                key = (row.operation, place, reason)
                merged[key] = merged.get(key, 0) + row.count
            for (operation, place, reason), count in merged.items():
                where = f" in {place}" if place else ""
                lines.append(
                    f"  {count:>6,}  {operation}{where}" + (f": {reason}" if reason else "")
                )
        return "\n".join(
            [*lines, "", f"not listed: {self.constants:,} operations on constants only"]
        )


def audit(model: nn.Module, batch: Batch | None = None) -> AuditReport:
    """List every operation of a forward pass and whether it spikes.

    A dense model may be audited too; nearly everything of it is float.

    Arguments:
        model: a transformers model, converted or not; it runs in evaluation mode, without cache.
        batch: forward keyword arguments; by default two short sequences of token ids, the second
            one padded. Labels are left out, for a loss is no part of the network, unless they are
            all that tells what a decoder reads.

    Raises:
        CalibrationError: the batch has a wrong form, or the model does not run on it.
        ValueError: no model; or no batch is given, and the model's config does not tell the size of
            a vocabulary.
    """
    instance_of("model", model, nn.Module, "it is a transformers model, converted or not")
    name = "the batch"
    if batch is None:
        batch, name = _dummy_batch(model), "token ids alone; give audit a batch"
    check_batch(model, batch, name)
    with running_on(model, name):
        return audit_pass(model, batch)


def audit_pass(model: nn.Module, batch: Batch) -> AuditReport:
    """The audit of one forward pass; arguments as for `audit`."""
    kwargs = forward_arguments(model, batch)
    watch = _Watch()
    for name, value in kwargs.items():
        if not isinstance(value, Tensor):
            continue
        if not value.is_floating_point() or "mask" in name:
            watch.fix(value)
        else:
            watch.mark(value, _EMBEDDING if "embeds" in name else _INPUT)
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        with torch.no_grad(), watch.following(model), _Guards(watch), watch:
            output = model(**kwargs)
    finally:
        for module in training:
            module.training = True
    produced = [leaf for leaf in tree_leaves(output) if isinstance(leaf, Tensor)]
    if produced and watch.origin(produced[0]) is None:
        watch.add_row("untraced output", "float", "computed where PyTorch does not see it")
    return AuditReport(type(model).__name__, _aggregate(watch), watch.constants)


def forward_arguments(model: nn.Module, batch: Batch) -> dict[str, Any]:
    """A batch for a pass without a loss and without a cache.

    Arguments:
        model: a transformers model.
        batch: forward keyword arguments. Labels become what a decoder reads where nothing else
            tells it.
    """
    kwargs = dict(batch)
    labels = kwargs.pop("labels", None)
    if labels is not None and kwargs.keys().isdisjoint(_READ_BY_DECODER):
        shifted = getattr(model, "prepare_decoder_input_ids_from_labels", None)
        kwargs |= {} if shifted is None else {"decoder_input_ids": shifted(labels)}
    if _takes_use_cache(model):
        kwargs["use_cache"] = False
    return kwargs


class _Watch(TorchDispatchMode):
    """Sees every operation, knows in which module it runs and which tensors are activations.

    Taint is kept for whole storages: a view of an activation is one, and so is a tensor that an
    activation was written into. A weak reference keeps the address of a storage from being used
    again, so that it may serve as a key. Each activation knows its origin, a number: what is only
    moved or weighed by constants keeps it, which tells RoPE's sum of two parts of one tensor from
    a residual connection.
    """

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[AuditRow] = []
        self.ran: dict[nn.Module, AuditRow] = {}
        self.constants = 0
        self._activations: dict[int, tuple[StorageWeakRef, int]] = {}
        self._constants: dict[int, StorageWeakRef] = {}
        self._origins = itertools.count(_EMBEDDING + 1)
        self._modules: list[tuple[str, str]] = []
        self._depth = 0

    def mark(self, tensor: Tensor, origin: int | None = None) -> None:
        """Call a tensor an activation, with an origin of its own unless one is given."""
        reference = StorageWeakRef(tensor.untyped_storage())
        number = next(self._origins) if origin is None else origin
        self._activations[reference.cdata] = (reference, number)

    def origin(self, tensor: Tensor) -> int | None:
        """Where an activation comes from; None for a constant."""
        found = self._activations.get(StorageWeakRef(tensor.untyped_storage()).cdata)
        return None if found is None else found[1]

    def fix(self, tensor: Tensor) -> None:
        """Call a tensor a constant: a weight, or what only depends on such."""
        reference = StorageWeakRef(tensor.untyped_storage())
        self._constants[reference.cdata] = reference
        self._activations.pop(reference.cdata, None)

    def fixed(self, tensor: Tensor) -> bool:
        """Whether a tensor is known to be a constant."""
        return StorageWeakRef(tensor.untyped_storage()).cdata in self._constants

    def look_for_overflow(self, function: Callable[..., Tensor], args: Any, kwargs: Any) -> Tensor:
        """Ask whether numbers are finite; the answer is called a constant."""
        self._note(function.__name__, "exception", "a check for overflow")
        self._depth += 1  # some of these functions are made of others
        try:
            answer = function(*args, **kwargs)
        finally:
            self._depth -= 1
        self.fix(answer)
        return answer

    def add_row(self, operation: str, verdict: Verdict, note: str) -> None:
        """Note one operation at the present place."""
        path, kind = self._modules[-1] if self._modules else ("", "")
        self.rows.append(AuditRow(operation, path, kind, 1, verdict, note))

    @contextmanager
    def following(self, model: nn.Module) -> Iterator[None]:
        """Follow which module runs, by hooks that are removed afterwards.

        A spiking component is taken as one, and so is a vision tower that was left analog.

        The hooks around a component's own forward are the innermost ones: what other hooks of that
        component compute is outside of it.
        """
        towers = set(vision_towers(model).values()) if is_spiking(model) else set()
        analog = {tower for tower in towers if not is_spiking(tower)}
        for weight in itertools.chain(model.parameters(), model.buffers()):
            self.fix(weight)
        with ExitStack() as stack:
            for path, module in model.named_modules():
                component = module in analog or isinstance(module, SpikingComponent)
                handles = [
                    module.register_forward_pre_hook(self._enter(path), prepend=True),
                    *(
                        [
                            module.register_forward_pre_hook(self._begin, with_kwargs=True),
                            module.register_forward_hook(self._end, prepend=True),
                        ]
                        if component
                        else []
                    ),
                    module.register_forward_hook(self._leave),
                ]
                for handle in handles:
                    stack.callback(handle.remove)
            yield

    def _enter(self, path: str) -> Callable[[nn.Module, Any], None]:
        def enter(module: nn.Module, args: Any) -> None:
            self._modules.append((path, type(module).__name__))

        return enter

    def _leave(self, module: nn.Module, args: Any, output: Any) -> None:
        self._modules.pop()

    def _begin(self, component: nn.Module, args: Any, kwargs: Any) -> None:
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        traced = any(self.origin(tensor) is not None for tensor in tensors)
        if self._depth == 0 and not traced and not all(map(self.fixed, tensors)):
            self.add_row("untraced input", "float", "computed where PyTorch does not see it")
        path, kind = self._modules[-1]
        row = self.ran.get(component, AuditRow(kind, path, kind, 0, *_said_of(component)))
        self.ran[component] = replace(row, count=row.count + 1)
        self._depth += 1

    def _end(self, component: nn.Module, args: Any, output: Any) -> None:
        self._depth -= 1
        for leaf in tree_leaves(output):
            if isinstance(leaf, Tensor):
                self.mark(leaf)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Run one operation, follow its data and classify it."""
        kwargs = kwargs or {}
        with self:  # in inference mode, operations that are made of others arrive whole
            if (composed := func.decompose(*args, **kwargs)) is not NotImplemented:
                return composed
        name = func._schema.name.split("::")[1]
        operation = name.rstrip("_")
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        found = [(tensor, self.origin(tensor)) for tensor in tensors]
        sources = [(tensor, origin) for tensor, origin in found if origin is not None]
        output = func(*args, **kwargs)
        produced = [leaf for leaf in tree_leaves(output) if isinstance(leaf, Tensor)]
        if operation == "embedding" and not sources:
            self._note(operation, "exception", "embedding look-up")
            common: int | None = _EMBEDDING
        elif not sources or _READS_SHAPE_ONLY.search(operation):
            self.constants += self._depth == 0
            if all(map(self.fixed, tensors)):
                for tensor in produced:
                    self.fix(tensor)
            return output
        else:
            verdict, note = _classify(func, operation, args, kwargs, sources, produced)
            self._note(operation, verdict, note)
            origins = {origin for _, origin in sources}
            common = origins.pop() if verdict != "float" and len(origins) == 1 else None
        for tensor in produced:
            self.mark(tensor, common)
        return output

    def _note(self, operation: str, verdict: Verdict, note: str) -> None:
        """Note an operation, unless a spiking component is at work and answers for it."""
        if self._depth == 0:
            self.add_row(operation, verdict, note)


class _Guards(TorchFunctionMode):
    """Shows a watch where a model asks whether its numbers are finite."""

    def __init__(self, watch: _Watch) -> None:
        super().__init__()
        self._watch = watch

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Run one function."""
        if func in _ASKS_FOR_OVERFLOW:
            return self._watch.look_for_overflow(func, args, kwargs or {})
        return func(*args, **(kwargs or {}))


def _classify(
    func: Any,
    operation: str,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    sources: list[tuple[Tensor, int]],
    produced: list[Tensor],
) -> tuple[Verdict, str]:
    """The verdict on an operation outside of the components that reads activations."""
    decides = not all(map(_is_number, produced))
    by_data = not all(_is_number(tensor) for tensor, _ in sources)
    if (decides or by_data) and {origin for _, origin in sources} == {_INPUT}:
        return "exception", "a choice among what goes in, such as which pictures are empty"
    if decides:
        return "float", "a decision taken on activations"
    if func.is_view or operation == "_to_copy":
        return "movement", ""
    if operation in _MOVES:
        return ("float", "moved as the data say") if by_data else ("movement", "")
    two = len(sources) > 1
    if operation in ("add", "sub"):
        if not two:
            return "folded", "a constant current"
        origins = {origin for _, origin in sources}
        if len(origins) > 1:
            return "exception", "residual addition"
        if origins == {_EMBEDDING}:
            return "exception", "sum of embeddings"
        return "folded", "fixed weights on spikes"
    if operation == "mul":
        return (
            ("float", "product of two activations")
            if two
            else ("folded", "fixed weights on spikes")
        )
    if operation == "div":
        divided = isinstance(args[0], Tensor) and any(args[0] is tensor for tensor, _ in sources)
        if divided and not two and kwargs.get("rounding_mode") is None:
            return "folded", "fixed weights on spikes"
        return "float", "division by an activation, or rounding"
    if operation in ("clamp", "clamp_min", "clamp_max", "maximum", "minimum") and not two:
        return "folded", "a membrane potential that saturates"
    if operation in ("avg_pool2d", "_adaptive_avg_pool2d", "neg", "rsub", "mean", "sum"):
        return ("float", "") if two else ("folded", "fixed weights on spikes")
    return "float", ""


def _is_number(tensor: Tensor) -> bool:
    """Whether a tensor holds numbers of floating point, and no indices or choices."""
    return tensor.is_floating_point() or tensor.is_complex()


def _takes_use_cache(model: nn.Module) -> bool:
    """Whether a forward pass fills a cache unless it is told otherwise."""
    parameters = inspect.signature(model.forward).parameters
    if "use_cache" in parameters:
        return True
    passes_on = any(one.kind is one.VAR_KEYWORD for one in parameters.values())
    config: Any = getattr(model, "config", None)
    decoder = getattr(config, "text_config", config)
    return passes_on and getattr(decoder, "use_cache", None) is not None


def _said_of(component: nn.Module) -> tuple[Verdict, str]:
    """The verdict on what a module that is taken as one does inside, and a note."""
    if isinstance(component, SpikingComponent):  # it answers for all that happens inside of it
        return "spiking", component.equations
    return "exception", _ANALOG_TOWER


def _aggregate(watch: _Watch) -> tuple[AuditRow, ...]:
    """Rows of like layers together, and movements of one module together."""
    rows = [*_component_rows(watch.ran), *watch.rows]
    groups: dict[tuple[str, ...], list[AuditRow]] = {}
    for row in rows:
        operation = "" if row.verdict == "movement" else row.operation
        key = (row.verdict, operation, _pattern(row.module), row.module_class, row.note)
        groups.setdefault(key, []).append(row)
    return tuple(
        replace(
            group[0],
            operation=", ".join(dict.fromkeys(row.operation for row in group)),
            module=pattern if len({row.module for row in group}) > 1 else group[0].module,
            count=sum(row.count for row in group),
        )
        for (_, _, pattern, _, _), group in groups.items()
    )


def _pattern(path: str) -> str:
    """model.layers.3.mlp -> model.layers.*.mlp."""
    return re.sub(r"(?<=\.)\d+(?=\.|$)", "*", path)


def _component_rows(ran: Mapping[nn.Module, AuditRow]) -> Iterator[AuditRow]:
    """The components that ran, each with its equation and the neurons it holds itself."""
    for component, row in ran.items():
        if row.verdict != "spiking":
            yield row
            continue
        neurons = [
            f"OAT {name}" if isinstance(site, OATSite) else f"HG {site.function}"
            for name, site in _own_sites(component, ran)
        ]
        said = [row.note, f"neurons: {', '.join(neurons)}" if neurons else ""]
        yield replace(row, note="; ".join(part for part in said if part))


def _own_sites(
    module: nn.Module, ran: Mapping[nn.Module, AuditRow], prefix: str = ""
) -> Iterator[tuple[str, Site]]:
    """Neuron sites below a component, without those of components that ran below it."""
    for name, child in module.named_children():
        if isinstance(child, Site):
            yield prefix + name, child
        elif child not in ran:
            yield from _own_sites(child, ran, f"{prefix}{name}.")


def _dummy_batch(model: nn.Module) -> dict[str, Tensor]:
    config: Any = getattr(model, "config", None)
    vocabulary = getattr(config, "vocab_size", None)
    if not vocabulary:
        raise ValueError(
            f"{type(model).__name__} does not tell the size of its vocabulary: give audit a batch"
        )
    device = input_device(model)
    mask = torch.ones(2, 8, dtype=torch.int64, device=device)
    mask[1, 6:] = 0
    input_ids = torch.arange(16, device=device).view(2, 8) % vocabulary
    batch = {"input_ids": input_ids, "attention_mask": mask}
    return batch | ({"decoder_input_ids": input_ids[:, :5]} if len(stacks(model)) > 1 else {})
