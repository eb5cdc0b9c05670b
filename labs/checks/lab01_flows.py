"""Checks of lab 1: what Prefect recorded of each flow, and what the flow left in storage."""

import csv
import io
from typing import Any

from helpers import storage
from helpers.exercises import Case, Lab

lab = Lab("lab01_flows", chapter="01_flows", needs=("prefect", "s3"))

REGIONS = ["Norte", "Nordeste", "Centro-Oeste", "Sudeste", "Sul"]


def _named(case: Case, name: str) -> Any:
    """The newest run, whose flow must have a name."""
    from helpers import orchestration

    run = case.flow_run()
    with orchestration.client() as api:
        flow = api.read_flow(run.flow_id)
    hint = "`@flow(name=…)` sets the name; otherwise it is made from the function's."
    case.equal(flow.name, name, "the flow's name", hint)
    return run


@lab.task(
    "1a", answer="saudacao", points=1, hint="The smallest flow is a function with `@flow` above it."
)
def saudacao(case: Case) -> None:
    """Another name each time; the run is recorded with its parameter."""
    name = case.random.choice(["Bia", "Caio", "Duda", "Enzo"]) + str(case.random.randint(1, 999))
    came = case.call("saudacao", name)
    case.equal(came, f"Olá, {name}!", f"saudacao({name!r})", "Return the text; do not print it.")
    run = _named(case, "Saudação")
    case.equal(
        run.parameters, {"nome": name}, "the run's parameters", "Its parameter is called `nome`."
    )


@lab.task(
    "1b",
    answer="preco_final",
    points=2,
    hint="Each rule is a part of a type hint: `preco: Annotated[float, Field(gt=0)]`.",
)
def preco_final(case: Case) -> None:
    """Right prices; what breaks a rule is refused before the body runs."""
    for _ in range(3 if case.thorough else 1):
        price, discount = _priced(case)
        came = case.call("preco_final", price, discount)
        expected = round(price * (1 - discount / 100), 2)
        hint = "The price times what is left of 100 %, rounded to two digits."
        case.equal(came, expected, f"preco_final({price}, {discount})", hint)
    _named(case, "Preço Final")
    hint = "Without a discount nothing changes: give `desconto` a default of 0."
    case.equal(case.call("preco_final", 50, hint=hint), 50, "preco_final(50)", hint)
    hint = "A hint `float` takes text that is a number; `StrictFloat` or `isinstance` does not."
    came = case.call("preco_final", "20", desconto="50", hint=hint)
    case.equal(came, 10, "with numbers as text", hint)
    hint = "0 and 100 are allowed discounts: `ge` and `le`."
    for discount, expected in [(0, 7), (100, 0)]:
        came = case.call("preco_final", 7, discount, hint=hint)
        case.equal(came, expected, f"preco_final(7, {discount})", hint)
    for wrong in [(0, 10), (-5, 10), (10, -1), (10, 101), ("caro", 0)]:
        _refused(case, wrong)


def _priced(case: Case) -> tuple[float, int]:
    """A price and a discount whose result is no half cent, which each formula rounds its own way."""
    while True:
        cents, discount = case.random.randint(100, 90_000), case.random.randint(1, 99)
        if cents * (100 - discount) % 100 != 50:
            return cents / 100, discount


def _refused(case: Case, wrong: tuple[Any, Any]) -> None:
    said = f"preco_final{wrong}"
    outcome = case.attempt("preco_final", *wrong)
    hint = "Leave the refusing to the type hints: `Annotated[float, Field(gt=0)]`."
    came = f"{outcome.error}: {outcome.message}" if outcome.error else outcome.value
    right = outcome.error == "ParameterTypeError"
    case.true(right, f"{said} is refused by Prefect, before the body runs", came, hint)


@lab.task(
    "1c",
    answer="vendas_por_regiao",
    points=2,
    hint="Chapter 1's `ETL Simples` has the same shape: three functions with `@task(name=…)`, "
    "and a flow that passes the result of each to the next.",
)
def vendas_por_regiao(case: Case) -> None:
    """Sums over sales it has not seen, read back from storage; three task runs."""
    regions = case.random.sample(REGIONS, 4)
    sales = [
        (case.random.choice(regions), case.random.choice([None, *range(1, 500)]))
        for _ in range(200 if case.thorough else 40)
    ]
    [silent] = set(REGIONS) - set(regions)  # none of its sales has a value
    sales += [(regions[0], None), (regions[1], 12), (silent, None)]
    text = "regiao,valor\n" + "".join(f"{r},{'' if v is None else v}\n" for r, v in sales)
    origin = storage.write(case.path("raw", "vendas.csv"), text)
    target = case.path("gold", "somas.csv")

    came = case.call("vendas_por_regiao", origin, target)
    case.equal(came, target, "what it returns", "`storage.write` returns the path it wrote.")
    case.true(storage.etag(target), f"an object at {target}", "nothing", "Write to `destino`.")
    rows = list(csv.DictReader(io.StringIO(storage.read(target).decode())))
    hint = "`to_csv(index=False)`, with the columns named `regiao` and `total`."
    case.equal(list(rows[0]) if rows else [], ["regiao", "total"], "the columns", hint)
    sums: dict[str, float] = {}
    for region, value in sales:
        if value is not None:
            sums[region] = sums.get(region, 0) + value
    with case.reading("numbers as `total`", "`to_csv` of the sums as they are."):
        totals = [[row["regiao"], float(row["total"])] for row in rows]
    hint = "Drop the rows without a `valor` first, add up by region, and sort by `regiao`."
    case.equal(totals, [[r, sums[r]] for r in sorted(sums)], "the rows", hint)

    run = _named(case, "Vendas por Região")
    hint = "Three functions with `@task`, each called once by the flow."
    found = case.task_runs(run, 3, hint)
    names = sorted(one.name.rsplit("-", 1)[0] for one in found)
    hint = "`@task(name=…)` names a task."
    case.equal(names, ["carregar", "extrair", "transformar"], "the tasks' names", hint)


@lab.task(
    "1d",
    answer="maiores",
    points=2,
    hint="Sort the sales into a dictionary from region to values first; then call the task once "
    "for each of its items.",
)
def maiores(case: Case) -> None:
    """As many task runs as regions, whatever they are."""
    for count in [3, 5, 1] if case.thorough else [case.random.randint(2, 5)]:
        regions = case.random.sample(REGIONS, count)
        sales = [
            {"regiao": r, "valor": case.random.randint(-90, 900)} for r in regions for _ in range(4)
        ]
        case.random.shuffle(sales)
        largest: dict[str, int] = {}
        for sale in sales:
            largest[sale["regiao"]] = max(sale["valor"], largest.get(sale["regiao"], -1000))
        came = case.call("maiores", sales)
        hint = "The largest value of each region; some are below zero."
        case.equal(came, largest, f"the largest of {count} regions", hint)
        run = _named(case, "Maiores Vendas")
        hint = f"{count} regions occur, so there are {count} task runs."
        found = case.task_runs(run, count, hint)
        names = {one.name.rsplit("-", 1)[0] for one in found}
        case.equal(sorted(names), ["maior"], "the tasks' names", "`@task(name=…)` names a task.")
    hint = "With no sales there is no region, and nothing to run."
    case.equal(case.call("maiores", []), {}, "maiores([])", hint)


@lab.task(
    "1e",
    answer=("contar_linhas", "fechar_dia"),
    points=3,
    hint="Ask each subflow for its state (`return_state=True`), look at all of them, and return "
    "`Failed(message=…)` if one is not completed.",
)
def fechar_dia(case: Case) -> None:
    """Some files, then some with two missing among them: all are tried, and the run says so."""
    counts = [case.random.randint(0, 9) for _ in range(3)]
    paths = [case.path("raw", f"dia{number}.csv") for number in range(3)]
    for path, count in zip(paths, counts, strict=True):
        storage.write(path, "regiao,valor\n" + "Sul,1\n" * count)
    hint = "The header is no row of data."
    case.equal(case.call("contar_linhas", paths[0]), counts[0], "the rows of one file", hint)
    _named(case, "Contar Linhas")

    expected = dict(zip(paths, counts, strict=True))
    hint = "A dictionary from each path to what its subflow returned."
    case.equal(case.call("fechar_dia", paths), expected, "with all files there", hint)
    run = _named(case, "Fechar o Dia")
    case.equal(run.state_name, "Completed", "the run's state", "Nothing was missing.")
    _subflows(case, run, ["Completed"] * 3)

    missing = [case.path("raw", f"perdido{number}.csv") for number in range(2)]
    outcome = case.attempt("fechar_dia", [paths[0], missing[0], paths[2], missing[1]])
    run = case.flow_run()
    hint = "Return `Failed(message=…)` once all subflows have run."
    case.equal(run.state_name, "Failed", "the run's state with two files missing", hint)
    _subflows(case, run, ["Completed", "Failed", "Completed", "Failed"])
    message = (run.state.message if run.state else "") or outcome.message
    hint = "Put all the paths that failed into the message, and only those."
    right = all(path in message for path in missing)
    right = right and not any(path in message for path in paths)
    case.true(right, f"a message with {' and '.join(missing)}, and no other path", message, hint)


def _subflows(case: Case, run: Any, states: list[str]) -> None:
    from helpers import orchestration

    came = [one.state_name for one in orchestration.subflow_runs(run.id)]
    hint = "Call `contar_linhas` once for each path, in order, also after one has failed."
    case.equal(came, states, "the states of the subflows", hint)
