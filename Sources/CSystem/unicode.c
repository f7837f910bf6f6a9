// The functions by which Swift's String reads the tables of Unicode. To the agent all text is bytes, as to Linux: `é`
// written in two ways is two names. So these answer as for ASCII, and the tables, a tenth of the agent, need not be
// carried.
#if defined(DEPTOOL_EMBEDDED)
#include <stdbool.h>
#include <stdint.h>

uint16_t _swift_stdlib_getNormData(uint32_t scalar) { return (void)scalar, 0; }  // normal already, combines with nothing
uint32_t _swift_stdlib_getDecompositionEntry(uint32_t scalar) { return (void)scalar, 0; }
uint32_t _swift_stdlib_getComposition(uint32_t one, uint32_t other) { return (void)one, (void)other, UINT32_MAX; }
const uint8_t *const _swift_stdlib_nfd_decompositions = 0;  // not looked at, since nothing is decomposed
uint8_t _swift_stdlib_getGraphemeBreakProperty(uint32_t scalar) { return (void)scalar, 0xFF; }  // a character by itself
bool _swift_stdlib_isExtendedPictographic(uint32_t scalar) { return (void)scalar, false; }
bool _swift_stdlib_isInCB_Consonant(uint32_t scalar) { return (void)scalar, false; }
#endif
