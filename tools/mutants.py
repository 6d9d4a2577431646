"""Do the tests guard the numbers? Put small changes into the numeric helpers and see who notices.

    python -m tools mutants                     eight changes per module
    python -m tools mutants --per-module 20 --module forecasting

One comparison, constant, sign or operator at a time is changed in a copy of the project, and the
module's own tests run there. A change that every test passes is printed: either it changes no
result (say why, beside the code, or leave it), or a test is missing. Slow, so not part of `test`.
"""

import argparse
import ast
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# module: the tests that guard it. `cells` has its own proof: equality with PyTorch's.
GUARDS = {
    "costs": ["test_costs"],
    "experiments": ["test_experiments"],
    "forecasting": ["test_forecasting", "test_forecast_metrics"],
    "metrics": ["test_metrics"],
    "plotting": ["test_plotting"],
    "sentiment": ["test_sentiment"],
    "tasks": ["test_tasks"],
    "text": ["test_text"],
    "training": ["test_training"],
}
OTHER = {
    ast.Lt: "<=",
    ast.LtE: "<",
    ast.Gt: ">=",
    ast.GtE: ">",
    ast.Eq: "!=",
    ast.NotEq: "==",
    ast.Add: "-",
    ast.Sub: "+",
    ast.Mult: "/",
    ast.Div: "*",
    ast.Pow: "*",
    ast.FloorDiv: "*",
    ast.And: "or",
    ast.Or: "and",
}


def changes(source: str) -> Iterator[tuple[int, str, str]]:
    """Every small change of a module: (line, what it replaces, the changed source)."""
    tree = ast.parse(source)
    starts = [0]
    for line in source.encode().split(b"\n"):
        starts.append(starts[-1] + len(line) + 1)
    text = source.encode()

    def place(node, end=False):
        line, column = (
            (node.end_lineno, node.end_col_offset) if end else (node.lineno, node.col_offset)
        )
        return starts[line - 1] + column

    def changed(first, last, new):
        return (text[:first] + new.encode() + text[last:]).decode()

    for node in _computing(tree):
        pairs = []
        if isinstance(node, ast.Compare) and len(node.ops) == 1:
            pairs = [(node.left, node.ops[0], node.comparators[0])]
        elif isinstance(node, ast.BinOp):
            pairs = [(node.left, node.op, node.right)]
        elif isinstance(node, ast.BoolOp):
            pairs = [(node.values[0], node.op, node.values[1])]
        for left, operator, right in pairs:
            new = OTHER.get(type(operator))
            between = text[place(left, end=True) : place(right)].decode()
            if new and between.strip("() \n"):
                old = between.strip("() \n")
                at = place(left, end=True) + len(between[: between.index(old)].encode())
                after = changed(at, at + len(old.encode()), new)
                yield node.lineno, f"{old} -> {new}", after
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            after = changed(place(node), place(node) + 1, "")
            yield node.lineno, f"{ast.unparse(node)} -> {ast.unparse(node.operand)}", after
        if isinstance(node, ast.Constant) and type(node.value) in (int, float):
            new = repr(node.value + 1 if type(node.value) is int else node.value * 1.5 + 0.01)
            after = changed(place(node), place(node, end=True), new)
            yield node.lineno, f"{ast.unparse(node)} -> {new}", after


def _computing(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes besides error messages, annotations, docstrings and the parameters' defaults."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Raise | ast.JoinedStr | ast.arguments):
            continue
        yield node
        yield from _computing(node)


def noticed(project: Path, module: str, source: str) -> bool:
    """Whether the module's tests fail, or do not end, with this source in its place."""
    path = project / "helpers" / f"{module}.py"
    kept = path.read_text(encoding="utf-8")
    path.write_text(source, encoding="utf-8")
    tests = [f"tests/{name}.py" for name in GUARDS[module]]
    command = [sys.executable, "-B", "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
    try:
        run = subprocess.run(
            command,
            cwd=project,
            capture_output=True,
            timeout=300,
            env=os.environ | {"PYTHONPATH": str(project)},
        )
    except subprocess.TimeoutExpired:
        return True
    finally:
        path.write_text(kept, encoding="utf-8")
    return run.returncode != 0


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--per-module", type=int, default=8, help="changes drawn per module")
    parser.add_argument("--module", choices=GUARDS, action="append", help="this one (repeatable)")
    parser.add_argument("--seed", type=int, default=0, help="of the draw")
    options = parser.parse_args(arguments)
    caught, survivors = 0, []
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        project = Path(folder) / "project"
        hidden = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info")
        shutil.copytree(ROOT, project, ignore=hidden)
        for module in options.module or GUARDS:
            source = (project / "helpers" / f"{module}.py").read_text(encoding="utf-8")
            if noticed(project, module, source):
                sys.exit(f"the tests of {module} fail as it is; no change was tried")
            every = list(changes(source))
            drawn = random.Random(options.seed).sample(every, min(options.per_module, len(every)))
            for line, what, after in sorted(drawn, key=lambda change: change[0]):
                ok = noticed(project, module, after)
                caught += ok
                if not ok:
                    survivors.append(f"{module}:{line}  {what}")
                mark = "noticed  " if ok else "UNNOTICED"
                print(f"{mark}  {module}:{line}  {what}", flush=True)
    print(f"\n{caught} of {caught + len(survivors)} changes were noticed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
