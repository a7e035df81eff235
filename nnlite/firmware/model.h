/* Running and training the serving model in the arena, sample by sample as the words come. */
#ifndef NNLITE_MODEL_H
#define NNLITE_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "image.h"
#include "slots.h"

typedef struct {
    bool learning;
    uint32_t position;    /* words of the stream that came so far */
    uint32_t filled;      /* words of the row that is coming in */
    uint32_t row_start;   /* position of its first word */
    const float *outputs; /* of the last row that ran; null before */
    uint32_t ticks;       /* of computing, summed up until somebody sets it to 0 */

    /* learning only; the arrays lie in the arena */
    nn_shape_t trained; /* the layers that are trained, as a network of their own */
    uint32_t frozen;    /* how many are in front of them */
    nn_rule_t rule;
    bool weighted;      /* each row ends with its weight */
    bool kept;          /* whether `best` holds parameters */
    float *parameters;  /* of the trained layers */
    float *best;        /* the same, set aside; null without room for them */
    float *state;       /* the optimiser's */
    float *activations; /* X: batch_size records */
    float *gradients;   /* dA: batch_size records */
    float *targets;     /* where the output is not softmax */
    float *frozen_a;    /* the two buffers of the frozen layers */
    float *frozen_b;
    uint32_t label;
    float weight;
    uint32_t batch_size;
    uint32_t batch_filled;
    uint32_t samples_seen;
} model_t;

/* Drop a learning run and the row that is coming in. */
void model_reset(model_t *model);

/* A stream goes on where it stopped, and one of RUN may start anew at position 0; anything else is refused. */
refusal_t model_seek(model_t *model, uint32_t position);

/* Take one word of a RUN stream. `*completed` tells whether it completed a row, whose outputs are then
   at model->outputs: logits, or probabilities of a softmax or sigmoid network when asked for. */
refusal_t model_run_word(model_t *model, const image_t *image, uint32_t word, bool probabilities, bool *completed);

/* Copy the parameters into the arena and get ready for LEARN. `*used` becomes the arena bytes in use. */
refusal_t model_learn_begin(model_t *model, const image_t *image, const nn_rule_t *rule, const learning_t *learning,
                            bool weighted, uint32_t *used);

/* Set the parameters aside: they are what LEARN_COMMIT takes, until others are set aside. */
refusal_t model_learn_keep(model_t *model);

/* First parameter in the image that a learning run replaces, and by what. */
uint32_t model_learned_offset(const model_t *model, const image_t *image);
const float *model_learned(const model_t *model);

/* Take one word of a LEARN stream; a completed row is trained on and its loss added to `*loss`. */
refusal_t model_learn_word(model_t *model, const image_t *image, uint32_t word, float *loss);

/* Apply a batch that is not full: the end of an epoch. */
refusal_t model_learn_flush(model_t *model);

#endif
