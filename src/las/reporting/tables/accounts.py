"""Energy under all accounts: of every cell, and where it goes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from las.energy import HARDWARE, Account, Charge, Hardware
from las.energy.neurobench import NeuroBench
from las.neurons.tally import SiteCount
from las.reporting.ablated import label
from las.reporting.accounted import Accounted, accounts_of
from las.reporting.column import Column, tabulate
from las.reporting.names import block_title, evaluation_title
from las.reporting.table import Table

_CELL = (
    Column[Accounted]("Model", lambda one: one.cell.title),
    Column[Accounted]("Evaluation", lambda one: evaluation_title(one.cell.evaluation)),
    Column[Accounted]("Neurons", lambda one: label(one.cell)),
    Column[Accounted]("T", lambda one: one.cell.row_steps),
    Column[Accounted]("H", lambda one: one.cell.levels),
)
_SCHEDULES = (
    ("graded", "graded spikes"),
    ("neuron_major", "neuron-major"),
    ("time_major", "time-major"),
)
_FORMATS = ("fp32", "bf16", "int8")

_RULES = (
    "E_snn/E_ann; below 1 spiking takes less. Account 1 is Eq. 25. Account 2 charges an "
    "accumulation for each nonzero signed binary digit of a graded spike, and the neurons' "
    "comparisons and resets. Account 3 adds memory, of both sides, under two schedules. Account 4 "
    "holds weights and activations of both sides in another format. A dash: what it needs was not "
    "counted, or is not described."
)

_FUNCTIONS = (
    "Whatever its format, the ANN computes softmax, norms and activations in FP32, as models in "
    "BF16 and INT8 do; the last column has their share of the arithmetic of the ANN in INT8. If "
    "they cost it nothing, the ratio by graded spikes in INT8 would be divided by what is left."
)


def accounts_of_cells(cells: Sequence[Accounted], hardware: Hardware, last: bool) -> Table:
    """A row for every cell, a column for every account.

    Arguments:
        cells: all cells whose spikes were counted.
        hardware: what they were charged for.
        last: whether only the operand of attention's products is charged that arrives last.
    """
    which = "only the operand that arrives last" if last else "both operands"

    def ratio(slug: str) -> Callable[[Accounted], float | None]:
        def value(one: Accounted) -> float | None:
            account = _account(one, slug)
            return None if account is None else account.last_ratio if last else account.ratio

        return value

    columns = [*_CELL, Column[Accounted]("1 Eq. 25", ratio("paper"), ".3f")]
    for name in (*_FORMATS, "t_bit"):
        for schedule, what in _SCHEDULES:
            number = 4 if name != "fp32" else 2 if schedule == "graded" else 3
            title = "T-bit INT" if name == "t_bit" else name.upper()
            columns.append(Column(f"{number} {title}, {what}", ratio(f"{schedule}_{name}"), ".3f"))
    columns.append(Column("Functions of the ANN in INT8, %", _functions, ".0f"))
    return tabulate(
        slug=f"accounts{'_last' if last else ''}",
        title=f"Energy under all accounts, {which} of attention's products charged",
        columns=columns,
        subjects=cells,
        notes=(_RULES, _FUNCTIONS, *_without_bits(cells), _described(hardware)),
        text_columns=3,
    )


def latency_of_cells(cells: Sequence[Accounted]) -> Table:
    """Time steps and NeuroBench's metrics of every cell."""
    columns = (
        *_CELL,
        Column[Accounted]("Stages", lambda one: one.accounts.latency.stages),
        Column[Accounted]("Time steps", lambda one: one.accounts.latency.steps),
        Column[Accounted]("Interval in a pipeline", lambda one: one.accounts.latency.interval),
        Column[Accounted]("If stages overlapped", lambda one: one.accounts.latency.overlapped),
        Column[Accounted](
            "Activation sparsity, %", lambda one: 100 * _layers(one).activation_sparsity, ".1f"
        ),
        Column[Accounted]("Dense, per token", lambda one: _layers(one).dense, ",.0f"),
        Column[Accounted]("Effective MACs", lambda one: _layers(one).effective_macs, ",.0f"),
        Column[Accounted]("Effective ACs", lambda one: _layers(one).effective_acs, ",.0f"),
        Column[Accounted](
            "Effective, with products",
            lambda one: _sum(
                one.accounts.products.effective_macs, one.accounts.products.effective_acs
            ),
            ",.0f",
        ),
        Column[Accounted](
            "Membrane updates", lambda one: one.accounts.layers.membrane_updates, ",.0f"
        ),
        Column[Accounted]("Weights of the layers, MB", _megabytes, ",.1f"),
    )
    return tabulate(
        slug="latency",
        title="Latency in time steps, and NeuroBench's metrics",
        columns=columns,
        subjects=cells,
        notes=(
            "Stages: populations of neurons that fire one after the other, each when its potential "
            "is complete; branches that run side by side count one after the other. In a pipeline "
            "one result leaves in every interval.",
            "By NeuroBench's definitions, per token: an operation accumulates (AC) only if its "
            "inputs are in {-1, 0, 1}, theta(t) folded out, which takes H = 1. Its package sees "
            "layers with weights; with products: those of two spike trains, too.",
        ),
        text_columns=3,
    )


def accounts_on_hardware(cells: Sequence[Accounted]) -> Table:
    """Energy per token of one cell of each model on all hardware that is described here."""

    @dataclass(frozen=True)
    class Line:
        one: Accounted
        account: Account
        hardware: Hardware

        def microjoules(self, ann: bool) -> float | None:
            energy = self.account.ann if ann else self.account.snn
            return None if energy is None else self.one.microjoules(energy.total)

    def lines(one: Accounted) -> Iterable[Line]:
        for hardware in HARDWARE.values():
            for account in accounts_of(one.cell, hardware).accounts:
                if account.number > 1 and account.rows:
                    yield Line(one, account, hardware)

    columns = (
        Column[Line]("Model", lambda line: line.one.cell.title),
        Column[Line]("Hardware", lambda line: line.hardware.title),
        Column[Line]("Account", lambda line: f"{line.account.number} {line.account.title}"),
        Column[Line]("E_snn, µJ", lambda line: line.microjoules(ann=False), ",.1f"),
        Column[Line]("E_ann, µJ", lambda line: line.microjoules(ann=True), ",.1f"),
        Column[Line]("E_snn/E_ann", lambda line: line.account.ratio, ".3f"),
        Column[Line]("Last operand only", lambda line: line.account.last_ratio, ".3f"),
    )
    return tabulate(
        slug="accounts_hardware",
        title="The same spikes on all hardware that is described",
        columns=columns,
        subjects=[line for one in cells for line in lines(one)],
        notes=(
            "Per token. Of neuromorphic chips an energy for each synaptic operation is published, "
            "memory included, and no ANN runs there; their technologies differ. Sources are in the "
            "documentation.",
        ),
        text_columns=3,
    )


def accounts_by_kind(one: Accounted) -> Table:
    """Energy of every kind of operation, and of the neurons, under the main accounts."""
    return _where(one, "kind", "kind of operation", lambda row: row.kind)


def accounts_by_layer(one: Accounted) -> Table:
    """Energy of every transformer block, and of what lies outside of them."""
    return _where(one, "layer", "block", lambda row: block_title(row.name))


def accounts_by_part(one: Accounted) -> Table:
    """What the energy is spent on under the main accounts: arithmetic, and what is moved."""
    parts = ("arithmetic", "weights", "states", "events", "activations")
    columns = [Column[str]("Spent on", lambda part: part)]
    for account in one.headline:
        for side, energy in (("snn", account.snn), ("ann", account.ann)):

            def value(part: str, energy: object = energy) -> float | None:
                return None if energy is None else one.microjoules(getattr(energy, part))

            columns.append(Column(f"{account.title}: E_{side}", value, ".4g"))
    return tabulate(
        slug=_slug("part", one),
        title=f"What the energy is spent on: {one.setting}",
        columns=columns,
        subjects=[*parts, "total"],
        notes=(_unit(one),),
    )


def _functions(one: Accounted) -> float | None:
    share = one.accounts.share_of_functions("graded_int8")
    return None if share is None else 100 * share


def _without_bits(cells: Sequence[Accounted]) -> tuple[str, ...]:
    if not any(one.cell.budget is not None for one in cells):
        return ()
    return (
        "Frugal neurons have no account against an ANN in integers of T bits: T is only the most "
        "time steps that a site has, and the codes carry fewer bits.",
    )


def _described(hardware: Hardware) -> str:
    shared = ""
    if hardware.far is not None:
        shared = f" One read from {hardware.far.title} serves a batch of {hardware.batch:,}."
    return f"Hardware: {hardware.title}. {hardware.note}{shared}"


def _where(one: Accounted, slug: str, what: str, key: Callable[[Charge], str]) -> Table:
    groups = [account.grouped(key) for account in one.headline]
    names = [*dict.fromkeys(name for group in groups for name in group)]
    columns = [Column[str](what.capitalize(), lambda name: name)]
    for account, group in zip(one.headline, groups, strict=True):

        def energy(
            name: str,
            side: str,
            group: dict[str, Charge] = group,
            account: Account = account,
        ) -> float | None:
            if getattr(account, side) is None or name not in (*group, "total"):
                return None
            parts = getattr(account if name == "total" else group[name], side)
            return one.microjoules(parts.total)

        def ratio(name: str, energy: Callable[[str, str], float | None] = energy) -> float | None:
            snn, ann = energy(name, "snn"), energy(name, "ann")
            return snn / ann if snn is not None and ann else None

        columns += [
            Column(f"{account.title}: E_snn", partial(energy, side="snn"), ".4g"),
            Column(f"{account.title}: E_ann", partial(energy, side="ann"), ".4g"),
            Column(f"{account.title}: ratio", ratio, ".3f"),
        ]
    return tabulate(
        slug=_slug(slug, one),
        title=f"Energy by {what} under the main accounts: {one.setting}",
        columns=columns,
        subjects=[*names, "total"],
        notes=(_unit(one),),
    )


def _slug(what: str, one: Accounted) -> str:
    return f"accounts_{what}_{one.cell.model}_{one.cell.neuron}_{one.cell.evaluation}"


def _unit(one: Accounted) -> str:
    per = f"per token, over {one.accounts.tokens:,} tokens" if one.accounts.tokens else "in all"
    return (
        f"In µJ, {per}; both operands of attention's products charged. Hardware: "
        f"{one.accounts.hardware.title}; Eq. 25 with the paper's constants."
    )


def _account(one: Accounted, slug: str) -> Account | None:
    """An account by its slug; "t_bit" stands for integers of T bits, None with a budget."""
    if one.cell.budget is not None and slug.endswith("t_bit"):
        return None
    t_bit = f"int{max((site.time_steps for site in _coding(one)), default=8)}"
    wanted = slug.replace("t_bit", t_bit)
    return next((each for each in one.accounts.accounts if each.slug == wanted), None)


def _coding(one: Accounted) -> list[SiteCount]:
    assert one.cell.spikes is not None
    return [site for site in one.cell.spikes.sites.values() if site.kind in ("mt", "oat")]


def _layers(one: Accounted) -> NeuroBench:
    return one.accounts.layers


def _megabytes(one: Accounted) -> float | None:
    """Of all weights in float32; None where they were not counted."""
    assert one.cell.spikes is not None
    weights = sum(operation.weights for operation in one.cell.spikes.operations.values())
    return 4 * weights / 1e6 if weights else None


def _sum(first: float | None, second: float | None) -> float | None:
    return None if first is None or second is None else first + second
