import copy
import gc
import weakref

import numpy as np
import pytest
import torch
from torch import nn

from minifast.errors import DTypeError, OptionError, ShapeError, UnknownNameError
from minifast.nn import Hook, Hooks, find_modules


def keep(hook, module, inputs, output):
    hook.kept.append(output.detach().clone())


def hooks_of(model):
    """Return all that hangs on any module."""
    return [
        each
        for module in model.modules()
        for name in ("_forward_hooks", "_backward_hooks", "_forward_pre_hooks")
        for each in getattr(module, name).values()
    ]


@pytest.fixture
def model():
    inner = nn.Sequential(nn.Linear(4, 2), nn.ReLU())
    return nn.Sequential(nn.Linear(3, 4), nn.ReLU(), inner)


def test_it_sees_the_very_numbers_of_a_forward_by_hand(model):
    x = torch.randn(5, 3)
    with Hooks(model, keep, nn.ReLU) as hooks:
        model(x)
    first = model[1](model[0](x))
    assert hooks.names == ["1", "2.1"]
    assert torch.equal(hooks[0].kept[0], first)
    assert torch.equal(hooks[1].kept[0], model[2](first))


def test_after_the_block_nothing_hangs_on_the_model(model):
    with Hooks(model, keep):
        assert len(hooks_of(model)) == 4
    assert hooks_of(model) == []


def test_after_an_error_either(model):
    with pytest.raises(ZeroDivisionError), Hooks(model, keep), Hook(model[0], keep):
        raise ZeroDivisionError
    assert hooks_of(model) == []


def test_an_error_in_the_function_leaves_the_block_clean(model):
    def fail(hook, module, inputs, output):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), Hooks(model, fail):
        model(torch.zeros(1, 3))
    assert hooks_of(model) == []


def test_deleting_a_hook_takes_it_off_at_once(model):
    gc.disable()  # so that only the last reference can do it
    try:
        hook = Hook(model[0], keep)
        assert len(hooks_of(model)) == 1
        del hook
        assert hooks_of(model) == []
        hooks = Hooks(model, keep)
        del hooks
        assert hooks_of(model) == []
    finally:
        gc.enable()


def test_a_hook_does_not_keep_its_model_alive_once_it_is_gone():
    layer = nn.Linear(2, 2)
    gone, hook = weakref.ref(layer), Hook(layer, keep)
    del layer, hook
    gc.collect()
    assert gone() is None


def test_removing_it_twice_does_nothing(model):
    hook = Hook(model[0], keep)
    assert not hook.removed
    hook.remove()
    hook.remove()
    assert hook.removed


def test_one_of_several_can_come_off(model):
    hooks = Hooks(model, keep)
    hooks[1].remove()
    assert len(hooks_of(model)) == 3
    assert "removed" not in repr(hooks)
    hooks.remove()
    assert repr(hooks).endswith(", removed)")
    assert [each.removed for each in hooks[1:3]] == [True, True]


@pytest.mark.parametrize(
    ("index", "places"),
    [
        (slice(1, 3), [1, 2]),
        ([2, 0], [2, 0]),
        ([], []),
        (np.array([1, -1]), [1, 3]),
        (torch.tensor([], dtype=torch.long), []),
        ([True, False, False, True], [0, 3]),
        (torch.tensor([0.1, 0.9, 0.2, 0.95]) > 0.5, [1, 3]),
    ],
)
def test_several_are_taken_by_slice_places_or_mask(model, index, places):
    hooks = Hooks(model, keep)
    assert hooks[index] == [hooks[place] for place in places]


@pytest.mark.parametrize("index", [2, np.int64(2), torch.tensor(2), True + 1])
def test_one_is_taken_by_any_whole_number(model, index):
    hooks = Hooks(model, keep)
    assert hooks[index] is list(hooks)[2]


def test_a_mask_of_another_length_is_refused(model):
    with pytest.raises(ShapeError, match=r"one truth for each hook(.|\n)*2 for 4"):
        Hooks(model, keep)[[True, False]]


def test_what_the_function_returns_takes_the_place_of_the_output(model):
    def double(hook, module, inputs, output):
        return 2 * output

    x = torch.ones(1, 3)
    with Hook(model[0], double):
        doubled = model[0](x)
    assert torch.equal(doubled, 2 * model[0](x))


def test_backwards_it_gets_the_gradients_of_outputs_and_inputs(model):
    def keep_gradients(hook, module, grad_output, grad_input):
        hook.kept.append((grad_output[0].clone(), grad_input[0].clone()))

    x = torch.randn(5, 3)
    inside = model[1](model[0](x)).detach().requires_grad_()
    with Hook(model[2], keep_gradients, "backward") as hook:
        model[2](inside).square().sum().backward()
    given, passed_on = hook.kept[0]
    assert torch.equal(given, 2 * model[2](inside).detach())
    assert torch.equal(passed_on, inside.grad)
    assert hooks_of(model) == []


@pytest.mark.parametrize(
    ("which", "names"),
    [
        (None, ["0", "1", "2.0", "2.1"]),
        (nn.Linear, ["0", "2.0"]),
        ((nn.Linear, nn.ReLU), ["0", "1", "2.0", "2.1"]),
        (lambda module: hasattr(module, "weight"), ["0", "2.0"]),
        (["2", "0"], ["0", "2"]),
        ([""], [""]),
    ],
)
def test_modules_are_chosen_by_type_by_function_or_by_name(model, which, names):
    assert list(find_modules(model, which)) == names


def test_modules_are_chosen_by_a_list_of_them(model):
    assert list(find_modules(model, [model[2][0], model[0]])) == ["0", "2.0"]
    assert list(find_modules(model, list(model))) == ["0", "1", "2"]


def test_a_module_of_another_model_is_refused(model):
    with pytest.raises(OptionError, match="a module of the model") as caught:
        Hooks(model, keep, [copy.deepcopy(model[0])])
    assert "Linear" in str(caught.value)
    assert hooks_of(model) == []


def test_no_module_is_refused(model):
    for which in (nn.Conv2d, [], lambda module: False):
        with pytest.raises(OptionError, match="At least one module"):
            Hooks(model, keep, which)


def test_a_wrong_name_is_answered_with_the_closest(model):
    with pytest.raises(UnknownNameError, match="module"):
        Hooks(model, keep, ["2.7"])
    with pytest.raises(UnknownNameError, match="Did you mean 'forward'"):
        Hook(model, keep, "forwards")


@pytest.mark.parametrize("which", ["0", 3, nn.Linear(1, 1)])
def test_what_chooses_nothing_is_refused(model, which):
    with pytest.raises(DTypeError, match="chosen by types"):
        Hooks(model, keep, which)


def test_what_is_no_module_or_no_function_is_refused(model):
    with pytest.raises(DTypeError, match="must hang on a module"):
        Hook(3, keep)
    with pytest.raises(DTypeError, match="function must take"):
        Hook(model, 3)
    with pytest.raises(DTypeError, match="must be a module"):
        find_modules([model])
