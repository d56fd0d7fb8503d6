// The running engine: tables of columns that an edit may change between two runs, spikes in flight, and what is recorded.
// Generated code follows this text: one function for each step of the models, and Engine::advance, which calls them in order.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <vector>
#ifdef __SSE__
#include <xmmintrin.h>
#endif

#define NEUROSIM_EXPORTED extern "C" __attribute__((visibility("default")))

namespace neurosim {

// Loops over cells run in whole blocks, so that each cell is computed in the vectorised body of the loop and never in its
// scalar rest, whose last bits may differ; columns therefore have that much room behind their last row.
constexpr int64_t BLOCK = 16;

inline int64_t padded(int64_t size) { return (size + BLOCK - 1) / BLOCK * BLOCK; }

template <int COUNT>
inline void exponentials(double (&values)[COUNT]) {
    for (double& value : values) value = fast_exp(value);
}

struct Column {
    int64_t width;  // bytes of a row
    char* data;
};

struct Table {
    int64_t size = 0, capacity = 0;
    std::vector<Column> columns;

    Table() = default;
    Table(const Table&) = delete;
    ~Table() {
        for (Column& column : columns) std::free(column.data);
    }

    static char* room(int64_t rows, int64_t width) {
        const size_t bytes = static_cast<size_t>((padded(rows) + BLOCK) * width + 63) / 64 * 64;
        char* data = static_cast<char*>(std::aligned_alloc(64, bytes));
        if (!data) throw std::bad_alloc();
        std::memset(data, 0, bytes);
        return data;
    }

    void add(int64_t width) { columns.push_back({width, room(capacity, width)}); }

    void reserve(int64_t rows, int64_t kept) {
        if (rows <= capacity) return;
        const int64_t wanted = std::max(rows, kept ? capacity + capacity / 2 : rows);
        for (Column& column : columns) {
            char* data = room(wanted, column.width);
            if (kept) std::memcpy(data, column.data, kept * column.width);
            std::free(column.data);
            column.data = data;
        }
        capacity = wanted;
    }

    template <typename T>
    T* at(int column) {
        return reinterpret_cast<T*>(columns[column].data);
    }

    // Rows that go, ascending, are closed up in order; new rows follow, as copies of old ones or (origin -1) as zeros.
    void edit(const int64_t* removed, int64_t gone, const int64_t* origin, int64_t made) {
        const int64_t kept = size - gone;
        std::vector<char> copies;
        reserve(kept + made, size);
        for (Column& column : columns) {
            const int64_t width = column.width;
            copies.assign(made * width, 0);
            for (int64_t k = 0; k < made; ++k)
                if (origin[k] >= 0) std::memcpy(&copies[k * width], column.data + origin[k] * width, width);
            for (int64_t k = 0; k < gone; ++k) {
                const int64_t from = removed[k] + 1, to = k + 1 < gone ? removed[k + 1] : size;
                std::memmove(column.data + (from - k - 1) * width, column.data + from * width, (to - from) * width);
            }
            if (made) std::memcpy(column.data + kept * width, copies.data(), made * width);
        }
        size = kept + made;
    }

    // New rows take the places of rows that go; holes that are left are filled by the last rows. Nothing else moves.
    void refill(const int64_t* target, const int64_t* source, int64_t moved, int64_t after) {
        std::vector<char> copies;
        reserve(after, size);
        for (Column& column : columns) {
            const int64_t width = column.width;
            copies.assign(moved * width, 0);
            for (int64_t k = 0; k < moved; ++k)
                if (source[k] >= 0) std::memcpy(&copies[k * width], column.data + source[k] * width, width);
            for (int64_t k = 0; k < moved; ++k) std::memcpy(column.data + target[k] * width, &copies[k * width], width);
        }
        size = after;
    }
};

// The cells of one population that spike in this time step, in order.
struct Events {
    std::vector<int32_t> rows;
    int64_t count = 0;

    // List the cells that are marked, and tell of each; marks are looked at by eights.
    template <typename Tell>
    void list(const char* marks, int64_t size, Tell tell) {
        count = 0;
        for (int64_t first = 0; first < size; first += 8) {
            uint64_t any;
            std::memcpy(&any, marks + first, sizeof any);
            if (!any) continue;
            for (int64_t row = first, end = std::min(first + 8, size); row < end; ++row)
                if (marks[row]) {
                    rows[count++] = static_cast<int32_t>(row);
                    tell(row);
                }
        }
    }
};

// Spikes that were given to a population of sources beforehand, in order of time.
struct Feed {
    int population;
    std::vector<int64_t> steps;
    std::vector<int32_t> rows;
    size_t next = 0;

    void emit(Events& events, int64_t step) {
        events.count = 0;
        for (; next < steps.size() && steps[next] == step; ++next) events.rows[events.count++] = rows[next];
    }
};

// The way from the spikes of a population to the synapses of a projection, and what is under way on it.
// Where all synapses have one delay, a cell stands for all of its synapses until they are delivered.
struct Pathway {
    struct Slot {
        std::vector<int32_t> rows, cells;  // synapses first: they were emitted before the cells
    };

    int population, table, cell_column, delay_column;  // delay_column -1: no delay
    std::vector<int64_t> first;                        // of each cell: where its synapses begin in `order`
    std::vector<int32_t> order;
    std::vector<Slot> ring{1};
    bool uniform = true;
    int64_t delay = 0;

    void index(Table& synapses, int64_t cells) {
        const int32_t* cell = synapses.at<int32_t>(cell_column);
        const int64_t size = synapses.size;
        first.assign(cells + 1, 0);
        for (int64_t k = 0; k < size; ++k) ++first[cell[k] + 1];
        for (int64_t k = 0; k < cells; ++k) first[k + 1] += first[k];
        order.resize(size);
        std::vector<int64_t> place(first.begin(), first.end() - 1);
        for (int64_t k = 0; k < size; ++k) order[place[cell[k]]++] = static_cast<int32_t>(k);
        int64_t longest = delay = 0;
        uniform = true;
        if (delay_column >= 0 && size) {
            const int32_t* delays = synapses.at<int32_t>(delay_column);
            const auto bounds = std::minmax_element(delays, delays + size);
            longest = *bounds.second;
            uniform = *bounds.first == longest;
            delay = longest;
        }
        stretch(longest);
    }

    void stretch(int64_t longest) {
        ring.clear();
        ring.resize(longest + 1);
    }

    Slot& slot(int64_t step) { return ring[step % static_cast<int64_t>(ring.size())]; }

    void push(const Events& events, Table& synapses, int64_t step) {
        if (!events.count) return;
        if (uniform) {
            std::vector<int32_t>& cells = slot(step + delay).cells;
            cells.insert(cells.end(), events.rows.begin(), events.rows.begin() + events.count);
            return;
        }
        const int32_t* delays = synapses.at<int32_t>(delay_column);
        const int64_t length = ring.size(), now = step % length;
        for (int64_t k = 0; k < events.count; ++k)
            for (int64_t q = first[events.rows[k]]; q < first[events.rows[k] + 1]; ++q) {
                const int64_t at = now + delays[order[q]];
                ring[at < length ? at : at - length].rows.push_back(order[q]);
            }
    }

    // One stretch of synapses after the other, in order of emission: -1 is that of single synapses, then each cell's.
    bool stretch_of(const Slot& slot, int64_t& piece, const int32_t*& rows, int64_t& count) const {
        if (piece < 0) {
            rows = slot.rows.data();
            count = slot.rows.size();
        } else {
            if (piece >= static_cast<int64_t>(slot.cells.size())) return false;
            const int32_t cell = slot.cells[piece];
            rows = order.data() + first[cell];
            count = first[cell + 1] - first[cell];
        }
        ++piece;
        return true;
    }
};

// Samples of one column at chosen rows.
struct Trace {
    int table, column;
    int64_t every;
    std::vector<int64_t> rows, steps;
    std::vector<double> values;
};

// The spikes of one population since they were last fetched.
struct Raster {
    int population;
    std::vector<int64_t> steps;
    std::vector<int32_t> rows;
};

struct Engine {
    std::vector<Table> tables;
    std::vector<Events> events;
    std::vector<Feed> feeds;
    std::vector<Pathway> pathways;
    std::vector<Trace> traces;
    std::vector<Raster> rasters;
    std::vector<double> constants, draws;
    std::vector<char> spikes;
    int64_t step = 0;
    double dt = 0, t = 0;

    Engine(int tables, int populations, int constants) : tables(tables), events(populations), constants(constants) {}

    double* room(int64_t size) {
        if (static_cast<int64_t>(draws.size()) < size) draws.resize(size);
        return draws.data();
    }

    char* marks(int64_t size) {
        if (static_cast<int64_t>(spikes.size()) < size) spikes.resize(size);
        return spikes.data();
    }

    void advance();  // generated

    void run(int64_t count) {
        for (const int64_t end = step + count; step < end; ++step) {
            t = step * dt;
            for (Trace& trace : traces)
                if (step % trace.every == 0) {
                    const double* column = tables[trace.table].at<double>(trace.column);
                    for (const int64_t row : trace.rows) trace.values.push_back(column[row]);
                    trace.steps.push_back(step);
                }
            advance();
            for (Raster& raster : rasters) {
                const Events& spiking = events[raster.population];
                raster.steps.insert(raster.steps.end(), spiking.count, step);
                raster.rows.insert(raster.rows.end(), spiking.rows.begin(), spiking.rows.begin() + spiking.count);
            }
        }
    }
};

}  // namespace neurosim

template <typename T>
static inline int int_(T value) {
    return static_cast<int>(value);
}

using neurosim::Engine;

NEUROSIM_EXPORTED Engine* ns_open(int tables, int populations, int constants) {
    return new Engine(tables, populations, constants);
}
NEUROSIM_EXPORTED void ns_close(Engine* engine) { delete engine; }
NEUROSIM_EXPORTED void ns_clock(Engine* engine, int64_t step, double dt) {
    engine->step = step;
    engine->dt = dt;
}
NEUROSIM_EXPORTED void ns_constants(Engine* engine, const double* values) {
    std::copy(values, values + engine->constants.size(), engine->constants.begin());
}

NEUROSIM_EXPORTED void ns_add_column(Engine* engine, int table, int64_t width) { engine->tables[table].add(width); }
NEUROSIM_EXPORTED void* ns_column(Engine* engine, int table, int column) { return engine->tables[table].columns[column].data; }
NEUROSIM_EXPORTED void ns_size(Engine* engine, int table, int64_t size) {
    engine->tables[table].reserve(size, 0);
    engine->tables[table].size = size;
}
NEUROSIM_EXPORTED void ns_edit(Engine* engine, int table, const int64_t* removed, int64_t gone, const int64_t* origin, int64_t made) {
    engine->tables[table].edit(removed, gone, origin, made);
}
NEUROSIM_EXPORTED void ns_refill(Engine* engine, int table, const int64_t* target, const int64_t* source, int64_t moved, int64_t after) {
    engine->tables[table].refill(target, source, moved, after);
}
// Give each row of a column of cells the new row of its cell; `row` has one entry for each cell there was.
NEUROSIM_EXPORTED void ns_renumber(Engine* engine, int table, int column, const int32_t* row) {
    int32_t* cell = engine->tables[table].at<int32_t>(column);
    for (int64_t k = 0, size = engine->tables[table].size; k < size; ++k) cell[k] = row[cell[k]];
}
// By the bits of the exponent, because fast arithmetic may take for granted that there is no infinity.
NEUROSIM_EXPORTED int ns_finite(Engine* engine, int table, int column) {
    constexpr uint64_t exponent = UINT64_C(0x7FF0000000000000);
    const uint64_t* bits = engine->tables[table].at<uint64_t>(column);
    int64_t bad = 0;
    for (int64_t k = 0, size = engine->tables[table].size; k < size; ++k) bad += (bits[k] & exponent) == exponent;
    return bad == 0;
}

NEUROSIM_EXPORTED void ns_population(Engine* engine, int population, int64_t size) {
    engine->events[population].rows.resize(size);
    engine->events[population].count = 0;
}
NEUROSIM_EXPORTED void ns_add_pathway(Engine* engine, int population, int table, int cell_column, int delay_column) {
    neurosim::Pathway pathway;
    pathway.population = population;
    pathway.table = table;
    pathway.cell_column = cell_column;
    pathway.delay_column = delay_column;
    engine->pathways.push_back(pathway);
}
NEUROSIM_EXPORTED void ns_index(Engine* engine, int pathway) {
    neurosim::Pathway& path = engine->pathways[pathway];
    path.index(engine->tables[path.table], engine->events[path.population].rows.size());
}
// Spikes under way: synapses and time steps ahead, in order of delivery. Called without room it only counts.
NEUROSIM_EXPORTED int64_t ns_flight(Engine* engine, int pathway, int64_t* rows, int64_t* ahead) {
    neurosim::Pathway& path = engine->pathways[pathway];
    int64_t count = 0;
    for (int64_t later = 0; later < static_cast<int64_t>(path.ring.size()); ++later) {
        const neurosim::Pathway::Slot& slot = path.slot(engine->step + later);
        const int32_t* stretch;
        int64_t piece = -1, length;
        while (path.stretch_of(slot, piece, stretch, length)) {
            for (int64_t k = 0; rows && k < length; ++k) {
                rows[count + k] = stretch[k];
                ahead[count + k] = later;
            }
            count += length;
        }
    }
    return count;
}
NEUROSIM_EXPORTED void ns_launch(Engine* engine, int pathway, const int64_t* rows, const int64_t* ahead, int64_t count) {
    neurosim::Pathway& path = engine->pathways[pathway];
    int64_t longest = path.ring.size() - 1;
    for (int64_t k = 0; k < count; ++k) longest = std::max(longest, ahead[k]);
    path.stretch(longest);
    for (int64_t k = 0; k < count; ++k) path.slot(engine->step + ahead[k]).rows.push_back(static_cast<int32_t>(rows[k]));
}

NEUROSIM_EXPORTED void ns_add_feed(Engine* engine, int population) {
    engine->feeds.emplace_back();
    engine->feeds.back().population = population;
}
NEUROSIM_EXPORTED void ns_feed(Engine* engine, int feed, const int64_t* steps, const int64_t* rows, int64_t count) {
    neurosim::Feed& given = engine->feeds[feed];
    given.steps.assign(steps, steps + count);
    given.rows.assign(rows, rows + count);
    given.next = 0;
}
NEUROSIM_EXPORTED void ns_add_raster(Engine* engine, int population) {
    engine->rasters.emplace_back();
    engine->rasters.back().population = population;
}
// Lists that were filled since they were last fetched. Called without room it only counts.
template <typename T, typename To>
static int64_t fetched(std::vector<int64_t>& steps, std::vector<T>& values, int64_t* at, To* to) {
    const int64_t count = steps.size();
    if (at) {
        std::copy(steps.begin(), steps.end(), at);
        std::copy(values.begin(), values.end(), to);
        steps.clear();
        values.clear();
    }
    return count;
}
NEUROSIM_EXPORTED int64_t ns_raster(Engine* engine, int raster, int64_t* steps, int64_t* rows) {
    return fetched(engine->rasters[raster].steps, engine->rasters[raster].rows, steps, rows);
}
NEUROSIM_EXPORTED void ns_forget_traces(Engine* engine) { engine->traces.clear(); }
NEUROSIM_EXPORTED void ns_add_trace(Engine* engine, int table, int column, int64_t every, const int64_t* rows, int64_t count) {
    engine->traces.emplace_back();
    neurosim::Trace& trace = engine->traces.back();
    trace.table = table;
    trace.column = column;
    trace.every = every;
    trace.rows.assign(rows, rows + count);
}
NEUROSIM_EXPORTED int64_t ns_trace(Engine* engine, int trace, int64_t* steps, double* values) {
    return fetched(engine->traces[trace].steps, engine->traces[trace].values, steps, values);
}
NEUROSIM_EXPORTED void ns_run(Engine* engine, int64_t count) {
#if NEUROSIM_FAST && defined(__SSE__)
    // Subnormal numbers count as zero while this thread computes, and only then.
    const unsigned before = _mm_getcsr();
    _mm_setcsr(before | 0x8040);
    engine->run(count);
    _mm_setcsr(before);
#else
    engine->run(count);
#endif
}
