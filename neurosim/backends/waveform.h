// What a waveform gives at a time step: samples in the order of time, `rows` of them side by side, each held for `hold` steps.
// The text holds no backslash and no triple quote, because it is also pasted into Cython sources.
#ifndef NEUROSIM_WAVEFORM_H
#define NEUROSIM_WAVEFORM_H

#include <cstdint>

namespace neurosim {

static inline double waveform_at(double address, double times, double rows, double hold, double row, double elapsed) {
    const double* samples = reinterpret_cast<const double*>(static_cast<uintptr_t>(address));
    const int64_t step = static_cast<int64_t>(elapsed);
    const int64_t time = step < 0 ? -1 : step / static_cast<int64_t>(hold);
    // A library also works out the room behind its last cell, where rows may stand that an earlier waveform had.
    if (time < 0 || time >= static_cast<int64_t>(times) || row >= rows) return 0.0;
    return samples[time * static_cast<int64_t>(rows) + static_cast<int64_t>(row)];
}

}  // namespace neurosim

#endif
