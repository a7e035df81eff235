/* Reads the golden vectors (tests/golden/vectors.py has the format), runs every record through the C runtime and
   compares every bit. Prints each record that differs; exit 0 only when all agree. */
#include "nnlite_runtime.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MOST_ARRAYS 10u
#define MOST_WORDS 2048u

typedef union {
    float f[MOST_WORDS];
    uint32_t u[MOST_WORDS];
} array_t;

static array_t in[MOST_ARRAYS];
static uint32_t length[MOST_ARRAYS];
static array_t got[3];
static uint32_t got_count;

static bool is(const char *name, const char *other)
{
    return strcmp(name, other) == 0;
}

/* The arrays of settings: output function, batch size, epochs. */
static void train(void)
{
    static float records[MOST_WORDS];
    static float gradients[MOST_WORDS];
    uint16_t sizes[17];
    for (uint32_t n = 0; n < length[0]; n++) {
        sizes[n] = (uint16_t)in[0].u[n];
    }
    nn_shape_t shape = {(uint16_t)(length[0] - 1), 1, (uint8_t)in[1].u[0], sizes};
    uint32_t batch = in[1].u[1];
    uint32_t epochs = in[1].u[2];
    uint32_t inputs = sizes[0];
    uint32_t outputs = sizes[shape.layers];
    uint32_t samples = length[3] / inputs;
    float *parameters = got[1].f;
    memcpy(parameters, in[2].f, length[2] * sizeof(float));
    for (uint32_t t = 0; t < epochs * samples; t++) {
        uint32_t k = t % samples;
        uint32_t slot = k % batch;
        float *record = records + slot * nn_activation_count(&shape);
        memcpy(record, in[3].f + k * inputs, inputs * sizeof(float));
        nn_forward_record(&shape, parameters, record);
        uint32_t label = shape.output == 1 ? in[4].u[k] : 0;
        const float *targets = shape.output == 1 ? 0 : in[5].f + k * outputs;
        got[0].f[t] =
            nn_backward(&shape, parameters, record, label, targets, gradients + slot * nn_gradient_count(&shape));
        if (slot + 1 == batch || k + 1 == samples) {
            nn_apply(&shape, parameters, records, gradients, slot + 1, in[6].f[0]);
        }
    }
    for (uint32_t k = 0; k < samples; k++) {
        float a[64];
        float b[64];
        memcpy(a, in[3].f + k * inputs, inputs * sizeof(float));
        memcpy(got[2].f + k * outputs, nn_forward(&shape, parameters, a, b), outputs * sizeof(float));
    }
    got_count = 3;
}

static void sgd_update(void)
{
    uint32_t outputs = length[1];
    uint32_t inputs = length[0] / outputs;
    uint32_t samples = length[3] / outputs;
    memcpy(got[0].f, in[0].f, length[0] * sizeof(float));
    memcpy(got[1].f, in[1].f, length[1] * sizeof(float));
    nn_sgd_update(got[0].f, got[1].f, in[2].f, in[3].f, in[4].f[0], samples, inputs, outputs, inputs, outputs);
    got_count = 2;
}

/* Runs a function of one number over its record; false when the name is of something else. */
static bool elementary(const char *name)
{
    static const struct {
        const char *name;
        float (*function)(float);
    } functions[] = {{"exp_f32", nn_exp_f32},
                     {"log_f32", nn_log_f32},
                     {"sigmoid_f32", nn_sigmoid_f32},
                     {"tanh_f32", nn_tanh_f32},
                     {"sqrt_f32", nn_sqrt_f32}};
    for (uint32_t which = 0; which < sizeof functions / sizeof functions[0]; which++) {
        if (is(name, functions[which].name)) {
            for (uint32_t n = 0; n < length[0]; n++) {
                got[0].f[n] = functions[which].function(in[0].f[n]);
            }
            return true;
        }
    }
    return false;
}

/* Runs one record into got; false when its name is not known. */
static bool run(const char *name)
{
    got_count = 1;
    if (elementary(name)) {
        return true;
    }
    if (is(name, "standardize")) {
        nn_standardize(in[0].f, in[1].f, in[2].f, got[0].f, length[0]);
    } else if (is(name, "dense_forward")) {
        nn_dense_forward(in[0].f, in[1].f, in[2].f, got[0].f, length[0], length[2]);
    } else if (is(name, "dense_backward")) {
        nn_dense_backward(in[0].f, in[1].f, in[2].f, got[0].f, length[2], length[0]);
    } else if (is(name, "relu")) {
        nn_relu(in[0].f, got[0].f, length[0]);
    } else if (is(name, "softmax")) {
        nn_softmax(in[0].f, got[0].f, length[0]);
    } else if (is(name, "softmax_cross_entropy")) {
        got[0].f[0] = nn_softmax_cross_entropy(in[0].f, in[1].u[0], got[1].f, length[0]);
        got_count = 2;
    } else if (is(name, "mean_squared_error")) {
        got[0].f[0] = nn_mean_squared_error(in[0].f, in[1].f, got[1].f, length[0]);
        got_count = 2;
    } else if (is(name, "sgd_update")) {
        sgd_update();
    } else if (is(name, "train")) {
        train();
    } else {
        return false;
    }
    return true;
}

static bool read_arrays(FILE *file, uint32_t count)
{
    for (uint32_t n = 0; n < count; n++) {
        if (fscanf(file, "%" SCNu32, &length[n]) != 1 || length[n] > MOST_WORDS) {
            return false;
        }
        for (uint32_t at = 0; at < length[n]; at++) {
            if (fscanf(file, "%" SCNx32, &in[n].u[at]) != 1) {
                return false;
            }
        }
    }
    return true;
}

int main(int argc, char **argv)
{
    char name[32];
    uint32_t count;
    uint32_t records = 0;
    uint32_t wrong = 0;
    FILE *file = argc == 2 ? fopen(argv[1], "r") : 0;
    if (file == 0 || fscanf(file, "%31s %" SCNu32, name, &count) != 2 || !is(name, "nnlite-golden") || count != 1) {
        fprintf(stderr, "usage: golden vectors.txt\n");
        return 2;
    }
    while (fscanf(file, "%31s %" SCNu32, name, &count) == 2) {
        if (count > MOST_ARRAYS || !read_arrays(file, count) || !run(name)) {
            fprintf(stderr, "record %" PRIu32 ", %s: cannot be read\n", records, name);
            return 2;
        }
        for (uint32_t n = 0; n < got_count; n++) {
            uint32_t at = count - got_count + n;
            if (memcmp(got[n].u, in[at].u, length[at] * sizeof(uint32_t)) != 0) {
                printf("record %" PRIu32 ", %s: array %" PRIu32 " differs\n", records, name, n);
                wrong++;
            }
        }
        records++;
    }
    fclose(file);
    printf("%" PRIu32 " records, %" PRIu32 " arrays differ\n", records, wrong);
    return wrong == 0 && records > 0 ? 0 : 1;
}
