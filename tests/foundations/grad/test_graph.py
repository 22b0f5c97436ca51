from minifast.foundations.grad import Var, topological_order


def test_each_var_comes_once_and_after_its_parents():
    x, y = Var(2.0), Var(3.0)
    shared = x * y
    loss = (shared + x) * shared.exp()
    order = topological_order(loss)
    place = {var: i for i, var in enumerate(order)}
    assert len(place) == len(order) == 6
    assert order[-1] is loss
    assert all(place[p] < place[var] for var in order for p in var.parents)


def test_a_var_of_your_own_is_a_graph_by_itself():
    x = Var(1.0)
    assert topological_order(x) == [x]


def test_the_order_is_the_same_each_time():
    x = Var(1.0)
    loss = (x.exp() + x.log()) * (x + x)
    assert topological_order(loss) == topological_order(loss)
