#include "model.h"

#include "board.h"
#include "bytes.h"
#include "wire.h"

/* Index of the first value that is not finite; `count` when all are. */
static uint32_t first_not_finite(const float *values, uint32_t count)
{
    uint32_t i = 0;
    while (i < count && nn_is_finite(values[i])) {
        i++;
    }
    return i;
}

static bool finite(const float *values, uint32_t count)
{
    return first_not_finite(values, count) == count;
}

/* Standardises the row that ends at the stream's position, in place. ReLU would hide a value that is not finite. */
static refusal_t standardize_row(const model_t *model, const image_t *image, float *sample)
{
    if (image->mean != 0) {
        nn_standardize(sample, image->mean, image->scale, sample, image->inputs);
        uint32_t bad = first_not_finite(sample, image->inputs);
        if (bad != image->inputs) {
            return refuse(STATUS_NON_FINITE, NON_FINITE_SAMPLE, model->row_start + bad, 0);
        }
    }
    return accept();
}

void model_reset(model_t *model)
{
    model->learning = false;
    model->position = 0;
    model->filled = 0;
    model->outputs = 0;
    model->ticks = 0;
}

refusal_t model_seek(model_t *model, uint32_t position)
{
    if (position == 0 && !model->learning) {
        model->position = 0;
        model->filled = 0;
    }
    if (position != model->position) {
        return refuse(STATUS_BAD_POSITION, 0, position, model->position);
    }
    return accept();
}

/* One inference: `sample` holds the raw sample and becomes a scratch buffer. The outputs are then at model->outputs. */
__attribute__((noinline)) static refusal_t model_run_row(model_t *model, const image_t *image, float *sample,
                                                         bool probabilities)
{
    float *other = sample + image->widest;
    refusal_t refusal = standardize_row(model, image, sample);
    model->outputs = 0;
    if (refusal.status != STATUS_OK) {
        return refusal;
    }
    const float *logits = nn_forward(&image->shape, image->parameters, sample, other);
    if (!finite(logits, image->outputs)) {
        return refuse(STATUS_NON_FINITE, NON_FINITE_OUTPUT, model->row_start, 0);
    }
    model->outputs = logits;
    if (probabilities && image->shape.output == OUTPUT_FUNCTION_SOFTMAX) {
        float *outputs = logits == sample ? other : sample;
        nn_softmax(logits, outputs, image->outputs);
        model->outputs = outputs;
    }
    return accept();
}

refusal_t model_run_word(model_t *model, const image_t *image, uint32_t word, bool probabilities, bool *completed)
{
    float value = float_of_bits(word);
    float *sample = arena_start;
    *completed = false;
    if (model->filled == 0 && image_inference_bytes(image) > ARENA_BYTES) {
        return refuse(STATUS_NO_MEMORY, 0, image_inference_bytes(image), ARENA_BYTES);
    }
    if (!nn_is_finite(value)) {
        return refuse(STATUS_NON_FINITE, NON_FINITE_SAMPLE, model->position, 0);
    }
    if (model->filled == 0) {
        model->row_start = model->position;
    }
    sample[model->filled++] = value;
    model->position++;
    if (model->filled < image->inputs) {
        return accept();
    }
    model->filled = 0;
    *completed = true;
    uint32_t start = board_ticks();
    refusal_t refusal = model_run_row(model, image, sample, probabilities);
    model->ticks += board_ticks() - start;
    return refusal;
}

refusal_t model_learn_begin(model_t *model, const image_t *image, float learning_rate, uint32_t batch_size,
                            uint32_t *used)
{
    if (!nn_is_finite(learning_rate) || !(learning_rate > 0.0f) || batch_size == 0) {
        return refuse(STATUS_BAD_ARGUMENT, 0, 0, 0);
    }
    *used = image_learning_bytes(image, batch_size);
    if (*used > ARENA_BYTES) {
        return refuse(STATUS_NO_MEMORY, 0, *used, ARENA_BYTES);
    }
    model_reset(model);
    model->learning = true;
    model->parameters = arena_start;
    model->activations = model->parameters + image->parameter_count;
    model->gradients = model->activations + batch_size * nn_activation_count(&image->shape);
    model->targets = model->gradients + batch_size * nn_gradient_count(&image->shape);
    model->learning_rate = learning_rate;
    model->batch_size = batch_size;
    model->batch_filled = 0;
    model->samples_seen = 0;
    for (uint32_t i = 0; i < image->parameter_count; i++) {
        model->parameters[i] = image->parameters[i];
    }
    return accept();
}

/* eq. 8, 20, 4, 17 and the general gradients for one sample: its record in X and dA. */
__attribute__((noinline)) static refusal_t learn_row(model_t *model, const image_t *image, float *loss)
{
    uint32_t activation_count = nn_activation_count(&image->shape);
    float *x = model->activations + model->batch_filled * activation_count;
    float *gradients = model->gradients + model->batch_filled * nn_gradient_count(&image->shape);
    refusal_t refusal = standardize_row(model, image, x);
    if (refusal.status != STATUS_OK) {
        return refusal;
    }
    nn_forward_record(&image->shape, model->parameters, x);
    if (!finite(x + activation_count - image->outputs, image->outputs)) {
        return refuse(STATUS_NON_FINITE, NON_FINITE_OUTPUT, model->samples_seen, 0);
    }
    *loss += nn_backward(&image->shape, model->parameters, x, model->label, model->targets, gradients);
    model->batch_filled++;
    model->samples_seen++;
    return accept();
}

refusal_t model_learn_flush(model_t *model, const image_t *image)
{
    if (model->filled != 0) {
        return refuse(STATUS_BAD_STATE, 0, 0, 0);
    }
    uint32_t samples = model->batch_filled;
    model->batch_filled = 0;
    if (samples == 0) {
        return accept();
    }
    uint32_t start = board_ticks();
    bool good =
        nn_apply(&image->shape, model->parameters, model->activations, model->gradients, samples, model->learning_rate);
    model->ticks += board_ticks() - start;
    return good ? accept() : refuse(STATUS_NON_FINITE, NON_FINITE_PARAMETER, model->samples_seen, 0);
}

/* One training step when the batch size is 1. */
__attribute__((noinline)) static refusal_t model_train_row(model_t *model, const image_t *image, float *loss)
{
    uint32_t start = board_ticks();
    refusal_t refusal = learn_row(model, image, loss);
    model->ticks += board_ticks() - start;
    if (refusal.status == STATUS_OK && model->batch_filled == model->batch_size) {
        return model_learn_flush(model, image);
    }
    return refusal;
}

refusal_t model_learn_word(model_t *model, const image_t *image, uint32_t word, float *loss)
{
    bool softmax = image->shape.output == OUTPUT_FUNCTION_SOFTMAX;
    uint32_t row_words = image->inputs + (softmax ? 1 : image->outputs);
    float value = float_of_bits(word);
    if (model->filled == 0) {
        model->row_start = model->position;
    }
    if (model->filled < image->inputs) {
        if (!nn_is_finite(value)) {
            return refuse(STATUS_NON_FINITE, NON_FINITE_SAMPLE, model->position, 0);
        }
        model->activations[model->batch_filled * nn_activation_count(&image->shape) + model->filled] = value;
    } else if (softmax) {
        if (word >= image->outputs) {
            return refuse(STATUS_BAD_LABEL, 0, word, image->outputs);
        }
        model->label = word;
    } else {
        if (!nn_is_finite(value)) {
            return refuse(STATUS_NON_FINITE, NON_FINITE_TARGET, model->position, 0);
        }
        model->targets[model->filled - image->inputs] = value;
    }
    model->position++;
    if (++model->filled < row_words) {
        return accept();
    }
    model->filled = 0;
    return model_train_row(model, image, loss);
}
