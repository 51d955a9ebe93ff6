// Places where a test makes a program fail, and guards that it takes away. Only in builds with the
// option TOCSIN_FAILPOINTS; in every other build both macros are `false` and leave no code and no
// name behind.
#pragma once

#ifdef TOCSIN_FAILPOINTS
#define TOCSIN_FAILS_AT(point) ::tocsin::failpoint::FailsAt(point)
#define TOCSIN_WITHOUT(guard) ::tocsin::failpoint::Without(guard)

#include <string_view>

namespace tocsin::failpoint {

// A file whose name is TOCSIN_FAILPOINT_FILE, a dot and the point arms it once: "kill", "hang MS"
// or "error". The thread that comes by first takes the file away, leaves
// TOCSIN_FAILPOINT_FILE.struck behind, and is killed with its process by SIGKILL, sleeps there, or
// gets `true`: it must then act as if the step had failed. `false` otherwise. Asks for a file at
// each call. Safe to call from several threads.
bool FailsAt(std::string_view point);

// Whether TOCSIN_WITHOUT names this guard: names separated by commas. The guard is then left out,
// so that a checker can be seen to find what it guards against.
bool Without(std::string_view guard);

}  // namespace tocsin::failpoint

#else
#define TOCSIN_FAILS_AT(point) false
#define TOCSIN_WITHOUT(guard) false
#endif
