"""Simulate spiking cells event by event in plain Python: the independent witness of division, death, rewiring and spike delivery.

It imports nothing from neurosim (nor from NumPy or Brian2) on purpose, so that it shares no mistake with them. SI units as plain
floats; time counts in steps of dt. A cell is known by any hashable id, a synapse by a whole number that is never used again.
"""

from collections import defaultdict
from math import exp, inf


class Record:
    """A bag of named values: the `defaults` of its class, and what is given instead of them."""

    def __init__(self, **given):
        if unknown := given.keys() - self.defaults.keys():
            raise TypeError(f"{type(self).__name__} has no {sorted(unknown)}; it has {sorted(self.defaults)}")
        vars(self).update(self.defaults | given)


class Cell(Record):
    """C_m dv/dt = g_L (E_L - v) + g_exc (E_exc - v) + g_inh (E_inh - v) + I_e, conductances held over the step (exponential Euler).

    A spike where v > V_th + theta; it raises theta by theta_plus. With g_L = 1 and C_m = tau_m this is the leaky cell that takes its
    synapses on v. While it is refractory v neither moves nor receives, as in Brian2. With `at`, it spikes at those steps instead.
    """

    defaults = dict(v=-70e-3, E_L=-70e-3, V_th=-50e-3, V_reset=-60e-3, C_m=200e-12, g_L=10e-9, tau_ref=2e-3, I_e=0.0)
    defaults |= dict(g_exc=0.0, E_exc=0.0, tau_exc=5e-3, g_inh=0.0, E_inh=-80e-3, tau_inh=10e-3)
    defaults |= dict(theta=0.0, theta_plus=0.0, tau_theta=inf, at=None, lastspike=-(10**9), refractory=False)

    def receive(self, receptor, amount):
        if receptor != "v" or not self.refractory:
            setattr(self, receptor, getattr(self, receptor) + amount)

    def update(self, step, dt):
        self.refractory = step - self.lastspike < int(self.tau_ref / dt + 1e-3)
        if not self.refractory:
            g = self.g_L + self.g_exc + self.g_inh
            v_inf = (self.g_L * self.E_L + self.g_exc * self.E_exc + self.g_inh * self.E_inh + self.I_e) / g
            self.v = v_inf + (self.v - v_inf) * exp(-dt * g / self.C_m)
        self.g_exc *= exp(-dt / self.tau_exc)
        self.g_inh *= exp(-dt / self.tau_inh)
        self.theta *= exp(-dt / self.tau_theta)

    def spikes(self, step):
        return step in self.at if self.at is not None else self.v > self.V_th + self.theta and not self.refractory


class Synapse(Record):
    """A contact: `flight` lists the steps at which its spikes under way arrive; it learns by pair STDP if it has a w_max."""

    defaults = dict(id=0, parent=None, pre=None, post=None, weight=0.0, delay_steps=0, share=1.0, receptor="g_exc", projection="")
    defaults |= dict(w_max=None, A_plus=0.01, A_minus=0.01, tau_plus=16.8e-3, tau_minus=33.7e-3, x=0.0, y=0.0, updated=0, flight=None)

    def learn(self, step, dt, pre):
        """Bring both traces to `step`; a pre- (`pre`) or postsynaptic spike raises its own and moves the weight by the other."""
        if self.w_max is not None:
            elapsed, self.updated = (step - self.updated) * dt, step
            self.x = self.x * exp(-elapsed / self.tau_plus) + pre
            self.y = self.y * exp(-elapsed / self.tau_minus) + (not pre)
            change = -self.A_minus * self.y if pre else self.A_plus * self.x
            self.weight = min(max(self.weight + self.w_max * change, 0.0), self.w_max)


class Oracle:
    """Cells and synapses in dictionaries by id, open to the reader, and the step they have reached."""

    def __init__(self, dt, cells):
        self.dt, self.cells, self.synapses, self.step, self.issued = dt, dict(cells), {}, 0, 0

    def run(self, steps, inputs=lambda step: ()):
        """Simulate in Brian2's order and return the spikes [(step, cell)]; `inputs(step)` yields (cell, receptor, amount)."""
        outgoing, incoming, due, spikes = defaultdict(list), defaultdict(list), defaultdict(list), []
        for synapse in self.synapses.values():
            outgoing[synapse.pre].append(synapse)
            incoming[synapse.post].append(synapse)
            for arrival in synapse.flight:
                due[arrival].append(synapse)
        for step in range(self.step, self.step + steps):
            for key, receptor, amount in inputs(step):  # start
                self.cells[key].receive(receptor, amount)
            for cell in self.cells.values():  # groups
                cell.update(step, self.dt)
            spiking = [key for key, cell in self.cells.items() if cell.spikes(step)]  # thresholds
            for key in spiking:
                self.cells[key].lastspike, self.cells[key].refractory = step, True
                for synapse in outgoing[key]:  # synapses: into the delay line, out of it, then the post pathways
                    synapse.flight.append(step + synapse.delay_steps)
                    due[step + synapse.delay_steps].append(synapse)
            for synapse in sorted(due.pop(step, ()), key=lambda s: (s.projection, s.id)):
                synapse.flight.remove(step)
                self.cells[synapse.post].receive(synapse.receptor, synapse.share * synapse.weight)
                synapse.learn(step, self.dt, pre=True)
            for synapse in (s for key in spiking for s in incoming[key]):
                synapse.learn(step, self.dt, pre=False)
            for cell in (self.cells[key] for key in spiking):  # resets
                cell.v, cell.theta = cell.V_reset, cell.theta + cell.theta_plus
            spikes += [(step, key) for key in spiking]
        self.step += steps
        return spikes

    def link(self, pre, post, weight, delay_steps=0, **others):
        """Add a synapse with nothing in flight and return its id; `others` are further fields of a Synapse."""
        self.issued += 1
        named = dict(id=self.issued, pre=pre, post=post, weight=weight, delay_steps=delay_steps)
        self.synapses[self.issued] = Synapse(**dict(updated=self.step, flight=[]) | others | named)
        return self.issued

    def unlink(self, synapse):
        """Remove a synapse and return how many of its spikes were in flight."""
        return len(self.synapses.pop(synapse).flight)

    def kill(self, cell):
        """Remove a cell with its synapses, in and out, and return how many of their spikes were in flight."""
        del self.cells[cell]
        return sum(self.unlink(s.id) for s in list(self.synapses.values()) if cell in (s.pre, s.post))

    def divide(self, mother, daughter, share_of):
        self.divide_many({mother: daughter}, share_of)

    def divide_many(self, daughters, share_of):
        """Divide cells at once ({mother: daughter}); the mother keeps the part share_of(id) of what an outgoing synapse delivers."""
        self.cells |= {daughter: Cell(**vars(self.cells[mother])) for mother, daughter in daughters.items()}
        for old in list(self.synapses.values()):
            a = share_of(old.id) if old.pre in daughters else 1.0
            senders = [(old.pre, old.share * a), (daughters.get(old.pre), old.share * (1.0 - a))][: 1 + (old.pre in daughters)]
            receivers = [old.post, daughters.get(old.post)][: 1 + (old.post in daughters)]
            old.share = senders[0][1]
            for pre, share, post in [(pre, share, post) for pre, share in senders for post in receivers][1:]:
                self.link(**vars(old) | dict(pre=pre, post=post, share=share, parent=old.id, flight=list(old.flight)))
