import inspect

import torch

from minifast.book import measure, scale, show
from minifast.errors import MinifastError


def test_a_listing_is_the_source_of_the_imported_object():
    [(title, code)] = show(scale, docstrings=True).parts
    assert code == inspect.getsource(scale).rstrip()
    first = inspect.getsourcelines(scale)[1]
    last = first + code.count("\n")
    assert title == f"minifast/book/provenance.py, lines {first} to {last}"


def test_docstrings_are_cut_to_their_first_line():
    [(_, code)] = show(measure).parts
    assert '"""Time a call: warm up once' in code
    assert "Args:" not in code
    assert "measure_each" in code
    compile(code, "listing", "exec", dont_inherit=True)


def test_in_a_class_every_docstring_is_cut():
    [(_, code)] = show(MinifastError).parts
    assert "Args:" not in code
    assert code.count('"""') == 4


def test_a_method_is_shown_flush_left():
    [(_, code)] = show(MinifastError.__reduce__).parts
    assert code.startswith("def __reduce__")


def test_several_objects_give_several_listings():
    listing = show(scale, measure)
    assert repr(listing).count("# minifast/book/") == 2
    page = listing._repr_html_()
    assert page.count('class="show-title"') == 2
    assert '<div class="highlight">' in page


def test_source_from_elsewhere_is_named_by_its_module():
    title = show(torch.nn.Linear.forward).parts[0][0]
    assert title.startswith("torch/nn/modules/linear.py, lines ")
