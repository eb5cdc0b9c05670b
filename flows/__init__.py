"""The course's flows. Notebooks, deployments and tests import these same modules."""
