from minifast_book import mathjax


def test_only_what_pages_need_is_copied(tmp_path):
    mathjax.copy_files(tmp_path)
    root = tmp_path / "_static" / "mathjax"
    files = {path.relative_to(root).as_posix() for path in root.rglob("*.*")}
    assert "tex-chtml.js" in files
    assert "input/tex/extensions/cancel.js" in files
    assert "input/tex/extensions/ams.js" in files
    assert "input/tex/extensions/all-packages.js" not in files
    assert sum(name.endswith(".woff") for name in files) > 20
    assert sum(path.stat().st_size for path in root.rglob("*.*")) < 2_500_000
