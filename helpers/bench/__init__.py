"""Measurements of the lab, each beside a bare baseline taken in the same run."""
