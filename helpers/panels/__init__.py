"""Live views of the machinery, for the end of a notebook cell.

from helpers.panels import Inbox, Progress, Stack

Stack()                 # the servers: their health, and buttons to stop and start them
Inbox("/06_lesson")     # alerts as they come in
Progress()              # a class in the labs: who is where, stuck tasks first
"""

from helpers.panels.inbox import Inbox
from helpers.panels.progress import Progress
from helpers.panels.stack import Stack

__all__ = ["Inbox", "Progress", "Stack"]
