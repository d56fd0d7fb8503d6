"""Birth, death and rewiring on epochs: selections, rules, phases and the development that runs them."""
