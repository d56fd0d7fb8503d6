// Random numbers for all cells of a population at once: the same draws as philox.h, several cells in each instruction.
#if defined(__AVX512F__) || defined(__AVX2__)
#include <immintrin.h>
#endif

namespace neurosim {

// Each 64-bit lane holds a 32-bit word in its lower half; what stands in the upper half is never looked at.
#if defined(__AVX512F__)
struct Words {
    static constexpr int64_t COUNT = 8;
    __m512i bits;
    static Words all(uint64_t value) { return {_mm512_set1_epi64(static_cast<long long>(value))}; }
    static Words load(const uint64_t* from) { return {_mm512_loadu_si512(from)}; }
    void store(uint64_t* to) const { _mm512_storeu_si512(to, bits); }
    Words upper() const { return {_mm512_srli_epi64(bits, 32)}; }
    Words joined(Words high) const {
        return {_mm512_or_si512(_mm512_and_si512(bits, _mm512_set1_epi64(0xFFFFFFFF)), _mm512_slli_epi64(high.bits, 32))};
    }
    friend Words operator*(Words a, Words b) { return {_mm512_mul_epu32(a.bits, b.bits)}; }
    friend Words operator^(Words a, Words b) { return {_mm512_xor_si512(a.bits, b.bits)}; }
};
#elif defined(__AVX2__)
struct Words {
    static constexpr int64_t COUNT = 4;
    __m256i bits;
    static Words all(uint64_t value) { return {_mm256_set1_epi64x(static_cast<long long>(value))}; }
    static Words load(const uint64_t* from) { return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from))}; }
    void store(uint64_t* to) const { _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), bits); }
    Words upper() const { return {_mm256_srli_epi64(bits, 32)}; }
    Words joined(Words high) const {
        return {_mm256_or_si256(_mm256_and_si256(bits, _mm256_set1_epi64x(0xFFFFFFFF)), _mm256_slli_epi64(high.bits, 32))};
    }
    friend Words operator*(Words a, Words b) { return {_mm256_mul_epu32(a.bits, b.bits)}; }
    friend Words operator^(Words a, Words b) { return {_mm256_xor_si256(a.bits, b.bits)}; }
};
#else
struct Words {
    static constexpr int64_t COUNT = 1;
    uint64_t bits;
    static Words all(uint64_t value) { return {value}; }
    static Words load(const uint64_t* from) { return {*from}; }
    void store(uint64_t* to) const { *to = bits; }
    Words upper() const { return {bits >> 32}; }
    Words joined(Words high) const { return {(bits & 0xFFFFFFFF) | (high.bits << 32)}; }
    friend Words operator*(Words a, Words b) { return {(a.bits & 0xFFFFFFFF) * (b.bits & 0xFFFFFFFF)}; }
    friend Words operator^(Words a, Words b) { return {a.bits ^ b.bits}; }
};
#endif
static_assert(BLOCK % Words::COUNT == 0, "a block is a whole number of instructions");

// The words of one block of cells at one time step; see philox().
inline void philox_block(double key_hi, double key_lo, const double* ids, int64_t step, uint64_t* first, uint64_t* second) {
    uint64_t cells[BLOCK];
    for (int64_t k = 0; k < BLOCK; ++k) cells[k] = static_cast<uint64_t>(static_cast<int64_t>(ids[k]));
    const Words m0 = Words::all(0xD2511F53), m1 = Words::all(0xCD9E8D57);
    for (int64_t k = 0; k < BLOCK; k += Words::COUNT) {
        uint32_t k0 = static_cast<uint32_t>(static_cast<int64_t>(key_lo)), k1 = static_cast<uint32_t>(static_cast<int64_t>(key_hi));
        Words c0 = Words::load(cells + k), c1 = c0.upper();
        Words c2 = Words::all(static_cast<uint64_t>(step)), c3 = c2.upper();
        for (int round = 0; round < 10; ++round) {
            const Words p0 = m0 * c0, p1 = m1 * c2;
            c0 = p1.upper() ^ c1 ^ Words::all(k0);
            c1 = p1;
            c2 = p0.upper() ^ c3 ^ Words::all(k1);
            c3 = p0;
            k0 += 0x9E3779B9u;
            k1 += 0xBB67AE85u;
        }
        c0.joined(c1).store(first + k);
        c2.joined(c3).store(second + k);
    }
}

// Draws of poisson() for `size` cells, a multiple of BLOCK.
inline void poissons(
    double key_hi, double key_lo, const double* ids, int64_t step, const double* mean, const double* silent, int64_t size, double* draws
) {
    uint64_t first[BLOCK], second[BLOCK];
    for (int64_t k = 0; k < size; k += BLOCK) {
        philox_block(key_hi, key_lo, ids + k, step, first, second);
        for (int64_t q = 0; q < BLOCK; ++q) {
            const double draw = unit_interval(first[q]);
            draws[k + q] = draw < silent[k + q] ? 0.0 : poisson_of(draw, mean[k + q], silent[k + q]);
        }
    }
}

// Draws of normal() for `size` cells, a multiple of BLOCK.
inline void normals(double key_hi, double key_lo, const double* ids, int64_t step, int64_t size, double* draws) {
    uint64_t first[BLOCK], second[BLOCK];
    for (int64_t k = 0; k < size; k += BLOCK) {
        philox_block(key_hi, key_lo, ids + k, step, first, second);
        for (int64_t q = 0; q < BLOCK; ++q) draws[k + q] = normal_of(unit_interval(first[q]), unit_interval(second[q]));
    }
}

}  // namespace neurosim
