"""The marks in a lab's source that the learner's version does without."""

BEGIN = "### BEGIN SOLUTION"
END = "### END SOLUTION"
