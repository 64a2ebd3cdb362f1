"""Settings and logs of the operator and the gate, alike for both: options, variables, bounds, messages."""
