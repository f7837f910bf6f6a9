// The agents that this tool carries, one for each CPU, as bytes in the program itself.
#ifndef CAGENTS_H
#define CAGENTS_H

#include <stddef.h>

typedef struct {
    const char *cpu;  // as `uname -m` prints it
    const char *sha256;  // hexadecimal
    const unsigned char *bytes;
    size_t size;
} carried_agent;

// How many there are: none in a tool that was built without.
size_t carried_agent_count(void);
carried_agent carried_agent_at(size_t index);

#endif
