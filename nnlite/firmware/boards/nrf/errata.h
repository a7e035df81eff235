/* What a chip needs at start-up because of its errata, by chip revision. */
#ifndef NNLITE_ERRATA_H
#define NNLITE_ERRATA_H

/* To be called first. Only touches a register when the revision calls for it. */
void errata_apply(void);

#endif
