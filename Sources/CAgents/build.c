#include "cbuild.h"

// Written into the folder of the agents by Scripts/build-notes; a plain `swift build` has neither.
#if defined(AGENTS_DIRECTORY) && __has_include("build.h")
#include "build.h"
#endif

#ifndef BUILD_COMMIT
#define BUILD_COMMIT ""
#endif
#ifndef BUILD_LIBRARIES
#define BUILD_LIBRARIES ""
#endif

const char *build_commit(void) { return BUILD_COMMIT; }

const char *build_libraries(void) { return BUILD_LIBRARIES; }
