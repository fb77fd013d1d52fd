"""Measures the pipeline, as ratios within one run of the bench. It asserts nothing, as machines differ."""
