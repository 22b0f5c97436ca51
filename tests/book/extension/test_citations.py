import pytest
from minifast_book.citations import cite, references
from pybtex.database import parse_string

WORKS = parse_string(
    r"""
@misc{one, author = {G{\"o}del, Kurt}, title = {On {X}. A Story}, year = {1931}}
@misc{two, author = {Abe, A. and van de Bee, B.}, title = {Two}, year = {2002}}
@misc{three, author = {Cee, C. and Dee, D. and Eff, E.}, title = {T}, year = {2003}}
@misc{more, author = {Gee, G. and others}, title = {Gees}, year = {2004}}
@misc{edited, editor = {Ha, H.}, title = {Papers}, year = {2005}}
@misc{nobody, title = {A Manual}}
""",
    "bibtex",
)


@pytest.mark.parametrize(
    ("keys", "parenthetical", "textual"),
    [
        (["one"], "(Gödel, 1931)", "Gödel (1931)"),
        (["two"], "(Abe and van de Bee, 2002)", "Abe and van de Bee (2002)"),
        (["three"], "(Cee et al., 2003)", "Cee et al. (2003)"),
        (["more"], "(Gee et al., 2004)", "Gee et al. (2004)"),
        (["edited"], "(Ha, 2005)", "Ha (2005)"),
        (["nobody"], "(A Manual)", "A Manual"),
        (["missing"], "(missing)", "missing"),
        (["one", "two"], "(Gödel, 1931; Abe and van de Bee, 2002)",
         "Gödel (1931), Abe and van de Bee (2002)"),
    ],
)  # fmt: skip
def test_a_citation_names_authors_and_year(keys, parenthetical, textual):
    assert cite(WORKS, keys, textual=False) == parenthetical
    assert cite(WORKS, keys, textual=True) == textual


def test_the_list_holds_each_cited_work_once_in_order():
    listed = references(WORKS, ["one", "two", "one", "missing"]).splitlines()
    assert len(listed) == 2
    assert listed[0].startswith("- A. Abe and B. van de Bee.")
    assert listed[1] == "- Kurt Gödel. On X. a story. 1931."
