// What the simulator answers to a request, and how the connection then ends.
#pragma once

#include <chrono>

#include "common/http/message.h"

namespace tocsin::sim {

struct Reply {
  http::Response response;
  std::chrono::milliseconds delay{0};  // before it goes out
  bool reset = false;                  // a TCP reset goes out instead
};

}  // namespace tocsin::sim
