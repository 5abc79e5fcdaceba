"""Neurons of other libraries, names that users give, and what goes wrong."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers import LlamaForCausalLM

import las
from las.foreign import account
from las.foreign.error import AccountError
from las.neurons.tally import SpikeTally
from tests.foreign.networks import Deep, Fire

X = torch.rand(3, 2, 6, 6, generator=torch.Generator().manual_seed(0))


class Node(nn.Module):
    """SpikingJelly's LIFNode as it looks from outside: `step_mode`, `v`, `reset()`."""

    def __init__(self, step_mode: str = "m") -> None:
        super().__init__()
        self.step_mode = step_mode
        self.reset()

    def reset(self) -> None:
        self.v: Any = 0.0

    def forward(self, x: Tensor) -> Tensor:
        steps = []
        for one in x if self.step_mode == "m" else [x]:
            self.v = self.v + (one - self.v) / 2
            steps.append((self.v >= 1).float())
            self.v = self.v * (1 - steps[-1])
        return torch.stack(steps) if self.step_mode == "m" else steps[0]


class Pair(Node):
    """snnTorch's Leaky and Norse's LIF: spikes and the state."""

    def forward(self, x: Tensor) -> Any:
        return super().forward(x), self.v


class Voltage(Node):
    def forward(self, x: Tensor) -> Tensor:
        super().forward(x)
        return x


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Callable[..., type[nn.Module]]:
    """A class under the name and path that it would have in another library."""

    def make(path: str, name: str, base: type[nn.Module]) -> type[nn.Module]:
        monkeypatch.setitem(sys.modules, path, ModuleType(path))
        return type(name, (base,), {"__module__": path})

    return make


@pytest.mark.parametrize(
    ("path", "name", "base"),
    [
        ("spikingjelly.activation_based.neuron", "LIFNode", Node),
        ("spikingjelly.activation_based.neuron.lif", "LIFNode", Node),
        ("spikingjelly.clock_driven.neuron", "MultiStepLIFNode", Node),
        ("snntorch._neurons.leaky", "Leaky", Pair),
        ("norse.torch.module.lif", "LIF", Pair),
    ],
)
def test_neurons_of_other_libraries_are_the_sites(
    library: Callable[..., type[nn.Module]], path: str, name: str, base: type[nn.Module]
) -> None:
    kind = library(path, name, base)
    mine = type("MyNode", (kind,), {})  # one that users derive

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(4, 6), nn.Linear(6, 2)
            self.first, self.last = kind(), mine()

        def forward(self, x: Tensor) -> Tensor:
            for layer, neurons in ((self.a, self.first), (self.b, self.last)):
                x = neurons(layer(x))
                x = x[0] if isinstance(x, tuple) else x
            return x

    torch.manual_seed(0)
    found = account(Net(), [4 * torch.rand(3, 5, 4)], 3)
    sites = found.spikes.sites
    assert {site: count.kind for site, count in sites.items()} == {"first": name, "last": "MyNode"}
    assert sites["first"].activations == 5 * 6
    assert sites["first"].spikes > 0
    assert found.spikes.operations["b"].sops == 2 * sites["first"].spikes
    assert found.dense == ("a",)


def test_state_is_reset_between_batches_and_the_mode_of_steps_is_theirs(
    library: Callable[..., type[nn.Module]],
) -> None:
    kind = library("spikingjelly.activation_based.neuron.lif", "LIFNode", Node)
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 6), kind("s"), nn.Linear(6, 2))
    x = 4 * torch.rand(5, 4)

    def loop(model: nn.Module, x: Tensor) -> None:
        for _ in range(3):
            model(x)

    once = account(net, [x], 3, forward=loop)
    twice = account(net, [x, x], 3, forward=loop)
    assert once.step_mode == "s"
    assert 2 * once.spikes.spikes == twice.spikes.spikes > 0
    assert net[1].v == 0.0


def test_nodes_that_emit_voltages_are_no_sites(library: Callable[..., type[nn.Module]]) -> None:
    path = "spikingjelly.activation_based.neuron.lif"
    node, voltage = library(path, "LIFNode", Node), library(path, "NonSpikingLIFNode", Voltage)
    net = nn.Sequential(nn.Linear(4, 6), node(), nn.Linear(6, 2), voltage(), nn.Linear(2, 2))
    found = account(net, [torch.rand(3, 5, 4)], 3)
    assert [*found.spikes.sites] == ["1"]
    assert found.dense == ("0", "4")
    assert found.analog == ()


def test_neurons_that_emit_no_spikes_after_all_are_named(
    library: Callable[..., type[nn.Module]],
) -> None:
    kind = library("spikingjelly.activation_based.neuron.lif", "LIFNode", Voltage)
    found = account(nn.Sequential(nn.Linear(4, 6), kind()), [torch.rand(3, 5, 4)], 3)
    assert (found.analog, [*found.spikes.sites]) == (("1",), [])
    assert "neurons without spikes    1: in no account" in str(found)


@pytest.fixture
def spikingjelly() -> None:
    """The library, which `make` installs."""
    pytest.importorskip(
        "spikingjelly.activation_based.neuron",
        reason="SpikingJelly is not installed: pip install --no-deps spikingjelly loguru",
    )


@pytest.mark.usefixtures("spikingjelly")
def test_a_real_network_of_spikingjelly() -> None:
    """Both of its step modes give the same counts."""
    from spikingjelly.activation_based import functional, layer, neuron

    def net(mode: str) -> nn.Module:
        torch.manual_seed(0)
        made = nn.Sequential(
            *(layer.Conv2d(2, 4, 3, padding=1), layer.BatchNorm2d(4), neuron.IFNode()),
            *(layer.Conv2d(4, 4, 3, stride=2), neuron.LIFNode(), layer.Flatten()),
            layer.Linear(16, 5),
        )
        functional.set_step_mode(made, mode)
        return made

    def loop(model: nn.Module, x: Tensor) -> None:
        for _ in range(4):
            model(x)

    at_once = account(net("m"), [4 * X[None].repeat(4, 1, 1, 1, 1)], 4)
    stepwise = account(net("s"), [4 * X], 4, forward=loop)
    assert at_once.spikes == stepwise.spikes
    assert [*at_once.spikes.sites] == ["2", "4"]
    assert at_once.dense == ("0",)
    assert at_once.spikes.spikes > 0


@pytest.mark.parametrize(
    "name",
    [
        *("IFNode", "LIFNode", "ParametricLIFNode", "KLIFNode", "GatedLIFNode", "EIFNode"),
        *("QIFNode", "IzhikevichNode", "PSN", "TernaryLIFNode", "SimpleIFNode"),
    ],
)
@pytest.mark.usefixtures("spikingjelly")
def test_real_neurons_of_spikingjelly_fire_what_is_counted(name: str) -> None:
    from spikingjelly.activation_based import functional, neuron

    kind = getattr(neuron, name)
    torch.manual_seed(0)
    fires = kind(T=4) if name in ("PSN", "GatedLIFNode") else kind()
    net = nn.Sequential(nn.Linear(6, 8), fires, nn.Linear(8, 3))
    functional.set_step_mode(net, "m")
    x = 6 * torch.rand(4, 5, 6)
    with torch.no_grad():
        fired = fires(net[0](x))
    functional.reset_net(net)
    found = account(net, [x], 4)
    assert {site: count.kind for site, count in found.spikes.sites.items()} == {"1": name}
    assert found.spikes.spikes == fired.count_nonzero() > 0
    assert found.spikes.operations["2"].sops == 3 * found.spikes.spikes


def test_only_what_hooks_name_counts() -> None:
    found = account(Deep(4, stepwise=False), [X], 4, hooks=["second", "head"])
    assert [*found.spikes.operations] == ["second", "head"]
    whole = account(Deep(4, stepwise=False), [X], 4).spikes.operations
    assert found.spikes.operations["second"] == whole["second"]


def test_a_layer_that_is_named_dense_is_charged_as_macs() -> None:
    found = account(Deep(4, stepwise=False), [X], 4, dense=["head"])
    assert found.dense == ("first", "head")
    head = found.spikes.operations["head"]
    assert (head.sops, head.dense_macs) == (0, 4 * head.macs)


def test_the_model_is_left_as_it_was() -> None:
    net = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Linear(4, 4)).train()
    net[2].eval()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    account(net, [torch.rand(6, 4).round()], 1)
    assert [part.training for part in net] == [True, True, False]
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in net.modules())


def test_an_account_survives_json() -> None:
    found = account(Deep(4, stepwise=False), [X], 4)
    assert SpikeTally.from_dict(found.to_dict()["spikes"]) == found.spikes


def test_dicts_and_tuples_are_arguments() -> None:
    one = account(Deep(4, stepwise=False), [X], 4).spikes
    assert account(Deep(4, stepwise=False), [{"x": X}], 4).spikes == one
    assert account(Deep(4, stepwise=False), ((X,) for _ in range(1)), 4).spikes == one


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (dict(hooks=["secnd"]), "hooks names 'secnd', and Deep has no such module: did you mean"),
        (dict(neurons=["xyz"]), "it has first, fire, second, fire_again, head"),
        (dict(hooks=["fire"]), "there was no linear layer or product in it"),
        (dict(hooks=["first"]), r"first reads no spikes but values such as 0\.\d+, "),
        (dict(neurons=["first"]), "first emits no spikes but values such as"),
        (dict(time_steps=5), "nothing in the model is done at T = 5 time steps"),
        (dict(batches=[]), "there is no batch"),
        (dict(batches=X), "a Tensor was given instead of a list of batches"),
        (dict(batches=[(X, X)]), "Deep does not run on batch 0, a tuple: TypeError"),
        (dict(batches=[X, X[:, :1]]), "does not run on batch 1, a Tensor: RuntimeError"),
        (dict(batches=[X / 0]), "NaN or infinite values at first"),
        (dict(model="Deep"), "a PyTorch module is wanted, got 'Deep'"),
        (dict(model=nn.Flatten()), "the model does no linear layer"),
    ],
    ids=lambda value: str(value)[:30] if isinstance(value, str) else "",
)
def test_errors_say_what_is_wanted(options: dict[str, Any], words: str) -> None:
    given: dict[str, Any] = dict(model=Deep(4, stepwise=False), batches=[X], time_steps=4)
    with pytest.raises(AccountError, match=words):
        account(**given | options)


@pytest.mark.parametrize("steps", [0, 1.5, "4"])
def test_time_steps_are_a_number(steps: Any) -> None:
    with pytest.raises(ValueError, match="time_steps, T of the model, must be a whole number"):
        account(Deep(4, stepwise=False), [X], steps)


def test_a_converted_model_has_its_own_count(
    llama: LlamaForCausalLM, make_batches: Callable[..., list[dict[str, Tensor]]]
) -> None:
    batches = make_batches()
    las.convert(llama, batches)
    with pytest.raises(AccountError, match=r"converted by las.*las.count_spikes\(model\)"):
        account(llama, batches, 16)


def test_a_failed_run_leaves_no_hooks() -> None:
    net = nn.Sequential(Fire(), nn.Linear(3, 2))

    def batches() -> Iterator[Tensor]:
        yield torch.rand(2, 1, 4)

    with pytest.raises(AccountError, match="does not run on batch 0"):
        account(net, batches(), 2)
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in net.modules())
