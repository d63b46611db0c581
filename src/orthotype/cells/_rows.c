/* Blocks of rows on their way from the file to the model: checked, looked at, summed and aligned.
 *
 * Each function goes once through the stored values of a block, cell after cell, on one thread and without the
 * interpreter. What is added for a gene is added in the order of the values, as the twins in numpy do: the same bits.
 * Only library sizes are sums of four parts; they are the same bits where values are whole numbers.
 *
 * Conventions: a block is CSR, its indptr begins with 0; linear values are float32, stored ones of any of four types.
 */
#include "../_arrays.h"

#include <math.h>

/* A square is rounded before it is added, as numpy does it. */
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#elif defined(__GNUC__)
#pragma GCC optimize("fp-contract=off")
#endif

enum { FINE, DISORDERED, OUT_OF_RANGE, NO_MEMORY };
enum { NOT_FINITE = 1, NEGATIVE = 2, FRACTIONAL = 4, LARGE_WHOLE = 8, EMPTY = 16 };
#define MANY_VALUES 10 /* stored values of a cell that speak for its scale */

/* One block, with int32 or int64 row ends and gene numbers. */
typedef struct {
    const void *indptr, *indices;
    int64_t n, stored;
    int wide;
} block_t;

static int64_t end_of(const block_t *block, int64_t i) {
    return block->wide ? ((const int64_t *)block->indptr)[i] : ((const int32_t *)block->indptr)[i];
}

/* Borrow row ends, and gene numbers where they are asked for; refuse ends that lead out of the values. */
static int borrow_block(arrays_t *arrays, PyObject *indptr, PyObject *indices, int64_t stored, block_t *block) {
    Py_buffer *ends = borrow(arrays, indptr, INTEGERS, 0, 1, 0, "indptr");
    if (!ends) return -1;
    block->wide = ends->itemsize == 8;
    block->indptr = ends->buf;
    block->n = ends->len / ends->itemsize - 1;
    block->stored = stored;
    if (indices) {
        Py_buffer *genes = borrow(arrays, indices, INTEGERS, ends->itemsize, 0, 0, "indices");
        if (!genes) return -1;
        block->indices = genes->buf;
        if (stored < 0) block->stored = genes->len / genes->itemsize;
        else if (genes->len / genes->itemsize < stored) block->stored = genes->len / genes->itemsize;
    }
    int64_t before = end_of(block, 0);
    if (before == 0)
        for (int64_t i = 1; i <= block->n; i++) {
            int64_t end = end_of(block, i);
            if (end < before || end > block->stored) {
                before = -1;
                break;
            }
            before = end;
        }
    else before = -1;
    if (before >= 0) return 0;
    PyErr_SetString(PyExc_ValueError, "indptr does not rise from 0 to the number of stored values");
    return -1;
}

/* ---- are the gene numbers within the matrix, and in order -------------------------------------------------------- */

#define DEFINE_CHECK(INDEX, UNSIGNED)                                                               \
    static int check_##INDEX(const block_t *block, int64_t p) {                                     \
        const INDEX *indices = block->indices;                                                      \
        int disorder = 0, beyond = 0;                                                               \
        for (int64_t i = 0; i < block->n; i++) {                                                    \
            int64_t first = end_of(block, i), end = end_of(block, i + 1);                           \
            for (int64_t e = first; e < end; e++) beyond |= (UNSIGNED)indices[e] >= (UNSIGNED)p;    \
            for (int64_t e = first + 1; e < end; e++) disorder |= indices[e] <= indices[e - 1];     \
        }                                                                                           \
        return beyond ? OUT_OF_RANGE : disorder ? DISORDERED : FINE;                                \
    }
DEFINE_CHECK(int32_t, uint32_t)
DEFINE_CHECK(int64_t, uint64_t)

static PyObject *py_check(PyObject *self, PyObject *args) {
    PyObject *indptr, *indices;
    long long p;
    if (!PyArg_ParseTuple(args, "OOL", &indptr, &indices, &p)) return NULL;
    arrays_t arrays = {0};
    block_t block = {0};
    if (p < 0 || p > INT32_MAX) PyErr_SetString(PyExc_ValueError, "expected a number of genes");
    if (PyErr_Occurred() || borrow_block(&arrays, indptr, indices, -1, &block) < 0) return finished(&arrays, NULL);
    int found;
    PyThreadState *state = PyEval_SaveThread();
    found = block.wide ? check_int64_t(&block, p) : check_int32_t(&block, p);
    PyEval_RestoreThread(state);
    return finished(&arrays, PyLong_FromLong(found));
}

/* ---- what the values of each cell are ----------------------------------------------------------------------------- */

/* The nearest whole number: what adding and taking off a large number leaves. */
static inline float nearest_float(float v) { return fabsf(v) < 4194304.0f ? (v + 12582912.0f) - 12582912.0f : v; }
static inline double nearest_double(double v) {
    return fabs(v) < 1125899906842624.0 ? (v + 6755399441055744.0) - 6755399441055744.0 : v;
}

#define DEFINE_LOOK(TYPE, BAD, WHOLE)                                                                       \
    static double look_##TYPE(const block_t *block, const TYPE *values, uint8_t *flags) {                   \
        double lowest = 0;                                                                                  \
        for (int64_t i = 0; i < block->n; i++) {                                                            \
            int64_t first = end_of(block, i), end = end_of(block, i + 1);                                   \
            int bad = 0, below = 0, fraction = 0, above = 0, any = 0;                                       \
            for (int64_t e = first; e < end; e++) {                                                         \
                TYPE v = values[e];                                                                         \
                bad |= BAD;                                                                                 \
                below |= v < 0;                                                                             \
                fraction |= !(WHOLE);                                                                       \
                above |= v > 1;                                                                             \
                any |= v != 0;                                                                              \
            }                                                                                               \
            int large = end - first >= MANY_VALUES && !fraction && above;                                   \
            flags[i] = (uint8_t)((bad ? NOT_FINITE : 0) | (below ? NEGATIVE : 0) | (fraction ? FRACTIONAL : 0) | \
                                 (large ? LARGE_WHOLE : 0) | (any ? 0 : EMPTY));                            \
            for (int64_t e = first; below && e < end; e++)                                                  \
                if ((double)values[e] < lowest) lowest = (double)values[e];                                 \
        }                                                                                                   \
        return lowest;                                                                                      \
    }
DEFINE_LOOK(int32_t, 0, 1)
DEFINE_LOOK(int64_t, 0, 1)
DEFINE_LOOK(float, !(v - v == 0), v == nearest_float(v) || fabsf(v - nearest_float(v)) <= 1e-3f)
DEFINE_LOOK(double, !(v - v == 0), v == nearest_double(v) || fabs(v - nearest_double(v)) <= 1e-3)

static PyObject *py_look(PyObject *self, PyObject *args) {
    PyObject *indptr, *values, *flags;
    if (!PyArg_ParseTuple(args, "OOO", &indptr, &values, &flags)) return NULL;
    arrays_t arrays = {0};
    block_t block = {0};
    Py_buffer *held = borrow(&arrays, values, INTEGERS REALS, 0, 0, 0, "values");
    if (!held || borrow_block(&arrays, indptr, NULL, held->len / held->itemsize, &block) < 0)
        return finished(&arrays, NULL);
    uint8_t *found = array(&arrays, flags, BYTES, 1, block.n, 1, "flags");
    if (!found) return finished(&arrays, NULL);
    const char *format = held->format ? held->format : "B";
    while (*format == '@' || *format == '=' || *format == '<') format++;
    int real = strchr(REALS, *format) != NULL, wide = held->itemsize == 8;
    double lowest;
    PyThreadState *state = PyEval_SaveThread();
    if (real) lowest = wide ? look_double(&block, held->buf, found) : look_float(&block, held->buf, found);
    else lowest = wide ? look_int64_t(&block, held->buf, found) : look_int32_t(&block, held->buf, found);
    PyEval_RestoreThread(state);
    return finished(&arrays, PyFloat_FromDouble(lowest));
}

/* ---- sums of every gene ------------------------------------------------------------------------------------------- */

#define DEFINE_ADD(INDEX)                                                                       \
    static int add_##INDEX(const block_t *block, const float *values, int64_t p, double *sums) { \
        const INDEX *indices = block->indices;                                                  \
        for (int64_t e = 0, end = end_of(block, block->n); e < end; e++) {                      \
            if ((uint64_t)indices[e] >= (uint64_t)p) return OUT_OF_RANGE;                       \
            sums[indices[e]] += (double)values[e];                                              \
        }                                                                                       \
        return FINE;                                                                            \
    }
DEFINE_ADD(int32_t)
DEFINE_ADD(int64_t)

static PyObject *failed(arrays_t *arrays, int failure) {
    if (failure == NO_MEMORY) PyErr_NoMemory();
    else if (failure == OUT_OF_RANGE) PyErr_SetString(PyExc_ValueError, "a gene number is out of range");
    if (failure != FINE) return finished(arrays, NULL);
    Py_INCREF(Py_None);
    return finished(arrays, Py_None);
}

static PyObject *py_add(PyObject *self, PyObject *args) {
    PyObject *indptr, *indices, *values, *sums;
    if (!PyArg_ParseTuple(args, "OOOO", &indptr, &indices, &values, &sums)) return NULL;
    arrays_t arrays = {0};
    block_t block = {0};
    Py_buffer *held = borrow(&arrays, values, "f", 4, 0, 0, "values"), *out = NULL;
    if (held) out = borrow(&arrays, sums, "d", 8, 0, 1, "sums");
    if (!out || borrow_block(&arrays, indptr, indices, held->len / 4, &block) < 0) return finished(&arrays, NULL);
    int failure;
    PyThreadState *state = PyEval_SaveThread();
    failure = block.wide ? add_int64_t(&block, held->buf, out->len / 8, out->buf)
                         : add_int32_t(&block, held->buf, out->len / 8, out->buf);
    PyEval_RestoreThread(state);
    return failed(&arrays, failure);
}

/* Add every value, and its square, to the sums of its gene. */
#define DEFINE_MOMENTS(INDEX)                                                                                   \
    static int moments_##INDEX(const INDEX *indices, const double *values, int64_t n, int64_t p, double *sums,  \
                               double *squares) {                                                               \
        for (int64_t e = 0; e < n; e++) {                                                                       \
            if ((uint64_t)indices[e] >= (uint64_t)p) return OUT_OF_RANGE;                                       \
            double square = values[e] * values[e];                                                              \
            sums[indices[e]] += values[e];                                                                      \
            squares[indices[e]] += square;                                                                      \
        }                                                                                                       \
        return FINE;                                                                                            \
    }
DEFINE_MOMENTS(int32_t)
DEFINE_MOMENTS(int64_t)

static PyObject *py_moments(PyObject *self, PyObject *args) {
    PyObject *indices, *values, *sums, *squares;
    if (!PyArg_ParseTuple(args, "OOOO", &indices, &values, &sums, &squares)) return NULL;
    arrays_t arrays = {0};
    Py_buffer *held = borrow(&arrays, values, "d", 8, 0, 0, "values"), *genes = NULL, *out = NULL;
    int64_t n = held ? held->len / 8 : 0;
    if (held) genes = borrow(&arrays, indices, INTEGERS, 0, n, 0, "indices");
    if (genes) out = borrow(&arrays, sums, "d", 8, 0, 1, "sums");
    double *second = out ? array(&arrays, squares, "d", 8, out->len / 8, 1, "squares") : NULL;
    if (!second) return finished(&arrays, NULL);
    int failure;
    int64_t p = out->len / 8;
    PyThreadState *state = PyEval_SaveThread();
    failure = genes->itemsize == 8 ? moments_int64_t(genes->buf, held->buf, n, p, out->buf, second)
                                   : moments_int32_t(genes->buf, held->buf, n, p, out->buf, second);
    PyEval_RestoreThread(state);
    return failed(&arrays, failure);
}

/* ---- alignment: the selected features of every cell, and its library size ------------------------------------------ */

/* genes: for each gene 2 * column + whether it counts to the library size, column -1 for none. */
typedef struct {
    const int32_t *genes;
    int64_t p, columns;
    float *data;
    int32_t *indices, *indptr;
    double *totals;
} aligned_t;

/* What a row needs: the values that have a column in the order of the genes, and where each column is. */
typedef struct {
    int32_t *columns;
    float *values, *sums;
    uint64_t *seen;
} room_t;

/* Put the values of one cell into the order of their columns; those of the same column are added. */
static int64_t ordered(const aligned_t *out, room_t *room, int64_t found, int64_t place) {
    for (int64_t e = 0; e < found; e++) {
        int32_t column = room->columns[e];
        uint64_t bit = (uint64_t)1 << (column & 63), *word = room->seen + (column >> 6);
        room->sums[column] = *word & bit ? room->sums[column] + room->values[e] : room->values[e];
        *word |= bit;
    }
    for (int64_t w = 0; w * 64 < out->columns; w++) {
        uint64_t left = room->seen[w];
        room->seen[w] = 0;
        for (; left; left &= left - 1, place++) {
            int32_t column = (int32_t)(w * 64 + __builtin_ctzll(left));
            out->indices[place] = column;
            out->data[place] = room->sums[column];
        }
    }
    return place;
}

/* The value if the code says that it counts to the library size, else 0; without a branch. */
static inline double counted(float value, int32_t code) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    bits &= (uint32_t)-(code & 1);
    memcpy(&value, &bits, sizeof bits);
    return (double)value;
}

#define ALIGN_ONE(PART)                                      \
    {                                                        \
        uint64_t gene = (uint64_t)indices[e + PART];         \
        if (gene >= p) return OUT_OF_RANGE;                  \
        int32_t code = genes[gene];                          \
        total[PART] += counted(values[e + PART], code);      \
        columns[found] = code >> 1;                          \
        chosen[found] = values[e + PART];                    \
        found += code >= 0;                                  \
    }

#define DEFINE_ALIGN(INDEX)                                                                                  \
    static int align_##INDEX(const block_t *block, const float *values, const aligned_t *out, room_t *room) { \
        const INDEX *restrict indices = block->indices;                                                      \
        const int32_t *restrict genes = out->genes;                                                          \
        int32_t *restrict columns = room->columns;                                                           \
        float *restrict chosen = room->values;                                                               \
        uint64_t p = (uint64_t)out->p;                                                                       \
        int64_t place = 0;                                                                                   \
        out->indptr[0] = 0;                                                                                  \
        for (int64_t i = 0; i < block->n; i++) {                                                             \
            int64_t found = 0, e = end_of(block, i), end = end_of(block, i + 1);                             \
            double total[4] = {0};                                                                           \
            for (; e + 4 <= end; e += 4) {                                                                   \
                ALIGN_ONE(0) ALIGN_ONE(1) ALIGN_ONE(2) ALIGN_ONE(3)                                          \
            }                                                                                                \
            if (e < end) ALIGN_ONE(0)                                                                        \
            if (e + 1 < end) ALIGN_ONE(1)                                                                    \
            if (e + 2 < end) ALIGN_ONE(2)                                                                    \
            place = ordered(out, room, found, place);                                                        \
            out->totals[i] = (total[0] + total[1]) + (total[2] + total[3]);                                  \
            out->indptr[i + 1] = (int32_t)place;                                                             \
        }                                                                                                    \
        return FINE;                                                                                         \
    }
DEFINE_ALIGN(int32_t)
DEFINE_ALIGN(int64_t)

static int align(const block_t *block, const float *values, const aligned_t *out) {
    int64_t longest = 0;
    for (int64_t i = 0; i < block->n; i++) {
        int64_t length = end_of(block, i + 1) - end_of(block, i);
        longest = length > longest ? length : longest;
    }
    room_t room = {malloc(sizeof(int32_t) * (longest + 1)), malloc(sizeof(float) * (longest + 1)),
                   malloc(sizeof(float) * (out->columns + 1)), calloc(out->columns / 64 + 1, sizeof(uint64_t))};
    int failure = NO_MEMORY;
    if (room.columns && room.values && room.sums && room.seen)
        failure = block->wide ? align_int64_t(block, values, out, &room) : align_int32_t(block, values, out, &room);
    free(room.columns);
    free(room.values);
    free(room.sums);
    free(room.seen);
    return failure;
}

static PyObject *py_align(PyObject *self, PyObject *args) {
    PyObject *indptr, *indices, *values, *genes, *data, *columns, *ends, *totals;
    long long width;
    if (!PyArg_ParseTuple(args, "OOOOLOOOO", &indptr, &indices, &values, &genes, &width, &data, &columns, &ends,
                          &totals))
        return NULL;
    arrays_t arrays = {0};
    block_t block = {0};
    aligned_t out = {0};
    Py_buffer *held = borrow(&arrays, values, "f", 4, 0, 0, "values"), *codes = NULL;
    if (held) codes = borrow(&arrays, genes, INTEGERS, 4, 0, 0, "genes");
    if (!codes || borrow_block(&arrays, indptr, indices, held->len / 4, &block) < 0) return finished(&arrays, NULL);
    out.genes = codes->buf;
    out.p = codes->len / 4;
    out.columns = width;
    int64_t most = end_of(&block, block.n);
    out.data = array(&arrays, data, "f", 4, most, 1, "data");
    out.indices = array(&arrays, columns, INTEGERS, 4, most, 1, "columns");
    out.indptr = array(&arrays, ends, INTEGERS, 4, block.n + 1, 1, "ends");
    out.totals = array(&arrays, totals, "d", 8, block.n, 1, "totals");
    if (!PyErr_Occurred() && (width < 0 || width >= INT32_MAX / 2 || most > INT32_MAX))
        PyErr_SetString(PyExc_ValueError, "expected a block and a number of columns that int32 can count");
    for (int64_t j = 0; !PyErr_Occurred() && j < out.p; j++)
        if (out.genes[j] < -2 || out.genes[j] >= 2 * width)
            PyErr_SetString(PyExc_ValueError, "genes: a column out of range");
    if (PyErr_Occurred()) return finished(&arrays, NULL);
    int failure;
    PyThreadState *state = PyEval_SaveThread();
    failure = align(&block, held->buf, &out);
    PyEval_RestoreThread(state);
    return failed(&arrays, failure);
}

static PyMethodDef methods[] = {
    {"check", py_check, METH_VARARGS,
     "check(indptr, indices, p) -> 0, 1 where genes are not sorted or not unique in a row, 2 where one is not below p"},
    {"look", py_look, METH_VARARGS,
     "look(indptr, values, flags) -> lowest value below zero; one bit a row for not finite, negative, fractional, "
     "large whole numbers, nothing but zeros"},
    {"add", py_add, METH_VARARGS, "add(indptr, indices, values, sums): add every value to the sum of its gene"},
    {"moments", py_moments, METH_VARARGS,
     "moments(indices, values, sums, squares): add every value and its square to those of its gene"},
    {"align", py_align, METH_VARARGS,
     "align(indptr, indices, values, genes, width, data, columns, ends, totals): the values that have a column, in the "
     "order of the columns, and the library size of each row"},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_rows", "Blocks of rows, checked, looked at, summed and aligned.", -1, methods,
    NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__rows(void) { return PyModule_Create(&definition); }
