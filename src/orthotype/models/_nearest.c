/* The nearest of some landmarks to each of many points: a product in float32, and what it finds measured in float64.
 *
 * All landmarks are run through in tiles of a few points and 64 landmarks, and the best `wanted + SPARE` of every point
 * are kept. Their distances are then measured anew, as sums of squared differences in float64. Where rounding could
 * have kept a landmark out that is as near, the point is compared with all landmarks in float64. So the result is
 * exact, and depends neither on the threads nor on the instruction set; of landmarks that are equally far the first
 * come first.
 *
 * Layout: points (n, d) and landmarks (m, d) in float64, and the landmarks once more in float32, 64 of them side by
 * side: panel by panel, coordinate by coordinate. The landmarks of the last panel beyond m are infinitely far.
 */
#ifndef TILE_POINTS

#include "../_arrays.h"

#include <float.h>
#include <math.h>
#include <pthread.h>

#define PANEL 64
#define PIECE 64 /* points that a thread takes at once */
#define SPARE 8  /* landmarks that are kept beyond those wanted */
#define MOST_WANTED 256
#define MOST_THREADS 64

#define JOIN(a, b) a##b
#define NAMED(a, b) JOIN(a, b)
#define VECTOR_OF(bytes) \
    typedef float NAMED(vector_, bytes) __attribute__((vector_size(bytes), aligned(sizeof(float)), may_alias))
VECTOR_OF(16);
VECTOR_OF(32);
VECTOR_OF(64);

typedef struct {
    const double *points, *landmarks;
    const float *panels, *halves; /* half of the squared length of each landmark */
    int64_t n, m, d, wanted;
    double longest; /* length of the longest landmark */
    double *distances;
    int32_t *columns;
    int64_t next;
    int failed;
} search_t;

/* The nearest so far of one point, ascending. */
typedef struct {
    float far[MOST_WANTED + SPARE];
    int32_t who[MOST_WANTED + SPARE];
    int64_t kept, most;
} nearest_t;

static inline void offer(nearest_t *nearest, float distance, int32_t who) {
    int64_t place = nearest->kept < nearest->most ? nearest->kept++ : nearest->most - 1;
    while (place > 0 && nearest->far[place - 1] > distance) {
        nearest->far[place] = nearest->far[place - 1];
        nearest->who[place] = nearest->who[place - 1];
        place--;
    }
    nearest->far[place] = distance;
    nearest->who[place] = who;
}

static double squared_distance(const double *a, const double *b, int64_t d) {
    double sums[4] = {0};
    int64_t j = 0;
    for (; j + 4 <= d; j += 4)
        for (int s = 0; s < 4; s++) sums[s] += (a[j + s] - b[j + s]) * (a[j + s] - b[j + s]);
    for (; j < d; j++) sums[j & 3] += (a[j] - b[j]) * (a[j] - b[j]);
    return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

/* Put a measured landmark among the `wanted` nearest; of those equally far, the first one comes first. */
static int64_t rank(double *far, int32_t *who, int64_t kept, int64_t wanted, double distance, int32_t candidate) {
    int64_t place = kept;
    if (kept == wanted) {
        if (distance > far[kept - 1] || (distance == far[kept - 1] && candidate > who[kept - 1])) return kept;
        place = kept - 1;
    } else {
        kept++;
    }
    while (place > 0 && (far[place - 1] > distance || (far[place - 1] == distance && who[place - 1] > candidate))) {
        far[place] = far[place - 1];
        who[place] = who[place - 1];
        place--;
    }
    far[place] = distance;
    who[place] = candidate;
    return kept;
}

/* Measure what was kept of one point, or everything where that may have missed one. */
static void measure(const search_t *search, const nearest_t *nearest, int64_t i) {
    const double *point = search->points + i * search->d;
    double *far = search->distances + i * search->wanted, length = 0;
    int32_t *who = search->columns + i * search->wanted;
    int64_t kept = 0;
    for (int64_t c = 0; c < nearest->kept; c++) {
        int32_t candidate = nearest->who[c];
        double distance = squared_distance(point, search->landmarks + candidate * search->d, search->d);
        kept = rank(far, who, kept, search->wanted, distance, candidate);
    }
    for (int64_t j = 0; j < search->d; j++) length += point[j] * point[j];
    double reach = sqrt(length) + search->longest, rounding = (double)(search->d + 8) * FLT_EPSILON * reach * reach;
    int sure = nearest->kept == search->m;
    if (!sure && nearest->kept == nearest->most) /* NaN is not sure */
        sure = far[search->wanted - 1] < 2.0 * (double)nearest->far[nearest->kept - 1] + length - rounding;
    if (!sure) {
        kept = 0;
        for (int64_t c = 0; c < search->m; c++) {
            double distance = squared_distance(point, search->landmarks + c * search->d, search->d);
            kept = rank(far, who, kept, search->wanted, distance, (int32_t)c);
        }
    }
    for (int64_t c = 0; c < kept; c++) far[c] = sqrt(far[c]);
}

static inline int64_t take(search_t *search) { return __atomic_fetch_add(&search->next, 1, __ATOMIC_RELAXED); }

/* ---- the template, once for each instruction set ------------------------------------------------------------------ */

#define TILE_POINTS 4
#define TARGET
#define LEVEL _base
#define WIDTH 16
#define AT_ONCE 2
#if defined(__x86_64__)
#include <immintrin.h>
#define MASK(far, most) _mm_movemask_ps(_mm_cmplt_ps(_mm_loadu_ps(far), _mm_set1_ps(most)))
#else
#define MASK(far, most) ((far)[0] < (most) | ((far)[1] < (most)) << 1 | ((far)[2] < (most)) << 2 | ((far)[3] < (most)) << 3)
#endif
#include "_nearest.c"
#undef MASK
#undef TARGET
#undef LEVEL
#undef WIDTH
#undef AT_ONCE
#if defined(__x86_64__)
#define MANY_LEVELS
#define TARGET __attribute__((target("avx2,fma")))
#define LEVEL _avx2
#define WIDTH 32
#define AT_ONCE 2
#define MASK(far, most) \
    (uint32_t)_mm256_movemask_ps(_mm256_cmp_ps(_mm256_loadu_ps(far), _mm256_set1_ps(most), _CMP_LT_OQ))
#include "_nearest.c"
#undef MASK
#undef TARGET
#undef LEVEL
#undef WIDTH
#undef AT_ONCE
#define TARGET __attribute__((target("avx512f,avx512dq,avx512vl,avx512bw,avx2,fma")))
#define LEVEL _avx512
#define WIDTH 64
#define AT_ONCE 4
#define MASK(far, most) _mm512_cmp_ps_mask(_mm512_loadu_ps(far), _mm512_set1_ps(most), _CMP_LT_OQ)
#include "_nearest.c"
#endif

typedef struct {
    const char *name;
    void *(*search)(void *);
} level_t;

static const level_t levels[] = {
    {"baseline", search_base},
#ifdef MANY_LEVELS
    {"avx2", search_avx2},
    {"avx512", search_avx512},
#endif
};
static int level = 0;

static int best_level(void) {
#ifdef MANY_LEVELS
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512bw"))
        return 2;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return 1;
#endif
    return 0;
}

/* Put the landmarks into panels of float32, with half of their squared lengths. */
static int lay_out(search_t *search) {
    int64_t panels = (search->m + PANEL - 1) / PANEL, d = search->d;
    float *values = calloc(panels * PANEL * d + 1, sizeof(float)), *halves = malloc(sizeof(float) * panels * PANEL);
    search->panels = values;
    search->halves = halves;
    if (!values || !halves) return -1;
    for (int64_t c = 0; c < panels * PANEL; c++) {
        double length = 0;
        for (int64_t j = 0; c < search->m && j < d; j++) {
            double x = search->landmarks[c * d + j];
            length += x * x;
            values[(c / PANEL * d + j) * PANEL + c % PANEL] = (float)x;
        }
        halves[c] = c < search->m ? (float)(0.5 * length) : INFINITY;
        if (sqrt(length) > search->longest) search->longest = sqrt(length);
    }
    return 0;
}

static void run(search_t *search, int threads) {
    pthread_t started[MOST_THREADS];
    int count = 0;
    while (count < threads - 1 && pthread_create(&started[count], NULL, levels[level].search, search) == 0) count++;
    levels[level].search(search);
    while (count > 0) pthread_join(started[--count], NULL);
}

static PyObject *py_nearest(PyObject *self, PyObject *args) {
    PyObject *points, *landmarks, *distances, *columns;
    long long d, wanted;
    int threads;
    if (!PyArg_ParseTuple(args, "OOLLiOO", &points, &landmarks, &d, &wanted, &threads, &distances, &columns))
        return NULL;
    arrays_t arrays = {0};
    search_t search = {.d = d, .wanted = wanted};
    if (d < 1 || d > 4096 || wanted < 1 || wanted > MOST_WANTED || threads < 1) {
        PyErr_Format(PyExc_ValueError, "expected 1 to 4096 coordinates, 1 to %d landmarks and a thread", MOST_WANTED);
        return NULL;
    }
    Py_buffer *from = borrow(&arrays, points, "d", 8, 0, 0, "points"), *to = NULL;
    if (from) to = borrow(&arrays, landmarks, "d", 8, d * wanted, 0, "landmarks");
    if (to) {
        search.points = from->buf;
        search.landmarks = to->buf;
        search.n = from->len / 8 / d;
        search.m = to->len / 8 / d;
        if (search.m > INT32_MAX) PyErr_SetString(PyExc_ValueError, "too many landmarks");
    }
    search.distances = to ? array(&arrays, distances, "d", 8, search.n * wanted, 1, "distances") : NULL;
    search.columns = to ? array(&arrays, columns, INTEGERS, 4, search.n * wanted, 1, "columns") : NULL;
    if (PyErr_Occurred()) return finished(&arrays, NULL);
    PyThreadState *state = PyEval_SaveThread();
    if (lay_out(&search) < 0) search.failed = 1;
    else run(&search, threads < MOST_THREADS ? threads : MOST_THREADS);
    free((void *)search.panels);
    free((void *)search.halves);
    PyEval_RestoreThread(state);
    if (search.failed) {
        PyErr_NoMemory();
        return finished(&arrays, NULL);
    }
    Py_INCREF(Py_None);
    return finished(&arrays, Py_None);
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
    {"nearest", py_nearest, METH_VARARGS,
     "nearest(points, landmarks, d, wanted, threads, distances, columns): the nearest landmarks of every point"},
    {"level", py_level, METH_VARARGS, "level([name]): the instruction set in use, or choose one"},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_nearest", "The nearest landmarks of many points.", -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__nearest(void) {
    level = best_level();
    PyObject *module = PyModule_Create(&definition);
    if (module && PyModule_AddIntConstant(module, "MOST_WANTED", MOST_WANTED) < 0) Py_CLEAR(module);
    return module;
}

#else /* ---- the template itself ------------------------------------------------------------------------------------ */

#define FUNCTION(name) NAMED(name, LEVEL)
#define VECTOR NAMED(vector_, WIDTH)
#define LANES ((int64_t)(WIDTH / sizeof(float)))

/* Half of the squared distances of four points to one panel, but for what each point adds itself. */
TARGET static void FUNCTION(tile)(const float *points, const float *panel, const float *halves, int64_t d, float *out) {
    for (int64_t first = 0; first < PANEL; first += AT_ONCE * LANES) {
        VECTOR sums[TILE_POINTS][AT_ONCE] = {0};
        for (int64_t j = 0; j < d; j++) {
            const VECTOR *row = (const VECTOR *)(panel + j * PANEL + first);
            for (int q = 0; q < TILE_POINTS; q++) {
                float value = points[j * TILE_POINTS + q];
                for (int v = 0; v < AT_ONCE; v++) sums[q][v] += value * row[v];
            }
        }
        const VECTOR *half = (const VECTOR *)(halves + first);
        for (int q = 0; q < TILE_POINTS; q++)
            for (int v = 0; v < AT_ONCE; v++) ((VECTOR *)(out + q * PANEL + first))[v] = half[v] - sums[q][v];
    }
}

/* One bit for each of a panel that is nearer than the farthest one kept. */
TARGET static inline uint64_t FUNCTION(nearer)(const float *far, float most) {
    uint64_t found = 0;
    for (int c = 0; c < PANEL; c += LANES) found |= (uint64_t)MASK(far + c, most) << c;
    return found;
}

TARGET static void FUNCTION(sift)(const float *far, int32_t first, nearest_t *nearest) {
    float most = nearest->kept < nearest->most ? INFINITY : nearest->far[nearest->most - 1];
    for (uint64_t left = FUNCTION(nearer)(far, most); left; left &= left - 1) {
        int c = __builtin_ctzll(left);
        if (!(far[c] < most)) continue;
        offer(nearest, far[c], first + c);
        most = nearest->kept < nearest->most ? INFINITY : nearest->far[nearest->most - 1];
    }
}

TARGET static void *FUNCTION(search)(void *pointer) {
    search_t *search = pointer;
    int64_t d = search->d, panels = (search->m + PANEL - 1) / PANEL, piece;
    int64_t most = search->wanted + SPARE < search->m ? search->wanted + SPARE : search->m;
    float *tile = malloc(sizeof(float) * PIECE * d), far[TILE_POINTS * PANEL];
    nearest_t *nearest = malloc(sizeof(nearest_t) * PIECE);
    if (!tile || !nearest) search->failed = 1;
    while (!search->failed && (piece = take(search)) * PIECE < search->n) {
        int64_t begin = piece * PIECE, count = search->n - begin < PIECE ? search->n - begin : PIECE;
        for (int64_t i = 0; i < PIECE; i++) {
            nearest[i].kept = 0;
            nearest[i].most = most;
            for (int64_t j = 0; j < d; j++)
                tile[(i / TILE_POINTS * d + j) * TILE_POINTS + i % TILE_POINTS] =
                    i < count ? (float)search->points[(begin + i) * d + j] : 0.0f;
        }
        for (int64_t p = 0; p < panels; p++)
            for (int64_t i = 0; i < count; i += TILE_POINTS) {
                const float *panel = search->panels + p * PANEL * d, *halves = search->halves + p * PANEL;
                FUNCTION(tile)(tile + i * d, panel, halves, d, far);
                for (int64_t q = 0; q < TILE_POINTS && i + q < count; q++)
                    FUNCTION(sift)(far + q * PANEL, (int32_t)(p * PANEL), &nearest[i + q]);
            }
        for (int64_t i = 0; i < count; i++) measure(search, &nearest[i], begin + i);
    }
    free(tile);
    free(nearest);
    return NULL;
}

#undef FUNCTION
#undef VECTOR
#undef LANES

#endif
