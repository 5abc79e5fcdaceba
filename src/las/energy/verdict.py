"""Under which accounts spiking wins, by how much, and where it does not: one paragraph."""

from __future__ import annotations

from collections.abc import Sequence

from las.energy.accounts import Account, Accounts


def verdict(accounts: Accounts) -> str:
    """Say it in words, from the numbers alone.

    Ratios are of the spiking model's energy to the ANN's, both operands of attention's products
    charged.
    """
    told = [one for one in accounts.accounts if one.ratio is not None]
    sentences = [_summary(accounts, told)]
    won = sorted((one for one in told if _ratio(one) < 1), key=_ratio)
    lost = sorted((one for one in told if _ratio(one) >= 1), key=_ratio)
    if won:
        sentences.append(f"It takes less under {_list(won, 'of the energy')}.")
    if lost:
        sentences.append(f"It takes more under {_list(lost, 'times the energy')}.")
    against = [one for one in told if one.slug.endswith("_int8")]
    if against:
        sentences.append(_against_int8(against))
        sentences += _functions(accounts)
    sentences += _last_operand(told)
    alone = [one for one in accounts.accounts if one.snn is not None and one.ann is None]
    for one in alone:
        assert one.snn is not None
        microjoules = one.snn.total / 1e6 / (accounts.tokens or 1)
        unit = "µJ per token" if accounts.tokens else "µJ"
        sentences.append(f"{one.title}: {microjoules:,.4g} {unit}; no ANN runs there.")
    for reason in dict.fromkeys(one.missing for one in accounts.accounts if one.missing):
        count = sum(one.missing == reason for one in accounts.accounts)
        sentences.append(f"{count} {_plural('account', count)} left open: {reason}.")
    return " ".join([*sentences, _time(accounts)])


def _summary(accounts: Accounts, told: Sequence[Account]) -> str:
    paper = accounts["paper"]
    ratio = "an unknown share" if paper.ratio is None else f"{paper.ratio:.2f}"
    wins = sum(_ratio(one) < 1 for one in told)
    return (
        f"By Eq. 25 the spiking model takes {ratio} of the ANN's energy; on "
        f"{accounts.hardware.title} it takes less than the ANN under {wins} of {len(told)} "
        f"{_plural('account', len(told))}."
    )


def _against_int8(against: Sequence[Account]) -> str:
    lost = [one for one in against if _ratio(one) >= 1]
    if not lost:
        return "It wins against an ANN in INT8 under every account."
    if len(lost) == len(against):
        return "It loses to an ANN in INT8 under every account."
    names = "; ".join(one.title.removeprefix("INT8, ") for one in lost)
    return f"Against an ANN in INT8 it loses under {len(lost)} of {len(against)} accounts: {names}."


def _functions(accounts: Accounts) -> list[str]:
    """What the functions of an ANN in INT8 come to, and what is left without them."""
    slug = "graded_int8"
    share, ratio = accounts.share_of_functions(slug), accounts[slug].ratio
    if not share or share >= 1 or ratio is None:
        return []
    return [
        "That ANN computes its non-linear functions in FP32, as models in INT8 do, which is "
        f"{100 * share:.0f} % of its arithmetic; if they cost it nothing, graded spikes would take "
        f"{ratio / (1 - share):.2f} of its energy."
    ]


def _last_operand(told: Sequence[Account]) -> list[str]:
    turned = [
        one
        for one in told
        if one.last_ratio is not None and (one.last_ratio < 1) != (_ratio(one) < 1)
    ]
    if turned:
        return [
            "Charging only the operand of attention's products that arrives last turns "
            f"{', '.join(f'{one.title} ({one.last_ratio:.2f})' for one in turned)} around."
        ]
    if any(one.last_ratio is not None for one in told):
        return [
            "Charging only the operand of attention's products that arrives last changes the "
            "verdict of no account."
        ]
    return []


def _time(accounts: Accounts) -> str:
    time = accounts.latency
    return (
        f"A result takes {time.steps:,} time steps, through {time.stages:,} stages of neurons in "
        f"sequence; in a pipeline one leaves every {time.interval:,}."
    )


def _list(several: Sequence[Account], unit: str) -> str:
    first, *others = [f"{one.title} ({_ratio(one):.2f}" for one in several]
    return "; ".join([f"{first} {unit})", *[f"{other})" for other in others]])


def _plural(noun: str, count: int) -> str:
    return noun if count == 1 else f"{noun}s"


def _ratio(account: Account) -> float:
    assert account.ratio is not None
    return account.ratio
