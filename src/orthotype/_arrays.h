/* Arrays borrowed from Python for one call, for the small native kernels beside the modules that use them. */
#define PY_SSIZE_T_CLEAN
#ifndef Py_LIMITED_API
#define Py_LIMITED_API 0x030B0000
#endif
#include <Python.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define MOST_BUFFERS 12

typedef struct {
    Py_buffer held[MOST_BUFFERS];
    int count;
} arrays_t;

/* Borrow a contiguous array: kinds are struct characters, item its bytes (0 for any), least its fewest items. */
static Py_buffer *borrow(arrays_t *arrays, PyObject *object, const char *kinds, Py_ssize_t item, int64_t least,
                         int writable, const char *name) {
    Py_buffer *buffer = &arrays->held[arrays->count];
    if (PyErr_Occurred()) return NULL;
    if (PyObject_GetBuffer(object, buffer, PyBUF_C_CONTIGUOUS | PyBUF_FORMAT | (writable ? PyBUF_WRITABLE : 0)) < 0)
        return NULL;
    arrays->count++;
    const char *format = buffer->format ? buffer->format : "B";
    while (*format == '@' || *format == '=' || *format == '<') format++;
    if (!*format || !strchr(kinds, *format) || (item && buffer->itemsize != item)) {
        PyErr_Format(PyExc_TypeError, "%s: expected contiguous items of kind '%s' and %zd bytes", name, kinds, item);
        return NULL;
    }
    if (buffer->len / buffer->itemsize < least) {
        PyErr_Format(PyExc_ValueError, "%s: found %zd items, expected at least %lld", name,
                     buffer->len / buffer->itemsize, (long long)least);
        return NULL;
    }
    return buffer;
}

#define INTEGERS "ilq"
#define REALS "fd"
#define BYTES "B?b"

/* The array itself, or NULL with an error set. */
static void *array(arrays_t *arrays, PyObject *object, const char *kinds, Py_ssize_t item, int64_t least, int writable,
                   const char *name) {
    Py_buffer *buffer = borrow(arrays, object, kinds, item, least, writable, name);
    return buffer ? buffer->buf : NULL;
}

/* Give everything back; the result, or NULL where an error is set. */
static PyObject *finished(arrays_t *arrays, PyObject *result) {
    while (arrays->count > 0) PyBuffer_Release(&arrays->held[--arrays->count]);
    if (PyErr_Occurred()) {
        Py_XDECREF(result);
        return NULL;
    }
    return result;
}
