/* Reads the golden vectors (tests/golden/vectors.py has the format), runs every record through the C runtime and
   compares every bit. Prints each record that differs; exit 0 only when all agree. */
#include "loops.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MOST_ARRAYS 12u
#define MOST_WORDS 2048u

typedef union {
    float f[MOST_WORDS];
    uint32_t u[MOST_WORDS];
} array_t;

static array_t in[MOST_ARRAYS];
static uint32_t length[MOST_ARRAYS];
static array_t got[4];
static uint32_t got_count;

static bool is(const char *name, const char *other)
{
    return strcmp(name, other) == 0;
}

/* Sizes, then hidden activation and output function, as the shape of a network. */
static nn_shape_t shape_of(uint32_t hidden, uint32_t output)
{
    static uint16_t sizes[17];
    for (uint32_t n = 0; n < length[0]; n++) {
        sizes[n] = (uint16_t)in[0].u[n];
    }
    nn_shape_t shape = {(uint16_t)(length[0] - 1), (uint8_t)hidden, (uint8_t)output, sizes};
    return shape;
}

/* Of settings: hidden activation, output function, optimiser, batch size, epochs; of numbers: a rule's, in its order.
 */
static void train(void)
{
    static float records[MOST_WORDS];
    static float gradients[MOST_WORDS];
    static float a[MOST_WORDS];
    static float b[MOST_WORDS];
    const uint32_t *settings = in[1].u;
    const float *numbers = in[2].f;
    nn_shape_t shape = shape_of(settings[0], settings[1]);
    nn_rule_t rule = {settings[2], numbers[0], {numbers[1], numbers[2]}, numbers[3], numbers[4], numbers[5]};
    uint32_t samples = length[4] / shape.sizes[0];
    float *parameters = got[1].f;
    float *state = got[2].f;
    memcpy(parameters, in[3].f, length[3] * sizeof(float));
    nn_begin_state(state, rule.optimizer, nn_state_count(&shape, rule.optimizer));
    for (uint32_t epoch = 0; epoch < settings[4]; epoch++) {
        train_rows(&shape, parameters, in[4].f, in[5].u, in[6].f, length[7] > 0 ? in[7].f : 0, samples, settings[3],
                   &rule, state, records, gradients, got[0].f + epoch * samples);
    }
    infer_rows(&shape, parameters, in[4].f, samples, a, b, got[3].f);
    got_count = 4;
}

static void features(void)
{
    static float b[MOST_WORDS];
    nn_shape_t shape = shape_of(in[1].u[0], NN_LINEAR);
    uint32_t layers = in[1].u[1];
    memcpy(got[1].f, in[3].f, length[3] * sizeof(float));
    memcpy(got[0].f, nn_features(&shape, in[2].f, got[1].f, b, layers), shape.sizes[layers] * sizeof(float));
}

/* The first arrays of an update are weights, bias and what the optimiser keeps of them, all of which change. */
static void begin_update(uint32_t changed)
{
    memcpy(got[0].f, in[0].f, length[0] * sizeof(float));
    memcpy(got[1].f, in[1].f, length[1] * sizeof(float));
    for (uint32_t n = 2; n < changed; n++) {
        memcpy(got[n].f, in[n + 2].f, length[n + 2] * sizeof(float));
    }
    got_count = changed;
}

/* Runs the update of a layer: weights, bias, X, dA, what is kept, numbers; false when the name is of something else. */
static bool update(const char *name)
{
    uint32_t outputs = length[1];
    uint32_t inputs = outputs > 0 ? length[0] / outputs : 0;
    uint32_t samples = outputs > 0 ? length[3] / outputs : 0;
    if (is(name, "sgd_update")) {
        begin_update(2);
        nn_sgd_update(got[0].f, got[1].f, in[2].f, in[3].f, in[4].f[0], samples, inputs, outputs, inputs, outputs);
    } else if (is(name, "momentum_update")) {
        const float *n = in[5].f;
        begin_update(3);
        nn_momentum_update(got[0].f, got[1].f, in[2].f, in[3].f, got[2].f, n[0], n[1], n[2], samples, inputs, outputs,
                           inputs, outputs);
    } else if (is(name, "adam_update")) {
        const float *n = in[6].f;
        begin_update(4);
        nn_adam_update(got[0].f, got[1].f, in[2].f, in[3].f, got[2].f, got[3].f, n[0], n[1], n + 2, n + 4, n[6],
                       samples, inputs, outputs, inputs, outputs);
    } else {
        return false;
    }
    return true;
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
    if (elementary(name) || update(name)) {
        return true;
    }
    if (is(name, "standardize")) {
        nn_standardize(in[0].f, in[1].f, in[2].f, got[0].f, length[0]);
    } else if (is(name, "dense_forward")) {
        nn_dense_forward(in[0].f, in[1].f, in[2].f, got[0].f, length[0], length[2]);
    } else if (is(name, "dense_backward")) {
        nn_dense_backward(in[0].f, in[1].f, in[2].f, got[0].f, in[3].u[0], length[2], length[0]);
    } else if (is(name, "relu")) {
        nn_relu(in[0].f, got[0].f, length[0]);
    } else if (is(name, "leaky_relu")) {
        nn_leaky_relu(in[0].f, got[0].f, length[0]);
    } else if (is(name, "sigmoid")) {
        nn_sigmoid(in[0].f, got[0].f, length[0]);
    } else if (is(name, "tanh")) {
        nn_tanh(in[0].f, got[0].f, length[0]);
    } else if (is(name, "slope")) {
        for (uint32_t n = 0; n < length[0]; n++) {
            got[0].f[n] = nn_slope(in[0].f[n], in[1].u[0]);
        }
    } else if (is(name, "softmax")) {
        nn_softmax(in[0].f, got[0].f, length[0]);
    } else if (is(name, "softmax_cross_entropy")) {
        got[0].f[0] = nn_softmax_cross_entropy(in[0].f, in[1].u[0], got[1].f, length[0]);
        got_count = 2;
    } else if (is(name, "binary_cross_entropy")) {
        got[0].f[0] = nn_binary_cross_entropy(in[0].f, in[1].f, got[1].f, length[0]);
        got_count = 2;
    } else if (is(name, "mean_squared_error")) {
        got[0].f[0] = nn_mean_squared_error(in[0].f, in[1].f, got[1].f, length[0]);
        got_count = 2;
    } else if (is(name, "gradient_square")) {
        uint32_t samples = in[3].u[0];
        uint32_t inputs = length[0] / samples;
        uint32_t outputs = length[1] / samples;
        got[0].f[0] = nn_gradient_square(in[0].f, in[1].f, in[2].f[0], samples, inputs, outputs, inputs, outputs);
    } else if (is(name, "decay_weights")) {
        memcpy(got[0].f, in[0].f, length[0] * sizeof(float));
        nn_decay_weights(got[0].f, in[1].f[0], length[0], 1);
    } else if (is(name, "features")) {
        features();
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
