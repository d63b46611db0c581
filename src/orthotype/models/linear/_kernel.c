/* Sparse rows times a narrow dense matrix, and back: the native kernel of orthotype's linear models.
 *
 * One CSR matrix is checked once (matrix) and then swept as often as a solver likes. A sweep takes blocks of 128
 * rows: scores, softmax and the scatter into the gradient happen while the block is in cache.
 *
 * Results do not depend on the number of threads. Block b belongs to lane b mod 8, whatever thread works on it; each
 * lane adds its rows in order, and every 65,536 rows the lanes are added into float64 totals, pairwise and in a fixed
 * order. Threads only decide who works on which lane.
 *
 * The file includes itself once for every precision, index type and instruction set; its last part is that template.
 *
 * Layout: W is (genes, width) with width = classes rounded up to whole vectors; padding columns hold zeros.
 */
#ifndef REAL

#define PY_SSIZE_T_CLEAN
#ifndef Py_LIMITED_API
#define Py_LIMITED_API 0x030B0000
#endif
#include <Python.h>
#include <math.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK 128
#define LANES 8
#define ROUND (BLOCK * LANES * 64)
#define MOST_THREADS 64
#define PADDING 32 /* bytes to which rows of W are padded */
#define CHUNK 8    /* vectors of scores that are held in registers */

#define JOIN3(a, b, c) a##b##c
#define NAMED(a, b, c) JOIN3(a, b, c)

#define VECTOR_OF(type, bytes) \
    typedef type NAMED(vector_, type, bytes) __attribute__((vector_size(bytes), aligned(sizeof(type)), may_alias))
VECTOR_OF(float, 16);
VECTOR_OF(float, 32);
VECTOR_OF(float, 64);
VECTOR_OF(double, 16);
VECTOR_OF(double, 32);
VECTOR_OF(double, 64);

/* A checked CSR matrix; its arrays stay borrowed from Python while it lives. */
typedef struct {
    Py_buffer indptr_buffer, indices_buffer, data_buffer;
    const void *indptr, *indices, *data; /* data NULL: every stored value is one */
    int64_t n, p, longest;
    int wide_index, wide_real, canonical, checked;
} matrix_t;

typedef enum { AS_IS, LOG_NORMALIZE, BINARIZE } encoding_t;
typedef enum { FINE, NO_MEMORY, OUT_OF_RANGE, NOT_CANONICAL } failure_t;

/* One sweep: what is read, what is written, and the lanes in between. */
typedef struct {
    const matrix_t *X;
    const int32_t *y;
    const double *weights;
    const int64_t *subset;
    const void *W, *offset, *R;
    void *out;
    double *gradient, *totals; /* totals: lanes x (loss, by_class, spread) */
    void *lanes;
    int64_t n, width, classes, first, last;
    const int32_t *genes; /* for each gene 2 * column + whether it counts to the library size; column -1: not used */
    double target_sum;
    encoding_t encoding;
    int families; /* several genes of a row may share a column */
    int64_t columns, models, extras; /* extras: columns of W beside those of the models */
    float *probability, *extra, *squares;
    int32_t *votes;
    int64_t next; /* the next piece of work, handed out atomically */
    int failed;
} sweep_t;

typedef struct {
    void (*loss)(sweep_t *), (*reduce)(sweep_t *), (*scores)(sweep_t *), (*transposed)(sweep_t *);
    void (*moments)(sweep_t *), (*label)(sweep_t *);
} functions_t;

/* ---- threads ---------------------------------------------------------------------------------------------------- */

typedef struct {
    void (*work)(sweep_t *);
    sweep_t *sweep;
} job_t;

static void *run_job(void *pointer) {
    job_t *job = pointer;
    job->work(job->sweep);
    return NULL;
}

/* Let several threads take pieces of one sweep until none is left. Fewer threads than asked for is no error. */
static void run(void (*work)(sweep_t *), sweep_t *sweep, int threads) {
    pthread_t started[MOST_THREADS];
    job_t job = {work, sweep};
    int count = 0;
    sweep->next = 0;
    while (count < threads - 1 && pthread_create(&started[count], NULL, run_job, &job) == 0) count++;
    work(sweep);
    while (count > 0) pthread_join(started[--count], NULL);
}

static inline int64_t take(sweep_t *sweep) { return __atomic_fetch_add(&sweep->next, 1, __ATOMIC_RELAXED); }

/* How many of the vectors that remain are worked on at once. */
static inline int64_t at_once(int64_t left) {
    return left >= 8 ? 8 : left >= 6 ? 6 : left == 5 ? 4 : left;
}

/* ---- elementary functions, written so that compilers turn their loops into vectors -------------------------------- */

/* exp(x) for x <= 0, relative error below 2e-7; 0 below -87. */
static inline float exp_float(float x) {
    union {
        int32_t i;
        float f;
    } scale;
    float clamped = x < -87.0f ? -87.0f : x;
    float shifted = clamped * 1.44269504f + 12582912.0f;
    float whole = shifted - 12582912.0f;
    float r = clamped - whole * 0.693145752f;
    r = r - whole * 1.42860677e-6f;
    float e = 1.0f / 720;
    e = e * r + 1.0f / 120;
    e = e * r + 1.0f / 24;
    e = e * r + 1.0f / 6;
    e = e * r + 0.5f;
    e = e * r + 1.0f;
    e = e * r + 1.0f;
    scale.i = ((int32_t)whole + 127) << 23;
    return x < -87.0f ? 0.0f : e * scale.f;
}

static inline double exp_double(double x) { return exp(x); }

/* log(1 + x) for x >= 0, relative error below 3e-7. */
static inline float log1p_float(float x) {
    union {
        float f;
        int32_t i;
    } u;
    float whole = 1.0f + x;
    float lost = (x - (whole - 1.0f)) / whole;
    u.f = whole;
    int32_t shifted = u.i - 0x3f3504f3; /* sqrt(1/2) */
    int32_t exponent = shifted >> 23;
    u.i = (shifted & 0x007fffff) + 0x3f3504f3;
    float m = u.f - 1.0f;
    float s = m / (2.0f + m), z = s * s;
    float tail = 0.28498787f;
    tail = tail * z + 0.4f;
    tail = tail * z + 0.66666667f;
    float series = 2.0f * s + s * z * tail;
    return (float)exponent * 0.693147181f + series + lost;
}

/* ---- the template, once for each precision, index type and instruction set ----------------------------------------- */

#define REAL float
#define EXP exp_float
#define INDEX int32_t
#define KIND _f32_i32
#include "_kernel.c"
#undef INDEX
#undef KIND
#define INDEX int64_t
#define KIND _f32_i64
#include "_kernel.c"
#undef INDEX
#undef KIND
#undef REAL
#undef EXP
#define REAL double
#define EXP exp_double
#define INDEX int32_t
#define KIND _f64_i32
#include "_kernel.c"
#undef INDEX
#undef KIND
#define INDEX int64_t
#define KIND _f64_i64
#include "_kernel.c"

#define ALL_KINDS(level) {FUNCTIONS(_f32_i32, level), FUNCTIONS(_f32_i64, level), \
                          FUNCTIONS(_f64_i32, level), FUNCTIONS(_f64_i64, level)}
#define FUNCTIONS(kind, level) {NAMED(loss, kind, level), NAMED(reduce, kind, level), NAMED(scores, kind, level), \
                                NAMED(transposed, kind, level), NAMED(moments, kind, level), \
                                NAMED(label, kind, level)}

typedef struct {
    const char *name;
    int64_t bytes; /* of a vector */
    functions_t kinds[4];
} level_t;

static const level_t levels[] = {
    {"baseline", 16, ALL_KINDS(_base)},
#ifdef MANY_LEVELS
    {"avx2", 32, ALL_KINDS(_avx2)},
    {"avx512", 64, ALL_KINDS(_avx512)},
#endif
};
static int level = 0;

static int best_level(void) {
#ifdef MANY_LEVELS
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        return 2;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return 1;
#endif
    return 0;
}

/* The functions of the widest vectors that rows of the given width are made of. */
static const functions_t *functions(const matrix_t *X, int64_t row_bytes) {
    int chosen = level;
    while (row_bytes % levels[chosen].bytes) chosen--;
    return &levels[chosen].kinds[2 * X->wide_real + X->wide_index];
}

/* ---- from Python and back ------------------------------------------------------------------------------------------ */

#define CAPSULE "orthotype.models.linear._kernel.matrix"

/* Borrow a contiguous array of the given kind ('f' float, 'i' integer, 'u' byte), item size and least length. */
static int borrow(PyObject *object, Py_buffer *buffer, char kind, Py_ssize_t item, int64_t least, int writable,
                  const char *name) {
    int flags = PyBUF_C_CONTIGUOUS | PyBUF_FORMAT | (writable ? PyBUF_WRITABLE : 0);
    if (PyObject_GetBuffer(object, buffer, flags) < 0) return -1;
    const char *format = buffer->format ? buffer->format : "B";
    while (*format == '@' || *format == '=' || *format == '<') format++;
    const char *accepted = kind == 'f' ? "fd" : kind == 'i' ? "ilq" : "B?b";
    if (!*format || !strchr(accepted, *format) || (item && buffer->itemsize != item)) {
        PyErr_Format(PyExc_TypeError, "%s: expected contiguous items of kind '%c' and %zd bytes", name, kind, item);
    } else if (buffer->len / buffer->itemsize < least) {
        PyErr_Format(PyExc_ValueError, "%s: found %zd items, expected at least %lld", name,
                     buffer->len / buffer->itemsize, (long long)least);
    } else {
        return 0;
    }
    PyBuffer_Release(buffer);
    return -1;
}

static void release_matrix(matrix_t *X) {
    if (X->indptr_buffer.obj) PyBuffer_Release(&X->indptr_buffer);
    if (X->indices_buffer.obj) PyBuffer_Release(&X->indices_buffer);
    if (X->data_buffer.obj) PyBuffer_Release(&X->data_buffer);
    free(X);
}

static void destroy_capsule(PyObject *capsule) { release_matrix(PyCapsule_GetPointer(capsule, CAPSULE)); }

static int64_t item(const void *array, int64_t i, int wide) {
    return wide ? ((const int64_t *)array)[i] : ((const int32_t *)array)[i];
}

/* Check indptr before a single index is read. Sets an error and returns -1 if it is wrong. */
static int check_indptr(matrix_t *X, int64_t stored) {
    int64_t before = item(X->indptr, 0, X->wide_index);
    if (before < 0) goto not_monotone;
    for (int64_t i = 0; i < X->n; i++) {
        int64_t end = item(X->indptr, i + 1, X->wide_index);
        if (end < before || end > stored) goto not_monotone;
        if (end - before > X->longest) X->longest = end - before;
        before = end;
    }
    return 0;
not_monotone:
    PyErr_Format(PyExc_ValueError, "indptr is not monotone between 0 and %lld stored values", (long long)stored);
    return -1;
}

/* Check every index, once indptr is known to be right. */
static int check_indices(matrix_t *X) {
    X->canonical = 1;
    for (int64_t i = 0; i < X->n; i++) {
        int64_t last = -1, end = item(X->indptr, i + 1, X->wide_index);
        for (int64_t e = item(X->indptr, i, X->wide_index); e < end; e++) {
            int64_t j = item(X->indices, e, X->wide_index);
            if (j < 0 || j >= X->p) {
                PyErr_Format(PyExc_ValueError, "row %lld has column index %lld; expected 0 to %lld", (long long)i,
                             (long long)j, (long long)X->p - 1);
                return -1;
            }
            if (j <= last) X->canonical = 0;
            last = j;
        }
    }
    X->checked = 1;
    return 0;
}

static PyObject *py_matrix(PyObject *self, PyObject *args) {
    PyObject *indptr, *indices, *data;
    long long p;
    int check;
    if (!PyArg_ParseTuple(args, "OOOLp", &indptr, &indices, &data, &p, &check)) return NULL;
    matrix_t *X = calloc(1, sizeof *X);
    if (!X) return PyErr_NoMemory();
    X->p = p;
    if (borrow(indptr, &X->indptr_buffer, 'i', 0, 1, 0, "indptr") < 0) goto failed;
    Py_ssize_t size = X->indptr_buffer.itemsize;
    if (borrow(indices, &X->indices_buffer, 'i', size, 0, 0, "indices") < 0) goto failed;
    X->wide_index = size == 8;
    X->n = X->indptr_buffer.len / size - 1;
    X->indptr = X->indptr_buffer.buf;
    X->indices = X->indices_buffer.buf;
    int64_t stored = X->indices_buffer.len / size;
    if (data != Py_None) {
        if (borrow(data, &X->data_buffer, 'f', 0, stored, 0, "data") < 0) goto failed;
        X->data = X->data_buffer.buf;
        X->wide_real = X->data_buffer.itemsize == 8;
    }
    if (check_indptr(X, stored) < 0 || (check && check_indices(X) < 0)) goto failed;
    PyObject *capsule = PyCapsule_New(X, CAPSULE, destroy_capsule);
    if (capsule) return capsule;
failed:
    release_matrix(X);
    return NULL;
}

#define REAL_SIZE(X) ((X)->wide_real ? 8 : 4)
#define MOST_BUFFERS 12

/* The arrays of one call, released together. */
typedef struct {
    Py_buffer held[MOST_BUFFERS];
    int count;
} arrays_t;

static void *array(arrays_t *arrays, PyObject *object, char kind, Py_ssize_t item, int64_t least, int writable,
                   const char *name) {
    if (PyErr_Occurred()) return NULL;
    if (borrow(object, &arrays->held[arrays->count], kind, item, least, writable, name) < 0) return NULL;
    return arrays->held[arrays->count++].buf;
}

static PyObject *finish(arrays_t *arrays, sweep_t *sweep, PyObject *result) {
    while (arrays->count > 0) PyBuffer_Release(&arrays->held[--arrays->count]);
    free(sweep->lanes);
    free(sweep->totals);
    if (PyErr_Occurred()) {
        Py_XDECREF(result);
        return NULL;
    }
    if (sweep->failed) {
        Py_XDECREF(result);
        if (sweep->failed == NO_MEMORY) return PyErr_NoMemory();
        if (sweep->failed == OUT_OF_RANGE) PyErr_SetString(PyExc_ValueError, "a column index is out of range");
        else PyErr_SetString(PyExc_LookupError, "column indices are not sorted or not unique within a row");
        return NULL;
    }
    return result;
}

/* Width in columns that W must have: classes rounded up to whole vectors. */
static int64_t padded(const matrix_t *X, int64_t classes) {
    int64_t lanes = PADDING / REAL_SIZE(X);
    return (classes + lanes - 1) / lanes * lanes;
}

static int prepare(sweep_t *sweep, PyObject *capsule, long long classes, int *threads, int unchecked) {
    const matrix_t *X = PyCapsule_GetPointer(capsule, CAPSULE);
    if (!X) return -1;
    if (classes < 1 || classes > 1 << 20 || *threads < 1) {
        PyErr_SetString(PyExc_ValueError, "expected at least one class and one thread");
        return -1;
    }
    if (*threads > MOST_THREADS) *threads = MOST_THREADS;
    if (!X->checked && !unchecked) {
        PyErr_SetString(PyExc_ValueError, "the indices of this matrix have not been checked");
        return -1;
    }
    sweep->X = X;
    sweep->n = X->n;
    sweep->classes = classes;
    sweep->width = padded(X, classes);
    return 0;
}

/* Sweep all rows round by round: the lanes work, then they are added into the totals. */
static void rounds(sweep_t *sweep, void (*work)(sweep_t *), void (*reduce)(sweep_t *), int threads) {
    for (sweep->first = 0; sweep->first < sweep->n; sweep->first += ROUND) {
        sweep->last = sweep->n - sweep->first < ROUND ? sweep->n : sweep->first + ROUND;
        run(work, sweep, threads);
        run(reduce, sweep, threads);
    }
}

static int allocate_lanes(sweep_t *sweep) {
    int64_t blocks = (sweep->n + BLOCK - 1) / BLOCK, used = blocks < LANES ? blocks : LANES;
    size_t bytes = (size_t)used * sweep->X->p * sweep->width * REAL_SIZE(sweep->X);
    sweep->totals = calloc(LANES * (2 * sweep->classes + 1), sizeof(double));
    if (posix_memalign(&sweep->lanes, 64, bytes + 64) != 0) sweep->lanes = NULL;
    if (sweep->lanes) memset(sweep->lanes, 0, bytes);
    return sweep->lanes && sweep->totals ? 0 : -1;
}

/* Add what the lanes hold, pairwise and in a fixed order. */
static double pairwise(const double *first, int64_t step) {
    double a = first[0] + first[step], b = first[2 * step] + first[3 * step];
    double c = first[4 * step] + first[5 * step], d = first[6 * step] + first[7 * step];
    return (a + b) + (c + d);
}

static PyObject *py_loss_gradient(PyObject *self, PyObject *args) {
    PyObject *capsule, *y, *weights, *W, *offset, *gradient, *by_class, *spread;
    long long classes;
    int threads;
    if (!PyArg_ParseTuple(args, "OOOOOLiOOO", &capsule, &y, &weights, &W, &offset, &classes, &threads, &gradient,
                          &by_class, &spread))
        return NULL;
    sweep_t sweep = {0};
    arrays_t arrays = {0};
    if (prepare(&sweep, capsule, classes, &threads, 0) < 0) return NULL;
    const matrix_t *X = sweep.X;
    sweep.y = array(&arrays, y, 'i', 4, X->n, 0, "y");
    sweep.weights = array(&arrays, weights, 'f', 8, X->n, 0, "weights");
    sweep.W = array(&arrays, W, 'f', REAL_SIZE(X), X->p * sweep.width, 0, "W");
    sweep.offset = array(&arrays, offset, 'f', REAL_SIZE(X), sweep.width, 0, "offset");
    sweep.gradient = array(&arrays, gradient, 'f', 8, X->p * classes, 1, "gradient");
    double *sums = array(&arrays, by_class, 'f', 8, classes, 1, "by_class");
    double *spreads = array(&arrays, spread, 'f', 8, classes, 1, "spread");
    for (int64_t i = 0; !PyErr_Occurred() && i < X->n; i++)
        if (sweep.y[i] < 0 || sweep.y[i] >= classes) PyErr_SetString(PyExc_ValueError, "y: a class out of range");
    if (PyErr_Occurred()) return finish(&arrays, &sweep, NULL);
    double loss = 0;
    PyThreadState *state = PyEval_SaveThread();
    if (allocate_lanes(&sweep) < 0) {
        sweep.failed = NO_MEMORY;
    } else {
        memset(sweep.gradient, 0, sizeof(double) * X->p * classes);
        const functions_t *chosen = functions(X, sweep.width * REAL_SIZE(X));
        rounds(&sweep, chosen->loss, chosen->reduce, threads);
        int64_t step = 2 * classes + 1;
        loss = pairwise(sweep.totals, step);
        for (int64_t k = 0; k < classes; k++) {
            sums[k] = pairwise(sweep.totals + 1 + k, step);
            spreads[k] = pairwise(sweep.totals + 1 + classes + k, step);
        }
    }
    PyEval_RestoreThread(state);
    return finish(&arrays, &sweep, PyFloat_FromDouble(loss));
}

static PyObject *py_transposed(PyObject *self, PyObject *args) {
    PyObject *capsule, *R, *out;
    long long columns;
    int threads;
    if (!PyArg_ParseTuple(args, "OOLiO", &capsule, &R, &columns, &threads, &out)) return NULL;
    sweep_t sweep = {0};
    arrays_t arrays = {0};
    if (prepare(&sweep, capsule, columns, &threads, 0) < 0) return NULL;
    const matrix_t *X = sweep.X;
    sweep.R = array(&arrays, R, 'f', REAL_SIZE(X), X->n * columns, 0, "R");
    sweep.gradient = array(&arrays, out, 'f', 8, X->p * columns, 1, "out");
    if (PyErr_Occurred()) return finish(&arrays, &sweep, NULL);
    PyThreadState *state = PyEval_SaveThread();
    if (allocate_lanes(&sweep) < 0) {
        sweep.failed = NO_MEMORY;
    } else {
        memset(sweep.gradient, 0, sizeof(double) * X->p * columns);
        const functions_t *chosen = functions(X, sweep.width * REAL_SIZE(X));
        rounds(&sweep, chosen->transposed, chosen->reduce, threads);
    }
    PyEval_RestoreThread(state);
    Py_INCREF(Py_None);
    return finish(&arrays, &sweep, Py_None);
}

static PyObject *py_moments(PyObject *self, PyObject *args) {
    PyObject *capsule, *weights, *sums, *squares;
    int threads;
    if (!PyArg_ParseTuple(args, "OOiOO", &capsule, &weights, &threads, &sums, &squares)) return NULL;
    sweep_t sweep = {0};
    arrays_t arrays = {0};
    if (prepare(&sweep, capsule, 1, &threads, 0) < 0) return NULL;
    const matrix_t *X = sweep.X;
    sweep.weights = array(&arrays, weights, 'f', 8, X->n, 0, "weights");
    double *first = array(&arrays, sums, 'f', 8, X->p, 1, "sums");
    double *second = array(&arrays, squares, 'f', 8, X->p, 1, "squares");
    if (PyErr_Occurred()) return finish(&arrays, &sweep, NULL);
    PyThreadState *state = PyEval_SaveThread();
    sweep.totals = calloc(LANES * 2 * X->p + 1, sizeof(double));
    if (!sweep.totals) {
        sweep.failed = NO_MEMORY;
    } else {
        sweep.last = X->n;
        run(functions(X, sweep.width * REAL_SIZE(X))->moments, &sweep, threads);
        for (int64_t j = 0; j < X->p; j++) {
            first[j] = pairwise(sweep.totals + 2 * j, 2 * X->p);
            second[j] = pairwise(sweep.totals + 2 * j + 1, 2 * X->p);
        }
    }
    PyEval_RestoreThread(state);
    Py_INCREF(Py_None);
    return finish(&arrays, &sweep, Py_None);
}

static PyObject *py_scores(PyObject *self, PyObject *args) {
    PyObject *capsule, *subset, *W, *offset, *out;
    long long classes;
    int threads;
    if (!PyArg_ParseTuple(args, "OOOOLiO", &capsule, &subset, &W, &offset, &classes, &threads, &out)) return NULL;
    sweep_t sweep = {0};
    arrays_t arrays = {0};
    if (prepare(&sweep, capsule, classes, &threads, 0) < 0) return NULL;
    const matrix_t *X = sweep.X;
    if (subset != Py_None) {
        sweep.subset = array(&arrays, subset, 'i', 8, 0, 0, "subset");
        if (sweep.subset) sweep.n = arrays.held[0].len / 8;
        for (int64_t i = 0; sweep.subset && i < sweep.n; i++)
            if (sweep.subset[i] < 0 || sweep.subset[i] >= X->n) {
                PyErr_SetString(PyExc_ValueError, "subset: a row number out of range");
                break;
            }
    }
    sweep.W = array(&arrays, W, 'f', REAL_SIZE(X), X->p * sweep.width, 0, "W");
    sweep.offset = array(&arrays, offset, 'f', REAL_SIZE(X), sweep.width, 0, "offset");
    sweep.out = array(&arrays, out, 'f', REAL_SIZE(X), sweep.n * classes, 1, "out");
    if (PyErr_Occurred()) return finish(&arrays, &sweep, NULL);
    PyThreadState *state = PyEval_SaveThread();
    run(functions(X, sweep.width * REAL_SIZE(X))->scores, &sweep, threads);
    PyEval_RestoreThread(state);
    Py_INCREF(Py_None);
    return finish(&arrays, &sweep, Py_None);
}

static PyObject *py_label(PyObject *self, PyObject *args) {
    PyObject *capsule, *genes, *W, *offset, *out, *probability, *votes, *extra, *squares;
    long long models, classes, columns, extras;
    int threads, encoding, families;
    double target_sum;
    if (!PyArg_ParseTuple(args, "OOiidOOLLLLiOOOOO", &capsule, &genes, &families, &encoding, &target_sum, &W, &offset,
                          &columns, &models, &classes, &extras, &threads, &out, &probability, &votes, &extra, &squares))
        return NULL;
    if (models < 1 || models > 1 << 20 || extras < 0 || extras > 1 << 20) {
        PyErr_SetString(PyExc_ValueError, "expected at least one model, and no fewer than no extra columns");
        return NULL;
    }
    sweep_t sweep = {0};
    arrays_t arrays = {0};
    if (prepare(&sweep, capsule, classes, &threads, 1) < 0) return NULL;
    const matrix_t *X = sweep.X;
    sweep.models = models;
    sweep.extras = extras;
    sweep.width = (models * classes + extras + 7) / 8 * 8; /* always float */
    sweep.columns = columns;
    sweep.families = families;
    sweep.encoding = encoding;
    sweep.target_sum = target_sum;
    sweep.genes = array(&arrays, genes, 'i', 4, X->p, 0, "genes");
    sweep.W = array(&arrays, W, 'f', 4, columns * sweep.width, 0, "W");
    sweep.offset = array(&arrays, offset, 'f', 4, sweep.width, 0, "offset");
    if (out != Py_None) sweep.out = array(&arrays, out, 'f', 4, X->n * models * classes, 1, "out");
    if (probability != Py_None)
        sweep.probability = array(&arrays, probability, 'f', 4, X->n * classes, 1, "probability");
    if (votes != Py_None) sweep.votes = array(&arrays, votes, 'i', 4, X->n * classes, 1, "votes");
    if (extra != Py_None) sweep.extra = array(&arrays, extra, 'f', 4, X->n * extras, 1, "extra");
    if (squares != Py_None) sweep.squares = array(&arrays, squares, 'f', 4, X->n, 1, "squares");
    for (int64_t j = 0; !PyErr_Occurred() && j < X->p; j++)
        if (sweep.genes[j] < -2 || sweep.genes[j] >= 2 * columns)
            PyErr_SetString(PyExc_ValueError, "genes: a column out of range");
    if (PyErr_Occurred()) return finish(&arrays, &sweep, NULL);
    PyThreadState *state = PyEval_SaveThread();
    run(functions(X, sweep.width * 4)->label, &sweep, threads);
    PyEval_RestoreThread(state);
    Py_INCREF(Py_None);
    return finish(&arrays, &sweep, Py_None);
}

static PyObject *py_level(PyObject *self, PyObject *args) {
    const char *wanted = NULL;
    if (!PyArg_ParseTuple(args, "|s", &wanted)) return NULL;
    int best = best_level();
    for (int i = 0; wanted && i <= best; i++)
        if (strcmp(levels[i].name, wanted) == 0) {
            level = i;
            wanted = NULL;
        }
    if (wanted) {
        PyErr_Format(PyExc_ValueError, "this machine has no instruction set '%s'", wanted);
        return NULL;
    }
    return PyUnicode_FromString(levels[level].name);
}

static PyMethodDef methods[] = {
    {"matrix", py_matrix, METH_VARARGS,
     "matrix(indptr, indices, data, columns, check): hold a CSR matrix; without check only label() takes it, which "
     "checks every index as it goes"},
    {"loss_gradient", py_loss_gradient, METH_VARARGS,
     "loss_gradient(matrix, y, weights, W, offset, classes, threads, gradient, by_class, spread) -> loss"},
    {"transposed", py_transposed, METH_VARARGS, "transposed(matrix, R, columns, threads, out)"},
    {"moments", py_moments, METH_VARARGS, "moments(matrix, weights, threads, sums, squares)"},
    {"scores", py_scores, METH_VARARGS, "scores(matrix, subset, W, offset, classes, threads, out)"},
    {"label", py_label, METH_VARARGS,
     "label(matrix, genes, families, encoding, target_sum, W, offset, columns, models, classes, "
     "extras, threads, out, probability, votes, extra, squares)"},
    {"level", py_level, METH_VARARGS, "level([name]): the instruction set in use, or choose one"},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_kernel", "Sweeps over sparse rows.", -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__kernel(void) {
    level = best_level();
    return PyModule_Create(&definition);
}

#elif !defined(TARGET) /* one precision and index type: once for each instruction set */

#define TARGET
#define LEVEL _base
#define BYTES 16
#include "_kernel.c"
#undef TARGET
#undef LEVEL
#undef BYTES
#if defined(__x86_64__)
#ifndef MANY_LEVELS
#define MANY_LEVELS
#endif
#define TARGET __attribute__((target("avx2,fma")))
#define LEVEL _avx2
#define BYTES 32
#include "_kernel.c"
#undef TARGET
#undef LEVEL
#undef BYTES
#define TARGET __attribute__((target("avx512f,avx512dq,avx512vl,avx512bw,avx2,fma")))
#define LEVEL _avx512
#define BYTES 64
#include "_kernel.c"
#undef TARGET
#undef LEVEL
#undef BYTES
#endif

#else /* ---- the template itself ------------------------------------------------------------------------------------ */

#define FUNCTION(name) NAMED(name, KIND, LEVEL)
#define VECTOR NAMED(vector_, REAL, BYTES)
#define WIDE ((int64_t)(BYTES / sizeof(REAL)))

/* out[0 .. count vectors) = offset + sum_e values[e] W[indices[e]]: `count` and `split` are constants where inlined. */
TARGET static inline __attribute__((always_inline)) void FUNCTION(gather)(
    const INDEX *indices, const REAL *values, int64_t stored, const REAL *W, int64_t width, const REAL *offset, REAL *out,
    const int count, const int split) {
    VECTOR sums[4][CHUNK] = {0};
    int64_t e = 0;
    for (; e + split <= stored; e += split)
        for (int s = 0; s < split; s++) {
            const VECTOR *row = (const VECTOR *)(W + (int64_t)indices[e + s] * width);
            REAL value = values ? values[e + s] : (REAL)1;
            for (int v = 0; v < count; v++) sums[s][v] += value * row[v];
        }
    for (; e < stored; e++) {
        const VECTOR *row = (const VECTOR *)(W + (int64_t)indices[e] * width);
        REAL value = values ? values[e] : (REAL)1;
        for (int v = 0; v < count; v++) sums[0][v] += value * row[v];
    }
    for (int v = 0; v < count; v++) {
        VECTOR total = sums[0][v];
        for (int s = 1; s < split; s++) total += sums[s][v];
        ((VECTOR *)out)[v] = total + ((const VECTOR *)offset)[v];
    }
}

TARGET static void FUNCTION(gather_all)(const INDEX *indices, const REAL *values, int64_t stored, const REAL *W,
                                        int64_t width, const REAL *offset, REAL *out) {
    for (int64_t first = 0, vectors; first < width; first += vectors * WIDE) {
        const REAL *from = W + first, *shift = offset + first;
        vectors = at_once((width - first) / WIDE);
        switch (vectors) {
#define CASE(count, split) \
    case count: FUNCTION(gather)(indices, values, stored, from, width, shift, out + first, count, split); break;
            CASE(8, 1) CASE(6, 1) CASE(4, 1) CASE(3, 1) CASE(2, 2) CASE(1, 4)
#undef CASE
        }
    }
}

/* G[indices[e]] += values[e] r for all stored values of one row. */
TARGET static inline __attribute__((always_inline)) void FUNCTION(scatter)(
    const INDEX *indices, const REAL *values, int64_t stored, const REAL *r, REAL *G, int64_t width, const int count) {
    VECTOR held[CHUNK];
    for (int v = 0; v < count; v++) held[v] = ((const VECTOR *)r)[v];
    for (int64_t e = 0; e < stored; e++) {
        VECTOR *row = (VECTOR *)(G + (int64_t)indices[e] * width);
        REAL value = values ? values[e] : (REAL)1;
        for (int v = 0; v < count; v++) row[v] += value * held[v];
    }
}

TARGET static void FUNCTION(scatter_all)(const INDEX *indices, const REAL *values, int64_t stored, const REAL *r, REAL *G,
                                         int64_t width) {
    for (int64_t first = 0, vectors; first < width; first += vectors * WIDE) {
        vectors = at_once((width - first) / WIDE);
        switch (vectors) {
#define CASE(count) case count: FUNCTION(scatter)(indices, values, stored, r + first, G + first, width, count); break;
            CASE(8) CASE(6) CASE(4) CASE(3) CASE(2) CASE(1)
#undef CASE
        }
    }
}

/* Turn the scores of one row into weighted residuals; add loss, residuals and spread to the lane's totals. */
TARGET static void FUNCTION(residual)(REAL *row, int64_t classes, int64_t width, int32_t label, double weight,
                                      double *totals) {
    REAL highest = row[0], share = (REAL)weight;
    double *sums = totals + 1, *spread = totals + 1 + classes, mass = 0;
    for (int64_t k = 1; k < classes; k++) highest = row[k] > highest ? row[k] : highest;
    double own = (double)(row[label] - highest);
    for (int64_t k = 0; k < classes; k++) row[k] = EXP(row[k] - highest);
    for (int64_t k = 0; k < classes; k++) mass += (double)row[k];
    REAL scale = (REAL)(1.0 / mass);
    totals[0] += weight * (log(mass) - own);
    for (int64_t k = 0; k < classes; k++) {
        REAL probability = row[k] * scale;
        row[k] = share * probability;
        spread[k] += weight * (double)probability * (1.0 - (double)probability);
        sums[k] += (double)row[k];
    }
    row[label] -= share;
    sums[label] -= (double)share;
    for (int64_t k = classes; k < width; k++) row[k] = 0;
}

TARGET static void FUNCTION(loss)(sweep_t *sweep) {
    const matrix_t *X = sweep->X;
    const INDEX *indptr = X->indptr, *indices = X->indices;
    const REAL *data = X->data;
    int64_t width = sweep->width, classes = sweep->classes, lane;
    REAL *scores = malloc(sizeof(REAL) * BLOCK * width);
    if (!scores) {
        sweep->failed = NO_MEMORY;
        return;
    }
    while ((lane = take(sweep)) < LANES) {
        REAL *G = (REAL *)sweep->lanes + lane * X->p * width;
        double *totals = sweep->totals + lane * (2 * classes + 1);
        for (int64_t first = sweep->first + lane * BLOCK; first < sweep->last; first += LANES * BLOCK) {
            int64_t last = first + BLOCK < sweep->last ? first + BLOCK : sweep->last;
            for (int64_t i = first; i < last; i++) {
                if (sweep->weights[i] == 0) continue;
                REAL *row = scores + (i - first) * width;
                FUNCTION(gather_all)(indices + indptr[i], data ? data + indptr[i] : NULL, indptr[i + 1] - indptr[i],
                                     sweep->W, width, sweep->offset, row);
                FUNCTION(residual)(row, classes, width, sweep->y[i], sweep->weights[i], totals);
            }
            for (int64_t i = first; i < last; i++) {
                if (sweep->weights[i] == 0) continue;
                FUNCTION(scatter_all)(indices + indptr[i], data ? data + indptr[i] : NULL, indptr[i + 1] - indptr[i],
                                      scores + (i - first) * width, G, width);
            }
        }
    }
    free(scores);
}

TARGET static void FUNCTION(transposed)(sweep_t *sweep) {
    const matrix_t *X = sweep->X;
    const INDEX *indptr = X->indptr, *indices = X->indices;
    const REAL *data = X->data, *R = sweep->R;
    int64_t width = sweep->width, columns = sweep->classes, lane;
    REAL *row = calloc(width, sizeof(REAL));
    if (!row) {
        sweep->failed = NO_MEMORY;
        return;
    }
    while ((lane = take(sweep)) < LANES) {
        REAL *G = (REAL *)sweep->lanes + lane * X->p * width;
        for (int64_t first = sweep->first + lane * BLOCK; first < sweep->last; first += LANES * BLOCK) {
            int64_t last = first + BLOCK < sweep->last ? first + BLOCK : sweep->last;
            for (int64_t i = first; i < last; i++) {
                memcpy(row, R + i * columns, sizeof(REAL) * columns);
                FUNCTION(scatter_all)(indices + indptr[i], data ? data + indptr[i] : NULL, indptr[i + 1] - indptr[i], row, G,
                                      width);
            }
        }
    }
    free(row);
}

/* Add the lanes of this round to the float64 gradient, pairwise and in a fixed order, and clear them. */
TARGET static void FUNCTION(reduce)(sweep_t *sweep) {
    int64_t p = sweep->X->p, width = sweep->width, classes = sweep->classes, piece;
    int64_t blocks = (sweep->n + BLOCK - 1) / BLOCK, lanes = blocks < LANES ? blocks : LANES;
    while ((piece = take(sweep)) * 256 < p) {
        int64_t end = (piece + 1) * 256 < p ? (piece + 1) * 256 : p;
        for (int64_t j = piece * 256; j < end; j++) {
            REAL *G = (REAL *)sweep->lanes + j * width;
            double *total = sweep->gradient + j * classes;
            for (int64_t k = 0; k < classes; k++) {
                double held[LANES] = {0};
                for (int64_t l = 0; l < lanes; l++) held[l] = (double)G[l * p * width + k];
                total[k] += ((held[0] + held[1]) + (held[2] + held[3])) + ((held[4] + held[5]) + (held[6] + held[7]));
            }
            for (int64_t l = 0; l < lanes; l++) memset(G + l * p * width, 0, sizeof(REAL) * width);
        }
    }
}

/* Weighted sums of values and squares of every gene, in float64. */
TARGET static void FUNCTION(moments)(sweep_t *sweep) {
    const matrix_t *X = sweep->X;
    const INDEX *indptr = X->indptr, *indices = X->indices;
    const REAL *data = X->data;
    int64_t lane;
    while ((lane = take(sweep)) < LANES) {
        double *sums = sweep->totals + lane * 2 * X->p;
        for (int64_t first = lane * BLOCK; first < X->n; first += LANES * BLOCK)
            for (int64_t i = first; i < first + BLOCK && i < X->n; i++) {
                double weight = sweep->weights[i];
                if (weight == 0) continue;
                for (int64_t e = indptr[i]; e < indptr[i + 1]; e++) {
                    double value = data ? (double)data[e] : 1.0;
                    sums[2 * indices[e]] += weight * value;
                    sums[2 * indices[e] + 1] += weight * value * value;
                }
            }
    }
}

TARGET static void FUNCTION(scores)(sweep_t *sweep) {
    const matrix_t *X = sweep->X;
    const INDEX *indptr = X->indptr, *indices = X->indices;
    const REAL *data = X->data;
    int64_t width = sweep->width, piece;
    REAL *row = malloc(sizeof(REAL) * width);
    if (!row) {
        sweep->failed = NO_MEMORY;
        return;
    }
    while ((piece = take(sweep)) * BLOCK < sweep->n)
        for (int64_t at = piece * BLOCK; at < (piece + 1) * BLOCK && at < sweep->n; at++) {
            int64_t i = sweep->subset ? sweep->subset[at] : at;
            FUNCTION(gather_all)(indices + indptr[i], data ? data + indptr[i] : NULL, indptr[i + 1] - indptr[i], sweep->W,
                                 width, sweep->offset, row);
            memcpy((REAL *)sweep->out + at * sweep->classes, row, sizeof(REAL) * sweep->classes);
        }
    free(row);
}

/* Mean probability and votes of the models, from their scores of one row. */
TARGET static void FUNCTION(vote)(const sweep_t *sweep, float *row, int64_t i) {
    int64_t classes = sweep->classes;
    float share = 1.0f / (float)sweep->models;
    float *mean = sweep->probability ? sweep->probability + i * classes : NULL;
    int32_t *votes = sweep->votes ? sweep->votes + i * classes : NULL;
    if (mean) memset(mean, 0, sizeof(float) * classes);
    if (votes) memset(votes, 0, sizeof(int32_t) * classes);
    for (int64_t m = 0; m < sweep->models; m++, row += classes) {
        int64_t best = 0;
        double mass = 0;
        for (int64_t k = 1; k < classes; k++) best = row[k] > row[best] ? k : best;
        if (votes) votes[best]++;
        if (!mean) continue;
        float highest = row[best];
        for (int64_t k = 0; k < classes; k++) row[k] = exp_float(row[k] - highest);
        for (int64_t k = 0; k < classes; k++) mass += (double)row[k];
        for (int64_t k = 0; k < classes; k++) mean[k] += share * (row[k] * (float)(1.0 / mass));
    }
}

/* The stored values of one row that have a column, added up where genes share one (slots: where each column is, or
 * -1). Returns their number, or what is wrong with the row as a negative number. Every index is checked before use. */
TARGET static inline __attribute__((always_inline)) int64_t FUNCTION(aligned)(
    const sweep_t *sweep, int64_t i, int32_t *columns, float *values, int32_t *slots, double *library, const int shared) {
    const INDEX *indices = sweep->X->indices;
    const REAL *data = sweep->X->data;
    const int32_t *genes = sweep->genes;
    const uint64_t p = (uint64_t)sweep->X->p;
    int64_t e = ((const INDEX *)sweep->X->indptr)[i], end = ((const INDEX *)sweep->X->indptr)[i + 1], found = 0;
    double first = 0, second = 0, third = 0, fourth = 0;
    INDEX before = -1;
    int disorder = 0;
#define ENTRY(at, total)                                                  \
    {                                                                     \
        INDEX gene = indices[at];                                         \
        if ((uint64_t)gene >= p) return -OUT_OF_RANGE;                    \
        disorder |= gene <= before;                                       \
        before = gene;                                                    \
        int32_t code = genes[gene], column = code >> 1;                   \
        float value = data ? (float)data[at] : 1.0f;                      \
        total += code & 1 ? (double)value : 0.0;                          \
        if (shared && column >= 0 && slots[column] >= 0) {                \
            values[slots[column]] += value;                               \
        } else {                                                          \
            if (shared && column >= 0) slots[column] = (int32_t)found;    \
            columns[found] = column;                                      \
            values[found] = value;                                        \
            found += column >= 0;                                         \
        }                                                                 \
    }
    for (; e + 4 <= end; e += 4) {
        ENTRY(e, first)
        ENTRY(e + 1, second)
        ENTRY(e + 2, third)
        ENTRY(e + 3, fourth)
    }
    for (; e < end; e++) ENTRY(e, first)
#undef ENTRY
    for (e = 0; shared && e < found; e++) slots[columns[e]] = -1;
    *library = (first + second) + (third + fourth);
    return disorder && !shared ? -NOT_CANONICAL : found;
}

TARGET static float FUNCTION(squared)(const float *values, int64_t count) {
    float parts[8] = {0}, sum = 0;
    int64_t e = 0;
    for (; e + 8 <= count; e += 8)
        for (int s = 0; s < 8; s++) parts[s] += values[e + s] * values[e + s];
    for (; e < count; e++) sum += values[e] * values[e];
    for (int s = 0; s < 8; s++) sum += parts[s];
    return sum;
}

/* From counts to scores: library size, alignment, encoding and product, a row at a time. */
#define LABEL_GATHER NAMED(gather_all, _f32_i32, LEVEL)

TARGET static void FUNCTION(label)(sweep_t *sweep) {
    const matrix_t *X = sweep->X;
    int64_t width = sweep->width, kept = sweep->models * sweep->classes, piece;
    int32_t *columns = malloc(sizeof(int32_t) * (X->longest + 1)), *slots = NULL;
    float *values = malloc(sizeof(float) * (X->longest + 1)), *row = malloc(sizeof(float) * width);
    if (sweep->families && (slots = malloc(sizeof(int32_t) * (sweep->columns + 1))))
        memset(slots, 0xff, sizeof(int32_t) * (sweep->columns + 1));
    if (!columns || !values || !row || (sweep->families && !slots)) sweep->failed = NO_MEMORY;
    while (!sweep->failed && (piece = take(sweep)) * BLOCK < sweep->n)
        for (int64_t i = piece * BLOCK; i < (piece + 1) * BLOCK && i < sweep->n; i++) {
            double total;
            int64_t found = slots ? FUNCTION(aligned)(sweep, i, columns, values, slots, &total, 1)
                                  : FUNCTION(aligned)(sweep, i, columns, values, NULL, &total, 0);
            if (found < 0) {
                sweep->failed = (int)-found;
                break;
            }
            if (sweep->encoding == LOG_NORMALIZE) {
                float scale = total > 0 ? (float)(sweep->target_sum / total) : 0.0f;
                for (int64_t e = 0; e < found; e++) values[e] = log1p_float(values[e] * scale);
            } else if (sweep->encoding == BINARIZE) {
                for (int64_t e = 0; e < found; e++) values[e] = values[e] > 0 ? 1.0f : 0.0f;
            }
            LABEL_GATHER(columns, values, found, sweep->W, width, sweep->offset, row);
            if (sweep->out) memcpy((float *)sweep->out + i * kept, row, sizeof(float) * kept);
            if (sweep->extra) memcpy(sweep->extra + i * sweep->extras, row + kept, sizeof(float) * sweep->extras);
            if (sweep->squares) sweep->squares[i] = FUNCTION(squared)(values, found);
            if (sweep->probability || sweep->votes) FUNCTION(vote)(sweep, row, i);
        }
    free(columns);
    free(values);
    free(slots);
    free(row);
}

#undef LABEL_GATHER
#undef FUNCTION
#undef VECTOR
#undef WIDE

#endif
