"""Which parts of the package may import which, and who may use what other libraries keep to themselves."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "autoenc"

LAYERS = [
    {"system", "errors"},
    {"models"},
    {"datasets"},
    {"engines"},
    {"settings"},
    {"data"},
    {"exports"},
    {"fitted"},
    {"record"},
    {"trackers"},
    {"config"},
    {"searching"},
    {"analysis"},
    {"tuning"},
    {"two_stage"},
    {"report"},
    {"workflows"},
    {"api"},
    {"estimators"},
    {"commands"},
    {"cli"},
]
"""Folders and the root's modules, the lowest first; each may import those before it."""

ALLOWED = {"_asdict", "_fields", "_replace", "_make"}  # of named tuples: public, in spite of their names


def files() -> dict[str, Path]:
    """Every module, by its name within the package."""
    paths = sorted(PACKAGE.rglob("*.py"))
    return {".".join(path.relative_to(PACKAGE).with_suffix("").parts): path for path in paths}


MODULES = files()


def imported(path: Path, always: bool) -> set[str]:
    """Modules of the package that a file imports: when it is imported itself, or at all."""

    def nodes(body: list[ast.stmt]):
        for node in body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not always:
                continue
            if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
                continue
            yield node
            for field in ("body", "orelse", "finalbody", "handlers"):
                yield from nodes(getattr(node, field, []))

    found = set()
    for node in nodes(ast.parse(path.read_text(encoding="utf-8")).body):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        for name in names:
            short = name.removeprefix("autoenc.")
            if name.startswith("autoenc.") and {short, f"{short}.__init__"} & MODULES.keys():
                found.add(short)
    return found


def test_no_modules_import_each_other_in_a_circle() -> None:
    names = {name.removesuffix(".__init__"): path for name, path in MODULES.items()}
    graph = {name: imported(path, False) - {name} for name, path in names.items()}
    left = dict(graph)
    while ready := [name for name, needs in left.items() if not needs & left.keys()]:
        for name in ready:
            del left[name]
    assert not left, f"in a circle, or behind one: {sorted(left)}"


def test_folders_import_those_below_only() -> None:
    height = {folder: i for i, layer in enumerate(LAYERS) for folder in layer}
    rooms = {path.stem for path in PACKAGE.iterdir() if path.name[0] != "_" and path.suffix in {"", ".py"}}
    assert rooms == height.keys(), "every folder and module has its place among LAYERS"
    against = set()
    for name, path in MODULES.items():
        for other in imported(path, True):
            here, there = name.split(".")[0], other.split(".")[0]
            lowest = height.get(here) == height.get(there) == 0
            if here != there and not lowest and height.get(here, 99) <= height.get(there, -1):
                against.add((name.removesuffix(".__init__"), other))
    assert not against


def test_commands_are_imported_by_the_command_line_alone() -> None:
    importers = {
        name
        for name, path in MODULES.items()
        for other in imported(path, True)
        if other.startswith("commands.") and not name.startswith("commands.")
    }
    assert not importers  # it finds them by their names


def own_names() -> set[str]:
    """What the package itself defines: functions, and what is set on ``self`` or in a class."""
    found: set[str] = set()
    for name in MODULES.keys() - {"record.private"}:
        for node in ast.walk(ast.parse(MODULES[name].read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                found.add(node.name)
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                found.add(node.attr)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                found.add(node.id)
    return found


OWN = own_names()


@pytest.mark.parametrize("name", sorted(MODULES.keys() - {"record.private"}))
def test_private_names_of_optuna_stand_in_one_file(name: str) -> None:
    text = MODULES[name].read_text(encoding="utf-8")
    if "optuna" not in text:
        return
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("optuna"):
            words = [*(node.module or "").split("."), *(alias.name for alias in node.names)]
            assert not [word for word in words if word[0] == "_"], ast.unparse(node)
        private = isinstance(node, ast.Attribute) and node.attr[0] == "_" and node.attr[:2] != "__"
        if private and node.attr not in ALLOWED | OWN:
            pytest.fail(f"{name}, line {node.lineno}: {ast.unparse(node)}")


def test_commands_are_thin():
    files = [
        path for name, path in MODULES.items() if name.startswith("commands.") and path.stem != "__init__"
    ]
    lengths = sorted(len(path.read_text(encoding="utf-8").splitlines()) for path in files)
    assert lengths[len(lengths) // 2] < 60
    assert lengths[-1] <= 120


def test_no_two_files_of_tests_have_one_name() -> None:
    """Pytest takes the second for the first, and ends with all others passed."""
    names = [path.name for path in Path(__file__).parent.rglob("test_*.py")]
    assert sorted(names) == sorted({*names})
