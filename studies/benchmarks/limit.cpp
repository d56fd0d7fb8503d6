// Uncoupled cells as fast as one thread computes them in double precision where all take one time step before any takes the next:
// equations, parameters and methods of models/cells, written out by hand, in SI units. Each rate is worked out once a step, as published
// (exponentials that are powers of one another are not merged), nothing branches, and a processor with AVX-512 takes eight cells at once.
// Exponentials are the engine's own: with those of the C library's vector functions (libmvec) the loops take a fifth to a half longer.

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <memory>

#include "functions.h"

namespace {

using neurosim::fast_exp;
using neurosim::fast_exprel;

constexpr int64_t BLOCK = 32;  // cells that are looked through for spikes at once: divides into whole vectors
constexpr double G_EXC_REVERSAL = 0.0, G_INH_REVERSAL = -80e-3, TAU_EXC = 5e-3, TAU_INH = 10e-3;

struct Gate {
    double opening, closing;
    double stepped(double value, double dt) const {
        const double sum = opening + closing, steady = opening/sum;
        return steady + (value - steady)*fast_exp(-sum*dt);
    }
};

// The variables of all cells, one column after the other, each padded to whole blocks.
struct Table {
    double* memory;
    int64_t padded;
    double* column(int number) const { return static_cast<double*>(__builtin_assume_aligned(memory + number*padded, 64)); }
};

// All rates come before the steps that need them, which gives the processor more to do at once: a tenth faster.
template <class Model>
void conductance_step(const Table& table, double dt) {
    double *__restrict v = table.column(0), *__restrict m = table.column(1), *__restrict h = table.column(2);
    double *__restrict n = table.column(3);
    double *__restrict g_exc = table.column(4), *__restrict g_inh = table.column(5), *__restrict last = table.column(7);
    const double* __restrict current = table.column(6);
    const double kept_exc = std::exp(-dt/TAU_EXC), kept_inh = std::exp(-dt/TAU_INH);
    const int64_t cells = table.padded;
#pragma GCC ivdep
    for (int64_t i = 0; i < cells; ++i) {
        const double V = v[i], M = m[i], H = h[i], N = n[i], E = g_exc[i], I = g_inh[i];
        const Gate m_gate = Model::m(V), h_gate = Model::h(V), n_gate = Model::n(V);
        m[i] = m_gate.stepped(M, dt);
        h[i] = h_gate.stepped(H, dt);
        n[i] = n_gate.stepped(N, dt);
        const double sodium = Model::G_NA*M*M*M*H, potassium = Model::G_K*N*N*N*N;
        const double sum = Model::G_L + sodium + potassium + E + I;
        const double ionic = Model::G_L*Model::E_L + sodium*Model::E_NA + potassium*Model::E_K;
        const double steady = (ionic + E*G_EXC_REVERSAL + I*G_INH_REVERSAL + current[i])/sum;
        g_exc[i] = E*kept_exc;
        g_inh[i] = I*kept_inh;
        last[i] = V;
        v[i] = steady + (V - steady)*fast_exp(-sum*(dt/Model::C));
    }
}

struct TraubMiles {
    static constexpr int columns = 8;
    static constexpr double C = 200e-12, G_L = 10e-9, G_NA = 20e-6, G_K = 6e-6, E_L = -65e-3, E_NA = 50e-3, E_K = -90e-3, V_T = -63e-3;
    static constexpr double THRESHOLD = -20e-3;
    static Gate m(double v) { return {1280/fast_exprel((V_T + 13e-3 - v)/4e-3), 1400/fast_exprel((v - V_T - 40e-3)/5e-3)}; }
    static Gate h(double v) { return {128*fast_exp((V_T + 17e-3 - v)/18e-3), 4000/(1 + fast_exp((V_T + 40e-3 - v)/5e-3))}; }
    static Gate n(double v) { return {160/fast_exprel((V_T + 15e-3 - v)/5e-3), 500*fast_exp((V_T + 10e-3 - v)/40e-3)}; }
    static void step(const Table& table, double dt) { conductance_step<TraubMiles>(table, dt); }
    static bool spikes(const Table& table, int64_t i) { return (table.column(0)[i] > THRESHOLD) & (table.column(7)[i] <= THRESHOLD); }
    static void reset(const Table&, int64_t) {}
};

struct HodgkinHuxley {
    static constexpr int columns = 8;
    static constexpr double C = 200e-12, G_L = 60e-9, G_NA = 24e-6, G_K = 7.2e-6, E_L = -54.387e-3, E_NA = 50e-3, E_K = -77e-3;
    static constexpr double THRESHOLD = 0;
    static Gate m(double v) { return {1000/fast_exprel(-(v + 40e-3)/10e-3), 4000*fast_exp(-(v + 65e-3)/18e-3)}; }
    static Gate h(double v) { return {70*fast_exp(-(v + 65e-3)/20e-3), 1000/(1 + fast_exp(-(v + 35e-3)/10e-3))}; }
    static Gate n(double v) { return {100/fast_exprel(-(v + 55e-3)/10e-3), 125*fast_exp(-(v + 65e-3)/80e-3)}; }
    static void step(const Table& table, double dt) { conductance_step<HodgkinHuxley>(table, dt); }
    static bool spikes(const Table& table, int64_t i) { return (table.column(0)[i] > THRESHOLD) & (table.column(7)[i] <= THRESHOLD); }
    static void reset(const Table&, int64_t) {}
};

// Steps of the midpoint method (rk2), for all of its variables.
struct Adex {
    static constexpr int columns = 5;
    static constexpr double C = 281e-12, G_L = 30e-9, E_L = -70.6e-3, V_T = -50.4e-3, DELTA_T = 2e-3, V_PEAK = 20e-3, V_RESET = -70.6e-3;
    static constexpr double A = 4e-9, B = 80.5e-12, TAU_W = 144e-3;
    static double dv(double v, double w, double exc, double inh, double current) {
        const double bounded = v > V_PEAK ? V_PEAK : v;
        const double upstroke = G_L*DELTA_T*fast_exp((bounded - V_T)/DELTA_T);
        return (G_L*(E_L - v) + upstroke - w + exc*(G_EXC_REVERSAL - v) + inh*(G_INH_REVERSAL - v) + current)/C;
    }
    static double dw(double v, double w) { return (A*((v > V_PEAK ? V_PEAK : v) - E_L) - w)/TAU_W; }
    static void step(const Table& table, double dt) {
        double *__restrict v = table.column(0), *__restrict w = table.column(1);
        double *__restrict g_exc = table.column(2), *__restrict g_inh = table.column(3);
        const double* __restrict current = table.column(4);
        const int64_t cells = table.padded;
        const double half = 0.5*dt, half_exc = 1 - half/TAU_EXC, half_inh = 1 - half/TAU_INH;
        const double kept_exc = 1 - dt/TAU_EXC*half_exc, kept_inh = 1 - dt/TAU_INH*half_inh;
#pragma GCC ivdep
        for (int64_t i = 0; i < cells; ++i) {
            const double V = v[i], W = w[i], E = g_exc[i], I = g_inh[i];
            const double middle = V + half*dv(V, W, E, I, current[i]), between = W + half*dw(V, W);
            v[i] = V + dt*dv(middle, between, E*half_exc, I*half_inh, current[i]);
            w[i] = W + dt*dw(middle, between);
            g_exc[i] = E*kept_exc;
            g_inh[i] = I*kept_inh;
        }
    }
    static bool spikes(const Table& table, int64_t i) { return table.column(0)[i] > V_PEAK; }
    static void reset(const Table& table, int64_t i) {
        table.column(0)[i] = V_RESET;
        table.column(1)[i] += B;
    }
};

struct Leaky {
    static constexpr int columns = 3;
    static constexpr double C = 200e-12, G_L = 10e-9, E_L = -60e-3, V_TH = -50e-3, V_RESET = -60e-3, TAU_REF = 5e-3;
    static void step(const Table& table, double dt) {
        double *__restrict v = table.column(0), *__restrict rest = table.column(2);
        const double* __restrict current = table.column(1);
        const int64_t cells = table.padded;
        const double kept = std::exp(-dt*G_L/C);
#pragma GCC ivdep
        for (int64_t i = 0; i < cells; ++i) {
            const double left = rest[i] - dt, steady = E_L + current[i]/G_L;
            v[i] = left > 0.5*dt ? v[i] : steady + (v[i] - steady)*kept;
            rest[i] = left;
        }
    }
    static bool spikes(const Table& table, int64_t i) { return table.column(0)[i] > V_TH; }
    static void reset(const Table& table, int64_t i) {
        table.column(0)[i] = V_RESET;
        table.column(2)[i] = TAU_REF;
    }
};

// Step so many cells from a first state and list who spiked in which step; returns the number of spikes, -1 where they have no room.
template <class Model>
int64_t run(const double* first, int64_t cells, int64_t steps, double dt, int32_t* rows, int32_t* when, int64_t room) {
    const int64_t padded = (cells + BLOCK - 1)/BLOCK*BLOCK;
    const std::unique_ptr<double[], decltype(&std::free)> memory(
        static_cast<double*>(std::aligned_alloc(64, Model::columns*padded*sizeof(double))), &std::free);
    const Table table{memory.get(), padded};
    for (int column = 0; column < Model::columns; ++column)
        for (int64_t i = 0; i < padded; ++i) table.column(column)[i] = first[column*cells + (i < cells ? i : 0)];
    int64_t count = 0;
    for (int64_t step = 0; step < steps; ++step) {
        if (room - count < cells) return -1;
        Model::step(table, dt);
        for (int64_t begin = 0; begin < cells; begin += BLOCK) {
            int any = 0;
            for (int64_t i = begin; i < begin + BLOCK; ++i) any |= Model::spikes(table, i);
            if (!any) continue;
            const int64_t end = begin + BLOCK < cells ? begin + BLOCK : cells;
            for (int64_t i = begin; i < end; ++i) {
                if (!Model::spikes(table, i)) continue;
                rows[count] = static_cast<int32_t>(i);
                when[count++] = static_cast<int32_t>(step);
                Model::reset(table, i);
            }
        }
    }
    return count;
}

}  // namespace

#define LIMIT(name, Model) \
    extern "C" __attribute__((visibility("default"))) int64_t name( \
        const double* first, int64_t cells, int64_t steps, double dt, int32_t* rows, int32_t* when, int64_t room) { \
        return run<Model>(first, cells, steps, dt, rows, when, room); \
    }
LIMIT(traub_miles, TraubMiles)
LIMIT(hodgkin_huxley, HodgkinHuxley)
LIMIT(adex, Adex)
LIMIT(leaky, Leaky)
