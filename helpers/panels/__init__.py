"""Live views of the machinery, for the end of a notebook cell.

from helpers.panels import Run, Stack, Timeline  # and the others below

ControlRoom()           # all of it on one page; ./lab panel serves it on its own
Stack()                 # the servers: their health, and buttons to stop and start them
Inbox("/06_lesson")     # alerts as they come in
Storage("s3://bronze")  # buckets and objects as a tree; a Delta table's files and its log
Delta("s3://silver/…")  # a table's versions on a slider
Lineage()               # raw, bronze, silver, gold: rows, what is lost between, how fresh
Kafka("10-eventos")     # a topic: its messages, who has read how far; send one by hand
Retry(failure_rate=0.7) # what retries do, by sliders, and then for real
Run(flow="ETL Simples") # the task graph of its newest run; a click for states and log
Runs("meu-experimento") # MLflow's runs: parameters against metrics
Schedule("0 0 * * *")   # when a schedule runs, on a calendar
Timeline(run.id, limit=5) # a run's tasks as bars over time, and how many at once
Progress()              # a class in the labs: who is where, stuck tasks first
"""

from helpers.panels.control_room import ControlRoom
from helpers.panels.delta import Delta
from helpers.panels.inbox import Inbox
from helpers.panels.kafka import Kafka
from helpers.panels.lineage import Lineage
from helpers.panels.progress import Progress
from helpers.panels.retry import Retry
from helpers.panels.run import Run
from helpers.panels.runs import Runs
from helpers.panels.schedule import Schedule
from helpers.panels.stack import Stack
from helpers.panels.storage import Storage
from helpers.panels.timeline import Timeline

__all__ = [
    "ControlRoom",
    "Delta",
    "Inbox",
    "Kafka",
    "Lineage",
    "Progress",
    "Retry",
    "Run",
    "Runs",
    "Schedule",
    "Stack",
    "Storage",
    "Timeline",
]
