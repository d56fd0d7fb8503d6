// Functions of fast arithmetic, without branches and inline, so that loops over cells compute them for several cells at once, with every
// compiler and C library. The C library's are called where there is no fused multiply-add: what follows relies on its exactness, which
// also keeps the compiler from putting the operations in another order.
#include <cmath>
#include <cstdint>
#include <cstring>

#if NEUROSIM_FAST && defined(__x86_64__) && defined(__GLIBC__)
// The C library has these for several numbers at once, but says so only where infinities are ruled out too.
#define NEUROSIM_SEVERAL extern "C" __attribute__((__simd__("notinbranch"))) double
NEUROSIM_SEVERAL exp(double) noexcept, log(double) noexcept, sin(double) noexcept, cos(double) noexcept;
NEUROSIM_SEVERAL pow(double, double) noexcept;
#if __GLIBC_PREREQ(2, 35)
NEUROSIM_SEVERAL expm1(double) noexcept, cbrt(double) noexcept;  // cbrt: what a compiler takes for pow(x, 1/3)
#endif
#endif

// However large a library is: a loop that calls one of them is not computed for several cells at once.
#define NEUROSIM_INLINE static inline __attribute__((always_inline))

namespace neurosim {

#if defined(__FMA__) || defined(__aarch64__)

struct Scaled {
    double fraction, scale;  // exp(x) = scale + scale * fraction
};

// x = n log(2) + r with |r| <= log(2) / 2; exp(r) - 1 by a polynomial with a relative error of 4e-17, which interpolates
// (exp(r) - 1 - r) / r^2 at Chebyshev's nodes; 2^n by its exponent.
NEUROSIM_INLINE Scaled scaled(double x) {
    const double n = __builtin_rint(x * 1.4426950408889634);
    const double r = __builtin_fma(n, -0x1.abc9e3b39803fp-56, __builtin_fma(n, -0x1.62e42fefa39efp-1, x));
    double sum = 0x1.af38a9b0ec855p-26;
    sum = __builtin_fma(sum, r, 0x1.289185613a3d6p-22);
    sum = __builtin_fma(sum, r, 0x1.71de0dae63bb3p-19);
    sum = __builtin_fma(sum, r, 0x1.a019b90d2ae7ap-16);
    sum = __builtin_fma(sum, r, 0x1.a01a01a7c41d5p-13);
    sum = __builtin_fma(sum, r, 0x1.6c16c1788bd90p-10);
    sum = __builtin_fma(sum, r, 0x1.11111111109b3p-7);
    sum = __builtin_fma(sum, r, 0x1.5555555553d63p-5);
    sum = __builtin_fma(sum, r, 0x1.5555555555556p-3);
    sum = __builtin_fma(sum, r, 0x1.0000000000001p-1);
    const uint64_t exponent = static_cast<uint64_t>(static_cast<int64_t>(static_cast<int32_t>(n)) + 1023) << 52;
    double scale;
    std::memcpy(&scale, &exponent, sizeof scale);
    return {__builtin_fma(sum, r * r, r), scale};
}

NEUROSIM_INLINE double bounded(double x, double value, double least) {
    const double low = x < -708 ? least : value;
    return x > 709 ? INFINITY : low;
}

NEUROSIM_INLINE double fast_exp(double x) {
    const Scaled y = scaled(x);
    return bounded(x, __builtin_fma(y.fraction, y.scale, y.scale), 0);
}

NEUROSIM_INLINE double fast_expm1(double x) {
    const Scaled y = scaled(x);
    return bounded(x, __builtin_fma(y.fraction, y.scale, y.scale - 1), -1);
}

#else

NEUROSIM_INLINE double fast_exp(double x) { return std::exp(x); }
NEUROSIM_INLINE double fast_expm1(double x) { return std::expm1(x); }

#endif

NEUROSIM_INLINE double fast_exprel(double x) {
    const double y = x == 0 ? 1e-20 : x;  // where expm1(y) is y
    return fast_expm1(y) / y;
}

NEUROSIM_INLINE double fast_tanh(double x) {
    const double y = fast_expm1(-2 * std::fabs(x));
    return std::copysign(y / (y + 2), x);
}

}  // namespace neurosim
