"""What the pipeline costs, as ratios within one run of the bench; never an assertion, machines differ."""
