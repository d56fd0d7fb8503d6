// The divided difference of exp at three points: the twin of neurosim/backends/differences.py.
// The text holds no backslash and no triple quote, because it is also pasted into Cython sources.
#ifndef NEUROSIM_EXP_DIFFERENCE_H
#define NEUROSIM_EXP_DIFFERENCE_H

#include <algorithm>
#include <cmath>

namespace neurosim {

static inline double exp_difference(double a, double b, double c) {
    if (a > b) std::swap(a, b);
    if (b > c) std::swap(b, c);
    if (a > b) std::swap(a, b);
    if (c - a > 1) {
        const auto two = [](double x, double y) { return x == y ? std::exp(y) : std::exp(y) * std::expm1(x - y) / (x - y); };
        return (two(b, c) - two(a, b)) / (c - a);
    }
    const double middle = (a + b + c) / 3;
    a -= middle;
    b -= middle;
    c -= middle;
    // Complete homogeneous symmetric polynomials of one, two and three points, over (k + 2)!
    double one = 1, two = 1, three = 1, factorial = 2, sum = 0.5;
    for (int k = 1; k < 20; ++k) {
        one *= a;
        two = one + b * two;
        three = two + c * three;
        factorial *= k + 2;
        sum += three / factorial;
    }
    return std::exp(middle) * sum;
}

}  // namespace neurosim

#endif
