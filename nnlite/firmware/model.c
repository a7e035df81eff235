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

static bool all_finite(const float *values, uint32_t count)
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
    float *other = sample + image->buffers.first;
    refusal_t refusal = standardize_row(model, image, sample);
    model->outputs = 0;
    if (refusal.status != STATUS_OK) {
        return refusal;
    }
    const float *logits = nn_forward(&image->shape, image->parameters, sample, other);
    if (!all_finite(logits, image->outputs)) {
        return refuse(STATUS_NON_FINITE, NON_FINITE_OUTPUT, model->row_start, 0);
    }
    float *outputs = logits == sample ? sample : other;
    if (probabilities && image->shape.output == OUTPUT_FUNCTION_SOFTMAX) {
        nn_softmax(logits, outputs, image->outputs);
    } else if (probabilities && image->shape.output == OUTPUT_FUNCTION_SIGMOID) {
        nn_sigmoid(logits, outputs, image->outputs);
    }
    model->outputs = outputs;
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

static bool is_share(float value)
{
    return nn_is_finite(value) && value >= 0.0f && value < 1.0f;
}

static bool is_length(float value)
{
    return nn_is_finite(value) && value >= 0.0f;
}

static bool rule_is_good(const nn_rule_t *rule)
{
    return rule->optimizer <= OPTIMIZER_ADAM && is_length(rule->learning_rate) && rule->learning_rate > 0.0f &&
           is_share(rule->betas[0]) && is_share(rule->betas[1]) && is_length(rule->epsilon) &&
           is_share(rule->weight_decay) && is_length(rule->clip_norm);
}

refusal_t model_learn_begin(model_t *model, const image_t *image, const nn_rule_t *rule, const learning_t *learning,
                            bool weighted, uint32_t *used)
{
    if (!rule_is_good(rule) || learning->batch_size == 0 || learning->last_layers > image->shape.layers) {
        return refuse(STATUS_BAD_ARGUMENT, 0, rule->optimizer, learning->last_layers);
    }
    *used = image_learning_bytes(image, learning);
    if (*used > ARENA_BYTES) {
        return refuse(STATUS_NO_MEMORY, 0, *used, ARENA_BYTES);
    }
    model_reset(model);
    model->learning = true;
    model->trained = image_trained(image, learning->last_layers);
    model->frozen = (uint32_t)image->shape.layers - model->trained.layers;
    model->rule = *rule;
    model->weighted = weighted;
    model->kept = false;
    model->batch_size = learning->batch_size;
    model->batch_filled = 0;
    model->samples_seen = 0;

    uint32_t count = nn_parameter_count(&model->trained);
    uint32_t state_count = nn_state_count(&model->trained, rule->optimizer);
    float *at = arena_start;
    model->parameters = at;
    at += count;
    model->best = learning->keep ? at : 0;
    at += learning->keep ? count : 0;
    model->state = at;
    at += state_count;
    model->activations = at;
    at += learning->batch_size * nn_activation_count(&model->trained);
    model->gradients = at;
    at += learning->batch_size * nn_gradient_count(&model->trained);
    model->targets = at;
    at += image->shape.output == OUTPUT_FUNCTION_SOFTMAX ? 0 : image->outputs;
    model->frozen_a = at; /* in use only where layers are frozen */
    model->frozen_b = at + image_buffers(image->shape.sizes, model->frozen).first;

    const float *from = image->parameters + model_learned_offset(model, image);
    for (uint32_t i = 0; i < count; i++) {
        model->parameters[i] = from[i];
    }
    nn_begin_state(model->state, rule->optimizer, state_count);
    return accept();
}

refusal_t model_learn_keep(model_t *model)
{
    if (!model->learning || model->best == 0 || model->filled != 0 || model->batch_filled != 0) {
        return refuse(STATUS_BAD_STATE, 0, 0, 0);
    }
    uint32_t count = nn_parameter_count(&model->trained);
    for (uint32_t i = 0; i < count; i++) {
        model->best[i] = model->parameters[i];
    }
    model->kept = true;
    return accept();
}

uint32_t model_learned_offset(const model_t *model, const image_t *image)
{
    return image->parameter_count - nn_parameter_count(&model->trained);
}

const float *model_learned(const model_t *model)
{
    return model->kept ? model->best : model->parameters;
}

/* The record of the sample that is coming in. */
static float *record(const model_t *model)
{
    return model->activations + model->batch_filled * nn_activation_count(&model->trained);
}

/* Where its raw values go: into the record, or in front of the frozen layers. */
static float *raw_sample(const model_t *model)
{
    return model->frozen != 0 ? model->frozen_a : record(model);
}

/* eq. 8, 20, 4, 17 and the general gradients for one sample: its record in X and dA. */
__attribute__((noinline)) static refusal_t learn_row(model_t *model, const image_t *image, float *loss)
{
    float *x = record(model);
    float *raw = raw_sample(model);
    float *gradients = model->gradients + model->batch_filled * nn_gradient_count(&model->trained);
    const float *logits = x + nn_activation_count(&model->trained) - image->outputs;
    refusal_t refusal = standardize_row(model, image, raw);
    if (refusal.status != STATUS_OK) {
        return refusal;
    }
    if (model->frozen != 0) {
        const float *features = nn_features(&image->shape, image->parameters, raw, model->frozen_b, model->frozen);
        for (uint32_t i = 0; i < model->trained.sizes[0]; i++) {
            x[i] = features[i];
        }
    }
    nn_forward_record(&model->trained, model->parameters, x);
    if (!all_finite(logits, image->outputs)) {
        return refuse(STATUS_NON_FINITE, NON_FINITE_OUTPUT, model->samples_seen, 0);
    }
    *loss += nn_backward(&model->trained, model->parameters, x, model->label, model->targets, model->weight, gradients);
    model->batch_filled++;
    model->samples_seen++;
    return accept();
}

refusal_t model_learn_flush(model_t *model)
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
    bool good = nn_apply(&model->trained, model->parameters, model->activations, model->gradients, &model->rule,
                         model->state, samples);
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
        return model_learn_flush(model);
    }
    return refusal;
}

refusal_t model_learn_word(model_t *model, const image_t *image, uint32_t word, float *loss)
{
    bool softmax = image->shape.output == OUTPUT_FUNCTION_SOFTMAX;
    uint32_t truth_end = image->inputs + (softmax ? 1 : image->outputs);
    uint32_t row_words = truth_end + (model->weighted ? 1 : 0);
    float value = float_of_bits(word);
    if (model->filled == 0) {
        model->row_start = model->position;
        model->weight = 1.0f;
    }
    if (model->filled < image->inputs) {
        if (!nn_is_finite(value)) {
            return refuse(STATUS_NON_FINITE, NON_FINITE_SAMPLE, model->position, 0);
        }
        raw_sample(model)[model->filled] = value;
    } else if (model->filled >= truth_end) {
        if (!nn_is_finite(value) || value < 0.0f) {
            return refuse(STATUS_NON_FINITE, NON_FINITE_WEIGHT, model->position, 0);
        }
        model->weight = value;
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
