// What the simulator answers to a request, and when.
#pragma once

#include <chrono>

#include "common/http/message.h"

namespace tocsin::sim {

struct Reply {
  http::Response response;
  std::chrono::milliseconds delay{0};  // before it goes out
};

}  // namespace tocsin::sim
