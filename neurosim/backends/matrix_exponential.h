// An entry of the exponential of a matrix: the twin of neurosim/backends/matrices.py, step for step.
// The text holds no backslash and no triple quote, because it is also pasted into Cython sources.
#ifndef NEUROSIM_MATRIX_EXPONENTIAL_H
#define NEUROSIM_MATRIX_EXPONENTIAL_H

#include <algorithm>
#include <cmath>

namespace neurosim {

template <int N>
struct Matrix {
    double at[N][N];

    Matrix times(const Matrix& other) const {
        Matrix product{};
        for (int i = 0; i < N; ++i)
            for (int k = 0; k < N; ++k)
                for (int j = 0; j < N; ++j) product.at[i][j] += at[i][k] * other.at[k][j];
        return product;
    }
};

template <int N>
static inline double exponential_entry(const double* values, int row, int column) {
    Matrix<N> scaled;
    int power[N] = {};  // of two, by which each variable is measured, so that units do not matter
    for (int i = 0; i < N; ++i)
        for (int j = 0; j < N; ++j) scaled.at[i][j] = values[i * N + j];
    for (int sweep = 0; sweep < 2 * N; ++sweep)
        for (int i = 0; i < N; ++i) {
            double across = 0, down = 0;
            for (int j = 0; j < N; ++j)
                if (j != i) across += std::fabs(scaled.at[i][j]), down += std::fabs(scaled.at[j][i]);
            if (across == 0 && down == 0) continue;
            const double wanted = across == 0 ? 0x1p-40 / down : down == 0 ? across * 0x1p40 : std::sqrt(across / down);
            const int step = std::ilogb(wanted);
            if (step == 0) continue;
            power[i] += step;
            for (int j = 0; j < N; ++j)
                if (j != i) {
                    scaled.at[i][j] = std::ldexp(scaled.at[i][j], -step);
                    scaled.at[j][i] = std::ldexp(scaled.at[j][i], step);
                }
        }
    double mean = 0, norm = 0;
    for (int i = 0; i < N; ++i) mean += scaled.at[i][i] / N;
    for (int i = 0; i < N; ++i) scaled.at[i][i] -= mean;
    for (int i = 0; i < N; ++i) {
        double sum = 0;
        for (int j = 0; j < N; ++j) sum += std::fabs(scaled.at[i][j]);
        norm = std::max(norm, sum);
    }
    const int squarings = norm > 0.5 ? std::ilogb(norm) + 2 : 0;
    for (auto& line : scaled.at)
        for (double& value : line) value = std::ldexp(value, -squarings);
    Matrix<N> sum{};
    for (int i = 0; i < N; ++i) sum.at[i][i] = 1;
    for (int k = 16; k > 0; --k) {  // Horner's form of the series
        sum = scaled.times(sum);
        for (auto& line : sum.at)
            for (double& value : line) value /= k;
        for (int i = 0; i < N; ++i) sum.at[i][i] += 1;
    }
    const double factor = std::exp(std::ldexp(mean, -squarings));
    for (auto& line : sum.at)
        for (double& value : line) value *= factor;
    for (int k = 0; k < squarings; ++k) sum = sum.times(sum);
    return std::ldexp(sum.at[row][column], power[row] - power[column]);
}

}  // namespace neurosim

#endif
