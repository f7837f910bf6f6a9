#include "cagents.h"

#ifdef AGENTS_DIRECTORY

// Written by Scripts/build-agents: the SHA-256 of each agent. It changes when an agent does, which makes the build system
// assemble this file again, although it cannot see through `.incbin`.
#include "agents.h"

#ifdef __APPLE__
#define SECTION ".section __TEXT,__const\n"
#else
#define SECTION ".section .rodata\n"
#endif

#define CARRY(cpu)                                           \
    __asm__(SECTION                                          \
            ".balign 16\n"                                   \
            "agent_" #cpu ":\n"                              \
            ".incbin \"" AGENTS_DIRECTORY "/linux-" #cpu "\"\n" \
            "agent_" #cpu "_end:\n"                          \
            ".byte 0\n"                                      \
            ".text\n");                                      \
    extern const unsigned char agent_##cpu[] __asm__("agent_" #cpu); \
    extern const unsigned char agent_##cpu##_end[] __asm__("agent_" #cpu "_end");

#define AGENT(cpu, sha256) {#cpu, sha256, agent_##cpu, agent_##cpu##_end}

CARRY(x86_64)
CARRY(aarch64)
// Only a release has these.
#ifdef AGENT_RISCV64_SHA256
CARRY(riscv64)
#endif
#ifdef AGENT_ARMV7L_SHA256
CARRY(armv7l)
#endif

static const struct {
    const char *cpu, *sha256;
    const unsigned char *bytes, *end;
} agents[] = {
    AGENT(x86_64, AGENT_X86_64_SHA256),
    AGENT(aarch64, AGENT_AARCH64_SHA256),
#ifdef AGENT_RISCV64_SHA256
    AGENT(riscv64, AGENT_RISCV64_SHA256),
#endif
#ifdef AGENT_ARMV7L_SHA256
    AGENT(armv7l, AGENT_ARMV7L_SHA256),
#endif
};

size_t carried_agent_count(void) { return sizeof agents / sizeof *agents; }

carried_agent carried_agent_at(size_t index) {
    return (carried_agent){
        agents[index].cpu, agents[index].sha256, agents[index].bytes, (size_t)(agents[index].end - agents[index].bytes)};
}

#else

size_t carried_agent_count(void) { return 0; }

carried_agent carried_agent_at(size_t index) {
    (void)index;
    return (carried_agent){"", "", NULL, 0};
}

#endif
