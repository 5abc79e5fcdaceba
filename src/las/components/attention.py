"""Spike-equivalent self-attention (Section 4.2.1), registered with transformers by name."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from las.components.cache import Operand, StepwiseOperand
from las.components.component import SpikingComponent, Work
from las.components.one_operation import in_one
from las.components.pairs import Pairs
from las.components.saa import (
    multiply_same_steps,
    multiply_steps,
    one_by_one,
    side_by_side,
)
from las.components.site import OATSite, accumulate
from las.components.soft_cap import SpikingSoftCap
from las.components.softmax import SpikingSoftmax
from las.components.visibility import Visibility
from las.errors import UnsupportedModelError
from las.neurons.encoding import NOTHING, Firing, SpikeEncoding, read_at_once, total
from las.neurons.fused import fired_by_rows, has_kernels, has_triton
from las.neurons.slower import say_slower

NAME = "las"
CHILD = "spiking_attention"

BLOCK = 2**19
"""Scores, (B, H, L, S) in all, that are worked on at a time."""


class SpikingAttention(SpikingComponent):
    """phi(softmax(phi(Q) phi(K)^T / sqrt(d) + b)) phi(V) of SAA products (Eqs. 11-12 and 15-17).

    The scale 1/sqrt(d) is a fixed weight on the accumulated products. A bias b, where a model has
    one, depends on positions only: T5 looks it up by the distance of two tokens, as embeddings are
    looked up. The scores are what the products A_s(t) of Eq. 12 add up to, the potential that the
    softmax reads; b is a constant current into it, which arrives with the z(1) of Eq. 16.

    Attributes:
        soft_cap: the neurons that cap the scores, or None.
        naive: whether both products do without the cross terms of Eq. 12, as in Section 5.5.
    """

    equations = "Eqs. 11-12 and 15-17"
    reads = {"scores": ("query", "key"), "context": ("probability", "value")}  # noqa: RUF012

    def __init__(self, cap: float | None = None) -> None:
        super().__init__()
        self.query = OATSite(token_dim=2)
        self.key = OATSite(token_dim=2)
        self.value = OATSite(token_dim=2)
        self.soft_cap = None if cap is None else SpikingSoftCap(cap)
        self.softmax = SpikingSoftmax()
        self.probability = OATSite(token_dim=2, weighs_keys=True)
        self.naive = False

    def work(
        self, pairs: int, width: int, value_width: int, queries: int, keys: int
    ) -> tuple[Work, ...]:
        """The two products, beside what softmax and cap do.

        Arguments:
            pairs: of a query and a key that it sees, over all heads.
            width: D of queries and keys.
            value_width: of values.
            queries: that see a key, over all heads.
            keys: that a query sees, over the heads of keys.
        """
        return (
            Work(
                "matmul",
                pairs * width,
                part="scores",
                inputs=(queries + keys) * width,
                outputs=pairs,
            ),
            Work(
                "matmul",
                pairs * value_width,
                part="context",
                inputs=pairs + keys * value_width,
                outputs=queries * value_width,
            ),
        )

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        mask: Tensor | None,
        scale: float,
        bias: Tensor | None = None,
        sink: Tensor | None = None,
    ) -> Tensor:
        """Attend.

        Arguments:
            query: (B, H, L, D).
            key: (B, H_kv, S, D), H a multiple of H_kv; coded already if they come from a cache.
            value: (B, H_kv, S, D_v), likewise; D_v is D in most models.
            mask: additive, broadcastable to (B, H, L, S), lowest where not allowed; or boolean.
            scale: 1/sqrt(D).
            bias: of positions, broadcastable to (B, H, L, S).
            sink: a constant score for each head that takes its share of the softmax and weighs
                nothing, (H,), as gpt-oss has it.

        Returns:
            (B, H, L, D_v).
        """
        entered: tuple[Operand, Operand] | None = self.run.take_in()
        if entered is not None and entered[0].value is key and entered[1].value is value:
            k, v = entered
        else:
            k, v = self.code(key, value)
        allowed = _allowed(mask, key.shape[-2])
        bias = _current(mask, bias, allowed, key.shape[-2])
        if sink is not None:
            k, v, allowed, bias = _with_sink(query, k, v, allowed, bias, sink)
        if 0 in (*query.shape[:3], k.value.shape[-2]):  # nobody asks, or there is nothing to see
            return query.new_zeros(*query.shape[:3], v.width)
        if k.steps:
            return self._simulate(query, k, v, allowed, bias, scale)
        q = self.query(query)
        at_once = self.run.observer is None and not self.naive
        if at_once and (has_kernels(query) or _fits_a_gpu(query, value)):
            operands = (x.to(query.dtype) for x in (q.value, k.value, v.value))
            context, told = in_one(self, *operands, allowed, bias, numbers=(scale,))
            coded = NOTHING if told is None else told
        else:
            asked = q.value
            if self.by_steps:
                asked = side_by_side(self.query.steps(query, count=False), self.query.time_steps)
            context, coded = self._composed(asked, k.value, v.value, allowed, bias, scale)
        if self.run.counting and not query.is_meta:  # where nobody knows what a mask hides
            self._count(q, k, v, coded, allowed, self._padded(query))
        return context

    def code(self, key: Tensor, value: Tensor) -> tuple[Operand, Operand]:
        """Code new keys and values, (B, H_kv, N, D) and (B, H_kv, N, D_v)."""
        operands: list[Operand] = []
        steps: tuple[Tensor, ...]
        places = torch.arange(key.shape[-2], device=key.device) if self.run.watched else None
        for site, x in ((self.key, key), (self.value, value)):
            if self.run.simulating:
                steps = tuple(site.steps(x))
                coded = SpikeEncoding(accumulate(iter(steps)))
            else:
                steps = ()
                coded = site(x)
            if self.by_steps:
                spikes = side_by_side(steps or site.steps(x, count=False), site.time_steps)
                operands.append(StepwiseOperand(spikes, coded, places, steps, site.time_steps))
            else:
                operands.append(Operand(coded.value, coded, places, steps))
        return operands[0], operands[1]

    @property
    def by_steps(self) -> bool:
        """Whether its products read the spikes of each time step, and not what they come to."""
        return self.naive and self.run.observer is None

    def exact(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        allowed: Tensor | None,
        bias: Tensor | None,
        scale: float,
    ) -> Tensor:
        """Attention with exact neurons; arguments as for `fused`."""
        groups = query.shape[1] // key.shape[1]
        scores = (query @ _expand(key, groups).mT) * scale
        if self.soft_cap is not None:
            scores = self.soft_cap.exact(scores)
        if bias is not None:
            scores = scores + bias
        if allowed is None:
            return scores.softmax(-1) @ _expand(value, groups)
        # Finite, so that a query that sees no key has a gradient, which is 0.
        p = scores.masked_fill(~allowed, torch.finfo(scores.dtype).min).softmax(-1)
        return p.masked_fill(~allowed, 0) @ _expand(value, groups)

    def like(self, query: Tensor, key: Tensor, value: Tensor, *rest: Any) -> Tensor:
        """An empty tensor like the context; arguments as for `fused`."""
        batch, heads, queries, _ = query.shape
        return query.new_empty(batch, queries, heads, value.shape[-1]).transpose(1, 2)

    def fused(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        allowed: Tensor | None,
        bias: Tensor | None,
        scale: float,
    ) -> tuple[Tensor, Firing]:
        """Attention in kernels: on a GPU in one, on a CPU in blocks.

        A block of queries is as large that its scores stay in the CPU's cache. It reads no keys
        beyond the last one that any of its queries is allowed to see.

        Returns:
            (B, H, L, D_v), and what the probabilities have fired, nothing where nobody counts.
        """
        if has_triton(query):
            return self._on_gpu(query, key, value, allowed, bias, scale)
        batch, heads, queries, width = query.shape
        key_heads, keys = key.shape[1:3]
        out = value.shape[-1]
        sees = Visibility.of(allowed, queries, keys, self._padded(query))
        plain = bias is None and self.soft_cap is None
        if bias is not None:
            bias = bias.expand(batch, heads, queries, keys)
        context, coded = query.new_empty(batch, queries, heads, out), NOTHING
        for part, block in _blocks(batch, heads, queries, keys):
            shape = (part.stop - part.start, key_heads, -1, width)
            seen = sees.of_batch(part.start, part.stop)
            end = max(1, int(seen.ends[..., block].max()))
            q = query[part, :, block].reshape(shape)  # heads that share keys: one product
            scores = (q @ key[part, :, :end].mT).view(shape[0], heads, -1, end)
            if not plain:
                scores.mul_(scale)
            if self.soft_cap is not None:
                silent = seen.silent(block, end) if self.run.counting else None
                scores = self.soft_cap.code(scores, silent)
            if bias is not None:
                scores += bias[part, :, block, :end]
            weight = scale if plain else 1.0
            coded += self.softmax.code(scores, weight, seen, block.start, self.probability)
            weighed = scores.view(*shape[:2], -1, end) @ value[part, :, :end]
            context[part, block] = weighed.view(shape[0], heads, -1, out).transpose(1, 2)
        return context.transpose(1, 2), coded

    def _on_gpu(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        allowed: Tensor | None,
        bias: Tensor | None,
        scale: float,
    ) -> tuple[Tensor, Firing]:
        """See `fused`."""
        from las.neurons.gpu import attend

        softmax = self.softmax
        neurons = softmax.exp.fitted(), softmax.reciprocal.fitted(), self.probability.calibrated()
        capping = self.soft_cap
        cap = None if capping is None else (capping.site.fitted(), capping.cap)
        counting = self.run.counting
        context, counted = attend(
            *(query, key, value, allowed, bias, scale),
            neurons,
            cap,
            self._padded(query),
            counting,
            self.run.stop,
        )
        if not counting:
            return context, NOTHING
        numbers = [total(number) for number in counted]
        if capping is not None:
            capping.told(numbers[9], *numbers[11:])
        return context, softmax.told(self.probability, numbers[:11])

    def _composed(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        allowed: Tensor | None,
        bias: Tensor | None,
        scale: float,
    ) -> tuple[Tensor, Firing]:
        """Site by site: where no kernel runs, and where activations are observed."""
        groups = query.shape[1] // key.shape[1]
        scores = (query @ _expand(key, groups).mT).mul_(scale)
        padded = self._padded(query)
        if self.soft_cap is not None:
            scores = self.soft_cap(scores, allowed, padded)
        if bias is not None:
            scores += bias
        if allowed is not None:
            scores.masked_fill_(~allowed, -torch.inf)
        hidden, _ = self.softmax.silent(scores, padded)
        softened = self.softmax(scores, padded)
        p = self.probability(softened, hidden)
        value = _expand(value, groups)
        if not self.by_steps:
            return p.value @ value, p.firing
        weighing = self.probability.steps(softened, count=False)
        arriving = one_by_one(value, self.value.time_steps)
        return accumulate(multiply_same_steps(weighing, arriving, torch.matmul)), p.firing

    def _simulate(
        self,
        query: Tensor,
        key: Operand,
        value: Operand,
        allowed: Tensor | None,
        bias: Tensor | None,
        scale: float,
    ) -> Tensor:
        """The step simulator, on the same blocks: it holds the T increments of one at a time.

        Keys beyond the last one that a block sees are silent, and cause no work.
        """
        batch, heads, queries, _ = query.shape
        key_heads, keys = key.value.shape[1:3]
        shape = (batch, heads, queries, keys)
        allowed = None if allowed is None else allowed.expand(shape)
        bias = None if bias is None else bias.expand(shape)

        def arriving(operand: Operand, part: slice, end: int) -> Iterator[Tensor]:
            """The spikes that a block reads, for each query head."""
            spikes = (increment[part, :, :end] for increment in operand.arriving())
            return (_expand(increment, heads // key_heads) for increment in spikes)

        multiply = multiply_same_steps if self.naive else multiply_steps
        context = query.new_empty(batch, heads, queries, value.width)
        padding = self._padded(query)
        for part, block in _blocks(*shape):
            padded = None if padding is None else padding[part, :, block]
            mask = None if allowed is None else allowed[part, :, block]
            end = keys if mask is None else _last_seen(mask)
            transposed = (spikes.mT for spikes in arriving(key, part, end))
            asking = self.query.steps(query[part, :, block], silent=padded)
            products = multiply(asking, transposed, torch.matmul)
            mask = None if mask is None else mask[..., :end]
            scores: Iterator[Tensor] = (increment * scale for increment in products)
            if self.soft_cap is not None:
                scores = self.soft_cap.simulate(scores, mask, padded)
            if bias is not None:
                scores = _with_current(scores, bias[part, :, block, :end])
            softened = self.softmax.simulate(scores, mask, padded)
            hidden = padded
            if mask is not None:
                hidden = ~mask if padded is None else ~mask | padded
            weighing = self.probability.steps(accumulate(softened), silent=hidden)
            weighed = multiply(weighing, arriving(value, part, end), torch.matmul)
            context[part, :, block] = accumulate(weighed)
        return context

    def _padded(self, query: Tensor) -> Tensor | None:
        """Which queries are known to be padding, (B, 1, L, 1), where somebody counts."""
        padding = self.query.padding(query)
        return None if padding is None else padding[:, :1, :, None]

    def _count(
        self,
        asked: SpikeEncoding,
        key: Operand,
        value: Operand,
        coded: Firing,
        allowed: Tensor | None,
        padded: Tensor | None,
    ) -> None:
        """Each spike adds one stored row of the other operand, as far as the mask lets it.

        Keys and values of earlier tokens do not spike again: the spikes of the queries and of the
        probabilities read what they have left. Naive attention has no other spikes that read: those
        of queries and probabilities read what comes at the same time.

        Arguments:
            asked: the queries, (B, H, L, D).
            key: the keys.
            value: the values.
            coded: what the probabilities have fired.
            allowed: which keys a query sees.
            padded: which queries are padding, (B, 1, L, 1).
        """
        *shape, width = asked.value.shape
        shape.append(key.value.shape[-2])
        pairs = Pairs.of(allowed, padded, shape, asked.value.device)

        def read(operand: Operand) -> Firing:
            """What its spikes cause, over all heads."""
            if operand.coded.packed is None or self.naive:
                return NOTHING  # they came in before anybody counted, or wait for no query
            return _read(operand.coded, pairs.of_key[..., operand.places], pairs.heads)

        scores = _read(asked, pairs.of_query, pairs.heads)
        out = value.width
        early = read(key), read(value)
        rows = pairs.queries, pairs.keys(key.value.shape[1])
        work = self.work(pairs.number, width, out, *rows)
        self.count(work, scores + early[0], coded * out + early[1], early=early)


def _read(coded: SpikeEncoding, times: Tensor, heads: int) -> Firing:
    """What rows of neurons have fired, each as often as it is read.

    Arguments:
        coded: the spikes, (B, H or fewer, rows, n).
        times: how often a head reads a row, (B, 1 or H, rows).
        heads: H.
    """
    if coded.packed is None:
        return NOTHING
    sums = fired_by_rows(coded.packed) if coded.rows is None else coded.rows
    fired = (_expand(rows, heads // rows.shape[1]) for rows in sums)
    return Firing(*(total(rows * times) for rows in fired))


def _fits_a_gpu(query: Tensor, value: Tensor) -> bool:
    """Whether the kernel for GPUs works on these heads; a warning where they are too wide."""
    if not has_triton(query):
        return False
    from las.neurons.gpu import WIDEST, fits

    if fits(query, value):
        return True
    say_slower(
        "wide heads",
        f"attention runs operation by operation, with all scores in memory: las's kernel has room "
        f"for heads of {WIDEST} bytes, filled up to a power of two, and these are of "
        f"{max(query.shape[-1], value.shape[-1])} x {query.element_size()} bytes; bfloat16 takes "
        "half of what float32 does",
    )
    return False


def _allowed(mask: Tensor | None, keys: int) -> Tensor | None:
    """Which entries a mask lets through, (B, 1 or H, L, S), or None for all."""
    if mask is None:
        return None
    mask = mask[..., :keys]
    return mask if mask.dtype == torch.bool else mask > torch.finfo(mask.dtype).min / 2


def _current(
    mask: Tensor | None, bias: Tensor | None, allowed: Tensor | None, keys: int
) -> Tensor | None:
    """What a mask and a bias add to the scores that are allowed; None for nothing."""
    if mask is not None and allowed is not None and mask.dtype != torch.bool:
        added = mask[..., :keys].masked_fill(~allowed, 0)
        # A mask like most others adds nothing; to ask a GPU would hold it up.
        if not read_at_once(added) or bool(added.any()):
            return added if bias is None else added + bias
    return bias


def _with_sink(
    query: Tensor,
    key: Operand,
    value: Operand,
    allowed: Tensor | None,
    bias: Tensor | None,
    sink: Tensor,
) -> tuple[Operand, Operand, Tensor | None, Tensor]:
    """A sink is one more key before the others: silent, seen by all, its score a constant current.

    Its value is silent, too.
    """
    batch, heads, queries, _ = query.shape
    keys = key.value.shape[-2]
    current = query.new_zeros(batch, heads, queries, keys + 1)
    current[..., 0] = sink.to(query.dtype).view(1, -1, 1)
    if bias is not None:
        current[..., 1:] = bias
    seen = None if allowed is None else nn.functional.pad(allowed, (1, 0), value=True)
    return _after_silence(key), _after_silence(value), seen, current


def _after_silence(operand: Operand) -> Operand:
    """An operand with one more token before the others, which never fires."""
    padded = nn.functional.pad(operand.value, (0, 0, 1, 0))
    places = None if operand.places is None else operand.places + 1
    return replace(operand, value=padded, places=places)


def _blocks(batch: int, heads: int, queries: int, keys: int) -> Iterator[tuple[slice, slice]]:
    """Members of the batch, and their queries, whose scores come to about `BLOCK`."""
    members = max(1, BLOCK // (heads * queries * keys))
    rows = queries if members > 1 else max(8, BLOCK // (heads * keys))
    for b in range(0, batch, members):
        for first in range(0, queries, rows):
            yield slice(b, min(b + members, batch)), slice(first, min(first + rows, queries))


def _last_seen(allowed: Tensor) -> int:
    """One more than the last key that any query sees, and 1 at least: (B, H, L, S)."""
    seen = allowed.flatten(0, -2).any(0).nonzero()
    return int(seen[-1]) + 1 if len(seen) else 1


def _with_current(increments: Iterator[Tensor], bias: Tensor) -> Iterator[Tensor]:
    """A bias is a constant current of the first time step."""
    for t, increment in enumerate(increments):
        yield increment if t else increment + bias


def _expand(x: Tensor, groups: int) -> Tensor:
    """(B, H_kv, S, ...) -> (B, H_kv * groups, S, ...): grouped-query attention."""
    return x if groups == 1 else x.repeat_interleave(groups, dim=1)


def attend(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """The attention function that transformers calls.

    A module that was not converted attends without spikes, as PyTorch does it, with a warning: its
    model was made from the config of a spiking one.

    Raises:
        UnsupportedModelError: the attention module asks for something that spiking attention does
            not do, or was not converted and asks for something that PyTorch does not do.
    """
    if kwargs.get("head_mask") is not None:
        raise UnsupportedModelError(
            f"{type(module).__name__} asks for head_mask, which spiking attention does not do"
        )
    attention = getattr(module, CHILD, None)
    if not isinstance(attention, SpikingAttention):
        return _attend_dense(module, query, key, value, attention_mask, scaling, dropout, **kwargs)
    cap = None if attention.soft_cap is None else attention.soft_cap.cap
    if kwargs.get("softcap") != cap:
        raise UnsupportedModelError(
            f"{type(module).__name__} caps its scores at {kwargs.get('softcap')}, its "
            f"spike-equivalent at {cap}"
        )
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    bias = kwargs.get("position_bias")
    sink = kwargs.get("s_aux")
    context = attention(query, key, value, attention_mask, scale, bias, sink)
    return context.transpose(1, 2).contiguous(), None


def _attend_dense(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None,
    dropout: float,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """PyTorch's attention, for a model of float modules whose config says that it spikes."""
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    kind = type(module).__name__
    asked = [name for name in ("softcap", "s_aux") if kwargs.get(name) is not None]
    if asked:
        raise UnsupportedModelError(
            f"{kind} was not converted, though its config is that of a spiking model, and asks for "
            f"{asked[0]}: make the model from a copy of the config without quantization_config and "
            "with _attn_implementation='eager'"
        )
    warnings.warn(
        f"{kind} attends without spikes: it was not converted, though its config is that of a "
        "spiking model, and says so when it is saved. Make float models from a copy of the config "
        "without quantization_config and with _attn_implementation='sdpa'",
        stacklevel=3,
    )
    return sdpa_attention_forward(
        module, query, key, value, attention_mask, dropout, scaling, **kwargs
    )


def stay_spiking(module: Any, args: Any) -> None:
    """A forward pre-hook of attention modules with spiking attention.

    Raises:
        UnsupportedModelError: somebody has set the model to attend in another way since it was
            converted, which would leave the spiking attention out.
    """
    name = getattr(getattr(module, "config", None), "_attn_implementation", NAME)
    if name != NAME:
        raise UnsupportedModelError(
            f"{type(module).__name__} has been set to attend by {name!r}, which does not spike: go "
            f"back with model.set_attn_implementation({NAME!r}), or load the original for {name!r}"
        )


def register() -> None:
    """Tell transformers about the attention and its mask.

    It is done when this file is imported, as it is wherever a spiking model is unpickled or loaded.
    """
    from transformers import AttentionInterface
    from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

    def boolean_mask(*args: Any, **kwargs: Any) -> Tensor | None:
        """A mask for every causal attention too: which key is the last one is read off it."""
        return sdpa_mask(*args, **{**kwargs, "allow_is_causal_skip": False})

    AttentionInterface.register(NAME, attend)
    AttentionMaskInterface.register(NAME, boolean_mask)


register()
