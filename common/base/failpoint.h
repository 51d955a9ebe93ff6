// Failpoints: places where a test makes a program fail, and safety checks that a test disables.
// Only in builds with the option TOCSIN_FAILPOINTS. In every other build both macros are `false`
// and leave no code and no name in the program.
#pragma once

#ifdef TOCSIN_FAILPOINTS
#define TOCSIN_FAILS_AT(point) ::tocsin::failpoint::FailsAt(point)
#define TOCSIN_WITHOUT(guard) ::tocsin::failpoint::Without(guard)

#include <string_view>

namespace tocsin::failpoint {

// A file named TOCSIN_FAILPOINT_FILE, a dot and the point arms the failpoint once. Its content is
// "kill", "hang MS" or "error". The first thread that reaches the point renames the file to
// TOCSIN_FAILPOINT_FILE.reached, and then kills the process with SIGKILL, sleeps, or returns
// `true`: the caller must act as if the step had failed. Otherwise returns `false`. Every call
// looks for the file. Thread-safe.
bool FailsAt(std::string_view point);

// Whether the comma-separated list TOCSIN_WITHOUT contains this guard. The caller then skips the
// guard, so that a test can show that its checker detects the missing guard.
bool Without(std::string_view guard);

}  // namespace tocsin::failpoint

#else
#define TOCSIN_FAILS_AT(point) false
#define TOCSIN_WITHOUT(guard) false
#endif
