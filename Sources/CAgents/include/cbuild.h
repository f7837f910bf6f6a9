// Facts from the build scripts, for `deptool --version`.
#ifndef CBUILD_H
#define CBUILD_H

// The commit of the sources, followed by `-dirty` if they differ from it; empty if unknown.
const char *build_commit(void);

// The libraries that are linked into the tool, each as name, space and version on a line of its own; empty if the tool loads those of the machine.
const char *build_libraries(void);

#endif
