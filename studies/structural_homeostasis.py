"""Does a network that grows all of its synapses by itself come to the same in two simulators?

800 excitatory and 200 inhibitory leaky cells begin without any synapse, under Poisson input that alone lets them fire at 4 Hz. Each has
axonal and dendritic elements, which grow or retract by a Gaussian curve of its calcium: excitatory cells aim at 5 Hz, inhibitory ones
at 20 Hz. At each update synapses that lost an element break and vacant elements pair at random. The same is run in NEST, which has this
network as its example structural_plasticity.py, with updates every 10 s as there and every 100 ms, for 200 s. Where NEST is not
installed there is no comparison.

The cells are those of the example as it runs: it sets a block of cell parameters (and a model, iaf_psc_exp) that it never uses, so that
its cells are iaf_psc_alpha with the defaults of that model. So one excitatory spike makes 7.6 mV, not 1 mV as its comment says.

Expected finding: with updates every 100 ms mean calcium comes to the set-points, 5 and 20 Hz. With updates every 10 s, as long as the time
constant of calcium, it does not: synapses come too late, activity overshoots, and inhibitory cells end at twice their set-point. Numbers
of synapses of both simulators differ by less than 10 %, mean calcium by less than 5 %; both margins were set beforehand.

References: Butz & van Ooyen (2013), doi:10.1371/journal.pcbi.1003259 (rule); Diaz-Pier et al. (2016), doi:10.3389/fnana.2016.00057
(example); NEST 3.10, pynest/examples/structural_plasticity.py (parameters).
Runtime on 2 cores, after the first compile (some seconds): smoke some seconds, small two minutes, full a quarter of an hour, nearly all NEST's.
"""
