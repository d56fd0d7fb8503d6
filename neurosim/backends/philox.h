// Counter-based random numbers: the C++ twin of neurosim/randomness.py, draw for draw.
// Philox4x32-10: Salmon, Moraes, Dror and Shaw (2011), SC'11, doi:10.1145/2063384.2063405.
// The text holds no backslash and no triple quote, because it is also pasted into Cython sources.
#ifndef NEUROSIM_PHILOX_H
#define NEUROSIM_PHILOX_H

#include <cmath>
#include <cstdint>

namespace neurosim {

struct PhiloxWords {
    uint64_t first, second;
};

// Counter words (id low, id high, step low, step high), key words (key low, key high).
static inline PhiloxWords philox(int64_t key_hi, int64_t key_lo, int64_t id, int64_t step) {
    uint32_t k0 = static_cast<uint32_t>(key_lo), k1 = static_cast<uint32_t>(key_hi);
    const uint64_t a = static_cast<uint64_t>(id), b = static_cast<uint64_t>(step);
    uint32_t c0 = static_cast<uint32_t>(a), c1 = static_cast<uint32_t>(a >> 32);
    uint32_t c2 = static_cast<uint32_t>(b), c3 = static_cast<uint32_t>(b >> 32);
    for (int round = 0; round < 10; ++round) {
        const uint64_t p0 = UINT64_C(0xD2511F53) * c0;
        const uint64_t p1 = UINT64_C(0xCD9E8D57) * c2;
        c0 = static_cast<uint32_t>(p1 >> 32) ^ c1 ^ k0;
        c1 = static_cast<uint32_t>(p1);
        c2 = static_cast<uint32_t>(p0 >> 32) ^ c3 ^ k1;
        c3 = static_cast<uint32_t>(p0);
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    PhiloxWords words;
    words.first = static_cast<uint64_t>(c0) | (static_cast<uint64_t>(c1) << 32);
    words.second = static_cast<uint64_t>(c2) | (static_cast<uint64_t>(c3) << 32);
    return words;
}

// 53 random bits in [0, 1).
static inline double unit_interval(uint64_t word) {
    return static_cast<double>(word >> 11) * (1.0 / 9007199254740992.0);
}

static inline double uniform(int64_t key_hi, int64_t key_lo, int64_t id, int64_t step) {
    return unit_interval(philox(key_hi, key_lo, id, step).first);
}

// Box and Muller (1958), doi:10.1214/aoms/1177706645.
static inline double normal_of(double first, double second) {
    return std::sqrt(-2.0 * std::log(1.0 - first)) * std::cos(6.283185307179586 * second);
}

static inline double normal(int64_t key_hi, int64_t key_lo, int64_t id, int64_t step) {
    const PhiloxWords words = philox(key_hi, key_lo, id, step);
    return normal_of(unit_interval(words.first), unit_interval(words.second));
}

// Inversion; a term below 1e-17 past the mean no longer changes the cumulative probability. The mean is at most 700.
static inline double poisson_of(double draw, double mean, double exp_minus_mean) {
    double term = exp_minus_mean, cumulative = exp_minus_mean, count = 0.0;
    while (draw >= cumulative && (count < mean || term > 1e-17)) {
        count += 1.0;
        term *= mean / count;
        cumulative += term;
    }
    return count;
}

static inline double poisson(int64_t key_hi, int64_t key_lo, int64_t id, int64_t step, double mean, double exp_minus_mean) {
    return poisson_of(uniform(key_hi, key_lo, id, step), mean, exp_minus_mean);
}

}  // namespace neurosim

#endif
