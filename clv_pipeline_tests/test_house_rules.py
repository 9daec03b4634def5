"""The rules of the tree that neither the linter nor the type checker knows."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

ROOT = Path(__file__).resolve().parents[1]
MODULES = sorted(
    file for folder in ("clv_pipeline", "clv_pipeline_tests", "benchmarks") for file in (ROOT / folder).rglob("*.py")
)
QUERIES = sorted((ROOT / "sql").rglob("*.sql"))
LONGEST_FILE = 300
# What Spark does not have, or answers differently without saying so.
UNPORTABLE = re.compile(
    r"\b(?:quantile_\w+|percentile_cont|median|arg_(?:max|min)|list|len|unnest|generate_series)\s*\(|\basof\b|::"
    r"|\b(?:iso)?(?:dow|dayofweek)\b|date_?diff\(\s*'(?!day')",
    re.IGNORECASE,
)
# Written so that this file does not match itself.
UNWANTED = {
    "package registry": re.compile(r"(?:py[p]i\.org|python[h]osted\.org|npm[j]s\.(?:org|com)|deb[.]debian\.org)"),
    "path of one machine": re.compile(r"(?<![\w.}>`])/(?:work|root|tmp|home|Users)/[\w.]"),
    "unfinished work": re.compile(r"\b(?:TO[D]O|FIX[M]E|XX[X])\b"),
}


@pytest.mark.parametrize("folder", ["clv", "report"])
def test_domain_and_report_reach_neither_orchestrator_nor_database(folder: str) -> None:
    modules = sorted((ROOT / "clv_pipeline" / folder).rglob("*.py"))

    assert modules
    assert {name for file in _reachable(modules) for name in _imports(file)} & {"dagster", "duckdb"} == set()


@pytest.mark.parametrize("file", QUERIES, ids=lambda file: f"{file.parent.name}/{file.name}")
def test_a_query_is_one_commented_select(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    statements = duckdb.extract_statements(text)

    assert [statement.type for statement in statements] == [duckdb.StatementType.SELECT]
    assert re.match(r"(--.*\n)+\s*(SELECT|WITH)\b", text)


def test_queries_keep_to_what_spark_reads_alike() -> None:
    texts = {
        f"{file.parent.name}/{file.name}": re.sub(r"--.*", "", file.read_text(encoding="utf-8")) for file in QUERIES
    }

    assert {name: found for name, text in texts.items() if (found := UNPORTABLE.findall(text))} == {}


def test_there_are_queries_for_every_stage_of_sql() -> None:
    assert [file.name for file in (ROOT / "sql").iterdir() if file.is_dir() and not any(file.glob("*.sql"))] == []


def test_no_module_is_long() -> None:
    lengths = {_name(file): len(file.read_text(encoding="utf-8").splitlines()) for file in MODULES}

    assert {name: length for name, length in lengths.items() if length > LONGEST_FILE} == {}


def test_every_module_says_what_it_is_for() -> None:
    assert [_name(file) for file in MODULES if not ast.get_docstring(_parse(file))] == []


def test_tracked_files_name_no_registry_no_machine_and_no_unfinished_work() -> None:
    found = [
        f"{name}:{number}: {what}"
        for name in _tracked()
        for number, line in enumerate(_read_lines(ROOT / name), start=1)
        for what, pattern in UNWANTED.items()
        if pattern.search(line)
    ]

    assert found == []


def _tracked() -> list[str]:
    """Files of the repository, new ones included; the lock file names its registry by nature."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git repository")
    return [name for name in listed.stdout.split("\0") if name and name != "uv.lock"]


def _read_lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8").splitlines()
    except (UnicodeDecodeError, FileNotFoundError):
        return []


def _reachable(files: list[Path]) -> set[Path]:
    """`files` and every module of the project that they import, directly or through others."""
    seen: set[Path] = set()
    waiting = list(files)
    while waiting:
        file = waiting.pop()
        if file not in seen:
            seen.add(file)
            waiting += [found for name in _imports(file) for found in _locate(name)]
    return seen


def _locate(name: str) -> Iterator[Path]:
    path = ROOT.joinpath(*name.split("."))
    if name.startswith("clv_pipeline."):
        yield from (file for file in (path.with_suffix(".py"), path / "__init__.py") if file.exists())


def _imports(file: Path) -> set[str]:
    """Names that `file` imports: of other packages the top level, of this project the whole."""
    names: set[str] = set()
    for node in ast.walk(_parse(file)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = file.relative_to(ROOT).parts[: -node.level] if node.level else ()
            module = ".".join((*above, node.module or "")).strip(".")
            names |= {module, *(f"{module}.{alias.name}" for alias in node.names)}
    return {name if name.startswith("clv_pipeline") else name.partition(".")[0] for name in names}


def _parse(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def _name(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()
