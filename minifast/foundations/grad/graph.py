"""The order in which a graph of operations can be computed, and walked backwards.

Book: ch. 03, "A tape".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from minifast.foundations.grad.tape import Var


def topological_order(var: Var) -> list[Var]:
    """Return ``var`` and all it was computed from, each after its own parents.

    Walks with a list of its own in place of recursion, so graphs may be deep.

    Shape:
        Vars of any shapes -> Vars, ``var`` last.

    Example:
        >>> from minifast.foundations.grad.tape import Var
        >>> x = Var(2.0, name="x")
        >>> [v.op or v.name for v in topological_order((x * x).exp())]
        ['x', '*', 'exp']

    Book: ch. 03, "A tape".
    """
    order: list[Var] = []
    seen: set[Var] = set()
    stack = [(var, False)]
    while stack:
        node, parents_done = stack.pop()
        if parents_done:
            order.append(node)
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            stack.extend((parent, False) for parent in reversed(node.parents))
    return order
